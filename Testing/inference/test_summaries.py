"""Summaries of regions and blocks: right values on known shapes, right derivatives through treatments."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.inference import small_patient as small
from TumorTwinLib.geometry import Grid
from TumorTwinLib.inference.problem import make_simulator
from TumorTwinLib.inference.summaries import RegionSummary
from TumorTwinLib.physics.solver import SolverSettings

FLIPPED = np.diag([-1.5, -1.5, 2.0, 1.0])


def soft_ball(grid: Grid, radius_mm: float, off_mm: tuple[float, float, float], length_mm: float = 1.5) -> np.ndarray:
    return 1.0 / (1.0 + np.exp((small.distance_mm(grid, off_mm) - radius_mm) / length_mm))


@pytest.mark.parametrize("affine", [np.diag([2.0, 2.0, 2.0, 1.0]), FLIPPED])
def test_a_ball_has_its_volume_centre_and_radii(affine):
    grid = Grid((40, 40, 40), affine)
    ball = small.distance_mm(grid, (2.0, -3.0, 1.0)) < 15.0
    summary = RegionSummary("core", ball, grid)
    observed = dict(zip(summary.names, summary.observed, strict=True))
    middle = grid.ras_mm(np.full(3, 19.5))
    assert np.exp(observed["core log_volume"]) == pytest.approx(4 / 3 * np.pi * 15.0**3, rel=0.03)
    centre = [observed[f"core center_{axis}"] for axis in "ras"]
    np.testing.assert_allclose(centre, middle + [2.0, -3.0, 1.0], atol=0.2)
    radii = [observed[f"core radius_{n}"] for n in range(1, 7)]
    assert radii == pytest.approx([15.0] * 6, abs=0.6)  # voxels on the diagonals are of either sector


def test_a_soft_field_has_the_summaries_of_its_sharp_region():
    grid = Grid.from_spacing((40, 40, 40), (2.0, 2.0, 2.0))
    field = soft_ball(grid, 15.0, (0.0, 0.0, 0.0), 2.0)
    for level in (0.25, 0.65):
        sharp = RegionSummary("core", field > level, grid)
        summary, _ = sharp.of_field(field, np.zeros((0, *grid.shape)), level)
        np.testing.assert_allclose(summary, sharp.observed, atol=0.3)
        assert summary[0] == pytest.approx(sharp.observed[0], abs=0.05)


def test_sectors_are_right_anterior_superior_in_order():
    grid = Grid((40, 40, 40), FLIPPED)
    still, moved = (soft_ball(grid, 12.0, off) for off in ((0, 0, 0), (3.0, 0.0, 0.0)))
    summary = RegionSummary("core", still > 0.5, grid)
    none = np.zeros((0, *grid.shape))
    change = summary.of_field(moved, none, 0.5)[0] - summary.of_field(still, none, 0.5)[0]
    assert change[1:4] == pytest.approx([3.0, 0.0, 0.0], abs=0.1)
    assert change[4] > 2.0  # the right grows
    assert change[5] < -2.0  # the left shrinks
    assert np.abs(change[6:]).max() < 0.3


def test_an_absent_region_is_a_number_and_says_less():
    grid = Grid.from_spacing((20, 20, 20), (2.0, 2.0, 2.0))
    empty = RegionSummary("core", np.zeros(grid.shape, dtype=bool), grid)
    assert empty.names == ("core log_volume",)
    summary, jacobian = empty.of_field(np.zeros(grid.shape), np.zeros((2, *grid.shape)), 0.5)
    assert summary == pytest.approx(empty.observed)
    assert not jacobian.any()


def test_derivatives_of_every_summary_agree_with_finite_differences_through_treatments():
    patient = small.virtual_patient(initial="adc_tail")
    model = small.model(initial="adc_tail")
    simulator = make_simulator(model, patient, settings=SolverSettings(tolerance=1e-5, dtype="float64"))
    z = 0.3 * np.random.default_rng(1).standard_normal(simulator.unknowns.size)
    summary, jacobian = simulator.linearised(z)
    step = 1e-3
    for column, name in enumerate(simulator.unknowns.names):
        move = step * np.eye(len(z))[column]
        above, below = simulator.linearised(z + move)[0], simulator.linearised(z - move)[0]
        difference = (above - below) / (2 * step)
        scale = np.abs(jacobian[:, column]).max() + 1e-6
        np.testing.assert_allclose(jacobian[:, column], difference, atol=2e-3 * scale, err_msg=name)
        assert np.abs(jacobian[:, column]).max() > 1e-4, name
