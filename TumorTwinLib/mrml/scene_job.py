"""A job for a patient on disk, in the scene or in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.mrml.patient import patient_from_nodes
from TumorTwinLib.mrml.patient_selection import PatientSelection, VisitSelection
from TumorTwinLib.mrml.scan_finder import find_scans, patients_in_scene
from TumorTwinLib.patient import PatientData
from TumorTwinLib.treatment.events import TreatmentEvent


@dataclass(frozen=True, eq=False)
class SceneJob:
    """What to compute, and for whom.

    Args:
        spec: the settings.
        patient: read and checked.
        in_scene: whether the patient's scans are nodes already.
    """

    spec: JobSpec
    patient: PatientData
    in_scene: bool = False

    def save(self, folder: str | Path) -> None:
        """Write a job folder that any machine with TumorTwin can compute.

        Raises:
            TumorTwinError: the folder cannot be written.
        """
        try:
            write_job(Path(folder), self.spec, self.patient)
        except OSError as error:
            raise TumorTwinError(f"{folder} cannot be written ({error.strerror}): choose another folder.") from error

    def changed(self, **settings) -> SceneJob:
        """The same with other fields of the spec."""
        return replace(self, spec=replace(self.spec, **settings))


def select_nodes(
    images: Mapping[str, Any], segmentation: Any, times: Sequence, *, patient_id: str, brain_mask: Any, tissues: Mapping
) -> PatientSelection:
    """Nodes given by modality, sorted into visits.

    Args:
        images: node by modality, or a list with one node (or None) a visit.
        segmentation: the same, of segmentations.
        times: one a visit.

    Raises:
        TumorTwinError: lists of different lengths.
    """
    columns = {name: _one_a_visit(nodes) for name, nodes in {**images, "segmentation": segmentation}.items()}
    columns = {name: nodes for name, nodes in columns.items() if nodes}
    for name, nodes in columns.items():
        if len(nodes) != len(times):
            raise TumorTwinError(
                f"There are {len(times)} times and {len(nodes)} nodes for {name}: give one a visit, None where there "
                "is none."
            )
    visits = []
    for number, time in enumerate(times):
        row = {name: nodes[number] for name, nodes in columns.items() if nodes[number] is not None}
        visits.append(VisitSelection(time, row, row.pop("segmentation", None)))
    return PatientSelection(patient_id, tuple(visits), brain_mask, tissues)


def prepare_job(
    patient: str | Path | PatientSelection | PatientData,
    *,
    treatments: Sequence[TreatmentEvent] = (),
    treatment_file: str | Path | None = None,
    body_surface_area_m2: float | None = None,
    **settings,
) -> SceneJob:
    """Read a patient, from wherever, and check it and the settings before any work.

    Args:
        patient: folder of visits or ``.json`` file; name of a patient in the subject hierarchy; nodes; or in memory.
        treatments: for nodes, which have none of their own.
        treatment_file, body_surface_area_m2: for nodes, and instead of what the files say.
        settings: fields of ``JobSpec``.

    Raises:
        TumorTwinError: with one sentence naming the file, the node or the setting.
    """
    spec = JobSpec(**settings)
    if isinstance(patient, PatientData):
        return SceneJob(spec, patient)
    if not isinstance(patient, PatientSelection) and Path(patient).exists():
        if treatments:
            raise TumorTwinError(f"{patient} brings its own treatments: give a treatment file to replace them.")
        read = PatientData(
            spec.patient_id, patient, treatment_file=treatment_file, body_surface_area_m2=body_surface_area_m2
        )
        return SceneJob(spec, read)
    selection = patient if isinstance(patient, PatientSelection) else _named(str(patient))
    needed = spec.images_needed
    visits = [
        {
            "time": visit.time,
            "images": {name: node for name, node in visit.images.items() if name in needed},
            "segmentation": visit.segmentation,
        }
        for visit in selection.visits
    ]
    read = patient_from_nodes(
        patient_id=spec.patient_id or selection.patient_id,
        visits=visits,
        brain_mask=selection.brain_mask,
        tissues=selection.tissues,
        treatments=treatments,
        treatment_file=treatment_file,
        body_surface_area_m2=body_surface_area_m2,
    )
    return SceneJob(spec, read, in_scene=True)


def _named(patient: str) -> PatientSelection:
    names = patients_in_scene()
    if patient not in names:
        raise TumorTwinError(
            f"{patient} is no patient: give a folder of visits, a .json patient file, or the name of a patient in the "
            f"scene, which has {', '.join(names) or 'none'}."
        )
    return find_scans(patient)[0]


def _one_a_visit(nodes: Any) -> list:
    if nodes is None:
        return []
    return list(nodes) if isinstance(nodes, list | tuple) else [nodes]
