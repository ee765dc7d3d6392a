"""The tumor of one visit, from a network or from whoever outlined it, as the files of that visit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.labels import WHOLE_REGIONS, labels_from_regions
from TumorTwinLib.processing.record import Made
from TumorTwinLib.roles import SEGMENTATION
from TumorTwinLib.segmentation.description import ModelDescription
from TumorTwinLib.segmentation.inference import segment
from TumorTwinLib.segmentation.loading import load_network
from TumorTwinLib.segmentation.result import Segmentation, accept_segmentation
from TumorTwinLib.segmentation.store import ModelStore
from TumorTwinLib.segmentation.weights import file_sha256

CAVITY = "resection_cavity"
_PROBABILITY_DECIMALS, _MM_DECIMALS = 3, 2


def labels_file(visit: str) -> str:
    return f"{visit}/seg.nii.gz"


def cavity_file(visit: str) -> str:
    return f"anatomy/{visit}/{CAVITY}.nii.gz"


def model_identity(description: ModelDescription) -> list[str]:
    """What tells one model from another: its name and the contents of its weights."""
    return [description.name, file_sha256(ModelStore().weights_file(description))]


class Networks:
    """The network of a model, loaded once for all visits."""

    def __init__(self, description: ModelDescription) -> None:
        self.description = description
        self._network: Any = None

    def segment(
        self,
        images: Mapping[str, Image],
        brain: Image,
        device: str,
        on_progress: Callable[[float], None],
        cancelled: Callable[[], bool],
    ) -> Segmentation:
        if self._network is None:
            self._network = load_network(self.description)
        return segment(
            images, self.description, network=self._network, brain_mask=brain, device=device,
            on_progress=on_progress, cancelled=cancelled,
        )  # fmt: skip


def accepted(outlines: Mapping[str, Image], matrix_ras: np.ndarray, grid: Grid, convention: str | None) -> Segmentation:
    """Outlines made elsewhere, on the common grid.

    Args:
        outlines: one label map as ``segmentation``, or masks by region.
        matrix_ras: (4, 4) from where they were drawn to the common frame.

    Raises:
        TumorTwinError: labels of no convention, or outlines that lie outside the grid.
    """
    if SEGMENTATION in outlines:
        labels = outlines[SEGMENTATION]
    else:
        labels = labels_from_regions(outlines, "brats2015", "outlines")
        convention = "brats2015"  # the one that has a label for non-enhancing core
    moved = Image(labels.array, Grid(labels.grid.shape, matrix_ras @ labels.grid.ijk_to_ras), labels.name)
    return accept_segmentation(moved, grid=grid, convention=convention)


def frame_of(outline: Image, scans: Mapping[str, Image], matrices: Mapping[str, np.ndarray], reference: str) -> Any:
    """The matrix of the scan that an outline was drawn on: the one on its grid, else the visit's reference."""
    drawn_on = next((name for name, scan in scans.items() if scan.grid.same_as(outline.grid)), reference)
    return matrices[drawn_on]


def visit_files(found: Segmentation, visit: str, source: str) -> Made:
    """``seg.nii.gz`` with BraTS 2021 labels, and what is known of its certainty.

    Args:
        source: ``"model"``, ``"given"`` or ``"edited"``.
    """
    masks = {region: image for region, image in found.masks.items() if region in WHOLE_REGIONS}
    files: dict[str, Image | Callable] = {}
    if any(image.array.any() for image in masks.values()):
        files[labels_file(visit)] = _labels(masks, f"segmentation of {visit}")
    cavity = found.masks.get(CAVITY)
    if cavity is not None and cavity.array.any():
        files[cavity_file(visit)] = cavity
    for region, image in found.probabilities.items():
        files[f"confidence/{visit}/{region}_probability.nii.gz"] = _rounded(image, _PROBABILITY_DECIMALS)
    for region, image in found.boundary_sd_mm.items():
        files[f"confidence/{visit}/{region}_boundary_sd_mm.nii.gz"] = _rounded(image, _MM_DECIMALS)
    values = {"source": source, "volume_sd_ml": {name: float(sd) for name, sd in found.volume_sd_ml.items()}}
    return Made(files, values, found.notices)


def _labels(masks: Mapping[str, Image], name: str) -> Image:
    """Regions that BraTS 2021 has no label for belong to the core: 2021 has only one part that does not enhance."""
    known = {region: image for region, image in masks.items() if region != "non_enhancing"}
    if (extra := masks.get("non_enhancing")) is not None and extra.array.any():
        own = known.get("necrotic_core")
        array = extra.array if own is None else own.array | extra.array
        known["necrotic_core"] = Image(array, extra.grid, extra.name)
    return labels_from_regions(known, "brats2021", name)


def _rounded(image: Image, decimals: int) -> Image:
    return Image(np.round(image.array.astype(np.float32), decimals), image.grid, image.name, image.unit)
