"""What a network is shown lies where the images are, in its own orientation, voxel size and intensities."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.segmentation.small_models import MODALITIES, head, model
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.segmentation.decoding import on_whole_grid
from TumorTwinLib.segmentation.description import NORMALIZATIONS
from TumorTwinLib.segmentation.preprocessing import prepare

RAS = Grid(np.array((48, 50, 52)), np.array([[1, 0, 0, -24], [0, 1, 0, -25], [0, 0, 1, -26], [0, 0, 0, 1.0]]))


def turned(kind: str) -> Grid:
    """A grid over the same head with other axes."""
    if kind == "LPS":
        affine = np.diag([-1.0, -1, 1, 1])
        affine[:3, 3] = 23, 24, -26
        return Grid((48, 50, 52), affine)
    if kind == "sagittal":  # i runs to the back, j up, k to the right
        affine = np.array([[0, 0, 1.5, -24], [-1.0, 0, 0, 24], [0, 1, 0, -26], [0, 0, 0, 1]])
        return Grid((50, 52, 34), affine)
    angle = np.deg2rad(20)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation
    affine[:3, 3] = -rotation @ np.array([28, 28, 27])
    return Grid((56, 56, 54), affine)


@pytest.mark.parametrize("kind", ["LPS", "sagittal", "oblique"])
@pytest.mark.parametrize("spacing_mm", [None, (2.0, 2.0, 2.0)])
def test_channels_lie_where_the_images_do(kind, spacing_mm):
    grid = turned(kind)
    prepared = prepare(head(grid), model(spacing_mm=spacing_mm))
    ras = prepared.grid.ras_mm(np.stack(np.indices(prepared.grid.shape), -1))
    deep = np.linalg.norm(ras, axis=-1) < 14
    for axis in range(3):  # each of the first three channels is a ramp along R, A or S
        ramp, channel = ras[deep][:, axis], prepared.channels[axis][deep]
        assert np.corrcoef(ramp, channel)[0, 1] > 0.9999
        assert prepared.grid.ijk_to_ras[axis, axis] > 0.8 * prepared.grid.spacing_mm[axis]
    if spacing_mm:
        np.testing.assert_allclose(prepared.grid.spacing_mm, spacing_mm, rtol=0.03)


@pytest.mark.parametrize("kind", ["LPS", "sagittal", "oblique"])
def test_the_box_is_put_back_at_its_place(kind):
    images = head(turned(kind), center_mm=(3, -4, 5), radius_mm=12)
    prepared = prepare(images, model())
    brain = images["T1"].array != 0
    cut = tuple(slice(low, low + n) for low, n in zip(prepared.box_lower, prepared.box_grid.shape, strict=True))
    np.testing.assert_array_equal(on_whole_grid(brain[cut], prepared), brain)
    np.testing.assert_allclose(prepared.box_grid.ras_mm((0, 0, 0)), images["T1"].grid.ras_mm(prepared.box_lower))
    assert prepared.channels[0].size < 0.4 * brain.size


def test_zscore_brain_is_that_of_the_training():
    """Clipped at percentiles of the brain, then mean 0 and sd 1 in it; means of 2 x 2 x 2 voxels; zero outside."""
    images = head(RAS)
    prepared = prepare(images, model(spacing_mm=(2.0, 2.0, 2.0)))
    inside = prepared.channels[:, prepared.foreground]
    np.testing.assert_allclose(inside.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(inside.std(axis=1), 1, atol=1e-5)
    assert not prepared.channels[:, ~prepared.foreground].any()
    full = images["T1"].array
    low = prepared.box_lower
    block = full[tuple(slice(n + 20, n + 22) for n in low)].mean()
    other = full[tuple(slice(n + s, n + s + 2) for n, s in zip(low, (24, 20, 20), strict=True))].mean()
    third = full[tuple(slice(n + s, n + s + 2) for n, s in zip(low, (16, 20, 20), strict=True))].mean()
    got = [float(prepared.channels[0][place]) for place in ((10, 10, 10), (12, 10, 10), (8, 10, 10))]
    assert (got[1] - got[0]) / (got[0] - got[2]) == pytest.approx((other - block) / (block - third), rel=1e-4)


@pytest.mark.parametrize("kind", ["zscore_nonzero", "zscore", "minmax"])
def test_the_normalizations_of_monai_are_monais(kind):
    from monai.transforms import NormalizeIntensity, ScaleIntensity

    transforms = {"zscore_nonzero": NormalizeIntensity(nonzero=True), "zscore": NormalizeIntensity()}
    rng = np.random.default_rng(1)
    array = rng.normal(100, 20, (20, 20, 20)).astype(np.float32)
    array[:3] = 0
    image = Image(array, Grid.from_spacing(array.shape, (1, 1, 1)), "a.nii")
    prepared = prepare({"T1": image}, model(("T1",), normalization=kind))
    expected = transforms.get(kind, ScaleIntensity())(array)
    low = prepared.box_lower
    cut = tuple(slice(n, n + m) for n, m in zip(low, prepared.grid.shape, strict=True))
    np.testing.assert_allclose(prepared.channels[0], np.asarray(expected)[cut], atol=1e-4)


def test_ct_windows_are_cut_and_scaled():
    array = np.full((20, 20, 20), -1000, np.int16)
    array[5:15, 5:15, 5:15] = 50
    array[8:10, 8:10, 8:10] = 900
    image = Image(array, Grid.from_spacing(array.shape, (1, 1, 1)), "ct.nii")
    window = {"lower_hu": -150.0, "upper_hu": 250.0}
    scaled = prepare({"CT": image}, model(("CT",), normalization="ct_window", normalization_arguments=window))
    assert set(np.unique(scaled.channels)) == {0.0, 0.5, 1.0}
    window |= {"mean_hu": 50.0, "sd_hu": 100.0}
    zscore = prepare(
        {"CT": image}, model(("CT",), normalization="ct_zscore", normalization_arguments=window), divisor=16
    )
    assert set(np.unique(zscore.channels)) == {-2.0, 0.0, 2.0}  # also where it was padded
    assert all(n % 16 == 0 for n in zscore.grid.shape)


def test_to_unit_reaches_both_ends():
    prepared = prepare(head(RAS), model(normalization="zscore_nonzero_to_unit"))
    assert prepared.channels.min(axis=(1, 2, 3)) == pytest.approx(-1)
    assert prepared.channels.max(axis=(1, 2, 3)) == pytest.approx(1)


def test_every_normalization_is_known():
    """No kind falls through to another's formula: on one image all give different channels."""
    hounsfield = {"lower_hu": 90.0, "upper_hu": 110.0, "mean_hu": 100.0, "sd_hu": 7.0}
    seen = {}
    for kind, names in NORMALIZATIONS.items():
        arguments = {name: hounsfield[name] for name in names}
        images = {"T1": head(RAS)["T1"]}
        prepared = prepare(images, model(("T1",), normalization=kind, normalization_arguments=arguments))
        middle = tuple(n // 2 for n in prepared.grid.shape)
        seen[kind] = round(float(prepared.channels[0][middle] - prepared.channels[0][middle[0] - 4, *middle[1:]]), 4)
    assert len(set(seen.values())) == len(NORMALIZATIONS), seen
    assert seen["zscore_nonzero"] != seen["zscore_brain"]  # a clipped extreme changes the spread


def test_a_network_that_knows_no_skull_finds_nothing_outside_the_brain():
    images = head(RAS)
    cut = prepare(images, model())
    inside = tuple(slice(low, low + n) for low, n in zip(cut.box_lower, cut.box_grid.shape, strict=True))
    np.testing.assert_array_equal(cut.box_foreground, images["T1"].array[inside] != 0)
    assert prepare(images, model(needs_brain_mask=False)).box_foreground.all()


def test_a_missing_modality_is_named():
    images = head(RAS)
    del images["FLAIR"], images["T2"]
    with pytest.raises(TumorTwinError, match=r"Small model needs T2 and FLAIR, .*\(it has T1, T1CE\)"):
        prepare(images, model())


def test_an_image_on_another_grid_is_resampled_and_named():
    images = head(RAS) | {"T2": head(turned("LPS"))["T2"]}
    prepared = prepare(images, model())
    assert prepared.notices == ("T2.nii lies on another grid and was resampled onto that of T1.nii.",)
    reference = prepare(head(RAS), model())
    np.testing.assert_allclose(prepared.channels, reference.channels, atol=0.02)


def test_a_brain_mask_empties_the_skull():
    images = head(RAS)
    with_skull = {name: Image(image.array + 30, RAS, image.name) for name, image in images.items()}
    brain = Image(images["T1"].array != 0, RAS, "brain.nii")
    knows_brains = model(needs_brain_mask=True)
    assert "skull" in prepare(with_skull, knows_brains).notices[0]
    cut = prepare(with_skull, knows_brains, brain_mask=brain)
    assert cut.notices == ()
    np.testing.assert_allclose(cut.channels, prepare(images, knows_brains).channels, atol=1e-4)


def test_images_of_nothing_are_refused():
    empty = {name: Image(np.zeros(RAS.shape), RAS, f"{name}.nii") for name in MODALITIES}
    with pytest.raises(TumorTwinError, match=r"T1\.nii has no voxel"):
        prepare(empty, model())
