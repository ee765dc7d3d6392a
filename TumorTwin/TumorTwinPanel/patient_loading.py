"""A patient's files into the scene, where the table of visits can name and the user can correct them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import slicer

import TumorTwinLib
from TumorTwinLib.mrml.patient_selection import PatientSelection
from TumorTwinLib.mrml.visits import ANATOMY, show_patient
from TumorTwinLib.patient import PatientData
from TumorTwinLib.patient.data import MODALITIES
from TumorTwinPanel.treatment_table import treatmentText


@dataclass(frozen=True)
class LoadedPatient:
    """A patient in the scene. ``bodySurfaceM2`` is 0 where it is not known."""

    selection: PatientSelection
    treatments: str
    bodySurfaceM2: float
    notices: tuple[str, ...]


def samplePatientPath() -> Path:
    """The virtual patient that comes with TumorTwin, in a checkout and in an installed extension."""
    return Path(TumorTwinLib.__file__).resolve().parents[1] / "Resources" / "SampleData" / "glioblastoma"


def loadPatient(path: str | Path) -> LoadedPatient:
    """Read a folder of visits or a JSON patient file into the scene.

    Raises:
        TumorTwinError: with one sentence for the user. The scene is then as it was.
    """
    return addPatient(PatientData(imaging_dir=Path(path)))


def addPatient(patient: PatientData) -> LoadedPatient:
    """Add a patient to the scene and show the last anatomy in the slice views.

    Raises:
        TumorTwinError: a treatment that the table cannot hold. The scene is then as it was.
    """
    treatments = treatmentText(patient.treatments)
    nodes = show_patient(patient, MODALITIES, show_tissues=True)
    selection = PatientSelection.of_shown(patient, nodes)
    slicer.util.setSliceViewerLayers(background=nodes.anatomy(patient.visit_days[-1]), fit=True)
    return LoadedPatient(selection, treatments, patient.body_surface_area_m2 or 0.0, patient.notices)


def anatomyOf(selection: PatientSelection, day: float):
    """The volume to look at on a day: the latest T1CE or FLAIR scanned by then, or None."""
    found = None
    start = selection.visits[0].time if selection.visits else None
    for visit in selection.visits:
        images = [visit.images[name] for name in ANATOMY if name in visit.images]
        seen = found is None or not (start and visit.time) or (visit.time - start).total_seconds() <= day * 86400
        if images and seen:
            found = images[0]
    return found
