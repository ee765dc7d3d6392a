"""Any folder of scans, or a list of files, to an index of its series: DICOM by header, volume files by name.

A folder may be a patient's whole DICOM export. Series are grouped by study date; volume files (NIfTI, NRRD, MHA) by the
dated folder they lie in, as in ``visit_folders``.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.imaging.deidentify import pseudonym, scrub, secrets_of
from TumorTwinLib.imaging.dicom_headers import Instance, is_dicom, read_instance
from TumorTwinLib.imaging.dicom_stacks import SeriesPart, split_series
from TumorTwinLib.imaging.modalities import MODALITIES, Recognition, recognize_dicom, recognize_name
from TumorTwinLib.imaging.scan_index import ScanIndex, ScanSeries, propose
from TumorTwinLib.roles import PATIENT_RANKS, role_of
from TumorTwinLib.visit_folders import time_of_folder, visit_folders
from TumorTwinLib.volume_files import volume_suffix


def scan_folder(
    where: str | Path | Iterable[str | Path],
    *,
    patient_id: str | None = None,
    salt: str = "",
    keep_identifiers: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ScanIndex:
    """The series of a folder and all below it, each with a proposed modality. Reads headers, never pixels.

    Args:
        where: a folder, a file, or files.
        patient_id: what to call the patient, who is one person; without it a pseudonym is made.
        salt: secret for the pseudonym (``deidentify.pseudonym``).
        keep_identifiers: leave names, IDs and file paths in descriptions and messages.
        on_progress: called with files seen and files in all.
        cancelled: asked now and then.

    Raises:
        TumorTwinError: there is nothing to read, or a folder's date is none.
        CancelledError: ``cancelled`` said so.
    """
    root, files = _files(where)
    instances: list[Instance] = []
    volumes: list[Path] = []
    damaged: list[tuple[Path, str]] = []
    for done, path in enumerate(files):
        if cancelled is not None and cancelled():
            raise CancelledError("Looking through the folder was stopped.")
        if on_progress is not None:
            on_progress(done, len(files))
        try:
            if volume_suffix(path):
                volumes.append(path)
            elif is_dicom(path) and (instance := read_instance(path)) is not None:
                instances.append(instance)
        except TumorTwinError as error:
            damaged.append((path, str(error)))
        except OSError:
            damaged.append((path, f"{path} cannot be opened: check its permissions."))
    if on_progress is not None:
        on_progress(len(files), len(files))
    identifiers = [dict(items) for items in {tuple(sorted(i.identifiers.items())) for i in instances}]
    secrets = frozenset() if keep_identifiers else secrets_of(identifiers)

    def shown(text: str) -> str:
        return text if keep_identifiers else scrub(text, secrets)

    naming = _Naming(patient_id, salt, keep_identifiers, shown)
    series, notices = _dicom_series(instances, naming)
    series += _volume_series(root, volumes, naming)
    notices += [text.replace(str(path), shown(path.relative_to(root).as_posix())) for path, text in damaged]
    if not series:
        reasons = " ".join(["", *notices[:1]])
        raise TumorTwinError(f"The folder holds no DICOM images, NIfTI, NRRD or MHA files: choose another.{reasons}")
    proposed = propose(series)
    return ScanIndex(proposed, proposed[0].patient, tuple(notices), same_patient=patient_id is not None)


@dataclass(frozen=True)
class _Naming:
    """How patients and series are called."""

    patient_id: str | None
    salt: str
    keep_identifiers: bool
    shown: Callable[[str], str]

    def patient(self, identifiers: dict[str, str]) -> str:
        if self.patient_id is not None:
            return self.patient_id
        if self.keep_identifiers and identifiers.get("PatientID"):
            return identifiers["PatientID"]
        return pseudonym(identifiers, self.salt)

    def cleared(self, recognized: Recognition) -> Recognition:
        return replace(recognized, evidence=tuple(map(self.shown, recognized.evidence)))


def _files(where: str | Path | Iterable[str | Path]) -> tuple[Path, list[Path]]:
    """The folder that messages name files relative to, and every visible file."""
    if not isinstance(where, (str, Path)):
        files = sorted(Path(path).resolve() for path in where)
        return Path(os.path.commonpath([file.parent for file in files])) if files else Path(), files
    root = Path(where).resolve()
    if root.is_file():
        return root.parent, [root]
    if not root.is_dir():
        raise TumorTwinError(f"{where} does not exist: choose a folder of scans.")
    return root, sorted(_walk(root))


def _walk(root: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]
        yield from (Path(folder) / name for name in names if not name.startswith("."))


def _dicom_series(instances: Sequence[Instance], naming: _Naming) -> tuple[list[ScanSeries], list[str]]:
    groups: dict[tuple[str, str], list[Instance]] = {}
    for instance in instances:
        groups.setdefault((instance.study, instance.series), []).append(instance)
    # Every study of one day is one visit, at the time of the first.
    days: dict[object, datetime] = {}
    for instance in instances:
        if instance.studied is not None:
            day = instance.studied.date()
            days[day] = min(days.get(day, instance.studied), instance.studied).replace(second=0, microsecond=0)
    patients: dict[tuple, str] = {}
    found: list[ScanSeries] = []
    copies, no_images = 0, Counter[str]()
    for (_, uid), members in groups.items():
        first = members[0]
        planes = [plane for instance in members for plane in instance.planes]
        if not planes:
            no_images[str(first.facts.get("Modality", "?"))] += len(members)
            continue
        parts, copied = split_series(planes)
        copies += copied
        who = tuple(sorted(first.identifiers.items()))
        if who not in patients:
            patients[who] = naming.patient(dict(first.identifiers))
        time = days[first.studied.date()] if first.studied is not None else None
        title = naming.shown(str(first.facts.get("SeriesDescription") or first.facts.get("ProtocolName") or "no title"))
        for part in parts:
            series = _part(part, uid, patients[who], time, title, first)
            found.append(replace(series, recognized=naming.cleared(series.recognized)))
    notices = []
    if copies:
        notices.append(f"{copies} DICOM images are copies of others in the folder and were read once.")
    if no_images:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(no_images.items()))
        notices.append(f"Left out, since they are no images in space: {kinds}.")
    return found, notices


def _part(
    part: SeriesPart, uid: str, patient: str, time: datetime | None, title: str, instance: Instance
) -> ScanSeries:
    stack = part.stacks[0]
    plane = stack.planes[0]
    facts = {**instance.facts, "EchoTime": plane.echo_ms, "InversionTime": plane.inversion_ms}
    recognized = recognize_dicom(facts, plane, len(part.stacks))
    if len(stack.planes) == 1 and recognized.modality in MODALITIES:
        recognized = Recognition("single slice", "high", recognized.evidence)
    problem = part.problem
    if "MOSAIC" in plane.image_type:
        problem = "is stored as a Siemens mosaic of all slices in one image"
    return ScanSeries(
        key=_key(uid, part.label),
        patient=patient,
        time=time,
        description=", ".join(filter(None, (title, part.label))),
        recognized=recognized,
        source=part.stacks,
        original="DERIVED" not in plane.image_type and not {"REFORMATTED", "MPR"} & set(plane.image_type),
        problem=problem,
    )


def _volume_series(root: Path, volumes: Sequence[Path], naming: _Naming) -> list[ScanSeries]:
    if not volumes:
        return []
    listed = dict(_listed_visits(root))
    patient = naming.patient({"PatientID": root.name})
    found = []
    for path in volumes:
        inside = path.relative_to(root).as_posix()
        name = path.name[: -len(volume_suffix(path) or "")]
        shared = role_of(name, PATIENT_RANKS, inside)
        recognized = Recognition(shared, "high", (f"name '{name}'",)) if shared else recognize_name(name)
        time = next((listed[folder] for folder in path.parents if folder in listed), None) or _dated(path, root)
        found.append(ScanSeries(_key(inside), patient, time, naming.shown(inside), naming.cleared(recognized), path))
    return found


def _listed_visits(root: Path) -> Iterator[tuple[Path, datetime]]:
    if (root / "visits.csv").is_file():
        yield from ((folder.resolve(), time) for time, folder in visit_folders(root))


def _dated(path: Path, root: Path) -> datetime | None:
    """The date of the nearest folder, up to the one that was chosen."""
    folders = (folder for folder in path.parents if folder.is_relative_to(root))
    return next((time for folder in folders if (time := time_of_folder(folder)) is not None), None)


def _key(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:6]
