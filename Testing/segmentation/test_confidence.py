"""Outlines and volumes of known uncertainty: probabilities of displaced planes and balls in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from TumorTwinLib.segmentation.confidence import LARGEST_SD_MM, boundary_sd_mm, volume_sd_ml


def ball(radius_mm: float, sd_mm: float, spacing_mm=(1.0, 1.0, 1.0), half_mm: float = 32.0) -> np.ndarray:
    """Probability to be inside a ball whose outline is displaced by a normal distance."""
    axes = [np.arange(-half_mm, half_mm + 1e-6, step) for step in spacing_mm]
    i, j, k = np.meshgrid(*axes, indexing="ij")
    return ndtr((radius_mm - np.sqrt(i**2 + j**2 + k**2)) / sd_mm)


def slab(sd_mm: float, spacing_mm=(1.0, 1.0, 1.0), half_mm: float = 40.0) -> np.ndarray:
    """Probability to be left of the plane i = 0, on a square of 80 mm."""
    axes = [np.arange(-half_mm + step / 2, half_mm, step) for step in spacing_mm]
    i, _, _ = np.meshgrid(*axes, indexing="ij")
    return ndtr(-i / sd_mm)


@pytest.mark.parametrize("sd_mm", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (1.0, 1.0, 2.0)])
def test_the_width_of_an_outline_is_found(sd_mm, spacing_mm):
    probability = ball(18, sd_mm, spacing_mm)
    sd = boundary_sd_mm(probability, spacing_mm)
    outline = (probability > 0.16) & (probability < 0.84)
    np.testing.assert_allclose(np.median(sd[outline]), sd_mm, rtol=0.05)
    np.testing.assert_allclose(sd[outline], sd_mm, rtol=0.35)
    centre, corner = sd[tuple(n // 2 for n in sd.shape)], sd[0, 0, 0]
    np.testing.assert_allclose([centre, corner], sd_mm, rtol=0.1)


def test_each_side_has_its_own_width():
    i, j, k = np.meshgrid(*[np.arange(-30.0, 31.0)] * 3, indexing="ij")
    sd_mm = np.where(i > 0, 4.0, 1.0)
    sd = boundary_sd_mm(ndtr((15 - np.sqrt(i**2 + j**2 + k**2)) / sd_mm), (1, 1, 1))
    assert sd[45, 30, 30] == pytest.approx(4, rel=0.1)
    assert sd[15, 30, 30] == pytest.approx(1, rel=0.1)


def test_a_step_is_known_to_one_voxel_and_nothing_to_nothing():
    step = (ball(15, 1.0) > 0.5).astype(float)
    assert np.median(boundary_sd_mm(step, (1, 1, 1))) == pytest.approx(12**-0.5, rel=0.05)
    np.testing.assert_array_equal(boundary_sd_mm(np.zeros((5, 5, 5)), (1, 1, 1)), LARGEST_SD_MM)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (1.0, 2.0, 1.5)])
@pytest.mark.parametrize(("sd_mm", "length_mm"), [(1.0, 5.0), (2.0, 8.0), (3.0, 4.0)])
def test_volume_of_a_plane_displaced_here_and_there(spacing_mm, sd_mm, length_mm):
    """Variance A s^2 2 pi L^2 / sqrt(1 + 2 s^2 / L^2), less what the square's edges cut off."""
    side_mm = 80.0
    overlap = side_mm * np.sqrt(2 * np.pi) * length_mm - 2 * length_mm**2  # of one side with its correlated other
    expected = sd_mm * overlap * (1 + 2 * (sd_mm / length_mm) ** 2) ** -0.25 / 1000
    got = volume_sd_ml(slab(sd_mm, spacing_mm), spacing_mm, correlation_mm=length_mm)
    assert got == pytest.approx(expected, rel=0.03)


def test_an_outline_wholly_off_moves_the_volume_by_its_area():
    radius_mm, sd_mm = 12.0, 1.0
    got = volume_sd_ml(ball(radius_mm, sd_mm, half_mm=20), (1, 1, 1), correlation_mm=400.0)
    assert got == pytest.approx(4 * np.pi * (radius_mm**2 + sd_mm**2) * sd_mm / 1000, rel=0.03)


def test_volumes_drawn_at_random_spread_as_said():
    """Normal fields of the assumed correlation, thresholded: the sd of their volumes, within its sampling error."""
    from scipy import ndimage

    rng = np.random.default_rng(3)
    probability, length_mm = ball(12, 2.0, half_mm=24), 6.0
    limit = 12 - np.linalg.norm(np.stack(np.indices(probability.shape)) - 24, axis=0)
    volumes = []
    for _ in range(120):
        field = ndimage.gaussian_filter(rng.normal(size=probability.shape), length_mm / np.sqrt(2), mode="wrap")
        volumes.append((limit / 2.0 + field / field.std() > 0).sum() / 1000)
    got = volume_sd_ml(probability, (1, 1, 1), correlation_mm=length_mm)
    assert got == pytest.approx(np.std(volumes), rel=0.25)  # 120 draws know a sd to 6.5 %


def test_certainty_has_no_spread():
    assert volume_sd_ml(np.zeros((4, 4, 4)), (1, 1, 1)) == 0
    assert volume_sd_ml(np.ones((4, 4, 4)), (1, 1, 1)) == 0
