"""The linear-quadratic law against the numbers of textbook schedules."""

from __future__ import annotations

import math

import numpy as np
import pytest

from TumorTwinLib.treatment.radiotherapy import (
    biologically_effective_dose_gy,
    equivalent_dose_in_2gy_fractions,
    lq_exponent_gy,
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
