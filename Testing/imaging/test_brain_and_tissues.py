"""The brain out of its skull, its tissues, and the field that shades them, where the truth is known."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import ndimage

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.atlas import fit_atlas, load_atlas
from TumorTwinLib.imaging.bias import correct_bias
from TumorTwinLib.imaging.brain import extract_brain
from TumorTwinLib.imaging.tissues import TISSUES, tissue_maps, ventricles
from TumorTwinLib.metrics import dice
from TumorTwinLib.volume_files import read_volume

SAMPLE = "Resources/SampleData/glioblastoma"


@pytest.fixture(scope="module")
def patient(repository):
    """The shipped patient: T1 of the first visit and the truth about its tissues."""
    folder = repository / SAMPLE
    names = {"WM": "white_matter", "GM": "grey_matter", "CSF": "csf", "brain": "brain_mask"}
    images = {key: read_volume(folder / f"{name}.nii.gz") for key, name in names.items()}
    images["T1"] = read_volume(folder / "2024-03-04T0930" / "T1.nii.gz")
    images["lesion"] = read_volume(folder / "2024-03-04T0930" / "segmentation.nii.gz")
    return images


@pytest.fixture(scope="module")
def fit(patient):
    return fit_atlas(patient["T1"])


@pytest.fixture(scope="module")
def maps(patient, fit):
    return tissue_maps(patient["T1"], patient["brain"], lesion=patient["lesion"], fit=fit)


def in_a_skull(patient) -> Image:
    """The patient's T1 with CSF, dark bone, bright scalp and a noisy background around the brain."""
    grid = patient["T1"].grid.pad(12)
    t1, brain = patient["T1"].resample(grid).array, patient["brain"].resample(grid, order=0).array > 0
    outside_mm = ndimage.distance_transform_edt(~brain, sampling=grid.spacing_mm)
    white = np.percentile(t1[brain], 90)
    head = np.where(brain, t1, 0.0)
    for lower, upper, level in ((0, 3, 0.25), (3, 9, 0.08), (9, 16, 1.3)):
        head[(outside_mm > lower) & (outside_mm <= upper)] = level * white
    noise = np.abs(np.random.default_rng(5).normal(scale=0.02 * white, size=head.shape))
    return Image((ndimage.gaussian_filter(head, 0.4) + noise).astype(np.float32), grid, "head")


def test_the_atlas_finds_the_patient(patient, fit):
    assert fit.warning == ""
    scales = np.linalg.svd(fit.matrix_ras[:3, :3])[1]
    assert ((scales > 0.75) & (scales < 1.25)).all()


def test_the_atlas_is_a_probability_everywhere():
    atlas = load_atlas()
    assert atlas.brain.array.max() <= 1.0
    assert atlas.brain.array[[0, -1]].max() == 0.0
    volume_ml = 8e-3 * float(atlas.ventricles.array.sum())
    assert 8.0 < volume_ml < 60.0  # of young adults


def test_a_stripped_scan_is_taken_as_it_is(patient):
    stripped = Image(np.where(patient["brain"].array > 0, patient["T1"].array, 0), patient["T1"].grid, "T1")
    found = extract_brain(stripped)
    assert found.method == "stripped"
    assert dice(found.mask.array, patient["brain"].array > 0) > 0.99


def test_a_brain_is_taken_out_of_its_skull(patient):
    head = in_a_skull(patient)
    found = extract_brain(head)
    assert found.method == "atlas"
    truth = patient["brain"].resample(head.grid, order=0).array > 0
    assert dice(found.mask.array, truth) > 0.95
    assert found.notices == ()


@pytest.mark.parametrize("broken", ["raise ImportError('no weights')", "BrainExtraction = None"])
def test_a_broken_deepbet_leaves_the_brain_to_the_atlas(patient, fit, tmp_path, monkeypatch, broken):
    (tmp_path / "deepbet").mkdir()
    (tmp_path / "deepbet" / "__init__.py").touch()
    (tmp_path / "deepbet" / "bet.py").write_text(broken)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "deepbet"]:
        monkeypatch.delitem(sys.modules, name)
    found = extract_brain(in_a_skull(patient), modality="T1", fit=fit)
    for name in [name for name in sys.modules if name.split(".")[0] == "deepbet"]:
        del sys.modules[name]
    assert found.method == "atlas"
    assert found.mask.array.any()
    assert any(notice.startswith("deepbet failed (") for notice in found.notices)


def test_a_scan_of_half_a_brain_is_noticed(patient):
    half = np.where(patient["brain"].array > 0, patient["T1"].array, 0)[:, :, :30]
    found = extract_brain(Image(half, patient["T1"].grid.crop((0, 0, 0), half.shape), "half"))
    assert any("check its outline" in notice for notice in found.notices)


def test_tissues_are_those_the_scan_was_made_from(patient, maps):
    brain = patient["brain"].array > 0
    total = sum(maps[tissue].array for tissue in TISSUES)
    assert total[brain] == pytest.approx(1.0, abs=1e-4)
    assert total[~brain].max() == 0.0
    healthy = brain & (patient["lesion"].array == 0)
    truth = np.argmax([patient[tissue].array for tissue in TISSUES], axis=0)
    found = np.argmax([maps[tissue].array for tissue in TISSUES], axis=0)
    for index, tissue in enumerate(TISSUES[:2]):
        assert dice(healthy & (found == index), healthy & (truth == index)) > 0.8, tissue


def test_a_lesion_keeps_the_tissue_of_the_atlas(patient, maps):
    lesion = (patient["lesion"].array > 0) & (patient["brain"].array > 0)
    truth = np.mean([patient["WM"].array[lesion].mean(), patient["GM"].array[lesion].mean()])
    found = np.mean([maps["WM"].array[lesion].mean(), maps["GM"].array[lesion].mean()])
    assert found == pytest.approx(truth, abs=0.15)


def test_ventricles_are_fluid_deep_in_the_brain(patient, maps, fit):
    mask = ventricles(maps, fit)
    assert patient["CSF"].array[mask.array].mean() > 0.6
    assert 5.0 < mask.array.sum() * mask.grid.voxel_volume_mm3 / 1000 < 80.0
    depth_mm = ndimage.distance_transform_edt(patient["brain"].array > 0, sampling=mask.grid.spacing_mm)
    assert np.median(depth_mm[mask.array]) > 15.0


def test_a_bias_field_is_taken_out():
    grid = Grid.from_spacing((60, 64, 56), (2.0, 2.0, 2.0))
    i, j, k = np.indices(grid.shape) - 28.0
    ball = i**2 + j**2 + k**2 < 24**2
    tissue = np.where((i // 8 + j // 8 + k // 8) % 2 == 0, 100.0, 160.0) * ball
    field = np.exp(0.012 * i - 0.01 * j)
    shaded = Image((tissue * field).astype(np.float32), grid, "shaded")
    flat = correct_bias(shaded, Image(ball, grid)).array

    def unevenness(values):
        bright = ball & (tissue > 130)
        return values[bright].std() / values[bright].mean()

    assert unevenness(shaded.array) > 0.15
    assert unevenness(flat) < 0.4 * unevenness(shaded.array)


def test_masks_on_another_grid_or_without_healthy_brain_are_refused(patient, fit):
    t1 = patient["T1"]
    elsewhere = Image(np.ones((8, 8, 8)), Grid.from_spacing((8, 8, 8), (1.0, 1.0, 1.0)), "mask")
    with pytest.raises(TumorTwinError, match="not on the grid"):
        tissue_maps(t1, elsewhere, fit=fit)
    with pytest.raises(TumorTwinError, match="hardly any healthy brain"):
        tissue_maps(t1, patient["brain"], lesion=patient["brain"], fit=fit)
