"""Tumor label maps of the BraTS challenges as one mask per region, and back.

The challenges renumbered their labels over the years. Each numbering is one ``LabelConvention``; everything that reads
or writes a label map goes through this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image

# Regions of a tumor that do not overlap. Core is what a neurosurgeon calls tumor on contrast T1; whole adds the FLAIR
# signal. Enhancing lies in core and core in whole.
CORE_REGIONS = ("enhancing", "necrotic_core")
WHOLE_REGIONS = (*CORE_REGIONS, "edema", "non_enhancing")
UNIONS = {"core": CORE_REGIONS, "whole_tumor": WHOLE_REGIONS}


@dataclass(frozen=True)
class LabelConvention:
    """One numbering of the regions.

    Args:
        name: what callers choose it by.
        title: what messages call it.
        regions: region by label; background is 0.
    """

    name: str
    title: str
    regions: Mapping[int, str]


# In the order in which an unnamed convention is guessed.
CONVENTIONS = {
    convention.name: convention
    for convention in (
        # Baid, arXiv 2107.02314: the numbering of 2017-2021, when 3 was no longer used.
        LabelConvention("brats2021", "BraTS 2017-2021", {1: "necrotic_core", 2: "edema", 4: "enhancing"}),
        # Kazerooni, arXiv 2305.17033, and the other challenges of 2023: 1 NETC, 2 SNFH, 3 ET.
        LabelConvention("brats2023", "BraTS 2023", {1: "necrotic_core", 2: "edema", 3: "enhancing"}),
        # de Verdier, arXiv 2405.18368: post-treatment glioma, 4 RC. The cavity is no tumor.
        LabelConvention(
            "brats2024",
            "BraTS 2024 post-treatment",
            {1: "necrotic_core", 2: "edema", 3: "enhancing", 4: "resection_cavity"},
        ),
        # Menze, TMI 2015: 1 necrosis, 3 non-enhancing core.
        LabelConvention(
            "brats2015",
            "BraTS 2012-2016",
            {1: "necrotic_core", 2: "edema", 3: "non_enhancing", 4: "enhancing"},
        ),
    )
}


def convention_of(labels: Image, name: str | None = None) -> LabelConvention:
    """The convention a label map follows: the named one, else the one its labels tell.

    Without label 3 or 4 every convention agrees; with only one of them it is taken as enhancing tumor.

    Raises:
        TumorTwinError: the name is unknown, a label is not in the convention, or both 3 and 4 are present and the
            convention is not named (then 4 is either enhancing tumor or a resection cavity).
    """
    present = {float(value) for value in np.unique(labels.array)} - {0.0}
    if name is not None:
        if name not in CONVENTIONS:
            raise TumorTwinError(f"There is no label convention '{name}': use one of {', '.join(CONVENTIONS)}.")
        _check_labels(labels.name, present, CONVENTIONS[name])
        return CONVENTIONS[name]
    if {3.0, 4.0} <= present:
        raise TumorTwinError(
            f"{labels.name} holds both label 3 and label 4, of which only one can be enhancing tumor: name its "
            "convention, brats2024 (4 is the resection cavity) or brats2015 (3 is non-enhancing core), "
            "or save one mask a region instead."
        )
    convention = CONVENTIONS["brats2023" if 3.0 in present else "brats2021"]
    _check_labels(labels.name, present, convention)
    return convention


def _check_labels(where: str, present: set[float], convention: LabelConvention) -> None:
    unknown = sorted(present - set(convention.regions))
    if unknown:
        listed = ", ".join(f"{value:g}" for value in unknown[:5])
        known = ", ".join(f"{label} {region.replace('_', ' ')}" for label, region in convention.regions.items())
        raise TumorTwinError(
            f"{where} holds the label {listed}: use {known} ({convention.title}), or one mask a region."
        )


def regions_from_labels(labels: Image, convention: str | None = None) -> dict[str, Image]:
    """One Boolean mask for each region of the convention; a region without voxels is an empty mask.

    Args:
        labels: (ni, nj, nk) with 0 background, in any number type.
        convention: a name of ``CONVENTIONS``; guessed from the labels by ``convention_of`` when not given.

    Raises:
        TumorTwinError: as ``convention_of``.
    """
    regions = convention_of(labels, convention).regions
    return {region: Image(labels.array == label, labels.grid, labels.name) for label, region in regions.items()}


def labels_from_regions(
    regions: Mapping[str, Image], convention: str = "brats2021", name: str = "segmentation"
) -> Image:
    """A ``uint8`` label map of masks on one grid; where masks overlap the smaller-numbered union gives way.

    Core and whole tumor, where given, are painted under their parts, as the part of them that no other mask names:
    whole tumor as edema, core as necrotic core.

    Raises:
        TumorTwinError: no mask is given, the grids differ, or a region has no label in the convention.
    """
    if not regions:
        raise TumorTwinError(f"{name} has no region to write: give at least one mask.")
    if convention not in CONVENTIONS:
        raise TumorTwinError(f"There is no label convention '{convention}': use one of {', '.join(CONVENTIONS)}.")
    label_of = {region: label for label, region in CONVENTIONS[convention].regions.items()}
    label_of |= {"whole_tumor": label_of["edema"], "core": label_of["necrotic_core"]}
    grid = next(iter(regions.values())).grid
    array = np.zeros(grid.shape, np.uint8)
    inner_last = ("resection_cavity", "whole_tumor", "edema", "core", "non_enhancing", "necrotic_core", "enhancing")
    for region in sorted(regions, key=lambda region: inner_last.index(region) if region in inner_last else -1):
        mask = regions[region]
        if region not in label_of:
            raise TumorTwinError(
                f"{mask.name} is {region.replace('_', ' ')}, which {CONVENTIONS[convention].title} has no label for: "
                "choose another convention or leave it out."
            )
        if not mask.grid.same_as(grid):
            raise TumorTwinError(f"{mask.name} lies on another grid than the other regions: resample it onto theirs.")
        array[mask.array > 0] = label_of[region]
    return Image(array, grid, name)
