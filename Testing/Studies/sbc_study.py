"""Simulation-based calibration of the whole machine on the real equation: ``python -m Testing.Studies.sbc_study``.

A tumor treated with radiation and temozolomide in a ball of brain on 4 mm voxels, three visits with contours and ADC,
all unknowns unknown. Each replicate draws them from the prior, data from the likelihood, and ranks the truth among 99
draws of the posterior: of every parameter, of the log-likelihood and of the log-volume 90 days after the last visit.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping

import numpy as np

from Testing.inference import small_patient as small
from TumorTwinLib.inference.problem import make_simulator
from TumorTwinLib.inference.sbc import replicate
from TumorTwinLib.inference.simulator import Simulator
from TumorTwinLib.physics.solver import SolverSettings

FIRST_SEED, REPLICATES, RANKED = 50_000, 250, 99
HORIZON_DAYS = 90.0
QUANTITY = "log_volume_90d"
_SIDE, _SPACING_MM, _RADIUS_MM = 16, 4.0, 11.0
_DRAWS = 400


@functools.cache
def simulator() -> Simulator:
    """The same in every process; data of the visits are replaced in every replicate."""
    mask = small.brain(_SIDE, _SPACING_MM)
    first = small.visit(0.0, small.young_tumor(mask.grid, _RADIUS_MM) * mask.array, mask.grid)
    model = small.model(mask)
    fields = small.grow(small.patient([first], brain_mask=mask), model, small.DAYS[1:])
    scans = [small.visit(day, u, mask.grid) for day, u in zip(small.DAYS[1:], fields, strict=True)]
    patient = small.patient([first, *scans], brain_mask=mask)
    return make_simulator(model, patient, settings=SolverSettings(tolerance=1e-2), threads=1)


def volume_to_come(z: np.ndarray, _summaries: np.ndarray) -> Mapping[str, np.ndarray]:
    """(n,) log of the integral of cellularity over the head, mm3, with growth after the last visit as in the mean."""
    made = simulator()
    last = made.unknowns.days[-1]
    found = np.zeros(len(z))

    def see(start: int, _day: float, e: int, u: np.ndarray, _du: np.ndarray) -> None:
        found[start + e] = np.log(u.sum(dtype=np.float64) * made.model.grid.voxel_volume_mm3 + 1e-6)

    for start in range(0, len(z), 4):
        part = z[start : start + 4]
        after = ([last], np.zeros((len(part), 1)))
        made.solve(part, [last + HORIZON_DAYS], functools.partial(see, start), later_growth=after)
    return {QUANTITY: found}


def run_replicate(seed: int) -> dict:
    """Ranks of one replicate; plain data."""
    cpu = time.process_time()
    ranks = replicate(simulator(), seed, count=RANKED, draws=_DRAWS, quantities=volume_to_come)
    return {"seed": seed, "ranks": ranks, "cpu_seconds": time.process_time() - cpu}
