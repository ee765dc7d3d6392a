"""Shapes of tumors: fields of cellularity grown by TumorTwin's own solver in atlas tissue, kept as a bank on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from TumorTwinLib.geometry import Grid
from TumorTwinLib.physics.domain import make_domain
from TumorTwinLib.physics.reaction import LogisticReaction, Rate
from TumorTwinLib.physics.solver import SolverSettings, solve

_GROWN = 0.3  # the cellularity whose contour measures a tumor's size
_SIZE_ML = (2.0, 160.0)
_TRIES_PER_TUMOR = 5


def tumor_bank(tissues: np.ndarray, spacing_mm: float, count: int, seed: int, file: Path) -> np.ndarray:
    """(count, ni, nj, nk) uint8 cellularity times 255, from ``file`` where it exists.

    Args:
        tissues: (3, ni, nj, nk) white-matter, grey-matter and fluid fractions.
    """
    if file.exists():
        return np.load(file)["bank"]
    rng = np.random.default_rng(seed)
    bank = np.stack([grow(tissues, spacing_mm, rng) for _ in range(count)])
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, bank=bank)
    return bank


def grow(tissues: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """(ni, nj, nk) uint8: one tumor, stopped at a random size between 2 and 160 mL."""
    white, grey, _ = tissues
    mask = white + grey > 0.1
    grid = Grid.from_spacing(mask.shape, (spacing_mm,) * 3)
    for _ in range(_TRIES_PER_TUMOR):
        domain = make_domain(grid, mask, white + grey / rng.uniform(3.0, 10.0))
        diffusivity = rng.lognormal(np.log(0.13), 0.7)
        proliferation = rng.lognormal(np.log(0.04), 0.5)
        volume_mm3 = 1000 * np.exp(rng.uniform(*np.log(_SIZE_ML)))
        wanted_mm = (3 * volume_mm3 / (4 * np.pi)) ** (1 / 3)
        arrival = wanted_mm / (2 * np.sqrt(diffusivity * proliferation)) + 3 / proliferation
        days = np.linspace(0.2, 1.6, 8) * arrival
        solution = solve(
            domain,
            _seeds(mask, spacing_mm, rng)[None, None],
            LogisticReaction(Rate.constant(proliferation)),
            Rate.constant(diffusivity),
            days,
            settings=SolverSettings(tolerance=1e-2),
        )
        fields = solution.cellularity[:, 0]
        sizes_ml = (fields > _GROWN).sum(axis=(1, 2, 3)) * spacing_mm**3 / 1000
        fitting = np.flatnonzero((sizes_ml > _SIZE_ML[0]) & (sizes_ml < _SIZE_ML[1]))
        if len(fitting):
            return (fields[rng.choice(fitting)] * 255).astype(np.uint8)
    return (fields[0] * 255).astype(np.uint8)


def _seeds(mask: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """A small ball of tumor in tissue; one tumor in seven has two."""
    places = np.argwhere(mask)
    first = places[rng.integers(len(places))]
    field = np.zeros(mask.shape, dtype=np.float32)
    for place in [first] if rng.random() > 1 / 7 else [first, first + rng.integers(-10, 11, 3)]:
        distance_mm = spacing_mm * np.linalg.norm(np.stack(np.indices(mask.shape), -1) - place, axis=-1)
        field = np.maximum(field, 0.8 * np.exp(-((distance_mm / 4.0) ** 2)))
    return np.where(mask, field, 0).astype(np.float32)
