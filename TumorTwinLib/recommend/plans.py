"""What is compared: a course of events that begins on or after the day of decision, in place of what was recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.populations import PopulationReaction
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery, TreatmentEvent, in_order
from TumorTwinLib.treatment.regimens import Regimen
from TumorTwinLib.treatment.targets import expand

CLINICAL_MARGIN_MM = 20.0  # around the visible tumor (ESTRO-ACROP, Niyazi 2016: 15 to 20 mm)


@dataclass(frozen=True)
class Plan:
    """A regimen with its dates.

    Args:
        name: unique in a comparison; title: what tables call it.
        events: what is given, from the day of decision on.
        exploratory: a what-if without evidence in patients: it is never recommended.
        note: what the reader must know of how it was planned.
    """

    name: str
    title: str
    events: tuple[TreatmentEvent, ...] = ()
    description: str = ""
    source: str = ""
    exploratory: bool = False
    note: str = ""


UNTREATED = Plan("untreated", "No further treatment", source="virtual control (Neal, PLoS One 2013)")


def default_start(decision: datetime) -> datetime:
    """9:00 on the day after the decision."""
    return datetime.combine(decision.date() + timedelta(days=1), datetime.min.time()).replace(hour=9)


def make_plan(
    regimen: Regimen | Plan,
    patient: PatientData,
    decision: datetime,
    start: datetime,
    *,
    targets: Mapping[str, Image] | None = None,
    days_off: Collection[date] = (),
) -> Plan:
    """The plan of a regimen for a patient; a plan stays as it is.

    Args:
        decision: before which nothing may be given.
        start: day 1 of a regimen.
        targets: ``"ptv"``, ``"boost"`` and ``"cavity"`` masks, from ``standard_targets`` or the user's own. Without a
            planning target the whole brain gets the prescribed dose.

    Raises:
        TumorTwinError: an event before the decision, or a regimen that needs a target that is not given.
    """
    if isinstance(regimen, Plan):
        plan = regimen
    else:
        wanted = {"boost": any(c.boost_gy for c in regimen.courses)}
        wanted["ptv"] = wanted["boost"]
        wanted["cavity"] = any(c.kind == "surgery" for c in regimen.courses)
        missing = [name for name, needed in wanted.items() if needed and name not in (targets or {})]
        if missing:
            raise TumorTwinError(
                f"The regimen {regimen.name} needs the mask of the {missing[0]}: pass "
                "targets=standard_targets(patient) or your own masks."
            )
        events = regimen.events(
            start, body_surface_area_m2=patient.body_surface_area_m2, days_off=days_off, targets=targets
        )
        rule = "" if regimen.rule is None else f"simulated as its fixed plan, without its {regimen.rule.biomarker} rule"
        plan = Plan(
            regimen.name, regimen.title, events, regimen.description, regimen.source, regimen.exploratory, rule
        )  # fmt: skip
    early = [event.time for event in plan.events if event.time < decision]
    if early:
        raise TumorTwinError(
            f"The plan {plan.name} gives something on {early[0]:%Y-%m-%d %H:%M}, before the decision of "
            f"{decision:%Y-%m-%d %H:%M}: let it start later."
        )
    return plan


def recorded_plan(patient: PatientData, decision: datetime) -> Plan:
    """What the patient's record holds from the decision on."""
    events = tuple(event for event in patient.treatments if event.time >= decision)
    return Plan("recorded", "As recorded", in_order(events), source="the patient's treatment record")


def standard_targets(
    patient: PatientData, visit: int = -1, *, margin_mm: float = CLINICAL_MARGIN_MM
) -> dict[str, Image]:
    """Targets by margin: the whole tumor and ``margin_mm`` inside the brain as PTV, the core as boost and as cavity.

    Args:
        visit: whose segmentation is used; the last by default.

    Raises:
        TumorTwinError: no tumor there.
    """
    chosen = patient.visits[visit]
    whole, core = chosen.whole_tumor, chosen.core
    if whole is None or not (whole.array > 0).any():
        raise TumorTwinError(
            f"The visit of {chosen.time:%Y-%m-%d} shows no tumor: segment it, or pass your own targets."
        )
    targets = {"ptv": expand(whole, margin_mm, within=patient.brain_mask)}
    if core is not None and (core.array > 0).any():
        targets |= {"boost": core, "cavity": core}
    return targets


def treated_by(patient: PatientData, decision: datetime, plan: Plan) -> PatientData:
    """The patient with the record up to the decision and the plan from then on."""
    past = [event for event in patient.treatments if event.time < decision]
    return replace(patient, treatments=in_order([*past, *plan.events]))


def effects(model: Any, patient: PatientData, plan: Plan) -> dict[str, tuple[TreatmentEvent, ...]]:
    """By model parameter, the events of a plan whose effect it sets.

    Found by asking the model for the derivatives of its kills, so that it holds for every cancer. A resection has no
    parameter.
    """
    found: dict[str, list[TreatmentEvent]] = {}
    known: dict[tuple, tuple[str, ...]] = {}
    for event in plan.events:
        if isinstance(event, Surgery):
            continue
        key = (type(event), event.drug if isinstance(event, DrugDose) else "")
        if key not in known:
            known[key] = _parameters_of(model, patient, event)
        for name in known[key]:
            found.setdefault(name, []).append(event)
    return {name: tuple(events) for name, events in found.items()}


def differing(
    first: Mapping[str, tuple[TreatmentEvent, ...]], second: Mapping[str, tuple[TreatmentEvent, ...]]
) -> tuple[str, ...]:
    """Effect parameters that two plans do not use alike, day by day; hours do not count."""
    names = dict.fromkeys((*first, *second))
    return tuple(name for name in names if _signature(first.get(name, ())) != _signature(second.get(name, ())))


def _signature(events: tuple[TreatmentEvent, ...]) -> list[tuple]:
    return sorted(
        (event.time.date(), "", event.dose_gy, id(event.dose_map))
        if isinstance(event, RadiotherapyFraction)
        else (event.time.date(), event.drug, event.amount, event.unit)
        for event in events
        if isinstance(event, RadiotherapyFraction | DrugDose)
    )


def _parameters_of(model: Any, patient: PatientData, event: TreatmentEvent) -> tuple[str, ...]:
    if isinstance(event, RadiotherapyFraction) and event.dose_map is not None:
        event = RadiotherapyFraction(event.time, event.dose_gy)  # the same parameter, without reading a volume
    names = tuple(p.name for p in model.parameters)
    reaction, _ = model.dynamics(replace(patient, treatments=(event,)), [model.values()], names)
    parts = reaction.populations if isinstance(reaction, PopulationReaction) else (reaction,)
    derivatives = [
        rate.derivative[0]
        for part in parts
        for rate in (
            *(kill.log_kill for kill in part.instants),
            *(kill.coefficient for kill in part.fields),
            *(drug.sensitivity_per_day for drug in part.drugs),
        )
    ]
    return tuple(name for i, name in enumerate(names) if any(d[i] != 0 for d in derivatives))
