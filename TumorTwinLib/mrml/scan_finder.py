"""Finds a patient's scans among the nodes of a scene, by subject hierarchy, DICOM dates and names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import slicer

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.labels import WHOLE_REGIONS
from TumorTwinLib.mrml.patient_selection import PatientSelection, VisitSelection
from TumorTwinLib.mrml.run_nodes import is_result
from TumorTwinLib.mrml.segmentations import regions_of_segments
from TumorTwinLib.patient.data import MODALITIES, TISSUES
from TumorTwinLib.roles import PATIENT_RANKS, VISIT_RANKS, role_of

_DATE = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?:[T_ ]?(\d{2}):?(\d{2}))?(?!\d)")
_CONTRAST = {"post", "gd", "gad", "gado", "gadolinium", "contrast", "ce", "c"}
_BRAIN_NAMES = {"brain", "brain mask"}


def patients_in_scene() -> list[str]:
    """Names of the patients in the subject hierarchy that have scans, in the order of the tree."""
    return list(dict.fromkeys(name for node in _candidates() if (name := _patient_of(node))))


def find_scans(patient: str = "") -> tuple[PatientSelection, list[str]]:
    """The scans of a patient, sorted into visits.

    Args:
        patient: name in the subject hierarchy; empty for scans that are under no patient.

    Returns:
        What was found, and a sentence for each volume that was left out although its name says what it is.
    """
    notices: list[str] = []
    shared: dict[str, Any] = {}
    groups: dict[object, list] = {}
    for node in _candidates():
        if _patient_of(node) != patient:
            continue
        role = _shared_role(node)
        if role is None:
            groups.setdefault(_visit_key(node), []).append(node)
        elif role not in shared:
            shared[role] = node
    visits = [visit for nodes in groups.values() if (visit := _visit(nodes, notices))]
    visits.sort(key=lambda visit: (visit.time is None, visit.time or datetime.max))
    tissues = {name: shared[name] for name in TISSUES if name in shared}
    return PatientSelection(patient or "patient", tuple(visits), shared.get("brain_mask"), tissues), notices


def _candidates() -> list:
    """Scalar volumes and segmentations, without those that are results of ours."""
    nodes = [
        *slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"),
        *slicer.util.getNodesByClass("vtkMRMLSegmentationNode"),
    ]
    return [node for node in nodes if not node.GetHideFromEditors() and not is_result(node)]


def _visit(nodes: Iterable, notices: list[str]) -> VisitSelection | None:
    found: dict[str, Any] = {}
    time = None
    for node in nodes:
        role = _visit_role(node, notices)
        if role is None:
            continue
        if role in found:
            notices.append(f"{node.GetName()} is left out: {found[role].GetName()} is already the {role} of its visit.")
            continue
        found[role] = node
        time = time or _time_of(node)
    if not found:
        return None
    images = {name: found[name] for name in MODALITIES if name in found}
    return VisitSelection(time, images, found.get("segmentation"))


def _visit_role(node, notices: list[str]) -> str | None:
    """A modality, ``"segmentation"``, or None for a node that is neither."""
    if node.IsA("vtkMRMLSegmentationNode"):
        return "segmentation" if set(regions_of_segments(node)) & set(WHOLE_REGIONS) else None
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return None
    try:
        role = role_of(node.GetName(), VISIT_RANKS, node.GetName())
    except TumorTwinError as error:
        notices.append(str(error))
        return None
    if role == "T1" and _CONTRAST & set(_words(node.GetName())):
        return "T1CE"
    return role if role in MODALITIES else None


def _shared_role(node) -> str | None:
    """The brain mask or a tissue map."""
    name = " ".join(_words(node.GetName()))
    if node.IsA("vtkMRMLSegmentationNode"):
        return "brain_mask" if regions_of_segments(node) == ["brain"] else None
    if name in _BRAIN_NAMES:
        return "brain_mask"
    try:
        return role_of(name, PATIENT_RANKS, node.GetName())
    except TumorTwinError:
        return None


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def _patient_of(node) -> str:
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    return _ancestor_name(hierarchy, node, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelPatient())


def _ancestor_name(hierarchy, node, level: str) -> str:
    own = hierarchy.GetItemByDataNode(node)
    item = hierarchy.GetItemAncestorAtLevel(own, level) if own else 0
    return hierarchy.GetItemName(item) if item else ""


def _visit_key(node) -> object:
    """Nodes with the same key are of one visit: one study, else one folder, else one date in their names."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node)
    study = hierarchy.GetItemAncestorAtLevel(item, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy())
    if study:
        return study
    parent = hierarchy.GetItemParent(item)
    if hierarchy.GetItemLevel(parent) == slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyLevelFolder():
        return parent
    return _time_in(node.GetName())


def _time_of(node) -> datetime | None:
    """When the node was scanned: by its study's DICOM date, else by a date in a name, its own before its parent's."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    item = hierarchy.GetItemByDataNode(node)
    study = hierarchy.GetItemAncestorAtLevel(item, constants.GetDICOMLevelStudy())
    if study:
        date = hierarchy.GetItemAttribute(study, constants.GetDICOMStudyDateAttributeName()) or ""
        clock = hierarchy.GetItemAttribute(study, constants.GetDICOMStudyTimeAttributeName()) or ""
        time = _time_in(f"{date} {clock.replace(':', '')[:4]}".strip())
        if time:
            return time
    return _time_in(node.GetName()) or _time_in(hierarchy.GetItemName(hierarchy.GetItemParent(item)))


def _time_in(text: str) -> datetime | None:
    match = _DATE.search(text)
    if match is None:
        return None
    year, month, day, hour, minute = (int(part) for part in match.groups("0"))
    try:
        return datetime(year, month, day, hour, minute)
    except ValueError:  # eight digits that are no date
        return None
