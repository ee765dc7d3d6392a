"""The linear-quadratic law against the numbers of textbook schedules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.radiotherapy import (
    biologically_effective_dose_gy,
    equivalent_dose_in_2gy_fractions,
    lq_exponent_gy,
    oxygen_factor_at,
    survival,
)

# fractions, total Gy, alpha/beta, BED, EQD2 (SCIENCE.md 5.1, test 8)
SCHEDULES = {
    "hypofractionated 54 Gy in 3": (3, 54.0, 10.0, 151.2, 126.0),
    "prostate 78 Gy in 39": (39, 78.0, 1.5, 182.0, 78.0),
    "prostate 60 Gy in 20": (20, 60.0, 1.5, 180.0, 77.142857),
    "glioblastoma 60 Gy in 30": (30, 60.0, 10.0, 72.0, 60.0),
}


@pytest.mark.parametrize(
    ("fractions", "total_gy", "alpha_beta_gy", "bed_gy", "eqd2_gy"), SCHEDULES.values(), ids=SCHEDULES
)
def test_schedules(fractions, total_gy, alpha_beta_gy, bed_gy, eqd2_gy):
    dose = total_gy / fractions
    assert biologically_effective_dose_gy(fractions, dose, alpha_beta_gy) == pytest.approx(bed_gy, rel=1e-6)
    assert equivalent_dose_in_2gy_fractions(fractions, dose, alpha_beta_gy) == pytest.approx(eqd2_gy, rel=1e-6)


def test_survival_of_a_glioblastoma_course():
    one = survival(2.0, 0.035, 10.0)
    assert one == pytest.approx(0.9194, abs=5e-5)
    assert math.log10(one**30) == pytest.approx(-1.0944, abs=5e-5)


def test_no_dose_kills_nothing():
    assert survival(0.0, 0.3, 10.0) == 1.0


def test_dose_maps_voxel_by_voxel():
    dose = np.array([[0.0, 1.0], [2.0, 18.0]])
    np.testing.assert_allclose(lq_exponent_gy(dose, 10.0), [[0.0, 1.1], [2.4, 50.4]])
    np.testing.assert_allclose(survival(dose, 0.05, 10.0), np.exp(-0.05 * lq_exponent_gy(dose, 10.0)))


def test_one_large_fraction_kills_more_than_two_halves():
    assert survival(4.0, 0.1, 10.0) < survival(2.0, 0.1, 10.0) ** 2
    assert survival(4.0, 0.1, 1e9) == pytest.approx(survival(2.0, 0.1, 1e9) ** 2)


def test_the_curve_is_straight_above_the_transition_dose():
    """S = exp(-alpha d_T - beta d_T^2 - gamma (d - d_T)), gamma = alpha + 2 beta d_T."""
    alpha, ratio, limit = 0.3, 10.0, 6.0
    beta = alpha / ratio
    expected = math.exp(-alpha * limit - beta * limit**2 - (alpha + 2 * beta * limit) * (18 - limit))
    assert survival(18.0, alpha, ratio, transition_dose_gy=limit) == pytest.approx(expected, rel=1e-12)
    assert survival(5.9, alpha, ratio, transition_dose_gy=limit) == survival(5.9, alpha, ratio)
    doses = limit + np.array([-1e-6, 1e-6])  # value and slope are continuous
    low, high = lq_exponent_gy(doses, ratio, transition_dose_gy=limit)
    assert (high - low) / 2e-6 == pytest.approx(1 + 2 * limit / ratio, rel=1e-6)


def test_three_fractions_of_18_gy_no_longer_kill_everything_for_sure():
    """SCIENCE.md 2.3: the pure law gives 10^-19.7 at alpha 0.3 and alpha/beta 10."""
    pure, linear = (3 * 0.3 * lq_exponent_gy(18.0, 10.0, transition_dose_gy=t) / math.log(10) for t in (None, 6.0))
    assert pure == pytest.approx(19.7, abs=0.01)
    assert linear == pytest.approx(3 * 0.3 * (9.6 + 2.2 * 12) / math.log(10), rel=1e-9)


def test_oxygen():
    """h = (m p + K) / (m (p + K)), m = 3, K = 3 mmHg."""
    np.testing.assert_allclose(oxygen_factor_at([0.0, 3.0, 1e9]), [1 / 3, 2 / 3, 1.0], rtol=1e-6)
    h = oxygen_factor_at(3.0)
    expected = math.exp(-(0.3 * h) * 2.0 - (0.03 * h**2) * 2.0**2)  # alpha h and beta h^2
    assert math.exp(-0.3 * lq_exponent_gy(2.0, 10.0, oxygen_factor=h)) == pytest.approx(expected, rel=1e-12)
    above = lq_exponent_gy(18.0, 10.0, transition_dose_gy=6.0, oxygen_factor=h)
    alpha, beta = 0.3 * h, 0.03 * h**2
    assert 0.3 * above == pytest.approx(alpha * 6 + beta * 36 + (alpha + 2 * beta * 6) * 12, rel=1e-12)


def test_hypoxic_cells_decide_a_large_fraction():
    mixed = survival(18.0, 0.3, 10.0, transition_dose_gy=6.0, hypoxic_fraction=0.15, hypoxic_oer=1.7)
    oxic, hypoxic = (
        math.exp(-0.3 * lq_exponent_gy(18.0, 10.0, transition_dose_gy=6.0, oxygen_factor=h)) for h in (1.0, 1 / 1.7)
    )
    assert mixed == pytest.approx(0.85 * oxic + 0.15 * hypoxic, rel=1e-12)
    assert mixed > 10 * oxic


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"alpha_beta_gy": 0.0}, "alpha/beta is 0.0 Gy"),
        ({"transition_dose_gy": -1.0}, "transition dose is -1.0 Gy"),
        ({"hypoxic_fraction": 1.5}, "hypoxic fraction is 1.5"),
    ],
)
def test_impossible_laws_are_refused(arguments, sentence):
    with pytest.raises(TumorTwinError, match=sentence):
        survival(2.0, 0.3, **({"alpha_beta_gy": 10.0} | arguments))
