"""Forward tangents against finite differences, with treatment between sparse outputs (SCIENCE.md 5.1, test 14)."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.physics.problems import ball, block, rate, relative_l2
from Testing.physics.treated import NAMES, OUTPUT_DAYS, TRUTH, treated_patient
from TumorTwinLib.physics.reaction import FieldKill, InstantKill, LogisticReaction
from TumorTwinLib.physics.solver import SolverSettings, StepPlan, solve

SETTINGS = SolverSettings(tolerance=1e-3, dtype="float64")


@pytest.fixture
def patient(rng):
    return treated_patient(rng)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("name", NAMES)
def test_tangents_are_the_derivatives_of_the_computed_solution(patient, name, backend):
    settings = SolverSettings(tolerance=1e-3, dtype="float64", backend=backend)
    run = patient.solve(TRUTH[None], settings)
    p = NAMES.index(name)
    step = 1e-4 * TRUTH[p] * np.eye(len(NAMES))[p]
    high, low = (patient.solve((TRUTH + s * step)[None], settings, run.plan, tangents=False) for s in (1, -1))
    for n in range(len(OUTPUT_DAYS)):
        difference = (high.cellularity[n, 0] - low.cellularity[n, 0]) / (2 * step[p])
        assert np.abs(difference).max() > 0 or name == "alpha"
        if np.abs(difference).max() > 0:
            assert relative_l2(run.tangents[n, 0, p], difference) < 1e-6
        cells = run.tangents[n, 0, p].sum(), difference.sum()
        assert cells[0] == pytest.approx(cells[1], rel=1e-6)


def test_every_parameter_matters_after_treatment(patient):
    run = patient.solve(TRUTH[None], SETTINGS)
    scale = run.cellularity[-1].max()
    assert (np.abs(run.tangents[-1, 0] * TRUTH[:, None, None, None]).max(axis=(1, 2, 3)) > 1e-3 * scale).all()


def test_a_rerun_on_the_plan_repeats_the_run(patient):
    run = patient.solve(TRUTH[None], SETTINGS)
    again = patient.solve(TRUTH[None], SETTINGS, run.plan)
    np.testing.assert_allclose(again.cellularity, run.cellularity, rtol=0, atol=1e-14)
    np.testing.assert_allclose(again.tangents, run.tangents, rtol=0, atol=1e-12)
    assert again.plan == run.plan
    assert np.isnan(again.error_estimate)


def test_tangents_do_not_touch_the_solution(patient):
    run = patient.solve(TRUTH[None], SETTINGS)
    plain = patient.solve(TRUTH[None], SETTINGS, run.plan, tangents=False)
    np.testing.assert_allclose(plain.cellularity, run.cellularity, rtol=1e-12, atol=1e-15)
    assert plain.tangents.size == 0


def test_members_of_an_ensemble_are_solved_as_if_alone(patient):
    values = TRUTH * np.array([[1.0, 1, 1, 1, 1], [0.3, 2, 0.5, 2, 1.1], [3, 0.7, 1.5, 0, 0.5]])
    together = patient.solve(values, SETTINGS)
    for member in range(3):
        alone = patient.solve(values[member : member + 1], SETTINGS, together.plan)
        np.testing.assert_allclose(together.cellularity[:, member], alone.cellularity[:, 0], rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(together.tangents[:, member], alone.tangents[:, 0], rtol=1e-10, atol=1e-12)


def test_a_uniform_kill_map_is_an_instant_kill_with_the_same_tangents():
    shape = (9, 8, 7)
    values, exponent = (0.3, 0.06, 0.05), 2.4
    diffusivity, rho, alpha = (rate(value, np.eye(3)[p]) for p, value in enumerate(values))
    initial = np.zeros((1, 4, *shape))
    initial[0, 0] = ball(shape, 2.0)
    days = [4.0, 9.5]
    instants = tuple(InstantKill(day, rate(alpha.value[0] * exponent, alpha.derivative[0] * exponent)) for day in days)
    fields = tuple(FieldKill(day, alpha, np.full(shape, exponent)) for day in days)
    plan = StepPlan(tuple(np.arange(0.5, 20.5, 0.5)), (5,) * 40)
    by_instant, by_field = (
        solve(block(shape), initial, reaction, diffusivity, [4.0, 20.0], settings=SETTINGS, plan=plan)
        for reaction in (LogisticReaction(rho, instants=instants), LogisticReaction(rho, fields=fields))
    )
    np.testing.assert_allclose(by_field.cellularity, by_instant.cellularity, rtol=1e-12)
    np.testing.assert_allclose(by_field.tangents, by_instant.tangents, rtol=1e-10, atol=1e-14)
