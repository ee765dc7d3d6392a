"""What the glioblastoma model does on request: resistance, visible dead cells, hypoxia, straight survival curves."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from Testing.treatment.test_treated_glioblastoma import (
    DOUBLE,
    GRID,
    START,
    TMZ_DECAY_PER_DAY,
    VALUES,
    at,
    fraction,
    patient_with,
    radius_mm,
    tmz,
)
from TumorTwinLib.geometry import Image
from TumorTwinLib.models.glioblastoma import PARAMETERS, ReactionDiffusionModel
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.reaction import LogisticReaction
from TumorTwinLib.physics.solver import SolverSettings, solve
from TumorTwinLib.treatment.events import DrugDose, Surgery
from TumorTwinLib.treatment.radiotherapy import lq_exponent_gy, oxygen_factor_at
from TumorTwinLib.treatment.regimens import REGIMENS

ALL = VALUES | {"resistant_fraction": 0.1, "clearance_half_life_days": 10.0}
NAMES = tuple(ALL)


def run(patient: PatientData, days, values=None, calibrated=(), plan=None, uniform=None, settings=DOUBLE, **options):
    model = ReactionDiffusionModel(domain=patient.brain_mask, tissues=patient.tissues, **options)
    values = model.values({k: v for k, v in (values or ALL).items() if k in {p.name for p in model.parameters}})
    initial = model.initial_state(model.observe(patient)[0], values, calibrated)
    if uniform is not None:
        initial[0, 0] = uniform
    reaction, diffusivity = model.dynamics(patient, [values], calibrated)
    return solve(model.physics_domain, initial, reaction, diffusivity, days, settings=settings, plan=plan)


def left(patient: PatientData, days: float, **options) -> float:
    """Share of a thin suspension that is seen, over that without treatment or options."""
    treated = run(patient, [days], uniform=1e-12, **options).cellularity[-1].mean()
    return treated / run(patient_with(), [days], uniform=1e-12).cellularity[-1].mean()


def test_options_add_their_parameters_and_cost_nothing_when_off():
    plain = ReactionDiffusionModel(domain=patient_with().brain_mask)
    assert plain.parameters == PARAMETERS
    reaction, _ = plain.dynamics(patient_with(fraction(1.0)), [VALUES])
    assert isinstance(reaction, LogisticReaction)
    both = ReactionDiffusionModel(domain=patient_with().brain_mask, resistant_cells=True, visible_dead=True)
    assert [p.name for p in both.parameters] == [*(p.name for p in PARAMETERS), *NAMES[-2:]]


def test_resistant_cells_survive_the_drug_and_not_the_radiation():
    course = [tmz(0.5 + n, 200.0) for n in range(5)]
    kill = 5 * (200 / 75) * 0.5 / TMZ_DECAY_PER_DAY
    assert left(patient_with(*course), 9.0, resistant_cells=True) == pytest.approx(
        0.9 * math.exp(-kill) + 0.1, rel=1e-6
    )
    survival = math.exp(-0.05 * lq_exponent_gy(2.0, 10.0))
    assert left(patient_with(fraction(1.0)), 9.0, resistant_cells=True) == pytest.approx(survival, rel=1e-6)


def test_the_dead_of_a_fraction_fade_with_their_half_life():
    survival = math.exp(-0.05 * lq_exponent_gy(2.0, 10.0))
    growth = math.exp(0.04 * 11.0)
    at_kill = math.exp(0.04 * 1.0)
    seen = left(patient_with(fraction(1.0)), 11.0, visible_dead=True)  # ten days later: half of the dead are left
    assert seen * growth == pytest.approx(survival * growth + 0.5 * (1 - survival) * at_kill, rel=1e-6)


def test_volumes_during_radiotherapy_shrink_more_slowly_with_the_dead():
    course = [fraction(1.0 + n) for n in range(10)]
    plain, dead = (
        run(patient_with(*course), [12.0, 60.0], visible_dead=d).cellularity.sum((1, 2, 3, 4)) for d in (0, 1)
    )
    assert dead[0] > 1.15 * plain[0]
    assert dead[1] == pytest.approx(plain[1], rel=0.03)


def test_oxygen_and_the_straight_curve():
    hypoxic = Image(np.where(radius_mm() < 6, 1.0, 60.0), GRID, "pO2")
    found = run(patient_with(fraction(1.0, 12.0)), [1.0, 1.0 + 1e-9], oxygen_mmhg=hypoxic, transition_dose_gy=6.0)
    before, after = found.cellularity[:, 0]
    for inside, pressure in ((radius_mm() < 6, 1.0), (radius_mm() >= 6, 60.0)):
        exponent = lq_exponent_gy(12.0, 10.0, transition_dose_gy=6.0, oxygen_factor=oxygen_factor_at(pressure))
        seen = inside & (before > 1e-6)
        np.testing.assert_allclose(after[seen] / before[seen], math.exp(-0.05 * exponent), rtol=1e-6)
    uniform = run(patient_with(fraction(1.0, 12.0)), [4.0], uniform=1e-12, transition_dose_gy=6.0).cellularity
    grown = run(patient_with(), [4.0], uniform=1e-12).cellularity
    assert (uniform / grown).mean() == pytest.approx(math.exp(-0.05 * (9.6 + 2.2 * 6)), rel=1e-6)


def test_an_infusion_of_the_same_dose_kills_as_much():
    bolus = DrugDose(at(1.0), "temozolomide", 150.0, "mg/m2")
    infusion = DrugDose(at(1.0), "temozolomide", 150.0, "mg/m2", infusion_hours=24.0)
    expected = math.exp(-2 * 0.5 / TMZ_DECAY_PER_DAY)
    assert left(patient_with(bolus), 8.0) == pytest.approx(expected, rel=1e-6)
    assert left(patient_with(infusion), 8.0) == pytest.approx(expected, rel=1e-6)
    assert left(patient_with(infusion), 1.5) == pytest.approx(
        math.exp(-(0.5 - (1 - math.exp(-0.5 * TMZ_DECAY_PER_DAY)) / TMZ_DECAY_PER_DAY) / TMZ_DECAY_PER_DAY), rel=1e-5
    )


def busy_patient() -> PatientData:
    """Everything a record may hold, at odd minutes, between sparse outputs."""
    dose = np.linspace(0.0, 3.0, GRID.shape[0])[:, None, None] * np.ones(GRID.shape)
    cavity = Image(radius_mm() <= 3.0, GRID, "cavity")
    return patient_with(
        Surgery(at(0.7), cavity, 0.05),
        *(fraction(2.0 + n + 0.375) for n in range(5)),
        fraction(9.61, 2.0, dose),
        *(tmz(2.0 + n + 0.33) for n in range(10)),
        DrugDose(at(15.2), "temozolomide", 300.0, "mg/m2", infusion_hours=30.0),
    )


@pytest.fixture(scope="module")
def busy():
    options = {"resistant_cells": True, "visible_dead": True, "transition_dose_gy": 1.5}
    patient = busy_patient()
    return patient, options, run(patient, [18.0], calibrated=NAMES, **options)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_with_every_option_and_event(busy, name):
    patient, options, found = busy
    step = 1e-3
    high, low = (
        run(patient, [18.0], ALL | {name: ALL[name] * math.exp(sign * step)}, plan=found.plan, **options).cellularity
        for sign in (1, -1)
    )
    difference = (high - low)[0, 0] / (2 * step)
    tangent = found.tangents[0, 0, NAMES.index(name)]
    assert np.linalg.norm(difference) > 1e-4 * np.linalg.norm(found.cellularity)
    assert np.linalg.norm(tangent - difference) < 1e-4 * np.linalg.norm(difference)


def test_outputs_between_do_not_change_the_end():
    """A horizon looked at in pieces ends where one run ends: 1e-6 with tight steps, whatever falls between."""
    tight = SolverSettings(tolerance=2e-8, dtype="float64")
    options = {"resistant_cells": True, "visible_dead": True, "settings": tight}
    once = run(busy_patient(), [18.0], **options).cellularity[-1]
    pieces = run(busy_patient(), [0.7, 4.1, 9.61, 11.0, 15.9, 18.0], **options).cellularity[-1]
    assert np.linalg.norm(pieces - once) < 1e-6 * np.linalg.norm(once)


def test_a_regimen_runs_through_the_model():
    """The Stupp protocol from the library, at its own minutes: its whole log kill, to 1e-6."""
    events = REGIMENS["gbm_stupp"].events(START + timedelta(days=1, hours=8))
    radiation = 30 * 0.05 * lq_exponent_gy(2.0, 10.0)
    tmz_doses = sum(event.amount for event in events if isinstance(event, DrugDose)) / 75
    expected = math.exp(-radiation - tmz_doses * 0.5 / TMZ_DECAY_PER_DAY)
    assert left(patient_with(*events), 230.0) == pytest.approx(expected, rel=1e-6)
    assert max(event.time for event in events) < datetime(2024, 3, 5) + timedelta(days=225)
