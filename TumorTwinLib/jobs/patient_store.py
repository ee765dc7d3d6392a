"""A patient in a job folder: ``patient.json`` and one ``.npy`` file an array, read back exactly as written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.jobs.files import inside, read_array, read_json, write_array, write_json
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery, TreatmentEvent

PATIENT_FILE = "patient.json"
_PutImage = Callable[[str, Image | None], Any]


def write_patient(folder: Path, patient: PatientData) -> None:
    """Fill a folder with the patient; ``patient.json`` comes last, so that a folder with one is complete."""

    def put(name: str, image: Image | None) -> dict[str, Any] | None:
        if image is None:
            return None
        file = f"{name}.npy"
        write_array(inside(folder, file), image.array)
        return {"file": file, "name": image.name, "unit": image.unit, **image.grid.to_dict()}

    write_json(folder / PATIENT_FILE, _described(patient, put))


def read_patient(folder: Path) -> PatientData:
    """The patient of a folder that ``write_patient`` filled.

    Raises:
        TumorTwinError: a file that is absent, damaged, outside the folder, or contradicts another.
    """
    path = folder / PATIENT_FILE
    described = read_json(path)

    def get(entry: Mapping[str, Any] | None) -> Image | None:
        if entry is None:
            return None
        array = read_array(inside(folder, entry["file"]))
        return Image(array, Grid.from_dict(dict(entry)), entry["name"], entry["unit"])

    def get_all(entries: Mapping[str, Any]) -> dict[str, Any]:
        return {name: get(entry) for name, entry in entries.items()}

    try:
        return PatientData(
            described["patient_id"],
            visits=[
                Visit(datetime.fromisoformat(one["time"]), get_all(one["images"]), get_all(one["regions"]))
                for one in described["visits"]
            ],
            treatments=[read_event(entry, get) for entry in described["treatments"]],
            brain_mask=get(described["brain_mask"]),
            tissues=get_all(described["tissues"]),
            body_surface_area_m2=described["body_surface_area_m2"],
            notices=described["notices"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TumorTwinError(f"{path} is no patient of this TumorTwin ({error!r}): save the job again.") from error


def patient_digest(patient: PatientData) -> str:
    """The same for the same patient wherever it came from, and different after any change that could matter."""
    digest = hashlib.blake2b(digest_size=16)

    def put(name: str, image: Image | None) -> str | None:
        if image is None:
            return None
        digest.update(np.ascontiguousarray(image.array).data)
        return f"{name} {image.array.dtype} {image.unit} {image.grid.to_dict()}"

    described = _described(patient, put)
    del described["notices"]  # they name places on disk
    digest.update(repr(described).encode())
    return digest.hexdigest()


def _described(patient: PatientData, put: _PutImage) -> dict[str, Any]:
    """The patient as JSON, with what ``put`` makes of each image in its place."""
    return {
        "patient_id": patient.patient_id,
        "visits": [
            {
                "time": visit.time.isoformat(),
                "images": {key: put(f"visit{number}_{key}", image) for key, image in visit.images.items()},
                "regions": {key: put(f"visit{number}_{key}", image) for key, image in visit.regions.items()},
            }
            for number, visit in enumerate(patient.visits, start=1)
        ],
        "treatments": [event_entry(event, number, put) for number, event in enumerate(patient.treatments, start=1)],
        "brain_mask": put("brain_mask", patient.brain_mask),
        "tissues": {key: put(key, image) for key, image in patient.tissues.items()},
        "body_surface_area_m2": patient.body_surface_area_m2,
        "notices": list(patient.notices),
    }


def event_entry(event: TreatmentEvent, number: int, put: _PutImage) -> dict[str, Any]:
    """A treatment as JSON, with what ``put`` makes of its volume."""
    entry: dict[str, Any] = {"time": event.time.isoformat()}
    match event:
        case RadiotherapyFraction():
            dose_map = put(f"treatment{number}_dose", event.dose_map)
            return entry | {"kind": "radiotherapy", "dose_gy": event.dose_gy, "dose_map": dose_map}
        case DrugDose():
            dose = {"amount": event.amount, "unit": event.unit, "infusion_hours": event.infusion_hours}
            return entry | {"kind": "drug", "drug": event.drug, **dose}
        case Surgery():
            cavity = put(f"treatment{number}_cavity", event.cavity)
            return entry | {"kind": "surgery", "cavity": cavity, "residual_fraction": event.residual_fraction}


def read_event(entry: Mapping[str, Any], get: Callable[[Any], Image | None]) -> TreatmentEvent:
    """What ``event_entry`` was made of."""
    time = datetime.fromisoformat(entry["time"])
    match entry["kind"]:
        case "radiotherapy":
            return RadiotherapyFraction(time, entry["dose_gy"], get(entry["dose_map"]))
        case "drug":
            return DrugDose(time, entry["drug"], entry["amount"], entry["unit"], entry["infusion_hours"])
        case "surgery":
            return Surgery(time, get(entry["cavity"]), entry["residual_fraction"])
    raise ValueError(f"unknown treatment {entry['kind']!r}")
