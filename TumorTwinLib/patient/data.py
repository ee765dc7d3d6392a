"""PatientData and Visit: what is known of a patient, in the geometry each scan came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.treatment.events import TreatmentEvent, days_between

# Region names of one visit. Core is what a neurosurgeon calls tumour on contrast T1; whole adds the FLAIR signal.
CORE_REGIONS = ("enhancing", "necrotic_core")
WHOLE_REGIONS = (*CORE_REGIONS, "edema", "non_enhancing")
MODALITIES = ("T1", "T1CE", "T2", "FLAIR", "ADC")
TISSUES = ("white_matter", "grey_matter", "csf")


@dataclass(frozen=True, eq=False)
class Visit:
    """One scanning session.

    Args:
        time: date and time of the scan.
        images: by modality (``MODALITIES``); ADC is in 1e-6 mm2/s.
        regions: Boolean masks by region name (``WHOLE_REGIONS``), all on one grid.
    """

    time: datetime
    images: Mapping[str, Image] = field(default_factory=dict)
    regions: Mapping[str, Image] = field(default_factory=dict)

    def region(self, names: Sequence[str]) -> Image | None:
        """Union of the named regions, or None when the visit has none of them."""
        present = [self.regions[name] for name in names if name in self.regions]
        if not present:
            return None
        union = np.logical_or.reduce([image.array > 0 for image in present])
        return Image(union, present[0].grid, present[0].name)

    @property
    def core(self) -> Image | None:
        """Enhancing tumour and the necrosis inside it."""
        return self.region(CORE_REGIONS)

    @property
    def whole_tumor(self) -> Image | None:
        """Everything abnormal on FLAIR: core, oedema and non-enhancing tumour."""
        return self.region(WHOLE_REGIONS)


@dataclass(frozen=True, eq=False, init=False)
class PatientData:
    """A patient's visits, treatments and organ masks.

    Args:
        patient_id: what the report and the subject hierarchy call the patient.
        imaging_dir: folder of visits, or a ``.json`` patient file; when given, everything is read from it.
        treatment_file: ``treatment.csv``; by default the one inside ``imaging_dir``.
        visits, treatments, brain_mask, tissues: the contents, for callers that have them in memory.
        body_surface_area_m2: needed when some doses are in mg and others in mg/m2.
        notices: sentences the user should see, e.g. a repaired affine.

    Raises:
        TumorTwinError: with one sentence naming the file or node, what is wrong and what to do.
    """

    patient_id: str
    visits: tuple[Visit, ...]
    treatments: tuple[TreatmentEvent, ...]
    brain_mask: Image
    tissues: Mapping[str, Image]
    body_surface_area_m2: float | None
    notices: tuple[str, ...]

    def __init__(
        self,
        patient_id: str | None = None,
        imaging_dir: str | Path | None = None,
        treatment_file: str | Path | None = None,
        *,
        visits: Sequence[Visit] = (),
        treatments: Sequence[TreatmentEvent] = (),
        brain_mask: Image | None = None,
        tissues: Mapping[str, Image] | None = None,
        body_surface_area_m2: float | None = None,
        notices: Sequence[str] = (),
    ) -> None:
        if imaging_dir is not None:
            raise NotImplementedError  # readers: TumorTwinLib/patient/folder.py and json_layout.py
        if brain_mask is None:
            raise TumorTwinError(f"Patient {patient_id} has no brain mask: give one, or make it with the imaging pipeline.")
        values = {
            "patient_id": patient_id or "patient",
            "visits": tuple(visits),
            "treatments": tuple(sorted(treatments, key=lambda event: event.time)),
            "brain_mask": brain_mask,
            "tissues": dict(tissues or {}),
            "body_surface_area_m2": body_surface_area_m2,
            "notices": tuple(notices),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def start(self) -> datetime:
        """Time of the first visit: day 0 of every model time."""
        return self.visits[0].time

    def day(self, time: datetime) -> float:
        """Days since the first visit, with their fraction."""
        return days_between(self.start, time)

    @property
    def visit_days(self) -> tuple[float, ...]:
        return tuple(self.day(visit.time) for visit in self.visits)
