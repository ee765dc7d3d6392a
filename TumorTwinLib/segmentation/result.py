"""A segmentation: labels, how sure they are, and what the user should know about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.labels import UNIONS, convention_of


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels on the grid of the images they were made from.

    Args:
        labels: whole numbers, 0 background.
        regions: region by label; regions do not overlap.
        probabilities: 0 to 1 by region, also of the unions core and whole tumor; empty where nobody gave any.
        boundary_sd_mm: by region, how far off its outline may lie at each voxel (one standard deviation, in mm);
            elsewhere the value of the nearest piece of outline.
        volume_sd_ml: by region, standard deviation of its volume.
        notices: sentences for the user.
    """

    labels: Image
    regions: Mapping[int, str]
    probabilities: Mapping[str, Image] = field(default_factory=dict)
    boundary_sd_mm: Mapping[str, Image] = field(default_factory=dict)
    volume_sd_ml: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @property
    def masks(self) -> dict[str, Image]:
        """Boolean masks of the regions, then of core and whole tumor where the regions make them up."""
        masks = {region: self._mask([label]) for label, region in self.regions.items()}
        for union, parts in UNIONS.items():
            labels = [label for label, region in self.regions.items() if region in parts]
            if union not in masks and len(labels) > 1:
                masks[union] = self._mask(labels)
        return masks

    def _mask(self, labels: list[int]) -> Image:
        return Image(np.isin(self.labels.array, labels), self.labels.grid, self.labels.name)


def accept_segmentation(image: Image, *, grid: Grid | None = None, convention: str | None = None) -> Segmentation:
    """A label map from any tool in place of ours.

    Args:
        image: labels of one of the BraTS conventions, in any number type.
        grid: where the labels are wanted; resampled by nearest neighbor. The image's own by default.
        convention: a name of ``labels.CONVENTIONS``; guessed from the labels, and said, when not given.

    Returns:
        Segmentation without probabilities, of which a label map knows none.

    Raises:
        TumorTwinError: the map is empty, has labels of no convention, or leaves the grid.
    """
    chosen = convention_of(image, convention)
    if not (image.array != 0).any():
        raise TumorTwinError(f"{image.name} is an empty segmentation: outline the tumor or leave it out.")
    notices = []
    decisive = [label for label in (3, 4) if (image.array == label).any()]
    if convention is None and decisive:
        notices.append(
            f"{image.name} was read as {chosen.title} labels, in which {decisive[0]} is "
            f"{chosen.regions[decisive[0]].replace('_', ' ')}."
        )
    labels = Image(image.array.astype(np.uint8), image.grid, image.name)
    if grid is not None and not image.grid.same_as(grid):
        labels = labels.resample(grid, order=0)
        kept = (labels.array != 0).sum() * grid.voxel_volume_mm3
        original = (image.array != 0).sum() * image.grid.voxel_volume_mm3
        if kept == 0:
            raise TumorTwinError(f"{image.name} lies outside the images: check that it belongs to this visit.")
        notices.append(
            f"{image.name} was resampled onto the images' grid: {original / 1000:.2f} mL became {kept / 1000:.2f} mL."
        )
    return Segmentation(labels, dict(chosen.regions), notices=tuple(notices))
