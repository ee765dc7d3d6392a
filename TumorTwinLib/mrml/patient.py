"""A patient from the nodes of a scene."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.jobs.steps import run_through
from TumorTwinLib.labels import WHOLE_REGIONS
from TumorTwinLib.mrml.segmentations import masks_from_segmentation
from TumorTwinLib.mrml.volumes import image_from_node
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.patient.data import MODALITIES, TISSUES
from TumorTwinLib.treatment.events import TreatmentEvent


def patient_from_nodes(**nodes) -> PatientData:
    """The same patient that a folder of files would give, read from volume and segmentation nodes.

    Args:
        nodes: as ``reading_patient`` takes them.

    Raises:
        TumorTwinError: with one sentence naming the node, what is wrong and what to do.
    """
    return run_through(reading_patient(**nodes))


def reading_patient(
    *,
    patient_id: str,
    visits: Sequence[Mapping],
    brain_mask,
    treatments: Sequence[TreatmentEvent] = (),
    treatment_file: str | Path | None = None,
    tissues: Mapping | None = None,
    body_surface_area_m2: float | None = None,
) -> Generator[None, None, PatientData]:
    """``patient_from_nodes`` in steps of one visit.

    Args:
        visits: one mapping a visit: ``"time"`` (datetime, or ISO 8601 text), ``"images"`` (volume node by modality),
            ``"segmentation"`` (a segmentation node or None).
        brain_mask: label or scalar volume (above 0 is brain), or a segmentation with a brain segment.
        treatments, treatment_file: events in memory, or the path of a ``treatment.csv``.
        tissues: volume nodes with tissue fractions by name (``TISSUES``).
    """
    read = []
    for number, visit in enumerate(visits, start=1):
        read.append(_visit(visit, number))
        yield
    brain = _mask(brain_mask, "brain")
    maps = {name: image_from_node(_known(name, TISSUES, "tissue", node)) for name, node in (tissues or {}).items()}
    yield
    return PatientData(
        patient_id,
        visits=read,
        treatments=treatments,
        treatment_file=treatment_file,
        brain_mask=brain,
        tissues=maps,
        body_surface_area_m2=body_surface_area_m2,
    )


def _visit(visit: Mapping, number: int) -> Visit:
    images = {
        modality: image_from_node(_known(modality, MODALITIES, "modality", node))
        for modality, node in visit.get("images", {}).items()
    }
    segmentation = visit.get("segmentation")
    regions: dict[str, Image] = {}
    if segmentation is not None:
        masks = masks_from_segmentation(segmentation)
        regions = {name: mask for name, mask in masks.items() if name in WHOLE_REGIONS}
        if not regions:
            raise TumorTwinError(
                f"{segmentation.GetName()} has none of the segments {', '.join(WHOLE_REGIONS)} (it has "
                f"{', '.join(masks)}): rename its segments or set their terminology."
            )
    return Visit(_time(visit.get("time"), number), images, regions)


def _known(name: str, names: Sequence[str], kind: str, node):
    if name not in names:
        where = node.GetName() if node else "a volume"
        raise TumorTwinError(f"{where} is given as {kind} {name}, which is not known: use one of {', '.join(names)}.")
    return node


def _time(value, number: int) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise TumorTwinError(
            f"Visit {number} has the date {value!r}: give a date and time like 2024-03-01T09:30."
        ) from None


def brain_from_node(node) -> Image:
    """A brain mask: label or scalar volume (above 0 is brain), or a segmentation with a brain segment.

    Raises:
        TumorTwinError: none is given, or the segmentation has several segments and none is the brain.
    """
    return _mask(node, "brain")


def _mask(node, region: str) -> Image:
    if node is None:
        raise TumorTwinError(f"No {region} mask is selected: choose a label volume or a segmentation.")
    if not node.IsA("vtkMRMLSegmentationNode"):
        image = image_from_node(node)
        return Image(image.array > 0, image.grid, image.name)
    masks = masks_from_segmentation(node)
    if region in masks:
        return masks[region]
    if len(masks) == 1:
        return next(iter(masks.values()))
    raise TumorTwinError(f"{node.GetName()} has no segment named {region} (it has {', '.join(masks)}): rename it.")
