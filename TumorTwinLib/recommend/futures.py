"""The same draws of the posterior under every plan: one solve to the decision, and from there one for each plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.inference.sampling import systematic_resample
from TumorTwinLib.inference.simulator import Simulator
from TumorTwinLib.physics.reaction import LogisticReaction, Rate
from TumorTwinLib.physics.solver import SolverSettings, Status, solve
from TumorTwinLib.physics.trackers import Fields, Tracker
from TumorTwinLib.recommend.plans import UNTREATED, Plan, treated_by
from TumorTwinLib.recommend.progression import ProgressionRule
from TumorTwinLib.segmentation.shape import axial_diameters

_GROWTH_DAYS = 30.0  # over which growth is one number, as in the posterior's own forecasts
# Members solved in one pass: on large grids more would share less of the cache, on small ones fewer would be mostly
# bookkeeping.
_LEAST_CHUNK, _LARGEST_CHUNK, _CHUNK_VOXELS = 4, 16, 200_000
_STIFF = "diffusivity_mm2_per_day"


@dataclass(frozen=True, eq=False)
class Future:
    """What one plan does in every draw.

    Args:
        volume_mm3: by region, (m, n), above the draw's own level of its contour.
        living_cells: (m, n).
        size: (m, n) what the progression rule looks at, in its unit.
    """

    volume_mm3: Mapping[str, np.ndarray]
    living_cells: np.ndarray
    size: np.ndarray


@dataclass(frozen=True, eq=False)
class Draws:
    """What the plans have in common.

    Args:
        z: (m, d) equally probable unknowns.
        growth: (m, k) logarithm of the growth factors from each of ``growth_days`` on.
        levels: by region, (m,) cellularity on its contour.
        days: (n,) of the output, days since the first visit; the first is the decision.
    """

    z: np.ndarray
    growth_days: tuple[float, ...]
    growth: np.ndarray
    levels: Mapping[str, np.ndarray]
    days: np.ndarray


def common_draws(posterior: Posterior, count: int, horizon_days: float, every_days: float, seed: int) -> Draws:
    """Draws by their weight, each with a growth of its own after the last visit used."""
    simulator, rng = posterior.simulator, np.random.default_rng(seed)
    z = posterior.draws.z[systematic_resample(posterior.weights, count, rng)]
    decision = simulator.unknowns.days[-1]
    edges = [*np.arange(decision, decision + horizon_days, _GROWTH_DAYS).tolist(), decision + horizon_days]
    growth = simulator.unknowns.growth_after(z, edges, rng)
    own = [simulator.levels(one) for one in z]
    levels = {region: np.array([level[region] for level in own]) for region in simulator.model.thresholds}
    steps = max(2, round(horizon_days / every_days))
    return Draws(z, tuple(edges[:-1]), growth, levels, np.linspace(decision, decision + horizon_days, steps + 1))


def run_plans(
    simulator: Simulator,
    draws: Draws,
    decision: datetime,
    plans: Sequence[Plan],
    rule: ProgressionRule,
    region: str,
    *,
    settings: SolverSettings | None = None,
    trackers: Sequence[Tracker] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Future, ...]:
    """The futures of all plans, in their order.

    Args:
        rule, region: what is measured for progression.
        on_progress: called with done and total solves of one draw under one plan.

    Raises:
        CancelledError: stopped on request.
    """
    m, n, regions = len(draws.z), len(draws.days), tuple(simulator.model.thresholds)
    futures = tuple(
        Future({name: np.zeros((m, n)) for name in regions}, np.zeros((m, n)), np.zeros((m, n))) for _ in plans
    )
    patients = [treated_by(simulator.patient, decision, plan) for plan in plans]
    until_decision = replace(simulator, patient=treated_by(simulator.patient, decision, UNTREATED))
    order = np.arange(m)
    if _STIFF in simulator.unknowns.parameters:  # the stiffest draw sets the work of its chunk
        order = np.argsort(draws.z[:, simulator.unknowns.column(_STIFF)], kind="stable")
    settings = settings or simulator.settings
    voxels = math.prod(simulator.model.grid.shape)
    size = min(_LARGEST_CHUNK, max(_LEAST_CHUNK, _CHUNK_VOXELS // voxels))

    def run(start: int) -> int:
        chunk = order[start : start + size]
        members = [simulator.unknowns.values(one) for one in draws.z[chunk]]
        state, before, diffusivity = until_decision.problem(
            draws.z[chunk], later_growth=(draws.growth_days, draws.growth[chunk])
        )
        forks = isinstance(before, LogisticReaction)  # the shares of several populations are not in what is seen
        fork_day = float(draws.days[0]) if forks else simulator.first.day
        if fork_day > simulator.first.day:
            state = _solve(simulator.model, state, before, diffusivity, simulator.first.day, [fork_day], settings,
                           trackers, keep=True)[:, :, None][0]  # fmt: skip
        for patient, future in zip(patients, futures, strict=True):
            reaction, _ = simulator.model.dynamics(patient, members)
            reaction = replace(reaction, changes=before.changes)
            watch = _Watch(simulator.model, future, draws, chunk, rule, region, forks)
            _solve(
                simulator.model,
                state,
                reaction,
                diffusivity,
                fork_day,
                draws.days.tolist(),
                settings,
                [watch, *trackers],
            )
        return len(chunk)

    done, total = 0, m * len(plans)
    with ThreadPoolExecutor(max(1, simulator.threads)) as pool:
        for count in pool.map(run, range(0, m, size)):
            done += count * len(plans)
            if on_progress is not None:
                on_progress(done, total)
    return futures


def _solve(
    model: Any, state: np.ndarray, reaction: Any, diffusivity: Rate, start_day: float, days: Sequence[float],
    settings: SolverSettings, trackers: Sequence[Tracker], *, keep: bool = False,
) -> np.ndarray:  # fmt: skip
    solution = solve(
        model.physics_domain, state, reaction, diffusivity, days, start_day=start_day,
        settings=settings, trackers=trackers, keep_fields=keep,
    )  # fmt: skip
    if solution.status is Status.CANCELLED:
        raise CancelledError(solution.message)
    return solution.cellularity


class _Watch(Tracker):
    """Measures the members of a chunk at every output and keeps numbers only."""

    def __init__(
        self, model: Any, future: Future, draws: Draws, chunk: np.ndarray, rule: ProgressionRule, region: str,
        all_live: bool,
    ) -> None:  # fmt: skip
        self._future, self._draws, self._chunk, self._rule = future, draws, chunk, rule
        self._grid, self._region, self._all_live = model.grid, region, all_live
        self._capacity = model.grid.voxel_volume_mm3 * model.carrying_capacity_per_mm3
        self._number = 0

    def output(self, day: float, fields: Fields) -> None:
        u = fields.cellularity()
        living = u if self._all_live else fields.living()
        j, voxel_mm3 = self._number, self._grid.voxel_volume_mm3
        for e, m in enumerate(self._chunk):
            self._future.living_cells[m, j] = living[e].sum(dtype=np.float64) * self._capacity
            for region, level in self._draws.levels.items():
                inside = u[e] >= level[m]
                self._future.volume_mm3[region][m, j] = np.count_nonzero(inside) * voxel_mm3
                if region == self._region:
                    self._future.size[m, j] = self._size(inside)
        self._number += 1

    def _size(self, inside: np.ndarray) -> float:
        if self._rule.quantity == "volume":
            return float(np.count_nonzero(inside)) * self._grid.voxel_volume_mm3
        diameters = axial_diameters(inside, self._grid)
        return diameters.sum_of_products_mm2 if self._rule.quantity == "product" else diameters.recist_mm
