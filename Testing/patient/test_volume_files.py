"""Volumes go to disk and back at the same place in the patient, and doubtful geometry is said."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.volume_files import VOLUME_SUFFIXES, geometry_notices, read_volume, write_volume

PIXDIM, QFORM_CODE, QOFFSET_X, SROW_X = 80, 252, 268, 280  # byte offsets in a NIfTI-1 header


def oblique_grid() -> Grid:
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag([-1.5, 0.75, 3.0])
    affine[:3, 3] = [31.5, -12.25, 7.0]
    return Grid((5, 6, 7), affine)


def patch(path: Path, offset: int, form: str, *values: float) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, offset, *values)
    path.write_bytes(content)


@pytest.fixture
def plain_nifti(tmp_path: Path) -> Path:
    """An uncompressed NIfTI of (4, 5, 6) voxels of 1 mm with sform and qform set."""
    path = tmp_path / "plain.nii"
    write_volume(Image(np.ones((4, 5, 6), np.float32), Grid((4, 5, 6), np.eye(4))), path)
    return path


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_what_is_written_is_read_again(tmp_path, rng, suffix, dtype):
    grid = oblique_grid()
    array = (rng.random(grid.shape) * 200).astype(dtype)
    path = tmp_path / f"volume{suffix}"
    write_volume(Image(array, grid), path)
    read = read_volume(path)
    assert read.array.dtype == dtype
    assert np.array_equal(read.array, array)
    assert np.allclose(read.grid.ijk_to_ras, grid.ijk_to_ras, atol=1e-5)
    assert read.name == str(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_itk_sees_each_voxel_at_the_mirrored_place(tmp_path, rng, suffix):
    """ITK's own view of the file, independent of the reader: same indices, x and y of opposite sign."""
    grid = oblique_grid()
    array = rng.random(grid.shape).astype(np.float32)
    write_volume(Image(array, grid), tmp_path / f"volume{suffix}")
    volume = sitk.ReadImage(str(tmp_path / f"volume{suffix}"))
    for ijk in [(0, 0, 0), (4, 0, 0), (0, 5, 0), (0, 0, 6), (3, 2, 5)]:
        x, y, z = volume.TransformIndexToPhysicalPoint(ijk)
        assert (-x, -y, z) == pytest.approx(tuple(grid.ras_mm(np.array(ijk))), abs=1e-4)
        assert volume.GetPixel(*ijk) == array[ijk]


def test_masks_are_stored_as_zeros_and_ones(tmp_path):
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 2, 3] = True
    write_volume(Image(mask, Grid.from_spacing(mask.shape, (1, 1, 1))), tmp_path / "mask.nrrd")
    read = read_volume(tmp_path / "mask.nrrd").array
    assert read.dtype == np.uint8
    assert np.array_equal(read, mask)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_a_fourth_axis_of_one_is_dropped(tmp_path, rng, suffix):
    array = rng.random((5, 4, 3)).astype(np.float32)  # k, j, i
    path = tmp_path / f"series{suffix}"
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(array)]), str(path))
    assert np.array_equal(read_volume(path).array, array.T)


def test_pixdim_wins_over_the_scale_of_the_affine(plain_nifti, capfd):
    patch(plain_nifti, PIXDIM, "<3f", 1.5, 1.5, 3.0)
    grid = read_volume(plain_nifti).grid
    assert grid.spacing_mm == pytest.approx((1.5, 1.5, 3.0))
    assert np.allclose(grid.ijk_to_ras[:3, :3], np.diag([1.5, 1.5, 3.0]), atol=1e-6)
    (notice,) = geometry_notices([plain_nifti])
    assert str(plain_nifti) in notice
    assert "1.5 x 1.5 x 3 mm" in notice
    assert capfd.readouterr() == ("", "")


def test_the_same_doubt_about_many_files_is_one_notice(plain_nifti):
    patch(plain_nifti, PIXDIM, "<3f", 1.5, 1.5, 3.0)
    others = [plain_nifti.with_name(f"other{n}.nii") for n in range(3)]
    for other in others:
        other.write_bytes(plain_nifti.read_bytes())
    (notice,) = geometry_notices([plain_nifti, *others])
    assert f"{plain_nifti} and 3 more:" in notice


def test_a_file_without_orientation_is_noticed(plain_nifti, tmp_path):
    patch(plain_nifti, QFORM_CODE, "<2h", 0, 0)
    assert "check left and right" in geometry_notices([plain_nifti])[0]
    bare = tmp_path / "bare.nrrd"
    bare.write_bytes(b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n" + bytes(8))
    read_volume(bare)
    assert "check left and right" in geometry_notices([bare])[0]


def test_forms_that_disagree_are_noticed(plain_nifti):
    patch(plain_nifti, QOFFSET_X, "<f", 30.0)
    patch(plain_nifti, QFORM_CODE, "<2h", 1, 2)
    assert "disagree by up to 30 mm" in geometry_notices([plain_nifti])[0]


def test_a_sound_file_gives_no_notice(plain_nifti, tmp_path):
    for suffix in (".nrrd", ".mha"):
        write_volume(read_volume(plain_nifti), tmp_path / f"sound{suffix}")
    assert geometry_notices([plain_nifti, tmp_path / "sound.nrrd", tmp_path / "sound.mha"]) == ()


@pytest.mark.parametrize("spacing", [0.0, float("nan"), float("inf"), -2.0])
def test_a_spacing_itk_would_replace_is_refused(plain_nifti, spacing):
    patch(plain_nifti, PIXDIM, "<f", spacing)
    with pytest.raises(TumorTwinError, match="voxel spacing"):
        read_volume(plain_nifti)


def test_an_affine_with_nan_is_refused(plain_nifti):
    patch(plain_nifti, SROW_X, "<f", float("nan"))
    with pytest.raises(TumorTwinError, match="not finite"):
        read_volume(plain_nifti)


def test_a_sheared_affine_is_refused(plain_nifti):
    patch(plain_nifti, QFORM_CODE, "<2h", 0, 1)
    patch(plain_nifti, SROW_X + 4, "<f", 0.3)
    with pytest.raises(TumorTwinError, match="sheared"):
        read_volume(plain_nifti)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_a_file_cut_short_is_refused(tmp_path, rng, suffix):
    path = tmp_path / f"volume{suffix}"
    write_volume(Image(rng.random((20, 20, 20)), Grid.from_spacing((20, 20, 20), (1, 1, 1))), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(TumorTwinError, match=path.name):
        read_volume(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    image = Image(np.ones((3, 3, 3), np.float32), Grid.from_spacing((3, 3, 3), (1, 1, 1)))
    with pytest.raises(TumorTwinError, match="cannot be written"):
        write_volume(image, tmp_path / "absent" / "volume.nrrd")
    taken = tmp_path / "volume.nrrd"
    taken.mkdir()
    with pytest.raises(TumorTwinError, match="cannot be written"):
        write_volume(image, taken)
    assert list(tmp_path.iterdir()) == [taken]
    with pytest.raises(TumorTwinError, match="no volume suffix"):
        write_volume(image, tmp_path / "volume.png")


def test_nifti_refuses_a_shear_it_would_straighten(tmp_path):
    affine = np.eye(4)
    affine[1, 0] = 0.3
    sheared = Image(np.ones((3, 3, 3), np.float32), Grid((3, 3, 3), affine))
    with pytest.raises(TumorTwinError, match="sheared"):
        write_volume(sheared, tmp_path / "volume.nii")
    write_volume(sheared, tmp_path / "volume.nrrd")
    assert np.allclose(read_volume(tmp_path / "volume.nrrd").grid.ijk_to_ras, affine)
