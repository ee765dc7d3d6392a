"""The treatment given: the Stupp protocol, at the hours a hospital would give it.

Radiotherapy 60 Gy in 30 weekday fractions with daily temozolomide (75 mg/m2), four weeks' rest, then six cycles of
temozolomide on days 1-5 of 28 (150 mg/m2 in the first, 200 mg/m2 in the others).
Source: Stupp et al., N Engl J Med 2005;352:987-996.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

FRACTIONS, FRACTION_DOSE_GY = 30, 2.0
CYCLES, CYCLE_PERIOD_DAYS, CYCLE_DOSE_DAYS = 6, 28, 5
FIRST_FRACTION = datetime(2024, 3, 18, 14, 0)
COLUMNS = ("date", "kind", "name", "amount", "unit", "note")


@dataclass(frozen=True)
class Event:
    """One line of treatment.csv."""

    time: datetime
    kind: str
    name: str
    amount: float
    unit: str
    note: str


def stupp_protocol() -> list[Event]:
    """Every fraction and every dose, in order of time."""
    fractions: list[Event] = []
    time = FIRST_FRACTION
    while len(fractions) < FRACTIONS:
        if time.weekday() < 5:
            note = f"fraction {len(fractions) + 1} of {FRACTIONS}"
            fractions.append(Event(time, "radiotherapy", "", FRACTION_DOSE_GY, "Gy", note))
        time += timedelta(days=1)
    last_fraction = fractions[-1].time

    # temozolomide is taken one hour before the fraction, at weekends too
    first_dose = FIRST_FRACTION - timedelta(hours=1)
    doses = [
        Event(first_dose + timedelta(days=day), "drug", "temozolomide", 75, "mg/m2", "concomitant")
        for day in range((last_fraction - FIRST_FRACTION).days + 1)
    ]
    first_cycle = (last_fraction + timedelta(days=28)).replace(hour=21)
    for cycle in range(CYCLES):
        for day in range(CYCLE_DOSE_DAYS):
            taken = first_cycle + timedelta(days=cycle * CYCLE_PERIOD_DAYS + day)
            amount = 150 if cycle == 0 else 200
            doses.append(Event(taken, "drug", "temozolomide", amount, "mg/m2", f"cycle {cycle + 1} day {day + 1}"))
    return sorted(fractions + doses, key=lambda event: event.time)


def write_treatment_csv(path: Path, events: list[Event]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for event in events:
            date = event.time.strftime("%Y-%m-%dT%H:%M")
            writer.writerow((date, event.kind, event.name, f"{event.amount:g}", event.unit, event.note))
