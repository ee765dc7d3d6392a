"""Compartments and exact integrals against textbook closed forms and against numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.drugs import find_drug
from TumorTwinLib.treatment.pharmacokinetics import (
    Administration,
    Compartments,
    Disposition,
    concentration,
    exposure,
)

PEMBROLIZUMAB = Compartments(clearance_l_per_day=0.168, volumes_l=(2.88, 2.85), flows_l_per_day=(0.384,))


def test_two_compartments_are_the_textbook_biexponential():
    k10, k12, k21 = 0.168 / 2.88, 0.384 / 2.88, 0.384 / 2.85
    total, product = k10 + k12 + k21, k10 * k21
    fast, slow = ((total + sign * math.sqrt(total**2 - 4 * product)) / 2 for sign in (1, -1))
    found = PEMBROLIZUMAB.disposition()
    np.testing.assert_allclose(found.rates_per_day, (fast, slow), rtol=1e-10)
    np.testing.assert_allclose(found.weights, ((fast - k21) / (fast - slow), (k21 - slow) / (fast - slow)), rtol=1e-10)
    assert sum(found.weights) == pytest.approx(1.0, abs=1e-12)


def test_all_exposure_leaves_through_clearance():
    """AUC = dose / CL, whatever the tissues: in units of dose over plasma volume, V1 / CL."""
    for tissues in ((), (0.384,)):
        volumes = (2.88, 2.85)[: 1 + len(tissues)]
        area = Compartments(0.168, volumes, tissues).disposition().area
        assert area == pytest.approx(2.88 / 0.168, rel=1e-10)


def test_absorption_is_batemans_curve():
    ka, k = 20.0, 9.242
    found = Compartments(k * 10.0, (10.0,), absorption_per_day=ka).disposition()
    assert sum(found.weights) == pytest.approx(0.0, abs=1e-12)
    for t in (0.01, 0.1, 0.5):
        level = concentration(found.decays([Administration(0.0, 1.0)]), t)
        assert level == pytest.approx(ka / (ka - k) * (math.exp(-k * t) - math.exp(-ka * t)), rel=1e-10)


def test_three_compartments_with_depot_against_numerical_integration():
    body = Compartments(30.0, (10.0, 20.0, 5.0), (12.0, 3.0), absorption_per_day=8.0)
    numerical = solve_ivp(
        lambda _, x: body.rate_matrix() @ x, (0.0, 2.0), [0.0, 0.0, 0.0, 1.0], rtol=1e-11, atol=1e-13, t_eval=[0.1, 2.0]
    )
    decays = body.disposition().decays([Administration(0.0, 1.0)])
    np.testing.assert_allclose([concentration(decays, t) for t in (0.1, 2.0)], numerical.y[0], rtol=1e-8)


def test_coinciding_rates_are_refused():
    with pytest.raises(TumorTwinError, match="coincide"):
        Compartments(10.0, (10.0,), absorption_per_day=1.0).disposition()


def test_compartments_that_do_not_fit_are_refused():
    with pytest.raises(TumorTwinError, match="one flow for each volume after the first"):
        Compartments(1.0, (1.0, 2.0))
    with pytest.raises(TumorTwinError, match="half-life is 0"):
        Disposition.of_half_life(0.0)


COURSE = [
    Administration(0.0, 400.0),
    Administration(0.0, 2400.0, 46 / 24),
    Administration(0.7, 100.0, 0.25),
    Administration(3.0, 50.0),
]


@pytest.mark.parametrize(
    "disposition", [Disposition.of_half_life(0.3), PEMBROLIZUMAB.disposition()], ids=["one", "two"]
)
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.5), (0.3, 2.4), (1.9, 6.0), (2.5, 2.9), (-1.0, 20.0)])
def test_exposure_is_the_integral_of_the_concentration(disposition, start, end):
    decays = disposition.decays(COURSE)
    jumps = sorted({start, end, *(t for d in decays for t in d.days if start < t < end)})
    numerical = sum(
        quad(lambda t: concentration(decays, t), a, b, epsabs=0, epsrel=1e-10)[0]
        for a, b in zip(jumps[:-1], jumps[1:], strict=True)
    )
    assert exposure(decays, start, end) == pytest.approx(numerical, rel=1e-8)


def test_exposures_of_pieces_add_up():
    decays = PEMBROLIZUMAB.disposition().decays(COURSE)
    edges = [0.0, 0.7, 1.3, 46 / 24, 3.0, 9.0]
    pieces = sum(exposure(decays, a, b) for a, b in zip(edges[:-1], edges[1:], strict=True))
    assert pieces == pytest.approx(exposure(decays, 0.0, 9.0), rel=1e-12)


def test_an_infusion_holds_a_level_and_then_is_gone():
    k = 40.0
    decays = Disposition((1.0,), (k,)).decays([Administration(1.0, 2.0, 2.0)])
    assert concentration(decays, 0.9) == 0.0
    assert concentration(decays, 2.9) == pytest.approx(1.0 / k, rel=1e-9)  # rate 1 per day over elimination
    assert abs(concentration(decays, 4.0)) < 1e-12
    assert exposure(decays, 0.0, 10.0) == pytest.approx(2.0 / k, rel=1e-9)  # as a bolus of the same amount


def test_drugs_know_their_compartments():
    assert find_drug("keytruda").disposition == PEMBROLIZUMAB.disposition()
    assert find_drug("pembrolizumab").half_life_days == pytest.approx(
        math.log(2) / find_drug("pembrolizumab").elimination_rate_per_day, rel=0.01
    )
