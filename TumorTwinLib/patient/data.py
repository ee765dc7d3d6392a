"""PatientData and Visit: what is known of a patient, in the geometry each scan came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from TumorTwinLib.adc_unit import adc_in_standard_unit
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.labels import CORE_REGIONS, WHOLE_REGIONS
from TumorTwinLib.patient.checks import (
    check_brain_mask,
    check_tissues,
    check_treatment_times,
    check_visit,
    check_visit_times,
    resolve_body_surface_area,
    visit_name,
)
from TumorTwinLib.patient.treatment_csv import read_treatment_csv
from TumorTwinLib.treatment.events import TreatmentEvent, days_between

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
        imaging_dir: folder of visits (see ``patient.folder``), or a ``.json`` patient file (``patient.json_layout``).
        treatment_file: ``treatment.csv``; by default the one inside ``imaging_dir``, or the JSON file's own entries.
        visits, treatments, brain_mask, tissues: the contents, for callers that have them in memory instead. ADC is
            stored in 1e-6 mm2/s, recognised from its values unless the image names its unit.
        body_surface_area_m2: needed when some doses of a drug are in mg and others in mg/m2.
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
            if visits or treatments or brain_mask is not None or tissues:
                raise TumorTwinError(f"{imaging_dir} is given together with visits or masks: give one or the other.")
            read = _read_patient(Path(imaging_dir), patient_id, treatment_file, body_surface_area_m2)
            values = {name: getattr(read, name) for name in self.__dataclass_fields__}
            values["notices"] = (*notices, *read.notices)
        else:
            if treatment_file is not None:
                if treatments:
                    raise TumorTwinError(f"{treatment_file} is given together with treatments: give one or the other.")
                treatments = read_treatment_csv(treatment_file)
            values = _checked_contents(
                patient_id or "patient", visits, treatments, brain_mask, tissues or {}, body_surface_area_m2, notices
            )
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


def _read_patient(
    path: Path, patient_id: str | None, treatment_file: str | Path | None, body_surface_area_m2: float | None
) -> PatientData:
    from TumorTwinLib.patient.folder import read_folder  # both readers build a PatientData, so they import this module
    from TumorTwinLib.patient.json_layout import read_json

    read: Callable[..., PatientData]
    if path.is_dir():
        read = read_folder
    elif path.is_file() and path.suffix.lower() == ".json":
        read = read_json
    else:
        raise TumorTwinError(f"{path} is no patient: give a folder of visits or a .json patient file.")
    return read(
        path,
        patient_id=patient_id,
        treatment_file=None if treatment_file is None else Path(treatment_file),
        body_surface_area_m2=body_surface_area_m2,
    )


def _checked_contents(
    patient_id: str,
    visits: Sequence[Visit],
    treatments: Sequence[TreatmentEvent],
    brain_mask: Image | None,
    tissues: Mapping[str, Image],
    body_surface_area_m2: float | None,
    notices: Sequence[str],
) -> dict[str, object]:
    """The fields of a PatientData whose parts hold together, with ADC in the standard unit."""
    if not visits:
        raise TumorTwinError(f"Patient {patient_id} has no visits: give at least one.")
    if brain_mask is None:
        raise TumorTwinError(f"Patient {patient_id} has no brain mask: give one, or make it with the imaging pipeline.")
    check_visit_times([visit.time for visit in visits], [visit_name(visit) for visit in visits])
    check_treatment_times(treatments, visits[0].time, f"Patient {patient_id}")
    check_brain_mask(brain_mask)
    check_tissues(tissues)
    for visit in visits:
        check_visit(visit, brain_mask)
    area, assumption = resolve_body_surface_area(treatments, body_surface_area_m2, f"Patient {patient_id}")
    return {
        "patient_id": patient_id,
        "visits": tuple(_with_standard_adc(visit, brain_mask) for visit in visits),
        "treatments": tuple(sorted(treatments, key=lambda event: event.time)),
        "brain_mask": brain_mask,
        "tissues": dict(tissues),
        "body_surface_area_m2": area,
        "notices": (*notices, *([assumption] if assumption else [])),
    }


def _with_standard_adc(visit: Visit, brain_mask: Image) -> Visit:
    if "ADC" not in visit.images:
        return visit
    adc = adc_in_standard_unit(visit.images["ADC"], brain_mask)
    return Visit(visit.time, {**visit.images, "ADC": adc}, visit.regions)
