"""The drugs a treatment record may name: how fast each leaves the body, and the dose its sensitivity refers to.

The concentration of a drug in tissue follows ``sum_j (dose_j / reference dose) exp(-elimination_rate (t - t_j))``, so a
calibrated sensitivity is the kill rate right after one reference dose. Doses stay absolute: twice the dose is twice the
effect, whatever else the record holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.events import DrugDose

STANDARD_BODY_SURFACE_AREA_M2 = 1.73  # the convention that indexes kidney function (McIntosh, J Clin Invest 1928)


@dataclass(frozen=True)
class Drug:
    """One drug.

    Args:
        name: international nonproprietary name, lower case.
        synonyms: other names found in records, lower case.
        half_life_days: terminal half-life in plasma.
        reference_amount, reference_unit: the dose that counts as 1.
        source: of the half-life and the reference dose.
    """

    name: str
    synonyms: tuple[str, ...]
    half_life_days: float
    reference_amount: float
    reference_unit: str
    source: str

    @property
    def elimination_rate_per_day(self) -> float:
        return math.log(2) / self.half_life_days


_TO_CHECK = "typical value of the pharmacology literature, to be checked against the label"

DRUGS = (
    Drug(
        name="temozolomide",
        synonyms=("tmz", "temodal", "temodar"),
        half_life_days=1.8 / 24,
        reference_amount=75.0,
        reference_unit="mg/m2",
        source="half-life 1.8 h: Temodar label; 75 mg/m2, daily during radiotherapy: Stupp, NEJM 2005",
    ),
    Drug(
        name="paclitaxel",
        synonyms=("taxol",),
        half_life_days=20.2 / 24,
        reference_amount=175.0,
        reference_unit="mg/m2",
        source="half-life 20.2 h after 175 mg/m2 over 3 h (13 to 53 h across schedules): Taxol label",
    ),
    Drug(
        name="doxorubicin",
        synonyms=("adriamycin",),
        half_life_days=30 / 24,
        reference_amount=60.0,
        reference_unit="mg/m2",
        source=f"terminal half-life about 30 h: {_TO_CHECK}; 60 mg/m2, standard doxorubicin-cyclophosphamide cycle",
    ),
    Drug(
        name="cyclophosphamide",
        synonyms=("cytoxan", "endoxan"),
        half_life_days=7 / 24,
        reference_amount=600.0,
        reference_unit="mg/m2",
        source="half-life about 7 h (3 to 12 h: Cytoxan label); 600 mg/m2, standard doxorubicin-cyclophosphamide cycle",
    ),
    Drug(
        name="gemcitabine",
        synonyms=("gemzar",),
        half_life_days=0.7 / 24,
        reference_amount=1000.0,
        reference_unit="mg/m2",
        source=f"half-life 0.7 h, geometric middle of 0.3 to 1.6 h: {_TO_CHECK}; 1000 mg/m2, weekly: Gemzar label",
    ),
)


def find_drug(name: str) -> Drug | None:
    """The drug with this name or synonym, in any case, or None."""
    wanted = name.strip().lower()
    return next((drug for drug in DRUGS if wanted in (drug.name, *drug.synonyms)), None)


def relative_dose(dose: DrugDose, drug: Drug, body_surface_area_m2: float | None = None) -> float:
    """``dose`` divided by the drug's reference dose.

    Args:
        dose: of ``drug``, in mg or mg/m2.
        body_surface_area_m2: needed when the dose and the reference are in different units.

    Raises:
        TumorTwinError: a conversion is needed and the body surface area is unknown.
    """
    if dose.unit == drug.reference_unit:
        return dose.amount / drug.reference_amount
    if body_surface_area_m2 is None:
        raise TumorTwinError(
            f"The {drug.name} dose of {dose.time:%Y-%m-%d %H:%M} is in {dose.unit} and its reference in "
            f"{drug.reference_unit}: give body_surface_area_m2."
        )
    factor = body_surface_area_m2 if drug.reference_unit == "mg/m2" else 1 / body_surface_area_m2
    return dose.amount / (drug.reference_amount * factor)
