"""The tumour at the first scan: levels on the contours, a tail outside them, and its derivative by the length."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.models import wave
from TumorTwinLib.models.initial_state import Contours, adc_state, level_set_state, signed_distance_mm

CORE, WHOLE, LENGTH_MM = 0.65, 0.25, 2.5
SPACINGS = [(1.0, 1.0, 1.0), (1.0, 1.25, 2.0)]


def balls(spacing_mm, *radii_mm: float, extent_mm: float = 44.0) -> list[np.ndarray]:
    """Concentric masks in the middle of a grid."""
    axes = [np.arange(round(extent_mm / h)) * h for h in spacing_mm]
    distance = np.sqrt(sum(x**2 for x in np.meshgrid(*(a - a.mean() for a in axes), indexing="ij")))
    return [distance <= radius for radius in radii_mm]


def state(core, whole, spacing_mm, length_mm, relative_length=1.0) -> tuple[np.ndarray, np.ndarray]:
    """Cellularity and its derivative by the length, from masks."""
    contours = Contours.of_masks(core, whole, spacing_mm)
    return level_set_state(contours, CORE, WHOLE, length_mm, relative_length)


def slab(voxels: int = 80, inside: int = 30) -> np.ndarray:
    """Tumour on one side of a plane, across which distance is exact."""
    mask = np.zeros((voxels, 3, 3), dtype=bool)
    mask[:inside] = True
    return mask


def equivalent_radius_mm(mask: np.ndarray, spacing_mm=(1.0, 1.0, 1.0)) -> float:
    return float((3 * mask.sum() * np.prod(spacing_mm) / (4 * np.pi)) ** (1 / 3))


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("length_mm", [0.7, 2.5, 8.0])
def test_levels_lie_on_the_segmented_boundaries(spacing_mm, length_mm):
    """A voxel is above a level where it is segmented and nowhere else: the level set is within half a voxel."""
    core, whole = balls(spacing_mm, 8.0, 14.0)
    u, _ = state(core, whole, spacing_mm, length_mm)
    np.testing.assert_array_equal(u > CORE, core)
    np.testing.assert_array_equal(u > WHOLE, whole)
    assert 0 <= u.min() <= u.max() <= 1


def test_level_of_a_plane_boundary_is_on_the_face_between_voxels():
    mask = slab()
    u, _ = state(None, mask, (1.0, 1.0, 1.0), LENGTH_MM)
    inside = u[10:30, 1, 1]
    depth_mm = np.array([(wave.position(WHOLE) - wave.position(level)) * LENGTH_MM for level in inside])
    np.testing.assert_allclose(depth_mm, np.arange(19.5, 0, -1), rtol=1e-4)


def test_rim_falls_from_one_level_to_the_other():
    core, whole = balls((1.0, 1.0, 1.0), 8.0, 14.0)
    u, _ = state(core, whole, (1.0, 1.0, 1.0), LENGTH_MM)
    rim = u[whole & ~core]
    assert WHOLE < rim.min() < 0.35
    assert 0.55 < rim.max() < CORE


def test_cellularity_falls_outward():
    core, whole = balls((1.0, 1.0, 1.0), 8.0, 14.0, extent_mm=61.0)
    u, _ = state(core, whole, (1.0, 1.0, 1.0), LENGTH_MM)
    middle = u.shape[0] // 2
    assert (np.diff(u[middle:, middle, middle]) < 0).all()
    outside = signed_distance_mm(whole, (1.0, 1.0, 1.0))
    by_distance = np.argsort(outside[~whole], kind="stable")
    assert (np.diff(u[~whole][by_distance]) <= 0).all()


def test_tail_is_shorter_in_proportion_to_the_local_length():
    mask = slab()
    white, grey = (state(None, mask, (1.0, 1.0, 1.0), LENGTH_MM, relative)[0][:, 1, 1] for relative in (1.0, 0.5))
    distance_mm = np.arange(80) - 29.5
    ahead = distance_mm[30:50]
    assert (grey[30:50] < white[30:50]).all()
    np.testing.assert_allclose(
        np.interp(2 * ahead, distance_mm, np.log(white + 1e-300)), np.log(grey[30:50]), rtol=2e-2
    )


def test_local_length_acts_where_it_is():
    mask = balls((1.0, 1.0, 1.0), 10.0)[0]
    relative = np.ones(mask.shape)
    relative[:22] = np.sqrt(0.1)
    uniform = state(None, mask, (1.0, 1.0, 1.0), LENGTH_MM)[0]
    mixed = state(None, mask, (1.0, 1.0, 1.0), LENGTH_MM, relative)[0]
    np.testing.assert_array_equal(mixed[22:], uniform[22:])
    assert (mixed[:22][~mask[:22]] < uniform[:22][~mask[:22]]).all()
    np.testing.assert_array_equal(mixed > WHOLE, mask)


def test_where_nothing_diffuses_the_rim_keeps_a_tenth_of_the_length():
    mask = slab()
    still, tenth, fifth = (state(None, mask, (1.0, 1.0, 1.0), LENGTH_MM, relative) for relative in (0.0, 0.1, 0.2))
    np.testing.assert_array_equal(still[0], tenth[0])
    assert np.isfinite(still[1]).all()
    assert 0 < tenth[0][30, 1, 1] < fifth[0][30, 1, 1]


@pytest.mark.parametrize("with_core", [True, False])
@pytest.mark.parametrize("length_mm", [1.0, 2.5, 6.0])
def test_derivative_by_the_length(length_mm, with_core):
    core, whole = balls((1.0, 1.25, 2.0), 8.0, 14.0)
    relative = np.linspace(0.4, 1.0, whole.shape[0])[:, None, None] * np.ones(whole.shape)
    core = core if with_core else None

    step = 3e-3 * length_mm
    lower, found, higher = (
        state(core, whole, (1.0, 1.25, 2.0), length_mm + change, relative)[index]
        for change, index in ((-step, 0), (0.0, 1), (step, 0))
    )
    difference = (higher - lower) / (2 * step)
    assert np.abs(difference[~whole]).max() > 1e-3
    assert np.linalg.norm(found - difference) < 1e-3 * np.linalg.norm(difference)
    if with_core:
        np.testing.assert_array_equal(found[whole & ~core], 0.0)  # the contours fix the rim


def test_finite_age_lowers_only_the_outside():
    """``exp(-x^2 / (4 rho T))`` ahead of a front that needed ``rho T = R / (2 L)`` to reach radius R."""
    mask = balls((1.0, 1.0, 1.0), 12.0)[0]
    u, _ = state(None, mask, (1.0, 1.0, 1.0), LENGTH_MM)
    distance_mm = signed_distance_mm(mask, (1.0, 1.0, 1.0))
    steady = wave.profile(wave.position(WHOLE) + distance_mm / LENGTH_MM)[0]
    np.testing.assert_allclose(u[mask], steady[mask], rtol=1e-12)
    assert (u[~mask] < steady[~mask]).all()
    growth_times = equivalent_radius_mm(mask) / (2 * LENGTH_MM)
    expected = np.exp(-((distance_mm[~mask] / LENGTH_MM) ** 2) / (4 * growth_times))
    np.testing.assert_allclose(u[~mask] / steady[~mask], expected, rtol=1e-9)


def test_a_larger_tumour_is_older_and_has_the_longer_tail():
    tails = []
    for radius_mm in (6.0, 14.0):
        mask = balls((1.0, 1.0, 1.0), radius_mm)[0]
        u, _ = state(None, mask, (1.0, 1.0, 1.0), LENGTH_MM)
        distance_mm = signed_distance_mm(mask, (1.0, 1.0, 1.0))
        tails.append(u[np.abs(distance_mm - 6.5) < 1e-9].mean())
    assert tails[0] < 0.9 * tails[1]


def test_adc_state_is_the_measurement_inside_and_the_tail_outside(rng):
    whole = balls((1.0, 1.0, 1.0), 12.0)[0]
    measured = rng.uniform(0.2, 0.9, whole.shape)
    core = measured > 0.6
    u, slope = adc_state(measured, Contours.of_masks(core, whole, (1.0, 1.0, 1.0)), WHOLE, LENGTH_MM)
    tail, tail_slope = state(None, whole, (1.0, 1.0, 1.0), LENGTH_MM)
    np.testing.assert_array_equal(u[whole], measured[whole])
    np.testing.assert_array_equal(slope[whole], 0.0)
    np.testing.assert_array_equal(u[~whole], tail[~whole])
    np.testing.assert_array_equal(slope[~whole], tail_slope[~whole])
    assert 0.5 * WHOLE < u[~whole].max() < WHOLE


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_signed_distance_of_a_ball(spacing_mm):
    ball, larger = balls(spacing_mm, 12.0, 16.0)
    distance_mm = signed_distance_mm(ball, spacing_mm)
    assert (distance_mm[ball] < 0).all()
    assert (distance_mm[~ball] > 0).all()
    assert np.median(distance_mm[larger & ~ball]) == pytest.approx(2.2, abs=0.5 * max(spacing_mm))
