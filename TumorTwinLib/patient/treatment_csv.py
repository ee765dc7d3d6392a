"""``treatment.csv``: one row per event.

=======  ============================================================================================
column   content
=======  ============================================================================================
date     ``2024-03-05`` or ``2024-03-05T14:00``, local time; the time of day is kept to the second
kind     ``radiotherapy``, ``drug`` or ``surgery``
name     of the drug, by any name in ``TumorTwinLib.treatment.drugs``; with ``over 46 h`` for an infusion;
         empty for other kinds
amount   dose of this one fraction or administration; empty for surgery
unit     ``Gy`` for radiotherapy, ``mg`` or ``mg/m2`` for drugs; empty for surgery
note     optional, not read
=======  ============================================================================================

Two fractions on one day are two rows with two times. Columns may come in any order; further columns are not read.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from TumorTwinLib.csv_rows import read_rows
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.patient.treatment_entry import drug_cell, treatment_event
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent

COLUMNS = ("date", "kind", "name", "amount", "unit")


def read_treatment_csv(path: str | Path) -> tuple[TreatmentEvent, ...]:
    """The events in the order of the file.

    Raises:
        TumorTwinError: naming the file, the line, what is wrong and what to do.
    """
    return tuple(
        treatment_event(
            time=row["date"], kind=row["kind"], name=row["name"], amount=row["amount"], unit=row["unit"], where=where
        )
        for where, row in read_rows(Path(path), COLUMNS)
    )


def write_treatment_csv(events: Iterable[TreatmentEvent], path: str | Path) -> None:
    """Writes the events so that ``read_treatment_csv`` returns them; the file appears whole or not at all.

    Raises:
        TumorTwinError: an event carries a dose map, a cavity or a residual fraction, which a row cannot hold, or the
            folder cannot be written.
    """
    path = Path(path)
    rows = [csv_row(event, path) for event in events]
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        os.replace(unfinished, path)
    except OSError as error:
        raise TumorTwinError(f"{path} cannot be written: check that its folder exists and is writable.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def csv_row(event: TreatmentEvent, where: object) -> tuple[str, ...]:
    """The cells of an event in the order of ``COLUMNS``.

    Raises:
        TumorTwinError: naming ``where``; the event carries a dose map, a cavity or a residual fraction.
    """
    date = event.time.isoformat()
    if isinstance(event, RadiotherapyFraction):
        if event.dose_map is not None:
            raise TumorTwinError(f"{where} cannot hold the dose map of {date}: write the prescribed dose alone.")
        return (date, "radiotherapy", "", repr(event.dose_gy), "Gy")
    if isinstance(event, DrugDose):
        return (date, "drug", drug_cell(event), repr(event.amount), event.unit)
    if event.cavity is not None or event.residual_fraction:
        raise TumorTwinError(
            f"{where} cannot hold the cavity or residual of the surgery on {date}: write the date alone."
        )
    return (date, "surgery", "", "", "")
