"""When treatments act: at their own minute, once each, before or after an output exactly as it should be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from Testing.physics.problems import block, final, grow, growth, rate
from TumorTwinLib.physics.reaction import Drug, FieldKill, InstantKill
from TumorTwinLib.physics.solver import SolverSettings

SHAPE = (4, 3, 5)
RHO, KILL, U0 = 0.1, 0.7, 0.4
DOUBLE = SolverSettings(1e-4, "float64")


def _fraction(kind: str, *days: float) -> dict:
    """Kills on these days, uniform or as a map; either kind must act alike."""
    if kind == "instant":
        return {"instants": tuple(InstantKill(day, rate(KILL)) for day in days)}
    return {"fields": tuple(FieldKill(day, rate(1.0), np.full(SHAPE, KILL)) for day in days)}


def _grown(u: float, days: float) -> float:
    return u * math.exp(RHO * days) / (1 + u * math.expm1(RHO * days))


def _expected(start: float, end: float, *kill_days: float) -> float:
    """Logistic growth from ``start`` to just before ``end`` with kills on days not before ``start``."""
    u, day = U0, start
    for kill_day in sorted(k for k in kill_days if start <= k < end):
        u, day = _grown(u, kill_day - day) * math.exp(-KILL), kill_day
    return _grown(u, end - day)


def _outputs(kind: str, kill_days, output_days, start_day=0.0) -> np.ndarray:
    reaction = growth(RHO, **_fraction(kind, *kill_days))
    field = np.full(SHAPE, U0)
    run = grow(block(SHAPE), field, output_days, 0.2, reaction, DOUBLE, start_day=start_day)
    assert run.days.tolist() == list(output_days)
    return run.cellularity[:, 0, 0, 0, 0]


KINDS = pytest.mark.parametrize("kind", ["instant", "map"])


@KINDS
@pytest.mark.parametrize(
    ("start", "kills", "outputs"),
    [
        pytest.param(0.0, [5.0], [5.0, 10.0], id="an output on a fraction's day is the value before it"),
        pytest.param(0.0, [5 + 14 / 24], [5.0, 5.5833, 5.5834, 10.0], id="a fraction at 14:00 acts at 14:00"),
        pytest.param(0.0, [2.375, 2.625], [2.5, 3.0], id="two fractions a day both act"),
        pytest.param(0.0, [2.375, 2.375], [3.0], id="two fractions at the same minute both act"),
        pytest.param(0.0, [0.0], [0.0, 1.0], id="a fraction at the start acts, after an output there"),
        pytest.param(0.0, [10.0], [10.0], id="a fraction on the last output day does not act"),
        pytest.param(10.0, [12.0, 8.0], [11.0, 20.0], id="days are absolute: a fraction before the start is past"),
        pytest.param(10.0, [10.0], [10.0, 12.0], id="a fraction at a late start acts"),
        pytest.param(-3.0, [-1.0], [0.0], id="days before zero"),
        pytest.param(0.0, [2.375 + 1e-9], [2.375, 3.0], id="a fraction a moment after an output"),
        pytest.param(0.0, list(np.arange(0.25, 30.0, 0.5)), [30.0], id="sixty fractions, none lost"),
    ],
)
def test_fractions(kind, start, kills, outputs):
    expected = [_expected(start, day, *kills) for day in outputs]
    assert _outputs(kind, kills, outputs, start) == pytest.approx(expected, rel=1e-9)


@KINDS
@pytest.mark.parametrize("step_days", [0.3, 0.7, 0.75, 1.5, 8.0])
def test_no_step_length_skips_or_repeats_a_fraction(kind, step_days):
    kills = [2.375, 5.0, 5.25, 9.99]
    settings = SolverSettings(1e-2, "float64", largest_step_days=step_days)
    reaction = growth(RHO, **_fraction(kind, *kills))
    found = final(block(SHAPE), np.full(SHAPE, U0), [12.0], 0.2, reaction, settings)
    assert found[0, 0, 0] == pytest.approx(_expected(0.0, 12.0, *kills), rel=1e-9)


def _after_doses(output_days, dose_days, start_day=0.0) -> np.ndarray:
    drug = Drug(rate(0.5), 9.242, np.array(dose_days), np.ones(len(dose_days)))
    reaction = growth(0.0, drugs=(drug,))
    field = np.full(SHAPE, U0)
    run = grow(block(SHAPE), field, output_days, 0.2, reaction, DOUBLE, start_day=start_day)
    return run.cellularity[:, 0, 0, 0, 0]


def _exposure(day: float, dose_day: float) -> float:
    """Integral of one dose's concentration up to ``day``."""
    return -math.expm1(-9.242 * (day - dose_day)) / 9.242 if day > dose_day else 0.0


@pytest.mark.parametrize(
    ("doses", "outputs"),
    [([5.0], [5.0, 5.1, 9.0]), ([0.0], [0.0, 0.2]), ([3.375, 3.625], [3.5, 4.0]), ([3.0, 3.0], [3.01]), ([7.0], [7.0])],
)
def test_a_dose_acts_from_its_own_minute(doses, outputs):
    expected = [U0 * math.exp(-0.5 * sum(_exposure(day, dose) for dose in doses)) for day in outputs]
    assert _after_doses(outputs, doses) == pytest.approx(expected, rel=1e-9)


def test_a_dose_before_the_start_is_still_in_the_blood():
    left = _exposure(9.0, 4.9) - _exposure(5.0, 4.9)
    assert left > 0.01
    assert _after_doses([9.0], [4.9], start_day=5.0)[0] == pytest.approx(U0 * math.exp(-0.5 * left), rel=1e-9)


def test_at_one_time_a_resection_comes_before_a_fraction_and_a_fraction_before_growth():
    reaction = growth(RHO, **_fraction("instant", 5.0), **_fraction("map", 5.0))
    found = final(block(SHAPE), np.full(SHAPE, U0), [8.0], 0.2, reaction, DOUBLE)
    assert found[0, 0, 0] == pytest.approx(_grown(_grown(U0, 5.0) * math.exp(-2 * KILL), 3.0), rel=1e-9)


def test_a_kill_map_acts_voxel_by_voxel():
    exponent = np.arange(60.0).reshape(SHAPE) / 20
    reaction = growth(0.0, fields=(FieldKill(1.0, rate(0.5), exponent),))
    found = final(block(SHAPE), np.full(SHAPE, U0), [2.0], 0.0, reaction, DOUBLE)
    np.testing.assert_allclose(found, U0 * np.exp(-0.5 * exponent), rtol=1e-12)


def test_the_callers_arrays_are_never_written_to():
    field, exponent = np.full((1, 1, *SHAPE), U0), np.full(SHAPE, KILL)
    mask, relative = np.ones(SHAPE, dtype=bool), np.full(SHAPE, 0.5)
    days, doses = np.array([0.0, 2.0]), np.array([1.0, 2.0])
    inputs = (field, exponent, mask, relative, days, doses)
    before = [array.copy() for array in inputs]
    for array in inputs:
        array.setflags(write=False)
    reaction = growth(
        RHO,
        fields=(FieldKill(0.0, rate(1.0), exponent),),
        instants=(InstantKill(0.0, rate(KILL)),),
        drugs=(Drug(rate(0.5), 9.242, days, doses),),
    )
    for backend in ("numba", "torch"):
        for dtype in ("float32", "float64"):
            settings = SolverSettings(1e-3, dtype, backend=backend)
            run = grow(block(SHAPE, relative_diffusivity=relative), field[0, 0], [0.0, 4.0], 0.2, reaction, settings)
            assert run.cellularity[0].max() == pytest.approx(U0)
            run.cellularity[:] = -1.0  # nor does the result share memory with them
    for array, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, old)
