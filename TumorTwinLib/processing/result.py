"""What the imaging pipeline hands on."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from TumorTwinLib.patient import PatientData

_NAMED = ("imaging", "patient", "brain_mask", "tissues", "features", "manifest")


@dataclass(frozen=True, eq=False)
class Processed(Mapping[str, Any]):
    """A patient on one grid, ready for calibration: by key, or as attributes.

    ===================  ==========================================================================
    key                  value
    ===================  ==========================================================================
    ``imaging``          folder that ``PatientData(imaging_dir=...)`` reads
    ``patient``          that ``PatientData``
    ``scan_baseline``    first visit: ``images`` by modality, ``regions``, ``time``
    ``scan_followup``    second visit; absent when there is one alone
    ``scan_1`` ...       every visit by number
    ``brain_mask``       of the patient
    ``tissues``          white matter, grey matter and CSF as fractions
    ``features``         path of the CSV table: volumes, diameters, intensities, growth
    ``manifest``         path of the record: hashes, versions, transforms, quality
    ===================  ==========================================================================

    Args:
        folder: the output.
        notices: sentences the user should see.
        computed: steps that were computed; those done before are not among them.
    """

    folder: Path
    notices: tuple[str, ...] = ()
    computed: tuple[str, ...] = field(default=())

    @functools.cached_property
    def patient(self) -> PatientData:
        return PatientData(imaging_dir=self.folder)

    def __getitem__(self, key: str) -> Any:
        visits = self.patient.visits
        values: dict[str, Any] = {
            "imaging": self.folder,
            "patient": self.patient,
            "brain_mask": self.patient.brain_mask,
            "tissues": self.patient.tissues,
            "features": self.folder / "features.csv",
            "manifest": self.folder / "manifest.json",
            "scan_baseline": visits[0],
            **{f"scan_{number}": visit for number, visit in enumerate(visits, start=1)},
        }
        if len(visits) > 1:
            values["scan_followup"] = visits[1]
        return values[key]

    def __iter__(self) -> Iterator[str]:
        count = len(self.patient.visits)
        numbered = (f"scan_{number}" for number in range(1, count + 1))
        return iter([*_NAMED, "scan_baseline", *(("scan_followup",) if count > 1 else ()), *numbered])

    def __len__(self) -> int:
        return sum(1 for _ in self)
