"""The same head stored along other axes, or on a turned grid, is the same patient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import TumorTwinLib as tt
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.volume_files import read_volume, write_volume

# Sizes that float32 headers hold exactly, so that flips can be compared to the last bit.
REFERENCE = Grid.from_spacing((30, 36, 24), (1.5, 1.25, 2.0), (-21.75, -21.875, -23.0))
ORDERS = list(itertools.permutations(range(3)))
FLIPS = list(itertools.product((False, True), repeat=3))


def reordered(grid: Grid, order: tuple[int, ...], flips: tuple[bool, ...]) -> Grid:
    """The grid with the same voxel centres whose axes are those of ``grid`` in another order and direction."""
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1
    for new, old in enumerate(order):
        to_old[old, new] = -1 if flips[new] else 1
        to_old[old, 3] = grid.shape[old] - 1 if flips[new] else 0
    return Grid(tuple(grid.shape[old] for old in order), grid.ijk_to_ras @ to_old)


def turned(grid: Grid, degrees: float) -> Grid:
    """A grid of 1.25 mm turned about two axes, with the same centre."""
    a, b = np.radians(degrees), np.radians(degrees / 2)
    affine = np.eye(4)
    affine[:3, :3] = (
        np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        * 1.25
    )
    shape = (44, 44, 44)
    affine[:3, 3] = grid.ras_mm((np.array(grid.shape) - 1) / 2) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def centre_of_mass_mm(mask: Image) -> np.ndarray:
    return mask.grid.ras_mm(np.argwhere(mask.array)).mean(axis=0)


def volume_mm3(mask: Image) -> float:
    return mask.array.sum() * mask.grid.voxel_volume_mm3


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize(
    "axes",
    [((0, 1, 2), (True, False, False)), ((0, 1, 2), (True, True, False)), ((2, 0, 1), (False, True, True))],
    ids=["LAS", "LPS", "SRP"],
)
def test_flipped_and_reordered_patients_agree_exactly(tmp_path, make_patient, axes, suffix):
    ras = tt.PatientData(imaging_dir=make_patient(tmp_path / "ras", REFERENCE, suffix))
    other = tt.PatientData(imaging_dir=make_patient(tmp_path / "other", reordered(REFERENCE, *axes), suffix))
    assert not other.brain_mask.grid.same_as(REFERENCE)
    for visit, expected in zip(other.visits, ras.visits, strict=True):
        for name, image in expected.images.items():
            assert np.allclose(visit.images[name].resample(REFERENCE).array, image.array, rtol=1e-6)
        for name, mask in expected.regions.items():
            assert np.array_equal(visit.regions[name].resample(REFERENCE, order=0).array, mask.array)
            assert volume_mm3(visit.regions[name]) == volume_mm3(mask)
        assert centre_of_mass_mm(visit.core) == pytest.approx(centre_of_mass_mm(expected.core), abs=1e-4)
    assert np.array_equal(other.brain_mask.resample(REFERENCE, order=0).array, ras.brain_mask.array)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_patient_on_a_turned_grid_agrees_to_interpolation(tmp_path, make_patient, suffix):
    ras = tt.PatientData(imaging_dir=make_patient(tmp_path / "ras", REFERENCE, suffix))
    oblique = tt.PatientData(imaging_dir=make_patient(tmp_path / "oblique", turned(REFERENCE, 20), suffix))
    brain = ras.brain_mask.array
    for visit, expected in zip(oblique.visits, ras.visits, strict=True):
        for name in ("T1", "T1CE", "FLAIR"):
            error = visit.images[name].resample(REFERENCE).array - expected.images[name].array
            assert np.abs(error[brain]).max() < 1.0  # of contrasts that span 200
        for name in ("core", "whole_tumor"):
            mask, reference = getattr(visit, name), getattr(expected, name)
            assert volume_mm3(mask) == pytest.approx(volume_mm3(reference), rel=0.03)
            assert np.linalg.norm(centre_of_mass_mm(mask) - centre_of_mass_mm(reference)) < 0.2
            resampled = mask.resample(REFERENCE, order=0).array
            assert 2 * (resampled & reference.array).sum() / (resampled.sum() + reference.array.sum()) > 0.9


@pytest.mark.parametrize("order", ORDERS)
def test_every_orientation_of_the_axes_is_undone(tmp_path, rng, order):
    """All 48, with edges and corners: no voxel is lost and none is blanked by rounding in the header."""
    grid = Grid.from_spacing((7, 8, 9), (1.1, 0.7, 2.3), (-13.37, 21.11, -7.77))
    array = rng.random(grid.shape).astype(np.float32)
    for flips in FLIPS:
        other = reordered(grid, order, flips)
        stored = np.flip(array.transpose(order), [axis for axis in range(3) if flips[axis]])
        write_volume(Image(stored, other), tmp_path / "volume.nii")
        read = read_volume(tmp_path / "volume.nii")
        assert np.abs(read.resample(grid).array - array).max() < 1e-5
        assert np.array_equal(read.resample(grid, order=0).array, array)
