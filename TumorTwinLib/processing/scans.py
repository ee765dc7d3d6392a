"""What a patient's folder holds, visit by visit: which files, known by their contents, and the images on demand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.load_visits import ScanVisit, load_visits
from TumorTwinLib.imaging.modalities import MODALITIES
from TumorTwinLib.imaging.scan_folder import scan_folder
from TumorTwinLib.imaging.scan_index import SEGMENTATIONS, ScanIndex, visit_label
from TumorTwinLib.patient.data import TISSUES
from TumorTwinLib.processing.preprocessing import preprocess
from TumorTwinLib.processing.record import file_hash
from TumorTwinLib.processing.undated import with_dates

BRAIN_MASK = "brain_mask"
MAPPING = "mapping.csv"
Confirm = Callable[[ScanIndex], ScanIndex]


@dataclass(frozen=True)
class VisitFiles:
    """One visit's scans, not loaded.

    Args:
        label: the visit's folder in the output, ``2024-03-05`` or with its time of day.
        hashes: SHA-256 of the files by modality.
        outlines: the same of masks and label maps made elsewhere.
    """

    label: str
    time: datetime
    hashes: Mapping[str, str]
    outlines: Mapping[str, str]


class PatientScans:
    """The scans of one patient.

    Args:
        index: confirmed, dated, without faults, and without series that are not wanted.
        shared: files of the whole patient by role: ``brain_mask`` and tissues.
        transforms: MONAI transforms applied to each visit when it is loaded, or None.
        notices: sentences for the user; they may name files, so they are shown and not written.
    """

    def __init__(
        self, index: ScanIndex, shared: Mapping[str, Path], transforms: Any = None, notices: Sequence[str] = ()
    ) -> None:
        self.patient_id = index.patient_id
        self.shared = shared
        self.notices = [*notices]
        self._index, self._transforms = index, transforms
        self.visits = tuple(
            VisitFiles(
                visit_label(time),
                time,
                {one.modality: file_hash(*one.files) for one in series if one.modality in MODALITIES},
                {one.modality: file_hash(*one.files) for one in series if one.modality not in MODALITIES},
            )
            for time, series in index.visits().items()
            if time is not None
        )

    @functools.lru_cache(maxsize=2)  # noqa: B019  the first visit and the one at hand; the object lives for one run
    def _loaded(self, number: int) -> ScanVisit:
        chosen = [one for one in self._index.series if one.time == self.visits[number].time and one.modality]
        (visit,) = load_visits(replace(self._index, series=tuple(chosen)))
        self.notices += visit.notices
        if self._transforms is None:
            return visit
        return replace(visit, images=preprocess(visit.images, self._transforms))

    def images(self, number: int) -> dict[str, Image]:
        """The scans of a visit by modality, as acquired or as the user's transforms leave them."""
        return {name: image for name, image in self._loaded(number).images.items() if name in MODALITIES}

    def outlines(self, number: int) -> dict[str, Image]:
        """The label map or the masks that came with a visit."""
        return {name: image for name, image in self._loaded(number).images.items() if name not in MODALITIES}


def find_scans(
    where: str | Path | Iterable[str | Path],
    modalities: Sequence[str] | None,
    *,
    patient_id: str | None = None,
    mapping: str | Path | Mapping[str, str | None] | None = None,
    confirm: Confirm | None = None,
    interval_days: float | None = None,
    transforms: Any = None,
    on_progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_index: Callable[[ScanIndex], None] = lambda index: None,
) -> PatientScans:
    """The scans in a folder or a list of files, ready to be loaded.

    Args:
        modalities: which to use; None for all that are known.
        mapping: the user's word on what the series are: an edited mapping file, or modality by series key.
        confirm: shown the proposed mapping; returns it as the user wants it, or raises to stop.
        interval_days: between visits that have no dates.
        on_index: told what was found, before anything in it is refused.

    Raises:
        TumorTwinError: with one sentence; what is missing, twice or undated is named.
    """
    index = scan_folder(where, patient_id=patient_id, on_progress=on_progress, cancelled=cancelled)
    if isinstance(mapping, Mapping):
        index = index.confirm(mapping)
    elif mapping is not None:
        index = index.confirm_file(mapping)
    index, notices = with_dates(index, interval_days)
    unknown = sorted(set(modalities or ()) - set(MODALITIES))
    if unknown:
        raise TumorTwinError(f"{unknown[0]} is no modality: use some of {', '.join(MODALITIES)}.")
    wanted = {*(modalities or MODALITIES), *SEGMENTATIONS}
    index = index.confirm({one.key: None for one in index.series if one.modality and one.modality not in wanted})
    if confirm is not None:
        index = confirm(index)
    on_index(index)
    faults = index.faults()
    if faults:
        raise TumorTwinError(faults[0])
    shared: dict[str, Path] = {}
    for one in index.series:
        role = one.recognized.modality
        if role in (BRAIN_MASK, *TISSUES) and isinstance(one.source, Path):
            if role in shared:
                raise TumorTwinError(f"There are two files for the {role.replace('_', ' ')}: keep one of them.")
            shared[role] = one.source
    scans = PatientScans(index, shared, transforms, (*index.notices, *notices))
    for visit in scans.visits:
        lacking = [name for name in modalities or () if name not in visit.hashes]
        if lacking and visit.hashes:
            scans.notices.append(f"The visit of {visit.label} has no {' and no '.join(lacking)}.")
    if len({visit.label for visit in scans.visits}) < len(scans.visits):
        raise TumorTwinError("Two visits are at the same minute: correct their dates in the mapping.")
    return scans
