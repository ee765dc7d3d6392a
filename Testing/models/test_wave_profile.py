"""The critical Fisher wave: its published widths, its equation and its limits."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.models import wave

# Distance between two levels in units of sqrt(D / rho) (SCIENCE.md 2.1); 80 % to 16 % are Swanson's thresholds.
WIDTHS = {
    (0.80, 0.16): 6.106,
    (0.80, 0.25): 5.138,
    (0.60, 0.16): 3.932,
    (0.675, 0.25): 3.668,
    (0.65, 0.30): 2.966,
    (0.60, 0.30): 2.505,
    (0.80, 0.02): 9.409,
}
S = np.linspace(-15.0, 30.0, 4501)


@pytest.mark.parametrize(("levels", "expected"), WIDTHS.items())
def test_width_between_two_levels(levels, expected):
    assert wave.width(*levels) == pytest.approx(expected, abs=6e-4)


def test_profile_falls_from_one_to_zero():
    w, slope = wave.profile(S)
    assert (np.diff(w) < 0).all()
    assert (slope < 0).all()
    assert 1 - 1e-2 < w[0] < 1
    assert 0 < w[-1] < 1e-10


def test_profile_far_away():
    w, slope = wave.profile(np.array([-1e4, -200.0, 200.0, 1e4]))
    np.testing.assert_array_equal(w, [1.0, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(slope, 0.0)


def test_profile_solves_the_equation_of_a_front_of_speed_two():
    w, slope = wave.profile(S)
    h = S[1] - S[0]
    np.testing.assert_allclose((w[2:] - w[:-2]) / (2 * h), slope[1:-1], atol=2e-5)
    curvature = (slope[2:] - slope[:-2]) / (2 * h)
    np.testing.assert_allclose(curvature + 2 * slope[1:-1] + w[1:-1] * (1 - w[1:-1]), 0.0, atol=2e-5)


def test_tail_is_that_of_the_slowest_front():
    """``W ~ (a s + b) exp(-s)`` with a > 0: the double root that only the speed 2 has."""
    s = np.linspace(10.0, 20.0, 51)
    scaled = wave.profile(s)[0] * np.exp(s)
    a, b = np.polyfit(s, scaled, 1)
    assert a > 0
    np.testing.assert_allclose(scaled, a * s + b, rtol=2e-3)


def test_position_undoes_profile():
    levels = np.array([0.95, 0.8, 0.5, 0.25, 0.02, 1e-4])
    s = np.array([wave.position(level) for level in levels])
    np.testing.assert_allclose(wave.profile(s)[0], levels, rtol=1e-9)
    assert wave.position(0.5) == pytest.approx(0.0, abs=1e-9)
