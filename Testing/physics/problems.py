"""Small growth problems with few words, for the tests of the physics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from TumorTwinLib.geometry import Grid
from TumorTwinLib.physics.domain import Domain, make_domain
from TumorTwinLib.physics.reaction import LogisticReaction, Rate
from TumorTwinLib.physics.solver import Solution, SolverSettings, StepPlan, solve

EXACT = SolverSettings(tolerance=1e-8, dtype="float64")  # where a test compares with a formula
FINE = SolverSettings(tolerance=1e-5, dtype="float64")


def domain_of(mask: np.ndarray, spacing_mm=(1.0, 1.0, 1.0), relative_diffusivity=1.0) -> Domain:
    """The domain of a mask on an axis-aligned grid."""
    return make_domain(Grid.from_spacing(mask.shape, spacing_mm), mask, relative_diffusivity)


def block(shape, spacing_mm=(1.0, 1.0, 1.0), relative_diffusivity=1.0) -> Domain:
    """A domain without an outside: every voxel of the grid."""
    return domain_of(np.ones(shape, dtype=bool), spacing_mm, relative_diffusivity)


def rate(value, derivative: Sequence[float] = ()) -> Rate:
    """One member's value and its derivative by every parameter."""
    return Rate(np.array([value], dtype=float), np.array([derivative], dtype=float).reshape(1, -1))


def growth(proliferation_per_day: float = 0.0, **kills) -> LogisticReaction:
    """One member without parameters."""
    return LogisticReaction(rate(proliferation_per_day), **kills)


def even_plan(days: float, steps: int, degree: int) -> StepPlan:
    """``steps`` equal steps from day 0."""
    return StepPlan(tuple(float(day) for day in np.linspace(0.0, days, steps + 1)[1:]), (degree,) * steps)


def grow(
    domain: Domain,
    field: np.ndarray,
    days: Sequence[float],
    diffusivity_mm2_per_day: float = 0.1,
    reaction: LogisticReaction | None = None,
    settings: SolverSettings = FINE,
    **more,
) -> Solution:
    """Solve for one member without parameters, from one field."""
    reaction = reaction or growth()
    return solve(domain, field[None, None], reaction, rate(diffusivity_mm2_per_day), days, settings=settings, **more)


def final(*args, **kwargs) -> np.ndarray:
    """(ni, nj, nk) field at the last output of ``grow``."""
    return grow(*args, **kwargs).cellularity[-1, 0]


def with_backend(settings: SolverSettings, backend: str) -> SolverSettings:
    return replace(settings, backend=backend)


def voxel_centres_mm(shape, spacing_mm=(1.0, 1.0, 1.0)) -> list[np.ndarray]:
    """Coordinates of every voxel from the middle of the grid."""
    axes = [(np.arange(n) - 0.5 * (n - 1)) * h for n, h in zip(shape, spacing_mm, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def ball(shape, radius_mm: float, spacing_mm=(1.0, 1.0, 1.0), height: float = 0.6, edge_mm: float = 2.0) -> np.ndarray:
    """A smooth tumour in the middle of the grid."""
    distance = np.sqrt(sum(x**2 for x in voxel_centres_mm(shape, spacing_mm)))
    return height / (1.0 + np.exp((distance - radius_mm) / (0.25 * edge_mm)))


def ragged_mask(rng: np.random.Generator, shape, share: float = 0.75) -> np.ndarray:
    """A random mask: holes, islands, sheets and voxels at the array's edge."""
    mask = rng.random(shape) < share
    mask[tuple(n // 2 for n in shape)] = True
    return mask


def relative_l2(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(np.asarray(a, float) - b) / np.linalg.norm(b))
