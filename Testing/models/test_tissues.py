"""Grey and white matter, and fluid that lets no cells in, through the model's own domain."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.physics.reaction import LogisticReaction, Rate
from TumorTwinLib.physics.solver import SolverSettings, solve


def model_of(white: np.ndarray, grey: np.ndarray, spacing_mm: float = 1.0, **settings) -> ReactionDiffusionModel:
    """The model of a brain that fills its grid."""
    grid = Grid.from_spacing(white.shape, (spacing_mm,) * 3)
    tissues = {"white_matter": Image(white, grid, "white"), "grey_matter": Image(grey, grid, "grey")}
    return ReactionDiffusionModel(domain=Image(np.ones(white.shape, bool), grid, "brain"), tissues=tissues, **settings)


def grow(model: ReactionDiffusionModel, initial: np.ndarray, days, diffusivity: float, proliferation: float):
    """(n, ni, nj, nk) cellularity on the days."""
    reaction = LogisticReaction(Rate.constant(proliferation))
    settings = SolverSettings(tolerance=1e-4, dtype="float64")
    run = solve(
        model.physics_domain, initial[None, None], reaction, Rate.constant(diffusivity), days, settings=settings
    )
    return run.cellularity[:, 0]


def strips(ratio: float, voxels: int = 720):
    """White matter in one row of voxels, grey matter in another, fluid between them; tumour at one end of both."""
    white, grey = np.zeros((2, voxels, 3, 1))
    white[:, 0], grey[:, 2] = 1.0, 1.0
    initial = np.zeros((voxels, 3, 1))
    initial[:40, 0], initial[:40, 2] = 1.0, 1.0
    return model_of(white, grey, spacing_mm=0.25, grey_white_ratio=ratio), initial


def front_mm(row: np.ndarray, spacing_mm: float) -> float:
    return float(np.interp(-0.5, -row, np.arange(len(row)) * spacing_mm))


@pytest.mark.parametrize("ratio", [5.0, 10.0])
def test_fronts_in_white_matter_run_faster_by_the_root_of_the_ratio(ratio):
    """Both fronts have the same delay in units of their own length, so the ratio holds at finite time."""
    model, initial = strips(ratio)
    early, late = grow(model, initial, [100.0, 300.0], 0.5, 0.05)
    travelled = [front_mm(late[:, row, 0], 0.25) - front_mm(early[:, row, 0], 0.25) for row in (0, 2)]
    speed, length = 2 * np.sqrt(0.5 * 0.05), np.sqrt(0.5 / 0.05)
    delay_mm = 1.5 * length * np.log(300 / 100)  # Bramson 1983
    assert travelled[0] == pytest.approx(speed * 200 - delay_mm, rel=0.03)
    assert travelled[0] / travelled[1] == pytest.approx(np.sqrt(ratio), rel=0.01)
    np.testing.assert_array_equal(late[:, 1], 0.0)


def test_mixed_voxels_diffuse_by_their_fractions():
    white, grey = np.full((2, 4, 4, 4), 0.5)
    domain = model_of(white, grey, grey_white_ratio=10.0).physics_domain
    faces = domain.face_coefficients_per_mm2
    assert faces.max() == pytest.approx(0.55, rel=1e-6)


@pytest.mark.parametrize(("tissue", "kept"), [(0.0, False), (0.09, False), (0.11, True), (1.0, True)])
def test_voxels_with_less_than_a_tenth_of_tissue_are_fluid(tissue, kept):
    white = np.ones((6, 5, 4))
    white[2, 2, 2] = 0.6 * tissue
    grey = np.zeros_like(white)
    grey[2, 2, 2] = 0.4 * tissue
    domain = model_of(white, grey).physics_domain
    mask = domain.unpack(domain.mask)
    assert bool(mask[2, 2, 2]) is kept
    assert mask.sum() == white.size - (not kept)


@pytest.mark.parametrize(("tissue_in_wall", "crossed"), [(0.0, False), (0.08, False), (0.3, True)])
def test_no_cells_cross_a_ventricle_wall(tissue_in_wall, crossed):
    white = np.ones((24, 6, 6))
    white[11:13] = tissue_in_wall
    initial = np.zeros(white.shape)
    initial[:5] = 0.9
    late = grow(model_of(white, np.zeros_like(white)), initial, [600.0], 0.3, 0.05)[0]
    np.testing.assert_allclose(late[:11], 1.0, atol=1e-3)
    if crossed:
        assert late[13:].min() > 0.5
    else:
        np.testing.assert_array_equal(late[11:], 0.0)


def test_cells_go_round_a_ventricle():
    white = np.ones((24, 12, 6))
    white[11:13, :9] = 0.0
    initial = np.zeros(white.shape)
    initial[:5] = 0.9
    late = grow(model_of(white, np.zeros_like(white)), initial, [600.0], 0.3, 0.05)[0]
    assert late[20, 0, 0] > 0.9
    np.testing.assert_array_equal(late[11:13, :9], 0.0)


def test_without_tissue_maps_the_brain_is_uniform():
    grid = Grid.from_spacing((5, 5, 5), (2.0, 2.0, 2.0))
    domain = ReactionDiffusionModel(domain=Image(np.ones(grid.shape, bool), grid, "brain")).physics_domain
    assert domain.mask.sum() == 125
    assert set(np.unique(domain.face_coefficients_per_mm2)) == {0.0, 0.25}


@pytest.mark.parametrize("resolution_mm", [0.0, -1.0, 0.01, 50.0, float("nan")])
def test_voxel_sizes_that_mean_nothing_are_refused(resolution_mm):
    grid = Grid.from_spacing((5, 5, 5), (2.0, 2.0, 2.0))
    with pytest.raises(TumorTwinError, match="give a voxel size between 0.1 and 10 mm"):
        ReactionDiffusionModel(domain=Image(np.ones(grid.shape, bool), grid, "brain"), resolution_mm=resolution_mm)


def test_an_unknown_initial_state_is_refused():
    grid = Grid.from_spacing((5, 5, 5), (2.0, 2.0, 2.0))
    with pytest.raises(TumorTwinError, match="'point': choose from auto, level_set, adc, adc_tail"):
        ReactionDiffusionModel(domain=Image(np.ones(grid.shape, bool), grid, "brain"), initial="point")
