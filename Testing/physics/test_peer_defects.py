"""Faults measured in an earlier program for tumour twins (PEER.md, section 5), each shown to be absent here.

One row per fault, named by its id there: ``pytest -k RT-3`` runs one. Treatments go through the glioblastoma model with
dates and times, as a patient's do. Faults of reading patients, ADC maps and cropping, and of the fit, are tested there.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from Testing.physics.problems import ball, block, domain_of, final, grow, growth, rate, relative_l2
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData
from TumorTwinLib.patient.data import Visit
from TumorTwinLib.physics.reaction import InstantKill
from TumorTwinLib.physics.solver import Solution, SolverSettings, StepPlan, solve
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction

DOUBLE = SolverSettings(1e-5, "float64")
SHAPE = (12, 13, 14)
SCAN = datetime(2024, 3, 1, 14, 0)  # not midnight
VALUES = {
    "diffusivity_mm2_per_day": 0.2,
    "proliferation_per_day": 0.04,
    "radiosensitivity_per_gy": 0.05,
    "tmz_sensitivity_per_day": 0.5,
}
NAMES = tuple(VALUES)


def _at(days: float) -> datetime:
    return SCAN + timedelta(days=days)


def _fraction(days: float, dose_gy: float = 2.0) -> RadiotherapyFraction:
    return RadiotherapyFraction(_at(days), dose_gy)


def _dose(days: float, amount: float = 75.0, unit: str = "mg/m2") -> DrugDose:
    return DrugDose(_at(days), "temozolomide", amount, unit)


def _patient(*treatments) -> PatientData:
    grid = Grid.from_spacing(SHAPE, (1.0, 1.0, 1.0))
    tumour = Image(ball(SHAPE, 3.0) > 0.3, grid, "tumour")
    brain = Image(np.ones(SHAPE, dtype=bool), grid, "brain")
    return PatientData(
        "p", visits=[Visit(SCAN, regions={"enhancing": tumour})], treatments=treatments, brain_mask=brain
    )


def _treated(
    output_days, *treatments, values=VALUES, calibrated=(), settings=DOUBLE, plan: StepPlan | None = None,
    alpha_beta_gy: float = 10.0, uniform: float | None = None,
) -> Solution:  # fmt: skip
    """A run of the glioblastoma model from a ball, or from one cellularity everywhere, under these treatments."""
    patient = _patient(*treatments)
    model = ReactionDiffusionModel(domain=patient.brain_mask, alpha_beta_gy=alpha_beta_gy)
    reaction, diffusivity = model.dynamics(patient, [model.values(values)], calibrated)
    initial = np.zeros((1, 1 + len(calibrated), *SHAPE))
    initial[0, 0] = ball(SHAPE, 3.0) if uniform is None else uniform
    return solve(model.physics_domain, initial, reaction, diffusivity, output_days, settings=settings, plan=plan)


def _survival(days: float, *treatments, step_days: float = 8.0, alpha_beta_gy: float = 10.0) -> float:
    """What treatments leave of a thin, growing cell suspension on a day, relative to none."""
    settings = SolverSettings(1e-2, "float64", largest_step_days=step_days)
    run = [
        _treated([days], *t, settings=settings, uniform=1e-10, alpha_beta_gy=alpha_beta_gy) for t in (treatments, ())
    ]
    return float(run[0].cellularity[-1, 0, 0, 0, 0] / run[1].cellularity[-1, 0, 0, 0, 0])


def _lq(dose_gy: float, alpha_beta_gy: float = 10.0) -> float:
    return math.exp(-0.05 * (dose_gy + dose_gy**2 / alpha_beta_gy))


def _derivatives_agree(name: str, output_days, *treatments) -> None:
    """A tangent by a parameter's logarithm, with sparse outputs, against finite differences on the same steps."""
    run = _treated(output_days, *treatments, calibrated=NAMES)
    step = 1e-4
    high, low = (
        _treated(output_days, *treatments, values=VALUES | {name: VALUES[name] * math.exp(s * step)}, plan=run.plan)
        for s in (1, -1)
    )
    for n in range(len(output_days)):
        difference = (high.cellularity[n, 0] - low.cellularity[n, 0]) / (2 * step)
        found = run.tangents[n, 0, NAMES.index(name)]
        if np.abs(difference).max() > 0:
            assert relative_l2(found, difference) < 1e-6
        assert found.sum() == pytest.approx(difference.sum(), rel=1e-6, abs=1e-9)


def sp_1() -> None:
    field = np.zeros(SHAPE)
    field[:4, :4, :4] = 0.8  # in a corner: three walls
    found = grow(block(SHAPE, (1.5, 1.5, 3.0)), field, [30.0, 1000.0], 0.2).cellularity[:, 0]
    assert found.sum(axis=(1, 2, 3)) == pytest.approx([field.sum()] * 2, rel=1e-12)


def sp_2() -> None:
    mask, field = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE)
    mask[5:7], field[5] = True, 0.8  # a sheet of two voxels
    found = final(domain_of(mask), field, [300.0], 0.1)
    np.testing.assert_allclose(found[5:7], 0.4, rtol=1e-6)


def sp_3() -> None:
    field = np.zeros(SHAPE)
    field[0] = 0.5  # the mask fills the array and the source touches its edge
    found = final(block(SHAPE), field, [2000.0], 0.5)
    assert found.sum() == pytest.approx(field.sum(), rel=1e-12)
    np.testing.assert_allclose(found, 0.5 / SHAPE[0], rtol=1e-5)


def sp_4() -> None:
    relative = np.ones(SHAPE)
    relative[6:] = 0.1
    found = final(block(SHAPE, relative_diffusivity=relative), ball(SHAPE, 4.0), [20.0, 4000.0], 0.5)
    assert found.sum() == pytest.approx(ball(SHAPE, 4.0).sum(), rel=1e-12)
    np.testing.assert_allclose(found, ball(SHAPE, 4.0).mean(), rtol=1e-5)  # D lap(u) has another equilibrium


def st_1() -> None:
    for dtype in ("float32", "float64"):
        for step_days in (0.5, 8.0):
            settings = SolverSettings(1e-2, dtype, largest_step_days=step_days)
            field = 1.0 * (ball(SHAPE, 3.0) > 0.3)
            found = final(block(SHAPE), field, [40.0], 2.0, growth(0.0), settings)
            assert found.sum(dtype=float) == pytest.approx(field.sum(), rel=1e-5)
            assert -1e-3 < found.min() <= found.max() < 1.0


def rt_1_2() -> None:
    for step_days in (0.3, 0.7, 0.75, 1.5, 8.0):
        assert _survival(6.0, _fraction(2.375), step_days=step_days) == pytest.approx(_lq(2.0), rel=1e-9)
    run = _treated([2.0, 2.375, 2.376], _fraction(2.375), uniform=1e-10)
    before, at, after = run.cellularity[:, 0, 0, 0, 0]
    assert at / before == pytest.approx(math.exp(0.04 * 0.375), rel=1e-6)
    assert after / at == pytest.approx(_lq(2.0) * math.exp(0.04 * 0.001), rel=1e-6)


def rt_3() -> None:
    twice_daily = [_fraction(day + hour, 1.2) for day in (1, 2, 3) for hour in (0.25, 0.5)]
    assert _survival(6.0, *twice_daily) == pytest.approx(_lq(1.2) ** 6, rel=1e-9)


def rt_4() -> None:
    next_morning = _fraction(20 / 24)  # scan 14:00, fraction 10:00 the next day
    run = _treated([0.0, 0.8, 1.0], next_morning, uniform=1e-10)
    start, before, after = run.cellularity[:, 0, 0, 0, 0]
    assert before / start == pytest.approx(math.exp(0.04 * 0.8), rel=1e-6)
    assert after / before == pytest.approx(_lq(2.0) * math.exp(0.04 * 0.2), rel=1e-6)


def rt_5() -> None:
    treatments = (_fraction(0.0), _fraction(3.0), _dose(1.0))
    patient = _patient(*treatments)
    model = ReactionDiffusionModel(domain=patient.brain_mask)
    reaction, diffusivity = model.dynamics(patient, [model.values(VALUES)])
    initial = ball(SHAPE, 3.0)[None, None]
    kept, runs = initial.copy(), []
    for _ in range(3):
        runs.append(solve(model.physics_domain, initial, reaction, diffusivity, [5.0], settings=DOUBLE).cellularity)
        np.testing.assert_array_equal(initial, kept)
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])


def rt_6() -> None:
    reaction = growth(0.0, instants=(InstantKill(12.0, rate(0.7)),))
    run = grow(block(SHAPE), np.full(SHAPE, 0.4), [11.9, 12.0, 12.1, 30.0], 0.1, reaction, DOUBLE, start_day=10.0)
    assert run.cellularity[:, 0, 0, 0, 0] == pytest.approx([0.4, 0.4, 0.4 * math.exp(-0.7), 0.4 * math.exp(-0.7)])


def rt_7() -> None:
    for name in NAMES[:2]:
        _derivatives_agree(name, [5.0, 12.0], _fraction(3.0), _fraction(5.0), _fraction(8.0), _dose(6.0))


def rt_8() -> None:
    for tolerance in (1e-1, 1e-3):
        for days in (1.3, 2.0, 7.77):
            settings = SolverSettings(tolerance, "float64")
            run = _treated([9.0], _fraction(days), settings=settings, uniform=1e-10)
            left = run.cellularity[-1, 0, 0, 0, 0] / (1e-10 * math.exp(0.04 * 9))
            assert left == pytest.approx(_lq(2.0), rel=1e-9)


def rt_9() -> None:
    _derivatives_agree("radiosensitivity_per_gy", [2.0, 12.0], _fraction(3.0), _fraction(8.0), _dose(3.5))


def rt_10() -> None:
    assert _survival(3.0, _fraction(1.0, 6.0), alpha_beta_gy=3.0) == pytest.approx(_lq(6.0, 3.0), rel=1e-9)
    assert _lq(6.0, 3.0) < 0.9 * _lq(6.0, 10.0)


def ct_1() -> None:
    _derivatives_agree("tmz_sensitivity_per_day", [2.0, 12.0], _dose(1.0), _dose(4.25), _fraction(3.0))


def ct_2() -> None:
    log_kills = [-math.log(_survival(9.0, _dose(2.0, amount))) for amount in (75.0, 150.0, 750.0)]
    per_dose = 0.5 / (math.log(2) * 24 / 1.8)
    assert log_kills == pytest.approx([per_dose, 2 * per_dose, 10 * per_dose], rel=1e-6)


def headline_1() -> None:
    """62 % too much kill per dose at half-day steps, from sampling a concentration that decays in hours."""
    per_dose = 0.5 / (math.log(2) * 24 / 1.8)
    for step_days in (0.1, 0.5, 2.0, 8.0):
        doses = [_dose(float(day)) for day in range(1, 21)]
        assert -math.log(_survival(30.0, *doses, step_days=step_days)) == pytest.approx(20 * per_dose, rel=1e-9)


def out() -> None:
    """Outputs are where the solver lands, not interpolated between steps."""
    days = [0.37, 1.0, 3.9, 4.1, 11.03]
    settings = SolverSettings(1e-2, "float64", largest_step_days=2.0)
    found = grow(block(SHAPE), np.full(SHAPE, 0.3), days, 0.1, growth(0.2), settings).cellularity[:, 0, 0, 0, 0]
    gain = np.exp(0.2 * np.array(days))
    np.testing.assert_allclose(found, 0.3 * gain / (1 + 0.3 * (gain - 1)), rtol=1e-10)


def th() -> None:
    """Nothing is clamped: what starts above capacity comes down to it as the equation says."""
    found = final(block(SHAPE), np.full(SHAPE, 1.8), [10.0], 0.1, growth(0.1), DOUBLE)
    np.testing.assert_allclose(found, 1.8 * math.e / (1 + 1.8 * (math.e - 1)), rtol=1e-10)


DEFECTS = {
    "Headline-1 drug kill depends on the time step": headline_1,
    "SP-1 cells are not conserved at walls": sp_1,
    "SP-2 no flux in sheets of two voxels": sp_2,
    "SP-3 the array's edge is frozen": sp_3,
    "SP-4 D lap(u) in place of div(D grad u)": sp_4,
    "ST-1 unstable within its own bounds, hidden by a clamp": st_1,
    "RT-1 RT-2 fractions floored to whole days or never applied": rt_1_2,
    "RT-3 two fractions a day collapse to one": rt_3,
    "RT-4 the next morning's fraction applied at the scan": rt_4,
    "RT-5 the caller's arrays are changed": rt_5,
    "RT-6 treatments shift with the solver's start": rt_6,
    "RT-7 gradients wrong where a visit meets a fraction": rt_7,
    "RT-8 adaptive steps skip fractions": rt_8,
    "RT-9 no gradient by radiosensitivity": rt_9,
    "RT-10 alpha/beta fixed at 10": rt_10,
    "CT-1 no gradient by drug sensitivity": ct_1,
    "CT-2 doses lose their size": ct_2,
    "OUT outputs interpolated between steps": out,
    "TH clamped to one": th,
}


@pytest.mark.parametrize("check", DEFECTS.values(), ids=DEFECTS)
def test_absent(check):
    check()
