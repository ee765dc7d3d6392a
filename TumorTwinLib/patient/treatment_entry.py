"""One line of a treatment record, checked and made an event. Every source of treatments goes through here."""

from __future__ import annotations

import math
import re

from TumorTwinLib.csv_rows import parse_time
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.drugs import DRUGS, find_drug
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery, TreatmentEvent

KINDS = ("radiotherapy", "drug", "surgery")
_UNITS = {"gy": "Gy", "mg": "mg", "mg/m2": "mg/m2"}
_DRUG_UNITS = ("mg", "mg/m2")
_INFUSION = re.compile(r"(?P<drug>.+?)\s+over\s+(?P<hours>[0-9.]+)\s*h(?:ours?)?", re.IGNORECASE)


def treatment_event(*, time: object, kind: str, name: str, amount: object, unit: str, where: str) -> TreatmentEvent:
    """The event of one entry.

    Args:
        time: ISO 8601 date with optional time.
        kind: one of ``KINDS``.
        name: of the drug (any synonym), with ``over 46 h`` after it for an infusion; unused for the other kinds.
        amount, unit: dose in Gy for radiotherapy, in mg or mg/m2 for drugs; empty for surgery.
        where: file and line, for messages.

    Raises:
        TumorTwinError: with one sentence naming ``where``, what is wrong and what to do.
    """
    kind = kind.strip().lower()
    if kind not in KINDS:
        raise TumorTwinError(f"{where} has the kind '{kind}': use radiotherapy, drug or surgery.")
    moment = parse_time(time, where)
    if kind == "surgery":
        if f"{amount}{unit}".strip():
            raise TumorTwinError(f"{where} gives surgery a dose of {amount} {unit}: leave its amount and unit empty.")
        return Surgery(moment)
    dose, dose_unit = _amount(amount, where), _unit(unit, where)
    if kind == "radiotherapy":
        if dose_unit != "Gy":
            raise TumorTwinError(f"{where} gives radiotherapy in {dose_unit}: give its dose in Gy.")
        return RadiotherapyFraction(moment, dose)
    infusion = _INFUSION.fullmatch(name.strip())
    hours = 0.0 if infusion is None else _amount(infusion["hours"], where)
    drug = find_drug(name if infusion is None else infusion["drug"])
    if drug is None:
        known = ", ".join(drug.name for drug in DRUGS)
        raise TumorTwinError(f"{where} names the drug '{name.strip()}', which is not known: use one of {known}.")
    if dose_unit not in _DRUG_UNITS:
        raise TumorTwinError(f"{where} gives {drug.name} in {dose_unit}: give its dose in mg or mg/m2.")
    return DrugDose(moment, drug.name, dose, dose_unit, hours)


def drug_cell(dose: DrugDose) -> str:
    """The name of a dose as ``treatment_event`` reads it."""
    return f"{dose.drug} over {dose.infusion_hours:g} h" if dose.infusion_hours else dose.drug


def _amount(amount: object, where: str) -> float:
    try:
        value = float(str(amount))
    except ValueError as error:
        raise TumorTwinError(f"{where} has the amount '{amount}': give a number with a decimal point.") from error
    if not (math.isfinite(value) and value >= 0):
        raise TumorTwinError(f"{where} has the amount {amount}: give a finite number that is not negative.")
    return value


def _unit(unit: str, where: str) -> str:
    known = _UNITS.get(unit.strip().lower().replace("²", "2"))
    if known is None:
        raise TumorTwinError(f"{where} has the unit '{unit}': use Gy for radiotherapy and mg or mg/m2 for drugs.")
    return known
