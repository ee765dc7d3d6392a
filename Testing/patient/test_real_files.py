"""Real files whose axes differ: BraTS (LPS) and SRI24 (LAS and RAS, 4-D) are heads in one space."""

from __future__ import annotations

import numpy as np
import pytest

import TumorTwinLib as tt
from TumorTwinLib.geometry import Image
from TumorTwinLib.volume_files import geometry_notices, read_volume, write_volume

CASE = "BraTS2021_00006"


@pytest.fixture
def brats(data_dir):
    return data_dir / "brats2021" / CASE


def test_a_brats_case_is_a_visit(brats, tmp_path):
    (tmp_path / "2021-05-01").mkdir()
    for file in brats.iterdir():
        (tmp_path / "2021-05-01" / file.name).symlink_to(file)
    t1 = read_volume(brats / f"{CASE}_t1.nii.gz")
    write_volume(Image(t1.array > 0, t1.grid), tmp_path / "brain_mask.nii.gz")
    patient = tt.PatientData("case", tmp_path)
    visit = patient.visits[0]
    assert set(visit.images) == {"T1", "T1CE", "T2", "FLAIR"}
    labels = read_volume(brats / f"{CASE}_seg.nii.gz").array
    for region, label in (("necrotic_core", 1), ("edema", 2), ("enhancing", 4)):
        assert np.array_equal(visit.regions[region].array, labels == label)
        assert (labels == label).any()
    assert patient.notices == ()


def test_brats_and_sri24_meet_in_the_patient(brats, data_dir):
    """Their voxel axes run in three different directions; by world coordinates the brains coincide."""
    grey = read_volume(data_dir / "sri24" / "pbmap_gm.nii.gz")
    tissues = read_volume(data_dir / "sri24" / "tissues.nii.gz")
    patient = read_volume(brats / f"{CASE}_t1.nii.gz")
    assert grey.array.shape == (240, 240, 155)
    directions = {tuple(np.sign(np.diag(image.grid.ijk_to_ras)[:2])) for image in (grey, tissues, patient)}
    assert directions == {(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)}
    assert geometry_notices([grey.name, tissues.name, patient.name]) == ()

    labels = tissues.resample(grey.grid, order=0).array
    assert grey.array[labels == 2].mean() > 0.7
    assert grey.array[labels == 3].mean() < 0.2
    atlas, brain = labels > 0, patient.resample(grey.grid, order=0).array > 0
    assert 2 * (atlas & brain).sum() / (atlas.sum() + brain.sum()) > 0.85


def test_nrrd_image_and_label_share_a_place(data_dir):
    image = read_volume(data_dir / "nrrd" / "brain1_image.nrrd")
    label = read_volume(data_dir / "nrrd" / "brain1_label.nrrd")
    assert image.grid.same_as(label.grid)
    assert image.grid.spacing_mm == pytest.approx((0.78125, 0.78125, 6.5))
