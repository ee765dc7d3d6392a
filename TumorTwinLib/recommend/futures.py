"""The same draws of the posterior under every plan: one solve to the decision, and from there one for each plan."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.geometry import Image
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
_LEAST_CHUNK, _CHUNK_VOXELS = 4, 400_000
_STIFF = "diffusivity_mm2_per_day"


@dataclass(frozen=True, eq=False)
class Future:
    """What one plan does in every draw; NaN in draws that were not solved before it was stopped.

    Args:
        volume_mm3: by region, (m, n), above the draw's own level of its contour.
        living_cells: (m, n).
        size: (m, n) what the progression rule looks at, in its unit.
    """

    volume_mm3: Mapping[str, np.ndarray]
    living_cells: np.ndarray
    size: np.ndarray

    @classmethod
    def empty(cls, regions: Sequence[str], draws: int, days: int) -> Future:
        """Of draws that are still to be solved."""

        def unknown() -> np.ndarray:
            return np.full((draws, days), np.nan)

        return cls({name: unknown() for name in regions}, unknown(), unknown())

    @property
    def solved(self) -> np.ndarray:
        """(m,) which draws were solved to the end."""
        return np.isfinite(self.size[:, -1])

    def packed(self, rows: np.ndarray) -> np.ndarray:
        """(2 + regions, len(rows), n) all of some draws."""
        return np.stack([self.living_cells[rows], self.size[rows], *(v[rows] for v in self.volume_mm3.values())])

    def fill(self, rows: np.ndarray, packed: np.ndarray) -> None:
        """Put what ``packed`` gave back."""
        self.living_cells[rows], self.size[rows], *_ = packed
        for volume, values in zip(self.volume_mm3.values(), packed[2:], strict=True):
            volume[rows] = values

    def of(self, rows: np.ndarray) -> Future:
        """Of some draws only."""
        volumes = {name: volume[rows] for name, volume in self.volume_mm3.items()}
        return Future(volumes, self.living_cells[rows], self.size[rows])


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
    memory: MutableMapping[str, np.ndarray] | None = None,
) -> tuple[Future, ...]:
    """The futures of all plans, in their order. Stopped on request, draws that were not solved are NaN.

    Args:
        rule, region: what is measured for progression.
        on_progress: called with done and total solves of one draw under one plan.
        memory: of this patient and model, filled; what it holds is not solved again, under whichever plans.
    """
    m, n, regions = len(draws.z), len(draws.days), tuple(simulator.model.thresholds)
    futures = tuple(Future.empty(regions, m, n) for _ in plans)
    memory = {} if memory is None else memory
    patients = [treated_by(simulator.patient, decision, plan) for plan in plans]
    until_decision = replace(simulator, patient=treated_by(simulator.patient, decision, UNTREATED))
    order = np.arange(m)
    if _STIFF in simulator.unknowns.parameters:  # the stiffest draw sets the work of its chunk
        order = np.argsort(draws.z[:, simulator.unknowns.column(_STIFF)], kind="stable")
    settings = settings or simulator.settings
    voxels = math.prod(simulator.model.grid.shape)
    size = max(_LEAST_CHUNK, _CHUNK_VOXELS // voxels)

    names = [_plan_digest(plan) for plan in plans]

    def key(name: str, chunk: np.ndarray) -> str:
        return _digest(
            name, rule, region, simulator.model.grid.shape, simulator.model.grid.ijk_to_ras, settings, draws.days,
            draws.growth_days, draws.z[chunk], draws.growth[chunk], *(v[chunk] for v in draws.levels.values()),
        )  # fmt: skip

    def run(start: int) -> int:
        chunk = order[start : start + size]
        keys = [key(name, chunk) for name in names]
        if all(one in memory for one in keys):
            for future, one in zip(futures, keys, strict=True):
                future.fill(chunk, memory[one])
            return len(chunk)
        members = [simulator.unknowns.values(one) for one in draws.z[chunk]]
        state, before, diffusivity = until_decision.problem(
            draws.z[chunk], later_growth=(draws.growth_days, draws.growth[chunk])
        )
        forks = isinstance(before, LogisticReaction)  # the shares of several populations are not in what is seen
        fork_day = float(draws.days[0]) if forks else simulator.first.day
        if fork_day > simulator.first.day:
            state = _solve(simulator.model, state, before, diffusivity, simulator.first.day, [fork_day], settings,
                           trackers, keep=True)[:, :, None][0]  # fmt: skip
        for patient, future, one in zip(patients, futures, keys, strict=True):
            if one in memory:  # of an earlier run, or of another plan that gives the same
                future.fill(chunk, memory[one])
                continue
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
            memory[one] = future.packed(chunk)
        return len(chunk)

    done, total = 0, m * len(plans)
    starts = np.random.default_rng(m).permutation(np.arange(0, m, size))  # what is solved before a stop is a fair share
    with ThreadPoolExecutor(max(1, simulator.threads)) as pool, contextlib.suppress(CancelledError):
        for count in pool.map(run, starts.tolist()):
            done += count * len(plans)
            if on_progress is not None:
                on_progress(done, total)
    return futures


def _digest(*parts: Any) -> str:
    """A name for everything that a solve follows from."""
    name = hashlib.blake2b(digest_size=12)
    for part in parts:
        name.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return name.hexdigest()


def _plan_digest(plan: Plan) -> str:
    """Of what is given, and when; fractions share their dose volume, which is read once."""
    images = [getattr(event, "dose_map", None) or getattr(event, "cavity", None) for event in plan.events]
    distinct = {id(image): image for image in images if image is not None}
    rows = [
        [value for value in vars(event).values() if not isinstance(value, Image)] + [list(distinct).index(id(image))]
        if image is not None
        else list(vars(event).values())
        for event, image in zip(plan.events, images, strict=True)
    ]
    return _digest(rows, *(part for image in distinct.values() for part in (image.array, image.grid.ijk_to_ras)))


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
