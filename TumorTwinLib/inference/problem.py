"""A calibration put together: what is unknown, what the scans say, and the model between them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.inference.first_state import smoothed
from TumorTwinLib.inference.likelihood import make_likelihood
from TumorTwinLib.inference.noise import ObservationNoise
from TumorTwinLib.inference.priors import Prior, find_priors
from TumorTwinLib.inference.simulator import Simulator
from TumorTwinLib.inference.unknowns import Doubts, Unknowns
from TumorTwinLib.models.observation import ObservedVisit, is_plausible, measured_levels
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.physics.trackers import Tracker

_LEVEL_SEEN, _LEVEL_UNSEEN = 0.15, 0.5  # log-odds by which a contour's level may be off
_REGION_OF_LEVEL = {"core": "core", "whole": "whole_tumor"}


def make_simulator(
    model: Any,
    patient: PatientData,
    *,
    visits: int | None = None,
    priors: Mapping[str, Prior | Sequence] | None = None,
    calibrate: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    doubts: Doubts | None = None,
    noise: ObservationNoise | None = None,
    settings: SolverSettings | None = None,
    trackers: Sequence[Tracker] = (),
    memory: MutableMapping[str, np.ndarray] | None = None,
    threads: int = 2,
    contour_levels_of: Sequence[ObservedVisit] | None = None,
) -> Simulator:
    """The model of a patient as a function of the unknowns, with the likelihood of the visits after the first.

    A region's contour counts unless the patient's own ADC shows an implausible level on it. Where that shows none, as
    of a small tumor on a coarse grid, the level is as uncertain as without ADC.

    Args:
        visits: how many to use, from the first; all by default.
        priors: by parameter name, instead of the model's own.
        contour_levels_of: the visits on another grid, by which to judge where contours run. A coarse search must judge
            as the fine grid does, or the two have different unknowns.
        calibrate: names of the parameters to calibrate; all by default. The others stay at ``fixed`` or their median.

    Raises:
        TumorTwinError: fewer than two visits, an unknown parameter, or nothing to compare with.
    """
    used = len(patient.visits) if visits is None else visits
    if not 2 <= used <= len(patient.visits):
        raise TumorTwinError(
            f"Patient {patient.patient_id} has {len(patient.visits)} visits and {used} are to be used: "
            "calibration needs at least two."
        )
    observed = model.observe(patient)[:used]
    doubts = doubts or Doubts()
    judged = contour_levels_of or observed
    levels = measured_levels(judged, judged[0].grid.spacing_mm)
    seen, refuted = (
        {_REGION_OF_LEVEL[name] for name, level in levels.items() if is_plausible(name, level) is fine}
        for fine in (True, False)
    )
    drawn = {"core": [v.core for v in judged[1:]], "whole_tumor": [v.whole for v in judged[1:]]}
    regions = tuple(
        region
        for region in model.thresholds
        if region not in refuted and any(mask is not None and mask.any() for mask in drawn[region])
    )
    if doubts.level is None:
        doubts = replace(doubts, level={r: _LEVEL_SEEN if r in seen else _LEVEL_UNSEEN for r in regions})
    domain = model.physics_domain
    noise = noise or ObservationNoise()
    likelihood = make_likelihood(observed[1:], domain.unpack(domain.mask), regions, noise, patient.patient_id)
    known = find_priors(model.parameters, priors)
    chosen = {name: known[name] for name in (known if calibrate is None else calibrate)}
    held = {name: known[name].median for name in known if name not in chosen} | dict(fixed or {})
    unknowns = Unknowns(model.parameters, chosen, held, doubts, tuple(visit.day for visit in observed))
    return Simulator(
        model, patient, smoothed(observed[0]), unknowns, likelihood,
        settings or SolverSettings(tolerance=3e-3), noise, trackers, {} if memory is None else memory, threads,
    )  # fmt: skip
