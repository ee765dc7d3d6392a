"""The series found in a folder, what each is taken for, and the user's word on it. Headers only; no pixel is held."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from TumorTwinLib.csv_rows import parse_time, read_rows
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.imaging.dicom_stacks import Stack
from TumorTwinLib.imaging.modalities import CONFIDENCES, MODALITIES, Recognition
from TumorTwinLib.roles import VISIT_RANKS

SEGMENTATIONS = tuple(role for rank in VISIT_RANKS[:2] for role in rank)  # masks and label maps made elsewhere
CHOICES = (*MODALITIES, *SEGMENTATIONS)
COLUMNS = ("series", "date", "modality", "confidence", "evidence", "description", "slices", "spacing_mm", "problem")


@dataclass(frozen=True, eq=False)
class ScanSeries:
    """One volume, or one volume at several times, that can be loaded.

    Args:
        key: short and the same at every scan of the same files; tells nothing of the patient.
        patient: pseudonym.
        time: of the visit, or None when neither header nor folder gives it.
        description: what the scanner or the file calls it, without identifiers.
        recognized: what it seems to be.
        modality: what it is taken for, one of ``CHOICES``; empty when it is left out.
        confirmed: the user said so.
        source: stacks of DICOM planes in order of time, or a volume file.
        original: as acquired, not reformatted from another series.
        problem: why it cannot be loaded, as the end of a sentence; empty when it can.
    """

    key: str
    patient: str
    time: datetime | None
    description: str
    recognized: Recognition
    source: tuple[Stack, ...] | Path
    modality: str = ""
    confirmed: bool = False
    original: bool = True
    problem: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"Series {self.key} ('{self.description}', {visit_label(self.time)})"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that it is read from, each once."""
        if isinstance(self.source, Path):
            return (self.source,)
        return tuple(dict.fromkeys(plane.file for stack in self.source for plane in stack.planes))

    @property
    def spacing_mm(self) -> tuple[float, float, float] | None:
        """Voxel spacing, None for a file that was not opened yet or planes that make no volume."""
        grid = None if isinstance(self.source, Path) else self.source[0].grid
        return None if grid is None else grid.spacing_mm

    def row(self) -> dict[str, str]:
        """The cells of the mapping table."""
        spacing = self.spacing_mm
        return {
            "series": self.key,
            "date": "" if self.time is None else self.time.isoformat(timespec="minutes"),
            "modality": self.modality,
            "confidence": "confirmed" if self.confirmed else self.recognized.confidence,
            "evidence": "; ".join(filter(None, (self.recognized.modality, *self.recognized.evidence))),
            "description": self.description,
            "slices": "" if isinstance(self.source, Path) else str(len(self.source[0].planes)),
            "spacing_mm": "" if spacing is None else " x ".join(f"{s:.3g}" for s in spacing),
            "problem": self.problem,
        }


@dataclass(frozen=True, eq=False)
class ScanIndex:
    """What a scan of a folder found.

    Args:
        series: in order of time.
        patient_id: pseudonym or the name given; with several patients, that of the first.
        notices: sentences the user should see: damaged files, copies, objects that are no images.
        same_patient: all series are one person's because the caller said so.
    """

    series: tuple[ScanSeries, ...]
    patient_id: str
    notices: tuple[str, ...] = ()
    same_patient: bool = False

    def confirm(
        self, modalities: Mapping[str, str | None] | None = None, *, dates: Mapping[str, object] | None = None
    ) -> ScanIndex:
        """The index after the user's word; series not mentioned stay proposals.

        Args:
            modalities: by series key, one of ``CHOICES``, or None or empty to leave the series out.
            dates: by series key, the visit's date (ISO 8601).

        Raises:
            TumorTwinError: a key or a modality is unknown, or a date cannot be read.
        """
        modalities, dates = modalities or {}, dates or {}
        known = {series.key for series in self.series}
        for key in (*modalities, *dates):
            if key not in known:
                raise TumorTwinError(f"There is no series {key} in the folder: scan it again and map the series found.")
        for key, modality in modalities.items():
            if modality and modality not in CHOICES:
                raise TumorTwinError(f"Series {key} is mapped to '{modality}': use one of {', '.join(CHOICES)}.")
        changed = []
        for series in self.series:
            key, updated = series.key, series
            if key in dates:
                updated = replace(updated, time=parse_time(dates[key], f"Series {key}"))
            if key in modalities:
                updated = replace(updated, modality=modalities[key] or "", confirmed=True)
            changed.append(updated)
        return replace(self, series=propose(changed))

    def write_mapping(self, path: str | Path) -> None:
        """Writes the mapping as ``.csv`` or ``.json`` for the user to edit; the file appears whole or not at all.

        Raises:
            TumorTwinError: the suffix is another one, or the folder cannot be written.
        """
        path, rows = Path(path), [series.row() for series in self.series]
        if path.suffix.lower() == ".json":
            text = json.dumps({"series": rows}, indent=2) + "\n"
        elif path.suffix.lower() == ".csv":
            buffer = io.StringIO(newline="")
            table = csv.DictWriter(buffer, COLUMNS)
            table.writeheader()
            table.writerows(rows)
            text = buffer.getvalue()
        else:
            raise TumorTwinError(f"{path} has the wrong ending: name the mapping .csv or .json.")
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_text(text, encoding="utf-8", newline="")
            os.replace(unfinished, path)
        except OSError as error:
            raise TumorTwinError(f"{path} cannot be written: check that its folder exists and is writable.") from error
        finally:
            unfinished.unlink(missing_ok=True)

    def confirm_file(self, path: str | Path) -> ScanIndex:
        """The index after every row of a mapping file that ``write_mapping`` wrote and the user has checked.

        Raises:
            TumorTwinError: the file cannot be read or lacks a column, or as in ``confirm``.
        """
        path = Path(path)
        if path.suffix.lower() == ".json":
            try:
                rows = json.loads(path.read_text(encoding="utf-8"))["series"]
                cells = [(row["series"], row["modality"], row.get("date", "")) for row in rows]
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise TumorTwinError(f"{path} is no mapping of series: write it anew and edit that.") from error
        else:
            cells = [
                (row["series"], row["modality"], row.get("date", ""))
                for _, row in read_rows(path, ("series", "modality"))
            ]
        return self.confirm(
            {key: modality for key, modality, _ in cells}, dates={key: date for key, _, date in cells if date}
        )

    def visits(self) -> dict[datetime | None, tuple[ScanSeries, ...]]:
        """The series that are taken for something, by visit in order of time."""
        return {time: members for time, group in _by_visit(self.series).items() if (members := _chosen(group))}

    def faults(self, modalities: Sequence[str] | None = None) -> tuple[str, ...]:
        """One sentence for each thing that keeps the visits from being loaded: no date, two patients, a modality that a
        visit lacks (when ``modalities`` are asked for) or has twice, a series that makes no volume."""
        visits = self.visits()
        found = list(self._faults_of_all(visits))
        for time, group in visits.items():
            for modality in dict.fromkeys((*(modalities or ()), *(series.modality for series in group))):
                members = [series for series in group if series.modality == modality]
                if not members:
                    found.append(
                        f"{_visit_named(time)} has no {modality}: say in the mapping which series it is, "
                        f"or leave {modality} out."
                    )
                elif modalities is not None and modality not in modalities:
                    continue
                elif len(members) > 1:
                    keys = ", ".join(f"{series.key} '{series.description}'" for series in members)
                    found.append(f"{_visit_named(time)} has {len(members)} {modality} ({keys}): keep one.")
                elif members[0].problem:
                    found.append(f"{members[0].name} {members[0].problem}; export it again or choose another series.")
        return tuple(found)

    def _faults_of_all(self, visits: Mapping[datetime | None, Sequence[ScanSeries]]) -> list[str]:
        found = []
        chosen = [series for group in visits.values() for series in group]
        if not chosen:
            found.append("No series is known by its header or name: say in the mapping what the series are.")
        patients = list(dict.fromkeys(series.patient for series in chosen))
        if len(patients) > 1 and not self.same_patient:
            found.append(
                f"The folder holds scans of {len(patients)} patients ({', '.join(patients)}): leave the others' series "
                "out, or give a patient_id if they are one person."
            )
        if undated := visits.get(None):
            found.append(
                f"{undated[0].name} has no date: put the files into a folder named by it, such as 2024-03-05, or give "
                "the date in the mapping."
            )
        return found


def propose(series: Sequence[ScanSeries]) -> tuple[ScanSeries, ...]:
    """Takes each series for what it seems to be, and among several of one modality at a visit the best alone.

    What the user confirmed stays. Of the others, one that makes a volume outranks one that does not, clear evidence
    outranks contradicting evidence, an original outranks a reformatted series, and the finer outranks the coarser.
    Equals are all kept: choosing between them is the user's.
    """
    proposed: dict[str, str] = {}
    for group in _by_visit(series).values():
        settled = {one.modality for one in group if one.confirmed}
        for modality in CHOICES:
            rivals = [one for one in group if not one.confirmed and one.recognized.modality == modality]
            if rivals and modality not in settled:
                best = max(map(_merit, rivals))
                proposed |= {one.key: modality for one in rivals if _merit(one) == best}
    found = [one if one.confirmed else replace(one, modality=proposed.get(one.key, "")) for one in series]
    return tuple(sorted(found, key=lambda one: (one.time is None, one.time or datetime.max)))


def visit_label(time: datetime | None) -> str:
    """A visit's date as messages and folders write it, with the time unless it is midnight."""
    if time is None:
        return "no date"
    return time.strftime("%Y-%m-%d" if (time.hour, time.minute) == (0, 0) else "%Y-%m-%dT%H%M")


def _visit_named(time: datetime | None) -> str:
    return "The visit without a date" if time is None else f"The visit of {visit_label(time)}"


def _merit(series: ScanSeries) -> tuple:
    coarsest = max(series.spacing_mm or (0.0,))
    clear = series.recognized.confidence != CONFIDENCES[0]
    return (not series.problem, clear, series.original, -round(coarsest, 1))


def _by_visit(series: Sequence[ScanSeries]) -> dict[datetime | None, list[ScanSeries]]:
    groups: dict[datetime | None, list[ScanSeries]] = {}
    for one in sorted(series, key=lambda one: (one.time is None, one.time or datetime.max)):
        groups.setdefault(one.time, []).append(one)
    return groups


def _chosen(group: Sequence[ScanSeries]) -> tuple[ScanSeries, ...]:
    return tuple(series for series in group if series.modality)
