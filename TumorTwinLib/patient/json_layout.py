"""A patient described by one JSON file, the layout of the ``HGG_demo`` virtual patients.

::

    {"patient": "HGG_demo_001",
     "brainmask": "{$image_dir}/brainmask.nii.gz",
     "T1_pre": ..., "T1_post": ..., "T2_flair": ...,                                      optional
     "visits": [{"time": "1996-11-15T00:00:00", "adc": ..., "roi_enhance": ..., "roi_nonenhance": ...}, ...],
     "radiotherapy": [{"time": ..., "dose": 2, "units": "Gy"}, ...],                      optional
     "chemotherapy": [{"time": ..., "dose": 105, "units": "mg", "type": "temozolomide"}, ...]}   optional

``{$image_dir}`` is the folder of the JSON file. Every image of a visit may be absent or null; a file that is named
must exist. The layout has one set of anatomical images, which becomes that of the first visit: T1_pre is T1, T1_post is
T1CE, T2_flair is FLAIR. ``roi_enhance`` is the region enhancing, ``roi_nonenhance`` is non_enhancing.

A chemotherapy entry without ``type`` is temozolomide: the layout leaves the name out for gliomas alone, and daily doses
during radiotherapy, then in cycles, are the temozolomide protocol (Stupp, NEJM 2005).
"""

from __future__ import annotations

import json
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.patient.checks import check_treatment_times, check_visit_times
from TumorTwinLib.patient.data import PatientData, Visit
from TumorTwinLib.patient.folder import files_of, read_mask
from TumorTwinLib.patient.treatment_csv import read_treatment_csv
from TumorTwinLib.patient.treatment_entry import parse_time, treatment_event
from TumorTwinLib.treatment.events import TreatmentEvent
from TumorTwinLib.volume_files import geometry_notices, read_volume

_ANATOMY = {"T1_pre": "T1", "T1_post": "T1CE", "T2_flair": "FLAIR"}
_REGIONS = {"roi_enhance": "enhancing", "roi_nonenhance": "non_enhancing"}
_KIND_OF_LIST = {"radiotherapy": "radiotherapy", "chemotherapy": "drug"}
_UNNAMED_DRUG = "temozolomide"


def read_json(
    path: Path,
    *,
    patient_id: str | None = None,
    treatment_file: Path | None = None,
    body_surface_area_m2: float | None = None,
) -> PatientData:
    """The patient of a JSON file. A ``treatment_file`` replaces the treatments in it.

    Raises:
        TumorTwinError: with one sentence naming the file, what is wrong and what to do.
    """
    layout = _load(path)
    entries = _objects(layout, "visits", path)
    if not entries:
        raise TumorTwinError(f"{path} lists no visits: add at least one to its 'visits'.")
    names = [f"{path} visit {number}" for number in range(1, len(entries) + 1)]
    times = [parse_time(entry.get("time"), name) for entry, name in zip(entries, names, strict=True)]
    check_visit_times(times, names)
    treatments = read_treatment_csv(treatment_file) if treatment_file is not None else _treatments(layout, path)
    check_treatment_times(treatments, times[0], str(treatment_file or path))

    brain_mask_file = _file(layout, "brainmask", path)
    if brain_mask_file is None:
        raise TumorTwinError(f"{path} names no 'brainmask': add the path of a brain mask.")
    anatomy = {modality: _file(layout, key, path) for key, modality in _ANATOMY.items()}
    visits = []
    for number, entry in enumerate(entries):
        images = {**(anatomy if number == 0 else {}), "ADC": _file(entry, "adc", path)}
        regions = {region: _file(entry, key, path) for key, region in _REGIONS.items()}
        visits.append(
            Visit(
                times[number],
                {modality: read_volume(file) for modality, file in images.items() if file is not None},
                {region: read_mask(file) for region, file in regions.items() if file is not None},
            )
        )
    brain_mask = read_mask(brain_mask_file)
    return PatientData(
        patient_id=patient_id or str(layout.get("patient") or path.stem),
        visits=visits,
        treatments=treatments,
        brain_mask=brain_mask,
        body_surface_area_m2=body_surface_area_m2,
        notices=geometry_notices(files_of(visits, [brain_mask])),
    )


def _load(path: Path) -> dict:
    try:
        layout = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TumorTwinError(f"{path} does not exist: restore the file or correct the path.") from error
    except json.JSONDecodeError as error:
        raise TumorTwinError(f"{path} is no valid JSON at line {error.lineno}: correct it there.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise TumorTwinError(f"{path} cannot be read: save it as JSON text in UTF-8.") from error
    if not isinstance(layout, dict):
        raise TumorTwinError(f"{path} is no patient file: give an object with brainmask and visits.")
    return layout


def _objects(layout: dict, key: str, path: Path) -> list[dict]:
    entries = layout.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TumorTwinError(f"{path} has a '{key}' that is no list of objects: write it as a list of objects.")
    return entries


def _treatments(layout: dict, path: Path) -> tuple[TreatmentEvent, ...]:
    return tuple(
        treatment_event(
            time=entry.get("time"),
            kind=kind,
            name=str(entry.get("type") or _UNNAMED_DRUG),
            amount=entry.get("dose"),
            unit=str(entry.get("units", "")),
            where=f"{path} {key} {number}",
        )
        for key, kind in _KIND_OF_LIST.items()
        for number, entry in enumerate(_objects(layout, key, path), start=1)
    )


def _file(entry: dict, key: str, path: Path) -> Path | None:
    """The existing file that an entry names, or None when it names none."""
    text = entry.get(key)
    if text is None:
        return None
    if not isinstance(text, str):
        raise TumorTwinError(f"{path} has a '{key}' that is no path: write the path as text.")
    file = path.parent / text.replace("{$image_dir}", str(path.parent))
    if not file.is_file():
        raise TumorTwinError(f"{file} does not exist although {path.name} names it: restore it or remove its '{key}'.")
    return file
