"""BraTS label maps of both numberings become one mask a region."""

from __future__ import annotations

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.patient.brats_labels import regions_from_labels


def labels(*values: float, dtype=np.uint8) -> Image:
    return Image(
        np.array(values, dtype).reshape(-1, 1, 1), Grid.from_spacing((len(values), 1, 1), (1, 1, 1)), "seg.nii"
    )


@pytest.mark.parametrize("enhancing", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_each_label_becomes_its_region(enhancing, dtype):
    regions = regions_from_labels(labels(0, 1, 2, enhancing, 2, dtype=dtype))
    assert {name: mask.array.ravel().tolist() for name, mask in regions.items()} == {
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
