"""A BraTS label map as one mask per region."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image

# BraTS 2012-2021 number enhancing tumour 4, BraTS 2023 numbers it 3 (Menze, TMI 2015; Baid, arXiv 2107.02314).
REGION_OF_LABEL = {1: "necrotic_core", 2: "edema", 3: "enhancing", 4: "enhancing"}


def regions_from_labels(labels: Image) -> dict[str, Image]:
    """Boolean masks of necrotic core, oedema and enhancing tumour; a region without voxels is an empty mask.

    Args:
        labels: (ni, nj, nk) with 0 background and the labels of ``REGION_OF_LABEL``, in any number type.

    Raises:
        TumorTwinError: another label is present, or both 3 and 4 are, as where 4 marks a resection cavity.
    """
    present = {float(value) for value in np.unique(labels.array)} - {0.0}
    unknown = sorted(present - set(REGION_OF_LABEL))
    if unknown:
        listed = ", ".join(f"{value:g}" for value in unknown[:5])
        raise TumorTwinError(
            f"{labels.name} holds the label {listed}: "
            "use 1 necrotic core, 2 edema, 4 or 3 enhancing, or one mask a region."
        )
    if {3.0, 4.0} <= present:
        raise TumorTwinError(
            f"{labels.name} holds both label 3 and label 4, of which only one can be enhancing tumor: "
            "save one mask a region instead."
        )
    masks = {region: np.zeros(labels.grid.shape, dtype=bool) for region in ("enhancing", "necrotic_core", "edema")}
    for label, region in REGION_OF_LABEL.items():
        if label in present:
            masks[region] = labels.array == label
    return {region: Image(mask, labels.grid, labels.name) for region, mask in masks.items()}
