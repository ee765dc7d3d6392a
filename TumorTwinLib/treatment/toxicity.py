"""What a course costs the patient, as far as arithmetic tells: proxies to weigh against effect, not predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from TumorTwinLib.treatment.dosing import STANDARD_BODY_SURFACE_AREA_M2
from TumorTwinLib.treatment.drugs import find_drug, relative_dose
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery, TreatmentEvent, days_between
from TumorTwinLib.treatment.radiotherapy import lq_exponent_gy

LATE_TISSUE_ALPHA_BETA_GY = 3.0  # the convention for late effects in normal tissue (Fowler, Br J Radiol 2010)


@dataclass(frozen=True)
class Toxicity:
    """Burden of a course.

    Args:
        bed3_gy: biologically effective dose of all fractions to tissue with alpha/beta 3 Gy at the prescribed dose.
        cumulative_dose: by drug, in the unit of the drug's reference dose: mg/m2 for cytotoxic drugs, mg for others.
        units: of these.
        weeks: from the first treatment to the end of the last, in begun weeks.
        visits: days on which something is given.
        surgeries: how many.
    """

    bed3_gy: float = 0.0
    cumulative_dose: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    weeks: int = 0
    visits: int = 0
    surgeries: int = 0


def toxicity_proxies(
    events: Iterable[TreatmentEvent], body_surface_area_m2: float = STANDARD_BODY_SURFACE_AREA_M2
) -> Toxicity:
    """The proxies of a course.

    Args:
        body_surface_area_m2: for doses in mg of a drug that is counted in mg/m2, and the other way round.
    """
    events = tuple(events)
    if not events:
        return Toxicity()
    bed = 0.0
    cumulative: dict[str, float] = {}
    units: dict[str, str] = {}
    for event in events:
        if isinstance(event, RadiotherapyFraction):
            bed += float(lq_exponent_gy(event.dose_gy, LATE_TISSUE_ALPHA_BETA_GY))
        elif isinstance(event, DrugDose):
            amount, unit = _counted(event, body_surface_area_m2)
            cumulative[event.drug] = cumulative.get(event.drug, 0.0) + amount
            units[event.drug] = unit
    times = [event.time for event in events]
    return Toxicity(
        bed3_gy=bed,
        cumulative_dose=cumulative,
        units=units,
        weeks=int(days_between(min(times), max(times)) // 7) + 1,
        visits=len({time.date() for time in times}),
        surgeries=sum(isinstance(event, Surgery) for event in events),
    )


def _counted(dose: DrugDose, body_surface_area_m2: float) -> tuple[float, str]:
    drug = find_drug(dose.drug)
    if drug is None:
        return dose.amount, dose.unit
    return relative_dose(dose, drug, body_surface_area_m2) * drug.reference_amount, drug.reference_unit
