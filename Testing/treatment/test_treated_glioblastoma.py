"""A patient's treatments through the glioblastoma model: when they act, how strongly, and their derivatives."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.physics.solver import Solution, SolverSettings, StepPlan, solve
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery

START = datetime(2024, 3, 5)
GRID = Grid.from_spacing((16, 15, 14), (2.0, 2.0, 2.5), (-15.0, -14.0, -16.25))
DOUBLE = SolverSettings(tolerance=1e-4, dtype="float64")
VALUES = {
    "diffusivity_mm2_per_day": 0.2,
    "proliferation_per_day": 0.04,
    "radiosensitivity_per_gy": 0.05,
    "tmz_sensitivity_per_day": 0.5,
}
NAMES = tuple(VALUES)
TMZ_DECAY_PER_DAY = math.log(2) / (1.8 / 24)


def at(days: float) -> datetime:
    return START + timedelta(days=days)


def fraction(days: float, dose_gy: float = 2.0, dose_map: np.ndarray | None = None) -> RadiotherapyFraction:
    return RadiotherapyFraction(at(days), dose_gy, None if dose_map is None else Image(dose_map, GRID, "dose"))


def tmz(days: float, amount: float = 75.0, unit: str = "mg/m2") -> DrugDose:
    return DrugDose(at(days), "TMZ", amount, unit)


def radius_mm() -> np.ndarray:
    return np.linalg.norm(GRID.ras_mm(np.stack(np.indices(GRID.shape), axis=-1)), axis=-1)


def patient_with(*treatments, body_surface_area_m2: float | None = None) -> PatientData:
    """A brain that fills the grid, two tissues, a tumour with a core, no ADC."""
    core, whole = radius_mm() <= 4.5, radius_mm() <= 8.0
    visit = Visit(START, {}, {"enhancing": Image(core, GRID, "core"), "edema": Image(whole & ~core, GRID, "edema")})
    white = np.broadcast_to(np.linspace(0.2, 1.0, 16)[:, None, None], GRID.shape).copy()
    return PatientData(
        "P", visits=[visit], treatments=treatments, brain_mask=Image(np.ones(GRID.shape, bool), GRID, "brain"),
        tissues={"white_matter": Image(white, GRID, "white"), "grey_matter": Image(1 - white, GRID, "grey")},
        body_surface_area_m2=body_surface_area_m2,
    )  # fmt: skip


def run(
    patient: PatientData, days, values=VALUES, calibrated=(), plan: StepPlan | None = None, uniform: float | None = None
) -> Solution:
    """From the first visit's own state, or from one cellularity everywhere."""
    model = ReactionDiffusionModel(domain=patient.brain_mask, tissues=patient.tissues)
    values = model.values(values)
    reaction, diffusivity = model.dynamics(patient, [values], calibrated)
    initial = model.initial_state(model.observe(patient)[0], values, calibrated)
    if uniform is not None:
        initial[0, 0] = uniform
    return solve(model.physics_domain, initial, reaction, diffusivity, days, settings=DOUBLE, plan=plan)


def log_kill(patient: PatientData, days: float) -> float:
    """What treatment took from a thin suspension of cells: minus the logarithm of the share left."""
    treated, untreated = (run(p, [days], uniform=1e-12).cellularity[-1].mean() for p in (patient, patient_with()))
    return -math.log(treated / untreated)


def test_a_fraction_at_two_in_the_afternoon_acts_then():
    afternoon = RadiotherapyFraction(datetime(2024, 3, 5, 14, 0), 2.0)
    reaction, _ = ReactionDiffusionModel(domain=patient_with().brain_mask).dynamics(patient_with(afternoon), [VALUES])
    assert reaction.event_days == pytest.approx([0.5833], abs=5e-5)
    found = run(patient_with(afternoon), [0.58, 0.5833, 0.5834, 1.0], uniform=1e-12).cellularity.mean(axis=(1, 2, 3, 4))
    growth = np.exp(0.04 * np.array([0.58, 0.5833, 0.5834, 1.0]))
    survival = math.exp(-0.05 * (2 + 4 / 10))
    np.testing.assert_allclose(found / 1e-12 / growth, [1, 1, survival, survival], rtol=1e-6)


def test_two_fractions_a_day_and_the_minute_of_a_dose():
    patient = patient_with(fraction(1 + 8 / 24, 1.2), fraction(1 + 14 / 24, 1.2), tmz(1 + 601 / 1440))
    reaction, _ = ReactionDiffusionModel(domain=patient.brain_mask).dynamics(patient, [VALUES])
    assert reaction.event_days == pytest.approx([1 + 8 / 24, 1 + 601 / 1440, 1 + 14 / 24], abs=1e-9)
    expected = 2 * 0.05 * (1.2 + 1.2**2 / 10) + 0.5 / TMZ_DECAY_PER_DAY
    assert log_kill(patient, 6.0) == pytest.approx(expected, rel=1e-6)


def test_a_uniform_dose_map_is_the_scalar_dose():
    days = [3.0, 9.0]
    by_map, by_number = (
        run(patient_with(fraction(1.5, 2.0, dose), fraction(4.25, 2.0, dose)), days, calibrated=NAMES)
        for dose in (np.full(GRID.shape, 2.0), None)
    )
    np.testing.assert_allclose(by_map.cellularity, by_number.cellularity, rtol=1e-4, atol=1e-12)
    alpha = NAMES.index("radiosensitivity_per_gy")
    found, expected = (r.tangents[-1, 0, alpha] for r in (by_map, by_number))
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


def test_a_dose_map_kills_where_the_dose_is():
    dose = np.zeros(GRID.shape)
    dose[:8] = 10.0
    treated = run(patient_with(fraction(1.0, 2.0, dose)), [1.001], {**VALUES, "diffusivity_mm2_per_day": 1e-6})
    untouched = run(patient_with(), [1.001], {**VALUES, "diffusivity_mm2_per_day": 1e-6})
    left = treated.cellularity[0, 0] / untouched.cellularity[0, 0].clip(1e-300)
    seen = untouched.cellularity[0, 0] > 1e-9
    np.testing.assert_allclose(left[:8][seen[:8]], math.exp(-0.05 * (10 + 10)), rtol=1e-3)
    np.testing.assert_allclose(left[8:][seen[8:]], 1.0, rtol=1e-6)


@pytest.mark.parametrize("residual", [0.2, 0.01, 0.0])
def test_surgery_empties_the_cavity_to_its_residual(residual):
    cavity = radius_mm() <= 6.0
    surgery = Surgery(at(2.0), Image(cavity, GRID, "cavity"), residual)
    found = run(patient_with(surgery), [2.0, 2.0 + 1e-9], calibrated=NAMES)
    before, after = found.cellularity[:, 0]
    np.testing.assert_allclose(after[cavity], residual * before[cavity], rtol=1e-3)
    np.testing.assert_allclose(after[~cavity], before[~cavity], rtol=1e-5)
    for name in NAMES[:2]:  # what is gone has no derivative either
        slope_before, slope_after = (np.linalg.norm(t[0, NAMES.index(name)][cavity]) for t in found.tangents)
        assert slope_after == pytest.approx(residual * slope_before, rel=1e-2)


def test_surgery_without_a_cavity_is_one_sentence():
    patient = patient_with(Surgery(at(2.0)))
    with pytest.raises(TumorTwinError, match="The surgery of 2024-03-07 has no cavity mask: segment the cavity."):
        run(patient, [5.0])


@pytest.mark.parametrize("drug", ["aspirin", "paclitaxel"])
def test_a_drug_the_model_does_not_know_is_one_sentence(drug):
    patient = patient_with(DrugDose(at(1.5), drug, 100.0, "mg/m2"))
    with pytest.raises(TumorTwinError) as refused:
        run(patient, [5.0])
    message = str(refused.value)
    assert message == (
        f"The glioblastoma model knows temozolomide only, not {drug} (2024-03-06 12:00): "
        "remove that row from the treatments."
    )


def test_mg_and_mg_per_m2_of_the_same_body_are_the_same_treatment():
    by_area, by_mass = (
        run(patient_with(tmz(1.0, amount, unit), body_surface_area_m2=1.8), [4.0]).cellularity
        for amount, unit in ((75.0, "mg/m2"), (135.0, "mg"))
    )
    np.testing.assert_allclose(by_mass, by_area, rtol=1e-12)
    assert by_area.sum() < 0.99 * run(patient_with(), [4.0]).cellularity.sum()


def test_CT_2_doubling_all_doses_doubles_the_log_kill():
    days = [1.0, 2.0, 3.25, 8.0]
    single, double, tenfold = (log_kill(patient_with(*(tmz(day, a) for day in days)), 20.0) for a in (75, 150, 750))
    assert single == pytest.approx(4 * 0.5 / TMZ_DECAY_PER_DAY, rel=1e-6)
    assert double == pytest.approx(2 * single, rel=1e-6)
    assert tenfold == pytest.approx(10 * single, rel=1e-6)


def test_radiosensitivity_sets_the_log_kill_of_a_course():
    course = [fraction(7 * week + day + 0.375) for week in range(2) for day in range(5)]
    assert log_kill(patient_with(*course), 13.0) == pytest.approx(10 * 0.05 * 2.4, rel=1e-6)


@pytest.fixture(scope="module")
def chemoradiated() -> tuple[PatientData, Solution]:
    """Two weeks of both between two outputs, one fraction on an output itself, and the run with its derivatives."""
    fractions = [fraction(7 * week + day + 14 / 24) for week in range(2) for day in range(1, 6)]
    patient = patient_with(*fractions, fraction(20.0), *(tmz(float(day) + 0.3) for day in range(1, 15)))
    return patient, run(patient, [20.0, 30.0], calibrated=NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_RT_7_RT_9_CT_1_derivative_of_the_whole_model(chemoradiated, name):
    """First state and dynamics, by the logarithm of each parameter, on frozen steps with sparse outputs."""
    patient, found = chemoradiated
    step = 1e-3
    high, low = (
        run(patient, [20.0, 30.0], VALUES | {name: VALUES[name] * math.exp(sign * step)}, plan=found.plan)
        for sign in (1, -1)
    )
    for n in range(2):
        difference = (high.cellularity[n, 0] - low.cellularity[n, 0]) / (2 * step)
        tangent = found.tangents[n, 0, NAMES.index(name)]
        assert np.linalg.norm(difference) > 1e-3 * np.linalg.norm(found.cellularity[n, 0])
        assert np.linalg.norm(tangent - difference) < 1e-4 * np.linalg.norm(difference)
        assert tangent.sum() == pytest.approx(difference.sum(), rel=1e-4)


def test_RT_5_inputs_are_never_changed():
    dose, cavity = np.full(GRID.shape, 1.5), radius_mm() <= 4.0
    treatments = (
        fraction(0.0), fraction(2.0, 2.0, dose), tmz(1.0), Surgery(at(0.5), Image(cavity, GRID, "cavity"), 0.1)
    )  # fmt: skip
    patient = patient_with(*treatments)
    arrays = [
        patient.brain_mask.array, *(image.array for image in patient.tissues.values()),
        *(image.array for image in patient.visits[0].regions.values()), dose, cavity,
    ]  # fmt: skip
    kept, results = [array.copy() for array in arrays], []
    for _ in range(3):
        results.append(run(patient, [4.0], calibrated=NAMES).cellularity)
    for array, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])
