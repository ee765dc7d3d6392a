"""A patient's folder: one sub-folder per visit, and what belongs to the whole patient beside them.

::

    GBM_001/
      brain_mask.nii.gz             required; a voxel above 0.5 belongs
      white_matter.nii.gz           optional, fractions 0 to 1; also grey_matter, csf
      treatment.csv                 optional; see treatment_csv
      patient.json                  optional: {"patient_id": "GBM_001", "body_surface_area_m2": 1.85}
      2024-03-05/                   a visit at 00:00 that day
        T1.nii.gz  T1CE.nii.gz  T2.nii.gz  FLAIR.nii.gz  ADC.nii.gz
        seg.nii.gz                  BraTS labels (TumorTwinLib.labels): 1 necrotic core, 2 edema, 4 or 3 enhancing
      2024-06-11T1400_follow-up/    a visit at 14:00; anything may follow the date or time
        ...
      visits.csv                    optional

Visits
    A visit's folder begins with its date (``2024-03-05``) and optionally its time (``2024-03-05T1400``). Where
    ``visits.csv`` is present, with the columns ``date`` (as in treatment.csv) and ``folder`` (relative to the patient),
    it alone says which folders are visits and when; they must be listed in order. Without it, a folder that holds
    volumes and bears no date is an error.

Files of a visit
    ``.nii``, ``.nii.gz``, ``.nrrd`` or ``.mha``, recognised by words in their names, in any case, words being parted by
    anything that is no letter or digit (``UPENN-GBM-00001_11_T1GD.nii.gz`` is T1CE):

    =================  ===========================================================================
    T1                 t1, t1w, t1n, t1 pre
    T1CE               t1ce, t1c, t1gd, t1post, t1 ce, t1 c, t1 gd, t1 post
    T2                 t2, t2w
    FLAIR              flair, t2f, t2 flair
    ADC                adc, in 1e-6 mm2/s, 1e-3 mm2/s or mm2/s
    segmentation       seg, segmentation: one label map, or instead one mask a region:
    enhancing          enhancing
    necrotic_core      necrotic core, necrosis
    edema              edema, oedema
    non_enhancing      non enhancing, nonenhancing
    =================  ===========================================================================

    A region's word outranks seg, and seg outranks a modality (``T1CE_seg`` is a segmentation). Two files for one thing,
    and one file with the words of two, are errors. Other volumes are left out, with a notice; any image may be absent.

Nothing in the folder is changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.labels import WHOLE_REGIONS, regions_from_labels
from TumorTwinLib.patient.checks import check_treatment_times, check_visit_times
from TumorTwinLib.patient.data import MODALITIES, TISSUES, PatientData, Visit
from TumorTwinLib.patient.treatment_csv import read_treatment_csv
from TumorTwinLib.roles import PATIENT_RANKS, SEGMENTATION, VISIT_RANKS, Ranks, role_of
from TumorTwinLib.visit_folders import visit_folders, volumes_in
from TumorTwinLib.volume_files import geometry_notices, read_volume, volume_suffix

_PATIENT_KEYS = ("patient_id", "body_surface_area_m2")


def read_folder(
    folder: Path,
    *,
    patient_id: str | None = None,
    treatment_file: Path | None = None,
    body_surface_area_m2: float | None = None,
) -> PatientData:
    """The patient in ``folder``, laid out as this module's docstring says. The arguments outrank ``patient.json``.

    Raises:
        TumorTwinError: with one sentence naming the file, what is wrong and what to do.
    """
    folders = visit_folders(folder)
    times = [time for time, _ in folders]
    check_visit_times(times, [str(path) for _, path in folders])
    about = _patient_json(folder / "patient.json")
    if treatment_file is None and (folder / "treatment.csv").is_file():
        treatment_file = folder / "treatment.csv"
    treatments = read_treatment_csv(treatment_file) if treatment_file is not None else ()
    check_treatment_times(treatments, times[0], str(treatment_file))

    shared, unknown = _files_by_role(folder, PATIENT_RANKS)
    if "brain_mask" not in shared:
        raise TumorTwinError(f"{folder} has no brain_mask.nii.gz: add one, or make it with the imaging pipeline.")
    visits = []
    for time, path in folders:
        files, left_out = _files_by_role(path, VISIT_RANKS)
        unknown += left_out
        if not files:
            raise TumorTwinError(f"{path} holds no image known by its name: name its files T1, T1CE, FLAIR, ADC, seg.")
        visits.append(_visit(time, files))
    brain_mask = read_mask(shared["brain_mask"])
    tissues = {tissue: read_volume(shared[tissue]) for tissue in TISSUES if tissue in shared}
    notices = list(geometry_notices(files_of(visits, [brain_mask, *tissues.values()])))
    if unknown:
        notices.append(f"Left out, since no name says what it is: {', '.join(str(path) for path in unknown)}.")
    return PatientData(
        patient_id=patient_id or about.get("patient_id") or folder.resolve().name,
        visits=visits,
        treatments=treatments,
        brain_mask=brain_mask,
        tissues=tissues,
        body_surface_area_m2=about.get("body_surface_area_m2")
        if body_surface_area_m2 is None
        else body_surface_area_m2,
        notices=notices,
    )


def read_mask(path: Path) -> Image:
    """A Boolean mask: True where the file's value is above 0.5."""
    volume = read_volume(path)
    return Image(volume.array > 0.5, volume.grid, volume.name)


def files_of(visits: Iterable[Visit], shared: Iterable[Image]) -> list[str]:
    """The files that images read from disk came from, each once."""
    images = [image for visit in visits for image in (*visit.images.values(), *visit.regions.values())]
    return list(dict.fromkeys(image.name for image in (*shared, *images)))


def _visit(time: datetime, files: Mapping[str, Path]) -> Visit:
    regions = {name: read_mask(files[name]) for name in WHOLE_REGIONS if name in files}
    if SEGMENTATION in files:
        if regions:
            mask = next(iter(regions.values()))
            raise TumorTwinError(
                f"{files[SEGMENTATION]} and {mask.name} both segment the visit: keep the label map or the masks."
            )
        regions = regions_from_labels(read_volume(files[SEGMENTATION]))
    return Visit(time, {name: read_volume(files[name]) for name in MODALITIES if name in files}, regions)


def _patient_json(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TumorTwinError(f"{path} is no valid JSON: correct it or remove it.") from error
    if not isinstance(about, dict) or set(about) - set(_PATIENT_KEYS):
        raise TumorTwinError(f"{path} holds something unknown: give {' and '.join(_PATIENT_KEYS)} at most.")
    area = about.get("body_surface_area_m2")
    if not (area is None or (type(area) in (int, float) and 0 < area < float("inf"))):
        raise TumorTwinError(f"{path} has the body surface area {area!r}: give a positive number of m2.")
    return about


def _files_by_role(folder: Path, ranks: Ranks) -> tuple[dict[str, Path], list[Path]]:
    """Volumes of one folder by what their names say they are, and those whose names say nothing."""
    files: dict[str, Path] = {}
    unknown = []
    for path in volumes_in(folder):
        role = role_of(path.name[: -len(volume_suffix(path) or "")], ranks, path)
        if role is None:
            unknown.append(path)
        elif role in files:
            raise TumorTwinError(f"{files[role]} and {path.name} are both {role}: keep one, or rename the other.")
        else:
            files[role] = path
    return files, unknown
