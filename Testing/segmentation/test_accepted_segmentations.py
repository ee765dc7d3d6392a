"""A label map from another tool takes the place of ours."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.segmentation.result import accept_segmentation

GRID = Grid.from_spacing((20, 20, 20), (1, 1, 1))


def labels(*values: float, dtype=np.uint8) -> Image:
    array = np.zeros(GRID.shape, dtype)
    for number, value in enumerate(values):
        array[4 * number : 4 * number + 4, 4:12, 4:12] = value
    return Image(array, GRID, "other_tool.nii")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_labels_of_four_are_brats_2021_and_it_is_said(dtype):
    result = accept_segmentation(labels(1, 2, 4, dtype=dtype))
    assert result.regions[4] == "enhancing"
    assert result.notices == ("other_tool.nii was read as BraTS 2017-2021 labels, in which 4 is enhancing.",)
    assert result.masks["core"].array.sum() == 2 * 256
    assert result.masks["whole_tumor"].array.sum() == 3 * 256
    assert not result.probabilities


def test_a_cavity_is_no_tumor():
    result = accept_segmentation(labels(1, 2, 3, 4), convention="brats2024")
    assert result.notices == ()
    assert result.masks["resection_cavity"].array.sum() == 256
    assert result.masks["whole_tumor"].array.sum() == 3 * 256
    with pytest.raises(TumorTwinError, match=r"brats2024 .* or brats2015"):
        accept_segmentation(labels(1, 2, 3, 4))


def test_labels_are_carried_to_the_grid_of_the_images():
    affine = np.diag([-2.0, 2, 2, 1])
    affine[:3, 3] = 18, 0, 0
    target = Grid((10, 10, 10), affine)
    result = accept_segmentation(labels(1, 2, 4), grid=target)
    assert result.labels.grid is target
    assert set(np.unique(result.labels.array)) == {0, 1, 2, 4}
    assert result.masks["enhancing"].array.sum() == 32
    assert result.notices[-1] == "other_tool.nii was resampled onto the images' grid: 0.77 mL became 0.77 mL."


def test_what_cannot_be_a_segmentation_is_refused():
    with pytest.raises(TumorTwinError, match=r"other_tool\.nii is an empty segmentation"):
        accept_segmentation(labels())
    with pytest.raises(TumorTwinError, match=r"other_tool\.nii holds the label 0\.5"):
        accept_segmentation(labels(0.5, dtype=np.float32))
    elsewhere = Grid.from_spacing((20, 20, 20), (1, 1, 1), (500, 0, 0))
    with pytest.raises(TumorTwinError, match=r"other_tool\.nii lies outside the images"):
        accept_segmentation(labels(1), grid=elsewhere)
