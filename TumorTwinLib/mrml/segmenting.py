"""A network's outline of the volumes of one visit, as nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import slicer

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.brain import extract_brain
from TumorTwinLib.imaging.coregistration import reference_modality
from TumorTwinLib.labels import UNIONS
from TumorTwinLib.mrml.patient import brain_from_node
from TumorTwinLib.mrml.segmentations import segmentation_from_masks
from TumorTwinLib.mrml.tables import Column, fill_table
from TumorTwinLib.mrml.volumes import image_from_node, node_from_image
from TumorTwinLib.segmentation.features import feature_rows, region_features
from TumorTwinLib.segmentation.inference import segment
from TumorTwinLib.segmentation.registry import runnable_model

_UNITS = {"_ml": "mL", "_mm": "mm", "_mm2": "mm2", "_percent": "%", "_per_day": "mL/day", "_days": "days"}


@dataclass(frozen=True, eq=False)
class SegmentedNodes:
    """What a segmentation leaves in the scene.

    Args:
        segmentation: one segment a region, with standard terminology.
        table: a row a region: volume with its standard deviation, diameters, shape, intensities.
        probabilities: volume by region, 0 to 1.
        notices: sentences the user should see.
    """

    segmentation: Any
    table: Any
    probabilities: Mapping[str, Any]
    notices: tuple[str, ...] = ()


def segment_nodes(
    volumes: Mapping[str, Any],
    model: str,
    *,
    brain_mask: Any = None,
    device: str = "auto",
    on_progress: Callable[[float], None] | None = None,
) -> SegmentedNodes:
    """Outline the tumor in the volumes of one visit.

    Args:
        volumes: node by modality; they must be aligned already, on any grids.
        brain_mask: segmentation or volume node; found in the scans where the model needs one.

    Raises:
        TumorTwinError: a volume is missing, or the model cannot run here. The scene is then as it was.
    """
    description, notices = runnable_model(model)
    images = {name: image_from_node(node) for name, node in volumes.items() if node is not None}
    brain = None
    if brain_mask is not None:
        brain = brain_from_node(brain_mask)
    elif description.needs_brain_mask and images:
        reference = reference_modality(images)
        found_brain = extract_brain(images[reference], modality=reference)
        brain, notices = found_brain.mask, (*notices, *found_brain.notices)
    found = segment(images, description, brain_mask=brain, device=device, on_progress=on_progress)
    if not found.labels.array.any():
        raise TumorTwinError(f"{description.title} found no tumor in {images[description.modalities[0]].name}.")
    name = f"{images[description.modalities[0]].name} {description.title}"
    parts = {region: mask for region, mask in found.masks.items() if region not in UNIONS}
    first = volumes[description.modalities[0]]
    node = segmentation_from_masks(parts, f"{name} segmentation", reference_volume=first)
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", f"{name} features")
    features = region_features(found.masks, images, volume_sd_ml=found.volume_sd_ml)
    fill_table(table, _columns(feature_rows([(datetime.min, features)])))
    probabilities = {
        region: node_from_image(Image(np.asarray(image.array), image.grid, f"{name} {region} probability", "1"))
        for region, image in found.probabilities.items()
    }
    return SegmentedNodes(node, table, probabilities, (*notices, *found.notices))


def _columns(rows: list[dict]) -> list[Column]:
    """The columns of one visit: time and growth need several."""
    kept = [name for name in rows[0] if name == "region" or any(row[name] == row[name] for row in rows)]
    columns = []
    for name in kept:
        if name in ("visit_time", "day"):
            continue
        unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
        title = name.replace("_", " ")
        columns.append(Column(name, title, unit, f"{title} of the region", [row[name] for row in rows]))
    return columns
