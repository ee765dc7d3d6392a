"""Diffusion alone: conservation, maximum principle, walls, sheets, decay of modes (SCIENCE.md 5.1, tests 6 and 7)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from Testing.physics.problems import EXACT, block, domain_of, final, grow, ragged_mask
from TumorTwinLib.physics.solver import SolverSettings

SPACINGS_MM = [(1.0, 1.0, 1.0), (0.7, 1.3, 3.0)]
SETTLED = SolverSettings(1e-4, "float64")  # the means are exact whatever the tolerance on the way there


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(("dtype", "drift"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("spacing_mm", SPACINGS_MM)
def test_cells_are_conserved_on_any_mask_spacing_and_diffusivity(rng, spacing_mm, dtype, drift, backend):
    shape = (11, 14, 9)
    for _ in range(4):
        mask = ragged_mask(rng, shape)
        domain = domain_of(mask, spacing_mm, rng.uniform(0.0, 1.0, shape))
        field = rng.random(shape) * mask
        settings = SolverSettings(tolerance=1e-3, dtype=dtype, backend=backend)
        found = grow(domain, field, [10.0, 100.0], 0.7, settings=settings).cellularity[:, 0]
        assert np.abs(found.sum(axis=(1, 2, 3), dtype=float) / field.sum() - 1).max() < drift
        assert (found[:, ~mask] == 0).all()


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_nothing_exceeds_the_bounds_of_the_start_beyond_the_tolerance(rng, tolerance):
    shape = (11, 14, 9)
    mask = ragged_mask(rng, shape)
    domain = domain_of(mask, (0.7, 1.3, 3.0), rng.uniform(0.0, 1.0, shape))
    field = np.where(rng.random(shape) < 0.5, 0.2, 0.9)  # as rough as a field can be
    days = np.arange(1.0, 40.0, 3.0)
    found = grow(domain, field, days, 0.7, settings=SolverSettings(tolerance, "float64")).cellularity[:, 0][:, mask]
    spectral = 10 * tolerance  # of one step's polynomial
    assert found.min() > 0.2 - spectral
    assert found.max() < 0.9 + spectral


def test_every_island_of_the_mask_goes_to_its_own_mean():
    mask = np.zeros((12, 9, 7), dtype=bool)
    islands = [np.s_[0:4, 0:4, 0:3], np.s_[6:12, 2:9, 2:7], np.s_[5:6, 8:9, 0:1]]
    field = np.zeros(mask.shape)
    for height, island in zip((0.9, 0.4, 0.7), islands, strict=True):
        mask[island] = True
        field[island][0] = height
    found = final(domain_of(mask, (1.0, 1.5, 2.0)), field, [2000.0], 1.0, settings=SETTLED)
    for island in islands:
        np.testing.assert_allclose(found[island], field[island].mean(), rtol=1e-6)


@pytest.mark.parametrize(("layers", "start"), [(2, (0.8, 0.0)), (3, (0.9, 0.0, 0.0)), (3, (0.0, 0.9, 0.0))])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sheets_of_one_to_three_voxels_exchange_cells(layers, start, axis):
    shape = [9, 9, 9]
    mask, field = np.zeros(shape, dtype=bool), np.zeros(shape)
    for layer, height in enumerate(start):
        at = tuple(3 + layer if a == axis else slice(1, 8) for a in range(3))
        mask[at], field[at] = True, height
    found = final(domain_of(mask), field, [400.0], 0.1, settings=SETTLED)
    np.testing.assert_allclose(found[mask], sum(start) / layers, rtol=1e-6)


def test_one_isolated_voxel_keeps_its_cells():
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[2, 2, 2] = True
    for dtype in ("float32", "float64"):
        found = final(domain_of(mask), mask * 0.5, [30.0], 1.0, settings=SolverSettings(dtype=dtype))
        assert found[2, 2, 2] == pytest.approx(0.5, rel=1e-6)


def test_the_edge_of_the_array_is_a_wall_like_any_other(rng):
    shape = (9, 8, 7)
    mask, relative, field = ragged_mask(rng, shape), rng.uniform(0.1, 1.0, shape), rng.random(shape)
    tight = final(domain_of(mask, (1.0, 1.0, 2.0), relative), field, [25.0], 0.3)
    padded = [np.pad(array, 3) for array in (mask, relative, field)]
    loose = final(domain_of(padded[0], (1.0, 1.0, 2.0), padded[1]), padded[2], [25.0], 0.3)
    np.testing.assert_array_equal(loose[3:-3, 3:-3, 3:-3], tight)


def test_a_layer_without_diffusivity_is_a_wall():
    relative = np.ones((20, 3, 3))
    relative[10] = 0.0
    field = np.zeros((20, 3, 3))
    field[:10] = 0.5
    field[10] = 0.3
    found = final(block((20, 3, 3), relative_diffusivity=relative), field, [200.0], 1.0)
    np.testing.assert_allclose(found, field, atol=1e-12)


def _cosine_error(voxels: int) -> float:
    """Relative error of the slowest but one mode of a closed box, 8 by 6 by 5 mm, after 5 days."""
    lengths, modes, diffusivity, days = (8.0, 6.0, 5.0), (2, 1, 1), 0.4, 5.0
    shape = (8 * voxels, 6 * voxels, 5 * voxels)
    spacing_mm = tuple(length / n for length, n in zip(lengths, shape, strict=True))
    mode = np.ones(shape)
    for axis, (number, n) in enumerate(zip(modes, shape, strict=True)):
        along = np.cos(number * np.pi * (np.arange(n) + 0.5) / n)
        mode *= along.reshape([-1 if a == axis else 1 for a in range(3)])
    rate = diffusivity * sum((m * math.pi / length) ** 2 for m, length in zip(modes, lengths, strict=True))
    decay = math.exp(-rate * days)
    found = final(block(shape, spacing_mm), 0.5 + 0.4 * mode, [days], diffusivity, settings=EXACT)
    return float(np.abs(found - 0.5 - 0.4 * decay * mode).max() / (0.4 * decay))


def test_a_cosine_mode_decays_to_second_order_in_the_spacing():
    errors = [_cosine_error(voxels) for voxels in (2, 3, 6)]
    rates = np.log(np.divide(errors[:-1], errors[1:])) / np.log([3 / 2, 6 / 3])
    assert rates.min() >= 1.9
    assert errors[-1] < 0.02


def _two_layer_error(voxels: int) -> float:
    """Error of an eigenmode of two layers whose diffusivities differ tenfold, against the transcendental equation."""
    first, second, low, days = 6.0, 4.0, 0.1, 8.0  # mm, mm, relative diffusivity of the second layer

    def mismatch(decay: float) -> float:
        """Flux of one layer less that of the other where they meet, for modes of the same height there."""
        k1, k2 = math.sqrt(decay), math.sqrt(decay / low)
        return k1 * math.tan(k1 * first) + low * k2 * math.tan(k2 * second)

    decay = brentq(mismatch, (math.pi / 2 / first) ** 2 + 1e-9, (math.pi / first) ** 2, xtol=1e-14)
    assert abs(mismatch(decay)) < 1e-8
    h = (first + second) / voxels
    x = h * (np.arange(voxels) + 0.5)
    k1, k2 = math.sqrt(decay), math.sqrt(decay / low)
    mode = np.where(
        x < first, np.cos(k1 * x) / np.cos(k1 * first), np.cos(k2 * (first + second - x)) / np.cos(k2 * second)
    )
    mode *= 0.4 / np.abs(mode).max()
    relative = np.where(x < first, 1.0, low)[:, None, None]
    domain = block((voxels, 1, 1), (h, 1.0, 1.0), relative)
    found = final(domain, (0.5 + mode)[:, None, None], [days], 1.0, settings=EXACT)[:, 0, 0]
    return float(np.abs(found - 0.5 - math.exp(-decay * days) * mode).max())


def test_two_layers_of_different_diffusivity_agree_with_the_series_to_second_order():
    errors = [_two_layer_error(voxels) for voxels in (20, 40, 80)]
    rates = np.log2(np.divide(errors[:-1], errors[1:]))
    assert rates.min() >= 1.9
    assert errors[-1] < 5e-4
