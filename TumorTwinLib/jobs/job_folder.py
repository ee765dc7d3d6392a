"""Making a job folder, and finding its patient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.patient_store import read_patient, write_patient
from TumorTwinLib.jobs.regimen_choice import carried
from TumorTwinLib.jobs.spec import JobSpec, write_spec
from TumorTwinLib.patient import PatientData

PATIENT_FOLDER = "patient"


def write_job(folder: Path, spec: JobSpec, patient: PatientData | None = None) -> None:
    """Fill a folder with a job that runs wherever the folder is.

    Args:
        patient: to store in the folder; without, the job names the place where the patient's files are.

    Raises:
        TumorTwinError: there is no patient at all, or one too many.
    """
    if (patient is None) == (spec.patient is None):
        raise TumorTwinError("A job needs one patient: give either a path or a patient in memory.")
    if patient is not None:
        write_patient(folder / PATIENT_FOLDER, patient)
    else:
        spec = replace(spec, patient=str(Path(str(spec.patient)).absolute()))
    if spec.mapping is not None:
        spec = replace(spec, mapping=str(Path(spec.mapping).absolute()))
    write_spec(folder, carried(spec, folder))


def load_patient(spec: JobSpec, folder: Path) -> PatientData:
    """The patient that the job of a folder names, or the one inside the folder.

    Raises:
        TumorTwinError: with one sentence naming the file, what is wrong and what to do.
    """
    if spec.patient is None:
        return read_patient(folder / PATIENT_FOLDER)
    return PatientData(spec.patient_id, folder / spec.patient)
