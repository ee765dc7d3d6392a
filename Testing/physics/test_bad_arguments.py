"""Every bad argument is one clear sentence; what lies outside the organ is not read at all."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.physics.problems import block, domain_of, final, grow, growth, rate
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid
from TumorTwinLib.physics.domain import make_domain
from TumorTwinLib.physics.reaction import Drug, FieldKill, LogisticReaction
from TumorTwinLib.physics.solver import SolverSettings, StepPlan, solve

SHAPE = (4, 3, 5)
GRID = Grid.from_spacing(SHAPE, (1.0, 1.0, 2.0))
MASK = np.ones(SHAPE, dtype=bool)
FIELD = np.full((1, 1, *SHAPE), 0.3)


def _sheared() -> Grid:
    affine = np.eye(4)
    affine[0, 1] = 0.2
    return Grid(SHAPE, affine)


def _with(value: float) -> np.ndarray:
    relative = np.ones(SHAPE)
    relative[1, 1, 1] = value
    return relative


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param((GRID, MASK[1:]), "mask has .* voxels and the grid", id="mask of another shape"),
        pytest.param((GRID, np.zeros(SHAPE, dtype=bool)), "mask is empty", id="empty mask"),
        pytest.param((_sheared(), MASK), "not orthogonal", id="sheared grid"),
        pytest.param((GRID, MASK, _with(np.nan)), "negative or non-finite", id="NaN diffusivity"),
        pytest.param((GRID, MASK, _with(-0.1)), "negative or non-finite", id="negative diffusivity"),
        pytest.param((GRID, MASK, _with(np.inf)), "negative or non-finite", id="infinite diffusivity"),
    ],
)
def test_domains_that_are_refused(arguments, sentence):
    with pytest.raises(TumorTwinError, match=sentence):
        make_domain(*arguments)


def _solve(**changes):
    arguments = {
        "initial": FIELD,
        "reaction": growth(0.1),
        "diffusivity_mm2_per_day": rate(0.1),
        "output_days": [2.0, 5.0],
        "settings": SolverSettings(1e-2),
    } | changes
    return solve(block(SHAPE), **arguments)


def _nan_at(index) -> np.ndarray:
    field = FIELD.copy()
    field[index] = np.nan
    return field


_MAP = (FieldKill(3.0, rate(1.0), np.ones(SHAPE)),)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"output_days": []}, "Output days must increase", id="no output"),
        pytest.param({"output_days": [5.0, 2.0]}, "Output days must increase", id="outputs backwards"),
        pytest.param({"output_days": [2.0, 2.0]}, "Output days must increase", id="an output twice"),
        pytest.param({"output_days": [2.0], "start_day": 3.0}, "start at day 3", id="output before the start"),
        pytest.param({"output_days": [np.nan]}, "Output days must increase", id="NaN output"),
        pytest.param({"output_days": [2.0, np.inf]}, "Output days must increase", id="infinite output"),
        pytest.param({"initial": FIELD[0]}, "initial state has shape", id="no member axis"),
        pytest.param({"initial": FIELD[..., 1:]}, "initial state has shape", id="another grid"),
        pytest.param({"initial": np.repeat(FIELD, 2, axis=1)}, "initial state has shape", id="a tangent too many"),
        pytest.param({"initial": _nan_at((0, 0, 1, 1, 1))}, "no longer finite at day", id="NaN voxel"),
        pytest.param({"initial": np.full_like(FIELD, np.inf)}, "no longer finite at day", id="infinite voxels"),
        pytest.param({"reaction": growth(np.nan)}, "no longer finite at day", id="NaN proliferation"),
        pytest.param({"diffusivity_mm2_per_day": rate(np.nan)}, "diffusivity must be finite", id="NaN D"),
        pytest.param({"diffusivity_mm2_per_day": rate(np.inf)}, "diffusivity must be finite", id="infinite D"),
        pytest.param({"diffusivity_mm2_per_day": rate(-0.1)}, "diffusivity must be finite", id="negative D"),
        pytest.param({"diffusivity_mm2_per_day": rate(0.1, [1.0])}, "give both the same", id="parameters of D only"),
        pytest.param(
            {"reaction": growth(0.1, fields=(FieldKill(3.0, rate(1.0), np.ones((1, 1, 1))),))},
            "kill map of day 3 has",
            id="kill map of another grid",
        ),
        pytest.param({"settings": SolverSettings(dtype="float16")}, "float32 or float64", id="half precision"),
        pytest.param({"settings": SolverSettings(backend="jax")}, "Unknown solver backend 'jax'", id="unknown backend"),
        pytest.param({"plan": StepPlan((1.0, 4.0, 5.0), (3, 3, 3))}, "not run through day 2", id="plan past an output"),
        pytest.param({"plan": StepPlan((2.0, 5.0), (3, 1))}, "at least two stages", id="plan of one stage"),
        pytest.param({"plan": StepPlan((2.0,), (3,))}, "not run through day 5", id="plan too short"),
        pytest.param({"plan": StepPlan((), ())}, "not run through day 2", id="empty plan"),
        pytest.param({"plan": StepPlan((2.0, 1.0, 5.0), (3, 3, 3))}, "increasing steps", id="plan backwards"),
        pytest.param(
            {"plan": StepPlan((2.0, 5.0), (3, 3)), "reaction": growth(0.1, fields=_MAP)},
            "not run through day 3",
            id="plan past a kill map",
        ),
    ],
)
def test_runs_that_are_refused(changes, sentence):
    with pytest.raises(TumorTwinError, match=sentence) as refused:
        _solve(**changes)
    text = str(refused.value)
    assert "\n" not in text
    assert text.endswith(".")


@pytest.mark.parametrize("elimination", [0.0, -1.0, np.nan, np.inf])
def test_a_drug_must_be_eliminated(elimination):
    with pytest.raises(TumorTwinError, match="elimination must be a positive rate"):
        Drug(rate(0.5), elimination, np.zeros(1), np.ones(1))


def test_a_field_of_another_grid_is_refused():
    with pytest.raises(TumorTwinError, match="does not fit the model's"):
        block(SHAPE).pack(np.ones((4, 3, 4)))


def test_undefined_voxels_outside_the_organ_are_not_read():
    mask = MASK.copy()
    mask[:, :, 3:] = mask[0, 0, 0] = False
    clean, dirty = np.full(SHAPE, 0.3), np.full(SHAPE, 0.3)
    relative = np.ones(SHAPE)
    dirty[~mask], relative[~mask] = np.nan, np.nan
    exponent = np.where(mask, 0.5, np.nan)
    reaction = growth(0.1, fields=(FieldKill(1.0, rate(1.0), exponent),))
    found = final(domain_of(mask, relative_diffusivity=relative), dirty, [4.0], 0.2, reaction)
    plain = growth(0.1, fields=(FieldKill(1.0, rate(1.0), np.full(SHAPE, 0.5)),))
    np.testing.assert_array_equal(found, final(domain_of(mask), clean, [4.0], 0.2, plain))


def test_a_run_of_no_length_returns_the_start():
    run = grow(block(SHAPE), FIELD[0, 0], [0.0], 0.1, LogisticReaction(rate(0.1)))
    np.testing.assert_array_equal(run.cellularity[0, 0], FIELD[0, 0])
    assert run.plan == StepPlan((), ())
