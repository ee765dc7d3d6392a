"""Which nodes of the scene are a patient's scans: chosen in the panel, kept with the scene by node references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import slicer

from TumorTwinLib.mrml.visits import PatientNodes
from TumorTwinLib.patient.data import MODALITIES, TISSUES, PatientData

_SEGMENTATION = "segmentation"
_BRAIN = "brain_mask"
_PATIENT_ID = "patientId"
_TIMES = "visitTimes"


@dataclass(frozen=True)
class VisitSelection:
    """The nodes of one visit. ``time`` is None while it is not known."""

    time: datetime | None = None
    images: Mapping[str, Any] = field(default_factory=dict)
    segmentation: Any = None

    def node(self, column: str):
        """The node in a column of the visit table: a modality, or ``"segmentation"``."""
        return self.segmentation if column == _SEGMENTATION else self.images.get(column)


@dataclass(frozen=True)
class PatientSelection:
    """The nodes of one patient.

    Args:
        patient_id: what results are called and filed under.
        visits: in the order of the table.
        brain_mask: a segmentation or a volume, or None.
        tissues: volumes of tissue fractions by name.
    """

    patient_id: str = ""
    visits: tuple[VisitSelection, ...] = ()
    brain_mask: Any = None
    tissues: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_shown(cls, patient: PatientData, nodes: PatientNodes) -> PatientSelection:
        """The nodes that ``show_patient`` made."""
        visits = (
            VisitSelection(visit.time, dict(shown.images), shown.segmentation)
            for visit, shown in zip(patient.visits, nodes.visits, strict=True)
        )
        return cls(patient.patient_id, tuple(visits), nodes.brain, dict(nodes.tissues))


COLUMNS = (*MODALITIES, _SEGMENTATION)


def store(selection: PatientSelection, parameter_node) -> None:
    """Keep a selection in a vtkMRMLScriptedModuleNode, by node references, which survive saving and renaming."""
    with slicer.util.NodeModify(parameter_node):
        for role in _roles(len(_stored_times(parameter_node))):
            parameter_node.SetNodeReferenceID(role, None)
        parameter_node.SetParameter(_PATIENT_ID, selection.patient_id)
        times = (visit.time.isoformat() if visit.time else "" for visit in selection.visits)
        parameter_node.SetParameter(_TIMES, ",".join(f"[{time}]" for time in times))
        nodes = {_BRAIN: selection.brain_mask, **selection.tissues}
        for number, visit in enumerate(selection.visits, start=1):
            nodes |= {f"visit{number}.{column}": visit.node(column) for column in COLUMNS}
        for role, node in nodes.items():
            if node is not None:
                parameter_node.SetNodeReferenceID(role, node.GetID())


def load(parameter_node) -> PatientSelection:
    """The selection kept in the node; what has left the scene since is missing from it."""
    visits = []
    for number, time in enumerate(_stored_times(parameter_node), start=1):
        nodes = {column: parameter_node.GetNodeReference(f"visit{number}.{column}") for column in COLUMNS}
        segmentation = nodes.pop(_SEGMENTATION)
        images = {name: node for name, node in nodes.items() if node is not None}
        visits.append(VisitSelection(datetime.fromisoformat(time) if time else None, images, segmentation))
    tissues = {name: parameter_node.GetNodeReference(name) for name in TISSUES}
    return PatientSelection(
        parameter_node.GetParameter(_PATIENT_ID) or "",
        tuple(visits),
        parameter_node.GetNodeReference(_BRAIN),
        {name: node for name, node in tissues.items() if node is not None},
    )


def _stored_times(parameter_node) -> list[str]:
    text = parameter_node.GetParameter(_TIMES) or ""
    return [time.strip("[]") for time in text.split(",")] if text else []


def _roles(visit_count: int) -> list[str]:
    visits = (f"visit{number}.{column}" for number in range(1, visit_count + 1) for column in COLUMNS)
    return [_BRAIN, *TISSUES, *visits]
