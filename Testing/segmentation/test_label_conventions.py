"""BraTS label maps of every numbering become one mask a region, and come back."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.labels import CONVENTIONS, convention_of, labels_from_regions, regions_from_labels


def labels(*values: float, dtype=np.uint8) -> Image:
    return Image(
        np.array(values, dtype).reshape(-1, 1, 1), Grid.from_spacing((len(values), 1, 1), (1, 1, 1)), "seg.nii"
    )


def rows(regions: dict[str, Image]) -> dict[str, list[bool]]:
    return {name: mask.array.ravel().tolist() for name, mask in regions.items()}


@pytest.mark.parametrize("enhancing", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_each_label_becomes_its_region(enhancing, dtype):
    assert rows(regions_from_labels(labels(0, 1, 2, enhancing, 2, dtype=dtype))) == {
        "necrotic_core": [False, True, False, False, False],
        "edema": [False, False, True, False, True],
        "enhancing": [False, False, False, True, False],
    }


def test_a_region_without_voxels_is_an_empty_mask():
    regions = regions_from_labels(labels(0, 1, 2))
    assert not regions["enhancing"].array.any()


@pytest.mark.parametrize(
    ("values", "complaint"), [((0, 1, 5), "label 5"), ((0.0, 1.5), r"label 1\.5"), ((3, 4), "both")]
)
def test_other_labels_are_refused(values, complaint):
    with pytest.raises(TumorTwinError, match=rf"seg\.nii .*{complaint}"):
        regions_from_labels(labels(*values, dtype=np.float32))


def test_four_is_a_cavity_or_enhancing_as_the_convention_says():
    both = labels(0, 3, 4)
    assert rows(regions_from_labels(both, "brats2024"))["resection_cavity"] == [False, False, True]
    assert rows(regions_from_labels(both, "brats2024"))["enhancing"] == [False, True, False]
    assert rows(regions_from_labels(both, "brats2015"))["enhancing"] == [False, False, True]
    assert rows(regions_from_labels(both, "brats2015"))["non_enhancing"] == [False, True, False]


@pytest.mark.parametrize(
    ("values", "name"), [((0, 1, 2, 4), "brats2021"), ((0, 1, 2, 3), "brats2023"), ((0, 2), "brats2021")]
)
def test_the_convention_is_told_from_the_labels(values, name):
    assert convention_of(labels(*values)).name == name


def test_an_unknown_or_contradicted_convention_is_refused():
    with pytest.raises(TumorTwinError, match=r"no label convention 'brats1999'.*brats2021"):
        convention_of(labels(0, 1), "brats1999")
    with pytest.raises(TumorTwinError, match=r"seg\.nii holds the label 4.*BraTS 2023"):
        convention_of(labels(0, 1, 4), "brats2023")


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_round_trips(name):
    original = labels(0, *CONVENTIONS[name].regions, 0)
    written = labels_from_regions(regions_from_labels(original, name), name)
    assert written.array.dtype == np.uint8
    np.testing.assert_array_equal(written.array, original.array)


def test_nested_regions_are_painted_from_outside_in():
    nested = {"enhancing": labels(0, 0, 0, 1), "core": labels(0, 0, 1, 1), "whole_tumor": labels(0, 1, 1, 1)}
    assert labels_from_regions(nested).array.ravel().tolist() == [0, 2, 1, 4]
    assert labels_from_regions(nested, "brats2023").array.ravel().tolist() == [0, 2, 1, 3]


def test_regions_without_a_label_and_other_grids_are_refused():
    with pytest.raises(TumorTwinError, match=r"seg\.nii is resection cavity.*BraTS 2017-2021"):
        labels_from_regions({"resection_cavity": labels(0, 1)})
    with pytest.raises(TumorTwinError, match="another grid"):
        labels_from_regions({"edema": labels(0, 1), "enhancing": labels(0, 1, 1)})
    with pytest.raises(TumorTwinError, match="no region"):
        labels_from_regions({})
