"""Growth, drugs and radiation against closed forms (SCIENCE.md 5.1, tests 3, 4 and 8)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from Testing.physics.problems import EXACT, block, final, growth, rate, relative_l2, voxel_centres_mm
from TumorTwinLib.physics.reaction import Drug, GrowthChange, InstantKill, LogisticReaction, Moebius, Rate
from TumorTwinLib.treatment.radiotherapy import (
    biologically_effective_dose_gy,
    equivalent_dose_in_2gy_fractions,
    lq_exponent_gy,
)

RHO = 0.05


def _apply(flow: Moebius, u: float) -> float:
    return float(flow.a[0] * u / (1 + flow.b[0] * u))


def test_a_gaussian_grows_and_spreads_as_the_linear_equation_says():
    diffusivity, first_day, days = 0.3, 30.0, 40.0
    shape = (46, 46, 46)
    square = sum(x**2 for x in voxel_centres_mm(shape))

    def gaussian(day: float) -> np.ndarray:
        return 1e-10 * (first_day / day) ** 1.5 * np.exp(-square / (4 * diffusivity * day))

    field = gaussian(first_day)  # so thin that u (1 - u) is u
    found = final(block(shape), field, [days], diffusivity, growth(RHO), EXACT)
    expected = math.exp(RHO * days) * gaussian(first_day + days)
    assert relative_l2(found, expected) < 0.01
    assert found.sum() / field.sum() == pytest.approx(math.exp(RHO * days), rel=1e-6)


def test_logistic_growth_is_exact():
    u0, days = 0.3, 60.0
    found = final(block((3, 3, 3)), np.full((3, 3, 3), u0), [days], 0.1, growth(RHO), EXACT)
    growth_factor = math.exp(RHO * days)
    np.testing.assert_allclose(found, u0 * growth_factor / (1 + u0 * (growth_factor - 1)), rtol=1e-10)


def test_growth_under_a_decaying_drug_is_exact():
    drug = Drug(rate(0.5), 9.242, np.array([0.0]), np.array([1.0]))
    found = final(block((3, 3, 3)), np.full((3, 3, 3), 0.3), [60.0], 0.1, growth(RHO, drugs=(drug,)), EXACT)
    assert found == pytest.approx(np.full((3, 3, 3), 0.888565), abs=1e-6)


def test_fast_and_slow_drugs_and_fractions_together_agree_with_an_ode_solver():
    drugs = (
        Drug(rate(0.5), 9.242, np.array([0.25, 1.0, 2.0, 2.0, 30.0]), np.array([1.0, 0.5, 1.0, 0.3, 2.0])),
        Drug(rate(0.04), 0.05, np.array([-3.0, 5.5]), np.array([1.0, 1.0])),
        Drug(rate(2.0), 200.0, np.array([7.0]), np.array([1.0])),
    )
    fractions = (InstantKill(3.2, rate(0.3)), InstantKill(3.45, rate(0.3)))
    reaction = growth(RHO, drugs=drugs, instants=fractions)
    survivor = {kill.day: math.exp(-kill.log_kill.value[0]) for kill in fractions}

    def kill_rate(day: float) -> float:
        return sum(
            drug.sensitivity_per_day.value[0] * dose * math.exp(-drug.elimination_per_day * (day - given))
            for drug in drugs
            for given, dose in zip(drug.days, drug.relative_doses, strict=True)
            if day >= given
        )

    u, edges = 0.3, [0.0, *(day for day in reaction.event_days if 0 < day < 40), 40.0]
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        u *= survivor.get(left, 1.0)
        middle = 0.5 * (left + right)  # the rate jumps at the ends: look just inside
        inside = [min(max(left, 1e-12 + left), middle), right]
        found = solve_ivp(
            lambda t, y: y * (RHO * (1 - y) - kill_rate(t)), inside, [u], "DOP853", rtol=1e-12, atol=1e-14
        )
        u = found.y[0, -1]
    assert _apply(reaction.flow(0.0, 40.0), 0.3) == pytest.approx(u, rel=1e-9)


@pytest.mark.parametrize("elimination", [0.01, 0.7, 9.242, 300.0])
def test_total_log_kill_of_a_dose_is_sensitivity_over_elimination(elimination):
    drug = Drug(rate(0.2), elimination, np.array([1.0]), np.array([1.5]))
    flow = growth(0.0, drugs=(drug,)).flow(0.0, 1.0 + 60.0 / elimination)
    assert -math.log(_apply(flow, 1.0)) == pytest.approx(0.2 * 1.5 / elimination, rel=1e-12)


@pytest.mark.parametrize("elimination", [0.05, 9.242, 300.0])
def test_the_integral_of_growth_is_exact_to_rounding(elimination):
    drug = Drug(rate(0.5), elimination, np.array([0.0]), np.array([1.0]))
    flow = growth(RHO, drugs=(drug,)).flow(0.0, 20.0)

    def gain(day: float) -> float:
        return math.exp(RHO * day + 0.5 / elimination * math.expm1(-elimination * day))

    edges = np.concatenate([[0.0], np.geomspace(1e-3 / elimination, 20.0, 60)])
    pieces = zip(edges[:-1], edges[1:], strict=True)
    integral = math.fsum(quad(gain, a, b, epsabs=0, epsrel=1e-13)[0] for a, b in pieces)
    assert flow.b[0] == pytest.approx(RHO * integral, rel=1e-12)


def _treated(values=(0.05, 0.3, 0.4)) -> LogisticReaction:
    """Growth rate, drug sensitivity and log kill as three parameters of one member."""
    rho, sensitivity, kill = (rate(v, np.eye(3)[p]) for p, v in enumerate(values))
    drug = Drug(sensitivity, 9.242, np.array([0.3, 1.3, 2.3]), np.array([1.0, 0.5, 2.0]))
    return LogisticReaction(rho, (drug,), (InstantKill(1.0, kill), InstantKill(1.25, kill)))


def _parts(flow: Moebius) -> np.ndarray:
    return np.concatenate([flow.a, flow.b, flow.da.ravel(), flow.db.ravel()])


@pytest.mark.parametrize("split", [0.0, 0.3, 0.31, 1.0, 1.1, 1.25, 2.9, 4.0])
def test_a_flow_can_be_split_anywhere(split):
    reaction = _treated()
    whole = reaction.flow(0.0, 4.0)
    parts = reaction.flow(0.0, split).then(reaction.flow(split, 4.0))
    np.testing.assert_allclose(_parts(parts), _parts(whole), rtol=1e-12, atol=1e-14)


def test_many_random_splits_change_nothing(rng):
    reaction = _treated()
    edges = [0.0, *np.sort(rng.uniform(0.0, 4.0, 40)), 4.0]
    total = reaction.identity()
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        total = total.then(reaction.flow(left, right))
    np.testing.assert_allclose(_parts(total), _parts(reaction.flow(0.0, 4.0)), rtol=1e-12, atol=1e-14)


def test_derivatives_of_the_flow_agree_with_finite_differences():
    values, step = np.array([0.05, 0.3, 0.4]), 1e-5
    flow = _treated(values).flow(0.1, 3.7)
    for p in range(3):
        high, low = (_treated(values + s * step * np.eye(3)[p]).flow(0.1, 3.7) for s in (1, -1))
        assert flow.da[0, p] == pytest.approx((high.a[0] - low.a[0]) / (2 * step), rel=1e-8)
        assert flow.db[0, p] == pytest.approx((high.b[0] - low.b[0]) / (2 * step), rel=1e-8)


def test_members_do_not_mix():
    both = LogisticReaction(Rate(np.array([0.05, 0.2]), np.zeros((2, 0)))).flow(0.0, 10.0)
    for member, rho in enumerate((0.05, 0.2)):
        alone = growth(rho).flow(0.0, 10.0)
        assert [both.a[member], both.b[member]] == pytest.approx([alone.a[0], alone.b[0]], rel=1e-14)


def test_linear_quadratic_survival_of_a_course():
    alpha, fractions = 0.035, 30
    log_kill = alpha * float(lq_exponent_gy(2.0, 10.0))
    assert math.exp(-log_kill) == pytest.approx(0.9194, abs=5e-5)
    kills = tuple(InstantKill(float(day), rate(log_kill)) for day in range(fractions))
    left = _apply(growth(instants=kills).flow(0.0, 60.0), 1.0)
    assert math.log10(left) == pytest.approx(-1.0944, abs=5e-5)


@pytest.mark.parametrize(
    ("fractions", "dose_gy", "alpha_beta_gy", "bed_gy", "eqd2_gy"),
    [(3, 18, 10, 151.2, 126.0), (39, 2, 1.5, 182.0, 78.0), (20, 3, 1.5, 180.0, 77.14), (30, 2, 10, 72.0, 60.0)],
)
def test_biologically_effective_doses(fractions, dose_gy, alpha_beta_gy, bed_gy, eqd2_gy):
    assert biologically_effective_dose_gy(fractions, dose_gy, alpha_beta_gy) == pytest.approx(bed_gy)
    assert equivalent_dose_in_2gy_fractions(fractions, dose_gy, alpha_beta_gy) == pytest.approx(eqd2_gy, abs=5e-3)


def test_growth_that_changes_is_growth_at_one_rate_after_another():
    slow, fast = Rate(np.array([0.02]), np.array([[0.02, 0.0]])), Rate(np.array([0.05]), np.array([[0.05, 0.05]]))
    changing = LogisticReaction(slow, changes=(GrowthChange(10.0, fast),))
    whole = changing.flow(0.0, 25.0)
    parts = LogisticReaction(slow).flow(0.0, 10.0).then(LogisticReaction(fast).flow(0.0, 15.0))
    for name in ("a", "b", "da", "db"):
        np.testing.assert_allclose(getattr(whole, name), getattr(parts, name), rtol=1e-12)
    assert changing.event_days == (10.0,)
    assert changing.flow(12.0, 20.0).a == pytest.approx(np.exp(0.05 * 8.0))
