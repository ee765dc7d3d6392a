"""A course of treatment as a calendar: weeks by days, for a preview before anything is simulated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent, in_order

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Week:
    """One row.

    Args:
        monday: its first day.
        days: seven texts, Monday first; empty where nothing is given.
    """

    monday: date
    days: tuple[str, ...]


def calendar(events: Iterable[TreatmentEvent]) -> tuple[Week, ...]:
    """Every week from the first treatment to the last; weeks without any are rows too. Nothing for no events."""
    by_day: dict[date, dict[str, int]] = {}
    for event in in_order(events):
        texts = by_day.setdefault(event.time.date(), {})
        texts[event_text(event)] = texts.get(event_text(event), 0) + 1
    if not by_day:
        return ()
    monday = min(by_day) - timedelta(days=min(by_day).weekday())
    weeks = []
    while monday <= max(by_day):
        days = (monday + timedelta(days=n) for n in range(7))
        weeks.append(Week(monday, tuple(_cell(by_day.get(day, {})) for day in days)))
        monday += timedelta(days=7)
    return tuple(weeks)


def _cell(texts: dict[str, int]) -> str:
    return ", ".join(text if count == 1 else f"{count} x {text}" for text, count in texts.items())


def event_text(event: TreatmentEvent) -> str:
    """What is given, in words."""
    if isinstance(event, RadiotherapyFraction):
        return f"{event.dose_gy:.3g} Gy"
    if isinstance(event, DrugDose):
        over = f" over {event.infusion_hours:g} h" if event.infusion_hours else ""
        return f"{event.drug} {event.amount:.4g} {event.unit}{over}"
    return "resection"
