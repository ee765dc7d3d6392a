"""Virtual tumors that are not the twin's model, grown by a program that shares nothing with it.

    dP/dt = div(D(x) grad P) + rho(t) P (1 - P - N - Q) - lambda P [P + N + Q > c]      proliferating
    dN/dt = lambda P [P + N + Q > c]                                                   necrotic
    dQ/dt = kill - k Q                                                                 dead, not yet cleared

in a head of 2 mm voxels. Unlike the twin's, diffusion is anisotropic along fibers, grey matter conducts a twentieth of
white, growth drifts, treated cells stay visible until they are cleared, alpha/beta is 8 and the core dies. Steps are
explicit, doses act at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numba
import numpy as np

from TumorTwinLib.geometry import Grid, Image

SPACING_MM = 2.0
_SHAPE = (62, 70, 58)
_HALF_AXES_MM = (58.0, 66.0, 54.0)
_GREY_WHITE_RATIO = 20.0
_ALPHA_BETA_GY = 8.0
_LARGEST_STEP_DAYS = 1.0
_LONGEST_HISTORY_DAYS = 2500.0
_SPEEDS_MM_PER_DAY = (0.02, 0.25)  # of the front: below hardly a tumor, above it fills the head before the last scan
_LENGTHS_MM = (
    2.0,
    8.0,
)  # infiltration length: at least half a voxel of the twin, as one of 1 mm is of its own 2 mm grid
_WINDOW_STEPS = 5  # between looks at where there are cells
_FAINT = 1e-7


@dataclass(frozen=True)
class Truth:
    """What one virtual tumor is like.

    Args:
        diffusivity_mm2_per_day, proliferation_per_day, radiosensitivity_per_gy, tmz_sensitivity_per_day: as the twin's.
        anisotropy: diffusivity along fibers is ``1 + 2 a`` and across them ``1 - a`` times the mean.
        necrosis_per_day, necrosis_level: lambda and c.
        clearance_half_life_days: of dead cells.
        drift_sd, drift_days, trend_per_day: of log growth, an Ornstein-Uhlenbeck process and a straight line.
        core_level, whole_level: density at which contours are drawn.
        volume_mm3: of the whole tumor when it is first seen.
        seed_ras_mm: where it began.
    """

    diffusivity_mm2_per_day: float
    proliferation_per_day: float
    radiosensitivity_per_gy: float
    tmz_sensitivity_per_day: float
    anisotropy: float
    necrosis_per_day: float
    necrosis_level: float
    clearance_half_life_days: float
    drift_sd: float
    drift_days: float
    trend_per_day: float
    core_level: float
    whole_level: float
    volume_mm3: float
    seed_ras_mm: tuple[float, float, float]

    def to_dict(self) -> dict:
        return asdict(self)


def draw_truth(rng: np.random.Generator) -> Truth:
    """Rates from the twin's own priors, given a front that patients live to show and scans can show."""

    def lognormal(median: float, log_sd: float) -> float:
        return float(median * np.exp(log_sd * rng.standard_normal()))

    def uniform(low: float, up: float) -> float:
        return float(rng.uniform(low, up))

    while True:
        d, rho = lognormal(0.13, 0.9), lognormal(0.03, 0.7)
        speed, length = 2.0 * math.sqrt(d * rho), math.sqrt(d / rho)
        if _SPEEDS_MM_PER_DAY[0] < speed < _SPEEDS_MM_PER_DAY[1] and _LENGTHS_MM[0] < length < _LENGTHS_MM[1]:
            break
    side = rng.choice([-1.0, 1.0])
    return Truth(
        d, rho, lognormal(0.035, 0.5), lognormal(0.28, 0.7), uniform(0.0, 0.5), uniform(0.0, 0.06), uniform(0.75, 0.9),
        lognormal(14.0, 0.5), uniform(0.1, 0.3), uniform(20.0, 90.0), 1e-3 * float(rng.standard_normal()),
        uniform(0.5, 0.8), uniform(0.1, 0.35), float(np.exp(uniform(math.log(8e3), math.log(50e3)))),
        (float(side * uniform(18.0, 34.0)), uniform(-34.0, 34.0), uniform(-16.0, 26.0)),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Head:
    """A head built in code: (ni, nj, nk) brain mask and shares of white and grey matter.

    Args:
        fibers: (3, ni, nj, nk) one at the axis along which fibers run, zero at the others.
    """

    grid: Grid
    brain: np.ndarray
    white: np.ndarray
    grey: np.ndarray
    fibers: np.ndarray

    def image(self, array: np.ndarray, name: str) -> Image:
        return Image(array, self.grid, name)


@functools.cache
def head() -> Head:
    """An ellipsoid with a folded cortex, deep grey nuclei, two ventricles and three bundles of fibers."""
    from scipy import ndimage

    middle = [-(n - 1) / 2 * SPACING_MM for n in _SHAPE]
    grid = Grid.from_spacing(_SHAPE, (SPACING_MM,) * 3, middle)
    x, y, z = np.moveaxis(grid.ras_mm(np.stack(np.indices(_SHAPE), axis=-1)), -1, 0)
    r = np.sqrt(sum((axis / half) ** 2 for axis, half in zip((x, y, z), _HALF_AXES_MM, strict=True)))
    folds = 0.05 * np.sin(x / 5.0) * np.sin(y / 6.0) * np.sin(z / 5.5)
    brain = r < 1.0
    fluid = ((np.abs(x) - 9.0) / 4.0) ** 2 + ((y + 4.0) / 24.0) ** 2 + ((z - 8.0) / 7.0) ** 2 < 1.0
    nuclei = ((np.abs(x) - 20.0) / 6.0) ** 2 + (y / 14.0) ** 2 + (z / 10.0) ** 2 < 1.0
    is_white = brain & (r < 0.82 + folds) & ~nuclei & ~fluid
    white, liquid = (ndimage.gaussian_filter(part.astype(float), 0.6) * brain for part in (is_white, fluid))
    across, along = np.abs(x) < 14.0, np.abs(x) >= 30.0
    fibers = np.stack([across, along, ~(across | along)]).astype(float)
    return Head(grid, brain & ~fluid, white, np.clip(brain - white - liquid, 0.0, 1.0) * brain, fibers)


@dataclass(frozen=True, eq=False)
class Tissue:
    """(ni, nj, nk) densities on one day, as shares of what fits."""

    living: np.ndarray
    necrotic: np.ndarray
    dead: np.ndarray

    @property
    def total(self) -> np.ndarray:
        return self.living + self.necrotic + self.dead


@dataclass(frozen=True)
class Dose:
    """What kills, at once: log kill per unit of radio- and of drug sensitivity."""

    day: float
    gray_equivalent: float = 0.0
    drug_days: float = 0.0

    @classmethod
    def fraction(cls, day: float, dose_gy: float) -> Dose:
        return cls(day, gray_equivalent=dose_gy + dose_gy**2 / _ALPHA_BETA_GY)


def grow(truth: Truth, doses: Sequence[Dose], days: Sequence[float], rng: np.random.Generator) -> list[Tissue]:
    """From one seed to the size at which it is seen, on day 0, and on to the given days."""
    place = head()
    faces = _faces(truth)
    step = min(_LARGEST_STEP_DAYS, 0.9 / float(faces.sum(axis=0).max() * 2.0))
    fields = np.zeros((3, *_SHAPE))
    distance = place.grid.ras_mm(np.stack(np.indices(_SHAPE), axis=-1)) - np.array(truth.seed_ras_mm)
    fields[0] = 0.8 * np.exp(-((distance**2).sum(axis=-1)) / (2.0 * 4.0**2)) * place.brain
    fields[0][fields[0] < _FAINT] = 0.0
    voxels, age = truth.volume_mm3 / place.grid.voxel_volume_mm3, 0.0
    while np.count_nonzero(fields.sum(axis=0) > truth.whole_level) < voxels and age < _LONGEST_HISTORY_DAYS:
        _advance(fields, faces, truth, np.full(8, truth.proliferation_per_day), step)
        age += 8 * step
    seen, day, drift = [], 0.0, truth.drift_sd * rng.standard_normal()
    for stop in sorted({*days, *(dose.day for dose in doses if dose.day < max(days))}):
        steps = math.ceil((stop - day) / step) if stop > day else 0
        if steps:
            dt = (stop - day) / steps
            keep = math.exp(-dt / truth.drift_days)
            rates = np.empty(steps)
            for number in range(steps):
                drift = keep * drift + truth.drift_sd * math.sqrt(1.0 - keep**2) * rng.standard_normal()
                trend = truth.trend_per_day * (day + number * dt)
                rates[number] = truth.proliferation_per_day * math.exp(drift + trend)
            _advance(fields, faces, truth, rates, dt)
        day = stop
        for dose in (d for d in doses if d.day == day):
            kill = truth.radiosensitivity_per_gy * dose.gray_equivalent + truth.tmz_sensitivity_per_day * dose.drug_days
            killed = fields[0] * -math.expm1(-kill)
            fields[0] -= killed
            fields[2] += killed
        if day in days:
            seen.append(Tissue(*fields.copy()))
    return seen


def _faces(truth: Truth) -> np.ndarray:
    """(3, ni + 1, ...) diffusivity over squared spacing at the lower face of every voxel; zero at walls."""
    place = head()
    mean = truth.diffusivity_mm2_per_day * (place.white + place.grey / _GREY_WHITE_RATIO) * place.brain
    faces = np.zeros((3, *(n + 1 for n in _SHAPE)))
    for axis in range(3):
        d = mean * (1.0 - truth.anisotropy + 3.0 * truth.anisotropy * place.fibers[axis])
        low, up = (np.moveaxis(d, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        both = np.where(low * up > 0, 2.0 * low * up / np.maximum(low + up, 1e-12), 0.0) / SPACING_MM**2
        window = [slice(0, n) for n in _SHAPE]
        window[axis] = slice(1, _SHAPE[axis])
        faces[axis][tuple(window)] = np.moveaxis(both, 0, axis)
    return faces


def _advance(fields: np.ndarray, faces: np.ndarray, truth: Truth, rates: np.ndarray, dt: float) -> None:
    """Explicit steps of one length, each with its own growth rate, in place."""
    clear = math.log(2.0) / truth.clearance_half_life_days
    for start in range(0, len(rates), _WINDOW_STEPS):
        occupied = fields[0] > _FAINT
        if not occupied.any():
            fields[2] *= math.exp(-clear * dt * len(rates[start:]))
            return
        low, up = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
        for axis in range(3):
            used = np.flatnonzero(occupied.any(axis=tuple(a for a in range(3) if a != axis)))
            low[axis] = max(0, used[0] - _WINDOW_STEPS)
            up[axis] = min(_SHAPE[axis], used[-1] + 1 + _WINDOW_STEPS)
        part = rates[start : start + _WINDOW_STEPS]
        _steps(fields, faces, low, up, part, dt, truth.necrosis_per_day, truth.necrosis_level, clear)


@numba.njit(cache=True, nogil=True)
def _steps(fields, faces, low, up, rates, dt, necrosis, level, clear):  # pragma: no cover (compiled)
    living, necrotic, dead = fields[0], fields[1], fields[2]
    ni, nj, nk = living.shape
    new = np.zeros((up[0] - low[0], up[1] - low[1], up[2] - low[2]))
    for rho in rates:
        for i in range(low[0], up[0]):
            for j in range(low[1], up[1]):
                for k in range(low[2], up[2]):
                    p = living[i, j, k]
                    flow = 0.0
                    if i > 0:
                        flow += faces[0, i, j, k] * (living[i - 1, j, k] - p)
                    if i < ni - 1:
                        flow += faces[0, i + 1, j, k] * (living[i + 1, j, k] - p)
                    if j > 0:
                        flow += faces[1, i, j, k] * (living[i, j - 1, k] - p)
                    if j < nj - 1:
                        flow += faces[1, i, j + 1, k] * (living[i, j + 1, k] - p)
                    if k > 0:
                        flow += faces[2, i, j, k] * (living[i, j, k - 1] - p)
                    if k < nk - 1:
                        flow += faces[2, i, j, k + 1] * (living[i, j, k + 1] - p)
                    total = p + necrotic[i, j, k] + dead[i, j, k]
                    dying = necrosis * p if total > level else 0.0
                    new[i - low[0], j - low[1], k - low[2]] = p + dt * (flow + rho * p * (1.0 - total) - dying)
                    necrotic[i, j, k] += dt * dying
                    dead[i, j, k] -= dt * clear * dead[i, j, k]
        living[low[0] : up[0], low[1] : up[1], low[2] : up[2]] = new
