"""What must not change a result: axis order, cropping, the active box, splitting a run, treatments without effect."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from Testing.physics.problems import (
    ball,
    block,
    domain_of,
    even_plan,
    final,
    grow,
    growth,
    ragged_mask,
    rate,
    relative_l2,
    with_backend,
)
from TumorTwinLib.physics.reaction import Drug, InstantKill
from TumorTwinLib.physics.solver import SolverSettings, StepPlan

SHAPE, SPACING_MM = (9, 14, 11), (1.0, 1.5, 3.0)
DOUBLE = SolverSettings(tolerance=1e-4, dtype="float64")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_the_axes_does_not_matter(rng, order):
    mask, relative, field = ragged_mask(rng, SHAPE), rng.uniform(0.1, 1.0, SHAPE), rng.random(SHAPE)
    run = grow(domain_of(mask, SPACING_MM, relative), field, [20.0], 0.3, growth(0.05), DOUBLE)
    spacing_mm = tuple(SPACING_MM[axis] for axis in order)
    domain = domain_of(mask.transpose(order), spacing_mm, relative.transpose(order))
    turned = final(domain, field.transpose(order), [20.0], 0.3, growth(0.05), DOUBLE, plan=run.plan)
    np.testing.assert_allclose(turned, run.cellularity[-1, 0].transpose(order), rtol=1e-12)


def test_the_direction_of_an_axis_does_not_matter(rng):
    mask, relative, field = ragged_mask(rng, SHAPE), rng.uniform(0.1, 1.0, SHAPE), rng.random(SHAPE)
    run = grow(domain_of(mask, SPACING_MM, relative), field, [20.0], 0.3, growth(0.05), DOUBLE)
    for axis in range(3):
        domain = domain_of(np.flip(mask, axis), SPACING_MM, np.flip(relative, axis))
        flipped = final(domain, np.flip(field, axis), [20.0], 0.3, growth(0.05), DOUBLE, plan=run.plan)
        np.testing.assert_allclose(np.flip(flipped, axis), run.cellularity[-1, 0], rtol=1e-12)


def test_empty_space_around_the_organ_does_not_matter(rng):
    mask, relative, field = ragged_mask(rng, SHAPE), rng.uniform(0.1, 1.0, SHAPE), rng.random(SHAPE)
    whole = final(domain_of(mask, SPACING_MM, relative), field, [20.0], 0.3, growth(0.05))
    width = ((3, 1), (0, 5), (2, 2))
    big = [np.pad(array, width) for array in (mask, relative, field)]
    loose = final(domain_of(big[0], SPACING_MM, big[1]), big[2], [20.0], 0.3, growth(0.05))
    np.testing.assert_array_equal(loose[3:-1, :-5, 2:-2], whole)
    assert loose.sum() == whole.sum()


def test_scaling_lengths_and_diffusivity_together_does_not_matter(rng):
    field = rng.random(SHAPE)
    small = final(block(SHAPE, SPACING_MM), field, [20.0], 0.3, growth(0.05), DOUBLE)
    large = final(block(SHAPE, tuple(2 * h for h in SPACING_MM)), field, [20.0], 1.2, growth(0.05), DOUBLE)
    np.testing.assert_allclose(large, small, rtol=1e-12)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(
    ("diffusivity", "rho", "tolerance"), [(0.1, 0.05, 1e-4), (2.0, 0.0, 1e-3), (1.0, 0.02, 1e-2), (0.02, 0.2, 1e-4)]
)
def test_the_active_box_gives_the_same_as_the_whole_domain(diffusivity, rho, tolerance, backend):
    """Also when a step spreads cells further than the box was wide: stiff steps from a sharp edge."""
    shape = (40, 44, 48)
    tumour = 0.8 * (ball(shape, 5.0) > 0.3)
    everywhere = tumour.copy()
    everywhere[0, 0, 0] = everywhere[-1, -1, -1] = 1e-8  # makes the box the whole domain
    settings = with_backend(SolverSettings(tolerance, "float64"), backend)
    run = grow(block(shape), tumour, [16.0], diffusivity, growth(rho), settings)
    whole = grow(block(shape), everywhere, [16.0], diffusivity, growth(rho), settings, plan=run.plan)
    voxels = shape[0] * shape[1] * shape[2]
    assert whole.stats["voxel_stages"] == whole.stats["stages"] * voxels
    assert np.abs(run.cellularity - whole.cellularity).max() < 1e-6 * whole.cellularity.max()
    assert run.cellularity.sum() == pytest.approx(whole.cellularity.sum(), rel=1e-7)


def test_a_box_that_holds_slow_tissue_alone_gives_the_same_as_the_whole_domain():
    shape = (60, 30, 30)
    relative = np.where(np.arange(60)[:, None, None] < 52, 0.1, 1.0) * np.ones(shape)
    tumour = 0.8 * (ball(shape, 3.0) > 0.3)
    everywhere = tumour.copy()
    everywhere[0, 0, 0] = everywhere[-1, -1, -1] = 1e-8
    domain = block(shape, relative_diffusivity=relative)
    run = grow(domain, tumour, [5.0], 0.5, growth(0.05), DOUBLE)
    whole = grow(domain, everywhere, [5.0], 0.5, growth(0.05), DOUBLE, plan=run.plan)
    assert run.stats["box_voxels"] < 50 * 30 * 30  # it has not met the fast tissue
    assert np.abs(run.cellularity - whole.cellularity).max() < 1e-6 * whole.cellularity.max()


def test_the_active_box_saves_work_and_follows_the_tumour_to_the_edge():
    shape = (20, 20, 120)
    tumour = np.zeros(shape)
    tumour[:3, 9:12, :4] = 0.8  # in a corner of the array
    domain, reaction = block(shape), growth(0.2)
    run = grow(domain, tumour, [20.0, 320.0], 0.3, reaction, DOUBLE)
    assert run.stats["voxel_stages"] < 0.75 * run.stats["stages"] * tumour.size
    assert run.cellularity[0, 0, 10, 10, -1] < 1e-9
    assert run.cellularity[-1, 0, :, :, -1].min() > 0.5  # it has run the length of the domain


def test_two_tumours_in_one_organ_both_grow():
    shape = (12, 12, 60)
    pair = np.zeros(shape)
    pair[5:7, 5:7, 4:6] = pair[5:7, 5:7, 54:56] = 0.5
    found = final(block(shape), pair, [60.0], 0.1, growth(0.1), DOUBLE)
    np.testing.assert_allclose(found, found[:, :, ::-1], rtol=1e-6, atol=1e-9)
    assert found[:, :, :30].sum() > 2 * pair[:, :, :30].sum()


def test_two_half_runs_are_one_run():
    shape = (13, 12, 11)
    tumour = ball(shape, 3.0)
    drug = Drug(rate(0.3), 0.4, np.arange(2.0, 30.0, 3.0), np.ones(10))  # still in the blood at the half
    reaction = growth(0.06, drugs=(drug,), instants=tuple(InstantKill(day + 0.5, rate(0.1)) for day in range(5, 25)))
    whole = grow(block(shape), tumour, [17.3, 40.0], 0.2, reaction, DOUBLE)
    half = whole.plan.ends.index(17.3) + 1
    plans = [StepPlan(whole.plan.ends[part], whole.plan.degrees[part]) for part in (slice(half), slice(half, None))]
    first = grow(block(shape), tumour, [17.3], 0.2, reaction, DOUBLE, plan=plans[0])
    second = grow(block(shape), first.cellularity[0, 0], [40.0], 0.2, reaction, DOUBLE, plan=plans[1], start_day=17.3)
    np.testing.assert_allclose(first.cellularity[0], whole.cellularity[0], rtol=1e-12)
    np.testing.assert_allclose(second.cellularity[0], whole.cellularity[1], rtol=1e-12)


def test_outputs_in_between_do_not_change_the_last():
    shape, tumour = (13, 12, 11), ball((13, 12, 11), 3.0)
    few = final(block(shape), tumour, [40.0], 0.2, growth(0.06), SolverSettings(1e-6, "float64"))
    many = final(block(shape), tumour, [*np.arange(0.7, 40.0, 1.3), 40.0], 0.2, growth(0.06), DOUBLE)
    assert relative_l2(many, few) < 1e-4


def test_a_dose_of_nothing_is_no_dose():
    shape, plan = (13, 12, 11), even_plan(20.0, 40, 4)
    tumour = ball(shape, 3.0)
    nothing = growth(
        0.06,
        drugs=(
            Drug(rate(0.5), 9.242, np.array([3.0]), np.array([0.0])),
            Drug(rate(0.0), 1.0, np.array([4.0]), np.ones(1)),
        ),
        instants=(InstantKill(5.0, rate(0.0)),),
    )
    plain = final(block(shape), tumour, [20.0], 0.2, growth(0.06), DOUBLE, plan=plan)
    treated = final(block(shape), tumour, [20.0], 0.2, nothing, DOUBLE, plan=plan)
    np.testing.assert_allclose(treated, plain, rtol=1e-12)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_diffusion_every_voxel_grows_alone(dtype, backend):
    shape, days, rho = (7, 6, 5), 25.0, 0.07
    tumour = ball(shape, 2.0)
    expected = tumour * np.exp(rho * days) / (1 + tumour * np.expm1(rho * days))
    rtol = 1e-5 if dtype == "float32" else 1e-10
    settings = with_backend(SolverSettings(dtype=dtype), backend)
    for diffusivity, relative in ((0.0, 1.0), (0.3, 0.0)):  # no diffusivity, or an organ that conducts nowhere
        found = final(block(shape, relative_diffusivity=relative), tumour, [days], diffusivity, growth(rho), settings)
        np.testing.assert_allclose(found, expected, rtol=rtol)


def test_nothing_grows_from_nothing():
    assert final(block((5, 5, 5)), np.zeros((5, 5, 5)), [50.0], 0.3, growth(0.1)).max() == 0
