"""What scanner and radiologist make of a virtual tumor: ADC with noise, contours that jitter, treatments with dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from Testing.Studies.virtual_tumors import SPACING_MM, Dose, Tissue, Truth, draw_truth, grow, head
from TumorTwinLib.geometry import Image
from TumorTwinLib.models.observation import FREE_WATER_ADC
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent

HORIZONS_DAYS = (30.0, 90.0, 180.0)
_START = datetime(2024, 3, 4, 9, 30)
_FRACTION_GY, _FRACTIONS = 2.0, 30
_ELIMINATION_PER_DAY = 9.242  # of temozolomide
_JITTER_MM = 4.0  # over which a contour's displacement is correlated
_MEASURABLE_MM3 = 1000.0  # at every visit to calibrate on
_NECROTIC_CELLULARITY = 0.3  # what ADC shows of a necrotic cell


@dataclass(frozen=True, eq=False)
class VirtualPatient:
    """A patient with scans so far, and the volumes that scans to come will show.

    Args:
        patient: with the visits to calibrate on and every treatment, planned ones included.
        treated: whether with chemoradiation.
        later_mm3: by region, one volume each horizon, as drawn.
    """

    truth: Truth
    patient: PatientData
    treated: bool
    later_mm3: dict[str, list[float]]


@dataclass(frozen=True)
class Reader:
    """Of one patient's scans: standard deviations of ADC and of contours, and readings that do not change.

    Args:
        adc: of a voxel, over that of free water.
        voxels: local displacement of a contour; whole_mm: of all of it, each time anew.
    """

    adc: float
    voxels: float
    whole_mm: float


def make_patient(seed: int) -> VirtualPatient:
    """A virtual patient; the same seed makes the same."""
    rng = np.random.default_rng(seed)
    found = None
    while found is None:
        found = _candidate(seed, rng)
    return found


def _candidate(seed: int, rng: np.random.Generator) -> VirtualPatient | None:
    """A patient, or None when a later visit to calibrate on shows no tumor that could be measured."""
    truth, treated = draw_truth(rng), bool(rng.random() < 0.5)
    reader = Reader(float(rng.uniform(0.05, 0.1)), float(rng.uniform(0.3, 1.0)), 0.5)
    visits = np.cumsum([0.0, *np.round(rng.uniform(25.0, 45.0, 2))])
    events = _chemoradiation(5.0) if treated else []
    days = [*visits.tolist(), *(float(visits[-1]) + h for h in HORIZONS_DAYS)]
    tissues = grow(truth, _doses(events), days, rng)
    count = len(visits)
    if min(np.count_nonzero(t.total > truth.whole_level) for t in tissues[:count]) * SPACING_MM**3 < _MEASURABLE_MM3:
        return None
    scans = [_scan(day, tissue, truth, reader, rng) for day, tissue in zip(days, tissues, strict=True)]
    place = head()
    patient = PatientData(
        f"virtual_{seed}", visits=scans[:count], treatments=events,
        brain_mask=place.image(place.brain, "brain"),
        tissues={"white_matter": _blurred(place.white, "white"), "grey_matter": _blurred(place.grey, "grey")},
    )  # fmt: skip
    later = [drawn_mm3(scan) for scan in scans[count:]]
    return VirtualPatient(truth, patient, treated, {region: [one[region] for one in later] for region in later[0]})


def drawn_mm3(visit: Visit) -> dict[str, float]:
    """Volume of each region of a scan; zero where nothing is drawn."""
    drawn = {"core": visit.core, "whole_tumor": visit.whole_tumor}
    return {r: 0.0 if m is None else np.count_nonzero(m.array) * m.grid.voxel_volume_mm3 for r, m in drawn.items()}


def _chemoradiation(first_day: float) -> list[TreatmentEvent]:
    """Thirty fractions on weekdays with temozolomide every day, and six cycles after four weeks."""
    weekdays = [first_day + 7 * (n // 5) + n % 5 for n in range(_FRACTIONS)]
    events: list[TreatmentEvent] = [RadiotherapyFraction(_at(day + 0.2), _FRACTION_GY) for day in weekdays]
    events += [DrugDose(_at(day), "temozolomide", 75.0, "mg/m2") for day in np.arange(first_day, weekdays[-1] + 1)]
    for cycle in range(6):
        begin, amount = weekdays[-1] + 28.0 + 28.0 * cycle, 150.0 if cycle == 0 else 200.0
        events += [DrugDose(_at(begin + n), "temozolomide", amount, "mg/m2") for n in range(5)]
    return sorted(events, key=lambda event: event.time)


def _doses(events: Sequence[TreatmentEvent]) -> list[Dose]:
    doses = []
    for event in events:
        day = (event.time - _START).total_seconds() / 86400.0
        if isinstance(event, RadiotherapyFraction):
            doses.append(Dose.fraction(day, event.dose_gy))
        elif isinstance(event, DrugDose):
            doses.append(Dose(day, drug_days=event.amount / 75.0 / _ELIMINATION_PER_DAY))
    return doses


def _scan(day: float, tissue: Tissue, truth: Truth, reader: Reader, rng: np.random.Generator) -> Visit:
    from scipy import ndimage

    place = head()
    total = tissue.total
    jitter = ndimage.gaussian_filter(rng.standard_normal(total.shape), _JITTER_MM / SPACING_MM)
    shift_mm = reader.voxels * SPACING_MM * jitter / jitter.std() + reader.whole_mm * rng.standard_normal()
    whole = _moved(total > truth.whole_level, shift_mm) & place.brain
    core = _moved(total > truth.core_level, shift_mm) & whole
    cells = tissue.living + tissue.dead + _NECROTIC_CELLULARITY * tissue.necrotic
    adc = FREE_WATER_ADC * (1.0 - cells + reader.adc * rng.standard_normal(cells.shape)) * place.brain
    image = Image(np.round(adc).astype(np.float32), place.grid, f"ADC of day {day:g}", "1e-6 mm2/s")
    regions = {
        name: place.image(mask, f"{name} of day {day:g}")
        for name, mask in (("enhancing", core), ("edema", whole & ~core))
        if mask.any()
    }
    return Visit(_at(day), {"ADC": image}, regions)


def _moved(mask: np.ndarray, shift_mm: np.ndarray) -> np.ndarray:
    """The mask with its surface displaced outwards by a smooth (ni, nj, nk) distance."""
    from scipy import ndimage

    if not mask.any():
        return mask
    outside = SPACING_MM * (ndimage.distance_transform_edt(~mask) - 0.5)
    inside = SPACING_MM * (ndimage.distance_transform_edt(mask) - 0.5)
    return np.where(mask, -inside, outside) < shift_mm


def _blurred(share: np.ndarray, name: str) -> Image:
    """Tissue maps as a segmentation has them: not quite sharp."""
    from scipy import ndimage

    return head().image(ndimage.gaussian_filter(share, 1.0).astype(np.float32), name)


def _at(day: float) -> datetime:
    return _START + timedelta(days=float(day))
