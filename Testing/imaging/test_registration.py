"""Scans of one head find each other, and scans that do not match are said not to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from Testing.imaging.moved_heads import brats, displaced, errors, random_displacement
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.coregistration import coregister_visits, reference_modality
from TumorTwinLib.imaging.registration import register_rigid
from TumorTwinLib.imaging.transforms import apply, move, move_points, rigid_matrix, rotation_angle_deg
from TumorTwinLib.volume_files import read_volume

SAMPLE = "Resources/SampleData/glioblastoma/2024-03-04T0930"


@pytest.fixture(scope="module")
def sample(repository):
    """The shipped patient's scans at the first visit, 2 mm, whose own T1 and T2 differ in contrast."""
    return {name: read_volume(repository / SAMPLE / f"{name}.nii.gz") for name in ("T1", "T1CE", "T2")}


def test_a_rigid_matrix_keeps_its_center_and_its_angle():
    center = np.array([10.0, -20.0, 30.0])
    matrix = rigid_matrix((3.0, 4.0, 0.0), (1.0, 2.0, 3.0), center)
    assert move_points(matrix, center) == pytest.approx(center + (1, 2, 3))
    assert rotation_angle_deg(matrix) == pytest.approx(5.0)
    assert rotation_angle_deg(np.eye(4)) == 0.0


def test_a_moved_image_is_resampled_at_its_new_place(rng):
    grid = Grid((20, 24, 16), rigid_matrix((0, 0, 30), (5, 6, 7), np.zeros(3)) @ np.diag([-1.0, 2.0, 1.5, 1.0]))
    image = Image(ndimage.gaussian_filter(rng.normal(size=grid.shape), 2).astype(np.float32), grid)
    matrix = rigid_matrix((20, 10, -15), (3, -4, 5), np.zeros(3))
    there = Grid(grid.shape, matrix @ grid.ijk_to_ras)
    assert apply(image, matrix, there).array == pytest.approx(image.array)
    assert move(image, matrix).array is image.array


def test_another_contrast_turned_and_shifted_is_found(sample, rng):
    truth = random_displacement(sample["T1"], rng)
    found = register_rigid(sample["T1"], displaced(sample["T2"], truth, rng))
    millimetres, degrees = errors(found, truth, sample["T1"])
    assert millimetres < 1.0
    assert degrees < 1.0
    assert found.warning == ""
    assert found.quality.spread_mm < 1.0


def test_a_header_far_off_and_other_axes_do_not_matter(sample, rng):
    truth = random_displacement(sample["T1"], rng, angle_deg=35.0, shift_mm=120.0)
    moving = move(sample["T2"], np.linalg.inv(truth))
    stored = Grid(moving.grid.shape, moving.grid.ijk_to_ras @ _flip(moving.grid.shape[0]))
    found = register_rigid(sample["T1"], Image(moving.array[::-1], stored, "T2"))
    assert errors(found, truth, sample["T1"])[0] < 1.0
    assert found.warning == ""


def _flip(count: int) -> np.ndarray:
    matrix = np.diag([-1.0, 1.0, 1.0, 1.0])
    matrix[0, 3] = count - 1
    return matrix


def test_a_scan_of_something_else_is_never_accepted_in_silence(sample, rng):
    noise = ndimage.gaussian_filter(rng.normal(size=sample["T1"].grid.shape), 1.5).astype(np.float32)
    found = register_rigid(sample["T1"], Image(noise, sample["T1"].grid, "noise"))
    assert found.warning.startswith("noise may not be aligned with")
    assert found.warning.endswith("check the overlay before using it.")


@pytest.mark.parametrize(
    ("array", "message"),
    [(np.zeros((40, 40, 40), np.float32), "same everywhere"), (np.ones((40, 40, 3), np.float32), "3 mm thick")],
)
def test_scans_that_cannot_be_registered_are_refused(sample, array, message):
    image = Image(array, Grid.from_spacing(array.shape, (1.0, 1.0, 1.0)), "flat")
    with pytest.raises(TumorTwinError, match=message):
        register_rigid(sample["T1"], image)


def test_visits_are_chained_to_the_first_ones_reference(sample, rng):
    later, within = (random_displacement(sample["T1"], rng, shift_mm=10.0) for _ in range(2))
    second = {
        "T1CE": move(sample["T1CE"], np.linalg.inv(later)),
        "T2": move(sample["T2"], np.linalg.inv(later @ within)),
    }
    first, chained = coregister_visits([{"T1CE": sample["T1CE"], "T2": sample["T2"]}, second])
    assert first.reference == chained.reference == "T1CE"
    assert first.alignments["T2"].matrix_ras == pytest.approx(np.eye(4))  # left where the header had it
    points_mm = sample["T1"].grid.ras_mm(np.argwhere(sample["T1"].array > 0)[::101])
    for modality, truth in (("T1CE", later), ("T2", later @ within)):
        start = move_points(np.linalg.inv(truth), points_mm)
        assert np.abs(move_points(chained.alignments[modality].matrix_ras, start) - points_mm).max() < 1.0
    assert first.notices == chained.notices == ()


def test_the_sharpest_t1_is_the_reference():
    fine, coarse = (Image(np.zeros((4, 4, 4)), Grid.from_spacing((4, 4, 4), (s, s, s))) for s in (1.0, 2.0))
    assert reference_modality({"T2": fine, "T1": coarse, "T1CE": coarse}) == "T1CE"
    assert reference_modality({"T2": fine, "T1": fine, "T1CE": coarse}) == "T1"
    assert reference_modality({"T2": fine, "FLAIR": coarse}) == "FLAIR"
    with pytest.raises(TumorTwinError, match="no image"):
        reference_modality({})


def test_a_real_head_is_recovered_across_contrasts(data_dir, rng):
    t1, flair = (brats(data_dir, "01479", name) for name in ("t1", "flair"))
    own = register_rigid(t1, flair)  # the case's own scans lie 1 mm apart
    truth = random_displacement(t1, rng)
    found = register_rigid(t1, displaced(flair, truth, rng))
    millimetres, degrees = errors(found, own.matrix_ras @ truth, t1)
    assert millimetres < 1.0
    assert degrees < 1.0
    assert found.warning == own.warning == ""
