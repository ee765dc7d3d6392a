"""Contours as data: where the model's contour is against the drawn one, whatever the steepness of the front."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.inference.contours import contour_residuals

SHAPE = (40, 12, 12)
EVERYWHERE = np.ones(SHAPE, dtype=bool)
LEVEL = 0.25


def front(contour_at: float, length: float) -> np.ndarray:
    """A logistic front along i that crosses the level at ``contour_at``, of this length in voxels."""
    odds = np.log(LEVEL / (1 - LEVEL)) - (np.arange(SHAPE[0]) - contour_at) / length
    return np.broadcast_to((1 / (1 + np.exp(-odds)))[:, None, None], SHAPE).copy()


def drawn_to(edge: float) -> np.ndarray:
    return np.broadcast_to((np.arange(SHAPE[0]) < edge)[:, None, None], SHAPE)


def residuals_along_i(u: np.ndarray, drawn: np.ndarray, mask: np.ndarray = EVERYWHERE) -> np.ndarray:
    """(ni,) residuals in the middle of the other axes."""
    voxels, residual, _ = contour_residuals(u, np.zeros((0, *SHAPE)), mask, drawn, LEVEL)
    field = np.zeros(SHAPE)
    field.ravel()[voxels] = residual
    return field[:, 6, 6]


@pytest.mark.parametrize("length", [1.5, 3.0, 6.0])
def test_probability_depends_on_depth_and_not_on_the_steepness_of_the_front(length):
    depth = 20.3 - np.arange(SHAPE[0])
    expected = 0.5 * (1 + np.tanh(depth)) - (depth > 0)
    residual = residuals_along_i(front(20.3, length), drawn_to(20.3))
    near = np.abs(expected) > 0.011
    assert 4 <= near.sum() <= 6
    np.testing.assert_allclose(residual[near], expected[near], atol=2e-3)
    assert not residual[np.abs(expected) < 0.009].any()


def test_residuals_sum_to_the_displacement():
    for displacement in (-3.0, -0.4, 1.0, 5.2):
        residual = residuals_along_i(front(19.5 + displacement, 3.0), drawn_to(19.5))
        assert residual.sum() == pytest.approx(displacement, abs=0.05)


def test_far_from_both_contours_nothing_is_said():
    u, drawn = front(20.3, 2.0), drawn_to(20.3)
    voxels, _, _ = contour_residuals(u, np.zeros((0, *SHAPE)), EVERYWHERE, drawn, LEVEL)
    assert np.abs(np.unravel_index(voxels, SHAPE)[0] - 20.3).max() < 3
    larger = np.pad(u, ((0, 60), (0, 0), (0, 0))), np.pad(drawn, ((0, 60), (0, 0), (0, 0)))
    mask = np.ones(larger[0].shape, dtype=bool)  # a larger brain is no more evidence
    more, _, _ = contour_residuals(larger[0], np.zeros((0, *mask.shape)), mask, larger[1], LEVEL)
    assert more.size == voxels.size


def test_no_tumor_in_the_model_misses_all_that_was_drawn():
    voxels, residual, jacobian = contour_residuals(
        np.zeros(SHAPE), np.zeros((2, *SHAPE)), EVERYWHERE, drawn_to(5), LEVEL
    )
    assert voxels.size == 5 * 12 * 12
    np.testing.assert_allclose(residual, -1.0, atol=1e-6)
    assert jacobian.shape == (2, voxels.size)
    nothing = contour_residuals(np.zeros(SHAPE), np.zeros((2, *SHAPE)), EVERYWHERE, ~EVERYWHERE, LEVEL)
    assert [part.shape for part in nothing] == [(0,), (0,), (2, 0)]


def test_a_wall_is_no_front():
    u, mask = front(20.3, 3.0), EVERYWHERE.copy()
    mask[:, :6] = False  # the brain ends beside the voxels looked at
    outside = np.where(mask, u, 0.0)
    np.testing.assert_allclose(
        residuals_along_i(outside, drawn_to(20.3), mask), residuals_along_i(u, drawn_to(20.3)), atol=1e-12
    )


def test_derivative_agrees_with_finite_differences(rng):
    i, j, k = np.indices(SHAPE)
    u = 0.9 / (1 + np.exp((np.sqrt((i - 18) ** 2 + 2 * (j - 5) ** 2 + (k - 6) ** 2) - 7) / 1.7))
    du = np.stack([u * (1 - u) * np.sin(0.3 * i + 0.2 * j), 0.1 * np.cos(0.2 * k + 0.1 * i) * u])
    drawn = (i - 19) ** 2 + (j - 6) ** 2 + (k - 6) ** 2 < 49
    mask = rng.random(SHAPE) < 0.9
    step = 1e-6
    voxels, _, jacobian = contour_residuals(u, du, mask, drawn, LEVEL)

    def at(amount: np.ndarray) -> np.ndarray:
        field = np.full(SHAPE, np.nan)
        found, residual, _ = contour_residuals(u + np.tensordot(amount, du, 1), du, mask, drawn, LEVEL)
        field.ravel()[found] = residual
        return field.ravel()[voxels]

    for p in range(2):
        difference = (at(step * np.eye(2)[p]) - at(-step * np.eye(2)[p])) / (2 * step)
        both = np.isfinite(difference)  # a voxel may leave what says something
        assert both.mean() > 0.99
        np.testing.assert_allclose(jacobian[p][both], difference[both], rtol=1e-5, atol=1e-6)
