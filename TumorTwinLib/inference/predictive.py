"""The posterior run into the future: volumes with bands, fields with quantiles, probability of tumor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid
from TumorTwinLib.inference.conformal import ConformalFactors
from TumorTwinLib.inference.sampling import Draws, systematic_resample
from TumorTwinLib.inference.simulator import Simulator
from TumorTwinLib.inference.unknowns import Unknowns
from TumorTwinLib.uncertainty import STEPS, Band

_GROWTH_DAYS = 30.0  # over which growth is one number in a forecast
_CHUNK = 4


@dataclass(frozen=True, eq=False)
class Predictive:
    """Equally probable futures.

    Args:
        days: (n,) days since the first visit; from_day: the last visit used.
        volume_mm3: by region, (m, n) of the model's region; measured_mm3: (m, n) as a scan would show it.
        total_cell_count: (m, n).
        field_days: (f,) those of the days whose fields are kept.
        density: (f, m, v) cellularity in 1/255 at the voxels that can hold cells.
        voxels: (v,) flat indices of those on the grid.
        levels: by region, (m,) cellularity on its contour, as it is itself uncertain.
        draws: (m,) which draws of the posterior these are.
    """

    days: np.ndarray
    from_day: float
    grid: Grid
    volume_mm3: Mapping[str, np.ndarray]
    measured_mm3: Mapping[str, np.ndarray]
    total_cell_count: np.ndarray
    field_days: np.ndarray
    density: np.ndarray
    voxels: np.ndarray
    levels: Mapping[str, np.ndarray]
    draws: np.ndarray

    def band(
        self, region: str, level: float = 0.95, *, measured: bool = True, conformal: ConformalFactors | None = None
    ) -> Band:
        """Interval of the volume (mm3) of a region on every day.

        Args:
            measured: of the volume that a scan will show, with the noise of reading it; otherwise of the model's.
            conformal: factors for a calibrated interval; raw quantiles without.
        """
        volume = (self.measured_mm3 if measured else self.volume_mm3)[region]
        tail = 0.5 * (1.0 - level)
        lower, median, upper = np.quantile(volume, [tail, 0.5, 1.0 - tail], axis=0)
        if conformal is None:
            return Band(level, median, lower, upper, False)
        center, spread = log_center_and_spread(volume)
        factor = np.array([conformal.factor(region, day - self.from_day, level) for day in self.days])
        return Band(level, np.exp(center), np.exp(center - factor * spread), np.exp(center + factor * spread), True)

    def cell_band(self, level: float = 0.95) -> Band:
        """Raw interval of the number of cells on every day."""
        tail = 0.5 * (1.0 - level)
        lower, median, upper = np.quantile(self.total_cell_count, [tail, 0.5, 1.0 - tail], axis=0)
        return Band(level, median, lower, upper, False)

    def field_quantile(self, number: int, probability: float) -> np.ndarray:
        """(ni, nj, nk) float32 quantile of cellularity, voxel by voxel, on the field day of this number."""
        density = self.density[number]
        values, reached = np.zeros(len(self.voxels), dtype=np.float32), density.any(axis=0)
        values[reached] = np.quantile(density[:, reached], probability, axis=0) / STEPS
        return self._field(values)

    def probability(self, number: int, region: str) -> np.ndarray:
        """(ni, nj, nk) float32 share of futures in which each voxel is inside the region on that field day."""
        inside = self.density[number] / np.float32(STEPS) >= self.levels[region][:, None]
        return self._field(inside.mean(axis=0))

    def _field(self, values: np.ndarray) -> np.ndarray:
        field = np.zeros(self.grid.shape, dtype=np.float32)
        field.ravel()[self.voxels] = values
        return field


def log_center_and_spread(volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) median of the logarithm of (m, n) volumes and half the width of its central 68 %."""
    low, center, up = np.quantile(np.log(np.maximum(volume, 1.0)), [0.16, 0.5, 0.84], axis=0)
    return center, np.maximum(0.5 * (up - low), 1e-6)


def output_days(last: float, horizon_days: float, output_times: Sequence[float] | None) -> list[float]:
    """Days since the first visit of the output times, which are days after the last.

    Raises:
        TumorTwinError: a horizon that is not positive, or times outside it.
    """
    if not 0 < horizon_days < np.inf:
        raise TumorTwinError(f"horizon_days is {horizon_days}: give a number of days above zero.")
    times = np.asarray(np.arange(1, 7) / 6 * horizon_days if output_times is None else output_times, dtype=float)
    if times.size == 0 or not (times[0] > 0 and times[-1] <= horizon_days and (np.diff(times) > 0).all()):
        raise TumorTwinError(
            f"output_times must increase between 0 and the horizon of {horizon_days:g} days: got {times.tolist()}."
        )
    return [float(last + t) for t in times]


def prior_draws(unknowns: Unknowns, count: int, rng: np.random.Generator) -> Draws:
    """Equally probable draws of the prior."""
    z = rng.standard_normal((4 * count, unknowns.size))
    z = z[unknowns.possible(z)][:count]
    weights, unseen = np.full(len(z), -np.log(len(z))), np.full(len(z), np.nan)
    return Draws("prior", z, weights, unseen, np.inf, len(z), None, 0.0, 0, True)


def predict(
    simulator: Simulator,
    draws: Draws,
    horizon_days: float,
    output_times: Sequence[float] | None,
    count: int,
    rng: np.random.Generator,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    also_days: Sequence[float] = (),
    field_days: Collection[float] | None = None,
) -> Predictive:
    """Run ``count`` draws, chosen by weight, through the visits and on to the output days.

    Args:
        also_days: further days, counted from the first visit, up to the horizon; those of the past as well.
        field_days: whose fields are kept, counted from the first visit; those of all days by default.
    """
    unknowns, model, likelihood = simulator.unknowns, simulator.model, simulator.likelihood
    last = unknowns.days[-1]
    days = sorted({*output_days(last, horizon_days, output_times), *also_days})
    kept = [day for day in days if field_days is None or day in field_days]
    chosen = systematic_resample(np.exp(draws.log_weights), count, rng)
    z = draws.z[chosen]
    edges = [*np.arange(last, days[-1], _GROWTH_DAYS).tolist(), days[-1]]
    growth = unknowns.growth_after(z, edges, rng)
    domain = model.physics_domain
    voxels = np.flatnonzero(domain.unpack(domain.mask))
    voxel_mm3, capacity = model.grid.voxel_volume_mm3, model.carrying_capacity_per_mm3
    levels: dict[str, Any] = {region: np.zeros(count) for region in model.thresholds}
    for number, one in enumerate(z):
        for region, level in simulator.levels(one).items():
            levels[region][number] = level
    volumes = {region: np.zeros((count, len(days))) for region in levels}
    cells = np.zeros((count, len(days)))
    density = np.zeros((len(kept), count, len(voxels)), dtype=np.uint8)
    summaries = np.zeros((count, len(likelihood.observed)))
    places, shelves = ({day: number for number, day in enumerate(some)} for some in (days, kept))

    def run(start: int) -> None:
        part = slice(start, min(start + _CHUNK, count))

        def see(day: float, e: int, u: np.ndarray, du: np.ndarray) -> None:
            m = start + e
            for visit in likelihood.visits:
                if visit.day == day:
                    summaries[m, visit.rows] = visit.of_field(u, du, {r: levels[r][m] for r in levels}, ())[0]
            if day in places:
                inside = np.clip(u.ravel()[voxels], 0.0, 1.0)
                if day in shelves:
                    density[shelves[day], m] = np.round(inside * STEPS)
                cells[m, places[day]] = inside.sum(dtype=np.float64) * voxel_mm3 * capacity
                for region, level in levels.items():
                    volumes[region][m, places[day]] = np.count_nonzero(inside >= level[m]) * voxel_mm3

        simulator.solve(
            z[part], sorted({*(v.day for v in likelihood.visits), *days}), see, later_growth=(edges[:-1], growth[part])
        )

    with ThreadPoolExecutor(max(1, simulator.threads)) as pool:
        for number, _ in enumerate(pool.map(run, range(0, count, _CHUNK)), start=1):
            if on_progress is not None:
                on_progress(min(number * _CHUNK, count), count)
    measured = _as_measured(volumes, summaries, simulator, rng)
    return Predictive(
        np.array(days), last, model.grid, volumes, measured, cells, np.array(kept), density, voxels, levels, chosen
    )


def _as_measured(
    volumes: Mapping[str, np.ndarray],
    summaries: np.ndarray,
    simulator: Simulator,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """(m, n) volumes as scans would show them: reading and discrepancy, scaled as the fitted scans say."""
    count, days = next(iter(volumes.values())).shape
    scale = np.ones(count)
    for group, q in zip(simulator.likelihood.groups, simulator.likelihood.lengths(summaries), strict=True):
        if group.name == "contours":
            scale = group.draw_lambda(q, rng)
    measured = {}
    for region, volume in volumes.items():
        reading, discrepancy = simulator.noise.log_volume_sd(volume, max(simulator.model.grid.spacing_mm))
        error = reading * rng.standard_normal((count, days)) + discrepancy * rng.standard_normal((count, 1))
        measured[region] = np.where(volume > 0, volume * np.exp(np.sqrt(scale)[:, None] * error), 0.0)
    return measured
