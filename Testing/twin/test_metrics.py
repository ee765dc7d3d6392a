"""The field's measures of agreement, on cases with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from TumorTwinLib.geometry import Grid
from TumorTwinLib.metrics import (
    center_of_mass_distance_mm,
    center_of_mass_mm,
    concordance,
    dice,
    volume_error_percent,
)

LAS = Grid((10, 12, 8), np.array([[-1.5, 0, 0, 40], [0, 1.0, 0, -20], [0, 0, 2.0, 7], [0, 0, 0, 1.0]]))
OBLIQUE = Grid((10, 12, 8), np.array([[1.2, -0.8, 0, 40], [1.6, 0.6, 0, -20], [0, 0, 2.5, 7], [0, 0, 0, 1.0]]))


def box(lower, upper, shape=(10, 12, 8)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(low, up) for low, up in zip(lower, upper, strict=True))] = True
    return mask


def test_dice():
    a, b = box((0, 0, 0), (4, 4, 4)), box((2, 0, 0), (6, 4, 4))
    assert dice(a, a) == 1.0
    assert dice(a, b) == dice(b, a) == 0.5
    assert dice(a, box((6, 6, 6), (8, 8, 8))) == 0.0
    assert dice(a, box((0, 0, 0), (4, 4, 2))) == pytest.approx(2 / 3)


def test_two_empty_masks_agree():
    empty = np.zeros((3, 3, 3), dtype=bool)
    assert dice(empty, empty) == 1.0
    assert dice(empty, ~empty) == 0.0


def test_volume_error_has_a_sign():
    assert volume_error_percent(110.0, 100.0) == pytest.approx(10.0)
    assert volume_error_percent(80.0, 100.0) == pytest.approx(-20.0)
    assert volume_error_percent(0.0, 100.0) == -100.0
    assert volume_error_percent(0.0, 0.0) == 0.0
    assert math.isinf(volume_error_percent(1.0, 0.0))


@pytest.mark.parametrize("grid", [LAS, OBLIQUE], ids=["LAS", "oblique"])
def test_centre_of_mass_is_in_the_patient(grid):
    mask = box((2, 3, 1), (5, 9, 3))
    expected = grid.ras_mm(np.argwhere(mask)).mean(axis=0)
    np.testing.assert_allclose(center_of_mass_mm(mask, grid), expected, rtol=1e-12)
    one = box((9, 11, 7), (10, 12, 8))
    np.testing.assert_allclose(center_of_mass_mm(one, grid), (grid.ijk_to_ras @ [9, 11, 7, 1])[:3], rtol=1e-12)


def test_centre_of_mass_of_a_density_weighs_it():
    density = np.zeros(LAS.shape)
    density[0, 0, 0], density[4, 0, 0] = 3.0, 1.0
    np.testing.assert_allclose(center_of_mass_mm(density, LAS), [40 - 1.5, -20, 7])


def test_centre_of_mass_does_not_depend_on_how_the_head_is_stored():
    mask = box((2, 3, 1), (5, 9, 3))
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = 9
    flipped = Grid(LAS.shape, LAS.ijk_to_ras @ flip)
    np.testing.assert_allclose(center_of_mass_mm(mask[::-1], flipped), center_of_mass_mm(mask, LAS), rtol=1e-12)


def test_distance_between_centres():
    a, b = box((0, 0, 0), (2, 2, 2)), box((2, 1, 3), (4, 3, 5))
    expected = np.linalg.norm(OBLIQUE.ijk_to_ras[:3, :3] @ [2, 1, 3])
    assert center_of_mass_distance_mm(a, b, OBLIQUE) == pytest.approx(expected)
    assert center_of_mass_distance_mm(a, a, LAS) == 0.0
    assert math.isnan(center_of_mass_distance_mm(a, np.zeros_like(a), LAS))


def test_concordance_punishes_shift_and_scale(rng):
    x = rng.normal(size=(20, 10))
    assert concordance(x, x) == pytest.approx(1.0)
    assert concordance(x, -x + 2 * x.mean()) == pytest.approx(-1.0)
    shifted = 2 * x.var() / (2 * x.var() + 0.25)
    assert concordance(x, x + 0.5) == pytest.approx(shifted)
    scaled = 4 * x.var() / (5 * x.var() + x.mean() ** 2)
    assert concordance(x, 2 * x) == pytest.approx(scaled)
    assert abs(concordance(x, rng.normal(size=(20, 10)))) < 0.3


def test_concordance_of_constants():
    assert concordance(np.full(5, 2.0), np.full(5, 2.0)) == 1.0
    assert concordance(np.full(5, 2.0), np.full(5, 3.0)) == 0.0
