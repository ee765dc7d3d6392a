"""A patient's scans as Slicer nodes: anatomy and segmentation of each visit, and the brain, under the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import slicer

from TumorTwinLib.geometry import Image
from TumorTwinLib.mrml.run_nodes import VISITS_RUN, RunNodes, file_under, patient_item, study_item
from TumorTwinLib.mrml.segmentations import fill_segmentation
from TumorTwinLib.mrml.volumes import fill_volume
from TumorTwinLib.patient import PatientData
from TumorTwinLib.terminology import term_for

ANATOMY = ("T1CE", "FLAIR")  # what a reader looks at; other modalities would only make the scene larger
_BRAIN_SHELL_OPACITY = 0.12


@dataclass(frozen=True)
class VisitNodes:
    """The nodes of one visit. ``segmentation`` is None when nothing was segmented."""

    day: float
    images: dict[str, Any]
    segmentation: Any


@dataclass(frozen=True)
class PatientNodes:
    visits: tuple[VisitNodes, ...]
    brain: Any
    tissues: dict[str, Any] = field(default_factory=dict)

    def anatomy(self, day: float):
        """The volume to look at on a day: the latest anatomy seen by then, of other images only without any; a tissue
        map of a patient of outlines alone."""
        structural = [visit for visit in self.visits if any(name in visit.images for name in ANATOMY)]
        seen = structural or [visit for visit in self.visits if visit.images]
        if not seen:
            return next(iter(self.tissues.values()), None)
        images = ([visit for visit in seen if visit.day <= day] or seen[:1])[-1].images
        return next((images[name] for name in ANATOMY if name in images), next(iter(images.values())))


def show_patient(
    patient: PatientData, modalities: Sequence[str] = ANATOMY, *, show_tissues: bool = False
) -> PatientNodes:
    """Put a patient's visits into the scene, or refill the nodes of an earlier call.

    Args:
        modalities: images shown of each visit; a visit with none of them shows its first image.
        show_tissues: add the tissue maps, so that the scene holds all that a run needs. A patient of outlines alone
            gets them in any case, as anatomy.
    """
    nodes = RunNodes(patient.patient_id, VISITS_RUN)
    visits = []
    for number, (visit, day) in enumerate(zip(patient.visits, patient.visit_days, strict=True), start=1):
        study = study_item(patient.patient_id, f"Visit {number}: {visit.time:%Y-%m-%d}, day {day:.4g}")
        shown = [name for name in modalities if name in visit.images] or list(visit.images)[:1]
        images = {
            name: _show_image(nodes, f"visit{number}/{name}", f"{name} day {day:.4g}", visit.images[name])
            for name in shown
        }
        segmentation = None
        if visit.regions:
            name = f"Segmentation day {day:.4g}"
            segmentation = nodes.get("vtkMRMLSegmentationNode", f"visit{number}/regions", name)
            fill_segmentation(segmentation, visit.regions)
            segmentation.GetDisplayNode().SetVisibility(False)  # all visits at once would cover the forecast
        file_under(study, [*images.values(), *([segmentation] if segmentation else [])])
        _date_study(study, visit.time)
        visits.append(VisitNodes(day, images, segmentation))
    brain = _show_brain(nodes, patient.brain_mask)
    tissues = {}
    if show_tissues or not any(visit.images for visit in patient.visits):
        tissues = {
            name: _show_image(nodes, f"tissue/{name}", term_for(name).name, image)
            for name, image in patient.tissues.items()
        }
    file_under(patient_item(patient.patient_id), [brain, *tissues.values()])
    nodes.remove_unused()
    return PatientNodes(tuple(visits), brain, tissues)


def _date_study(study: int, time: datetime) -> None:
    """Date and time as Slicer keeps them of a DICOM study."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    hierarchy.SetItemAttribute(study, constants.GetDICOMStudyDateAttributeName(), f"{time:%Y%m%d}")
    hierarchy.SetItemAttribute(study, constants.GetDICOMStudyTimeAttributeName(), f"{time:%H%M%S}")


def _show_image(nodes: RunNodes, role: str, name: str, image: Image):
    node = nodes.get("vtkMRMLScalarVolumeNode", role, name)
    is_double = image.array.dtype == np.float64
    fill_volume(node, Image(image.array.astype(np.float32), image.grid, name, image.unit) if is_double else image)
    tissue = image.array[image.array > image.array.min()]  # scans are often mostly empty air
    low, high = np.percentile(tissue, [1, 99]) if tissue.size else (0, 1)
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevelMinMax(float(low), float(high))
    return node


def _show_brain(nodes: RunNodes, mask: Image):
    brain = nodes.get("vtkMRMLSegmentationNode", "brain", "Brain")
    fill_segmentation(brain, {"brain": mask})
    brain.CreateClosedSurfaceRepresentation()
    display = brain.GetDisplayNode()
    display.SetVisibility2D(False)
    display.SetOpacity3D(_BRAIN_SHELL_OPACITY)
    return brain
