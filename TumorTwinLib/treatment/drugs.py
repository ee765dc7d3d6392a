"""The drugs a treatment record may name: how fast each leaves the body, and the dose its sensitivity refers to.

The concentration of a drug in tissue follows ``sum_j (dose_j / reference dose) c(t - t_j)`` with c its disposition: one
decaying exponential, or several where compartments are known. c begins at 1, so a calibrated sensitivity is the kill
rate right after one reference dose. Doses stay absolute: twice the dose is twice the effect, whatever else the record
holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.events import DrugDose
from TumorTwinLib.treatment.pharmacokinetics import Administration, Compartments, Decay, Disposition


@dataclass(frozen=True)
class Drug:
    """One drug.

    Args:
        name: international nonproprietary name, lower case.
        synonyms: other names found in records, lower case.
        half_life_days: terminal half-life in plasma.
        reference_amount, reference_unit: the dose that counts as 1.
        source: of the half-life and the reference dose.
        compartments: where more than the half-life is known.
    """

    name: str
    synonyms: tuple[str, ...]
    half_life_days: float
    reference_amount: float
    reference_unit: str
    source: str
    compartments: Compartments | None = None

    @cached_property
    def disposition(self) -> Disposition:
        """Concentration after a dose, relative to its beginning."""
        if self.compartments is not None:
            return self.compartments.disposition()
        return Disposition.of_half_life(self.half_life_days)

    @property
    def elimination_rate_per_day(self) -> float:
        """Of the last, slowest phase."""
        return min(self.disposition.rates_per_day)


_TO_CHECK = "typical value of the pharmacology literature, to be checked against the label"


def _hours(name: str, synonyms: tuple[str, ...], half_life_hours: float, amount: float, unit: str, source: str) -> Drug:
    return Drug(name, synonyms, half_life_hours / 24, amount, unit, source)


DRUGS = (
    _hours(
        "temozolomide", ("tmz", "temodal", "temodar"), 1.8, 75.0, "mg/m2",
        "half-life 1.8 h: Temodar label; 75 mg/m2, daily during radiotherapy: Stupp, NEJM 2005",
    ),
    _hours(
        "paclitaxel", ("taxol",), 20.2, 175.0, "mg/m2",
        "half-life 20.2 h after 175 mg/m2 over 3 h (13 to 53 h across schedules): Taxol label",
    ),
    _hours(
        "doxorubicin", ("adriamycin",), 30, 60.0, "mg/m2",
        f"terminal half-life about 30 h: {_TO_CHECK}; 60 mg/m2, standard doxorubicin-cyclophosphamide cycle",
    ),
    _hours(
        "cyclophosphamide", ("cytoxan", "endoxan"), 7, 600.0, "mg/m2",
        "half-life about 7 h (3 to 12 h: Cytoxan label); 600 mg/m2, standard doxorubicin-cyclophosphamide cycle",
    ),
    _hours(
        "gemcitabine", ("gemzar",), 0.7, 1000.0, "mg/m2",
        f"half-life 0.7 h, geometric middle of 0.3 to 1.6 h: {_TO_CHECK}; 1000 mg/m2, weekly: Gemzar label",
    ),
    _hours(
        "nab-paclitaxel", ("abraxane", "albumin-bound paclitaxel"), 27, 125.0, "mg/m2",
        f"terminal half-life about 27 h: {_TO_CHECK}; 125 mg/m2: Von Hoff, NEJM 2013",
    ),
    _hours(
        "carboplatin", ("paraplatin",), 5, 625.0, "mg",
        f"half-life 2.6 to 5.9 h: {_TO_CHECK}; 625 mg is AUC 5 at a filtration of 100 ml/min (Calvert 1989)",
    ),
    _hours(
        "cisplatin", ("platinol", "cddp"), 0.5, 50.0, "mg/m2",
        f"half-life of the free drug 20 to 30 min: {_TO_CHECK}; 50 mg/m2, with etoposide and radiotherapy",
    ),
    _hours("etoposide", ("vepesid", "vp-16"), 7, 50.0, "mg/m2", f"half-life 4 to 11 h: {_TO_CHECK}; 50 mg/m2"),
    _hours(
        "vinblastine", ("velban",), 25, 5.0, "mg/m2", f"terminal half-life about 25 h: {_TO_CHECK}; 5 mg/m2, weekly"
    ),
    _hours(
        "oxaliplatin", ("eloxatin",), 17, 85.0, "mg/m2",
        f"half-life of the middle phase about 17 h: {_TO_CHECK}; 85 mg/m2: Conroy, NEJM 2011",
    ),
    _hours(
        "irinotecan", ("camptosar", "cpt-11"), 10, 180.0, "mg/m2",
        f"half-life 6 to 12 h: {_TO_CHECK}; 180 mg/m2: Conroy, NEJM 2011",
    ),
    _hours(
        "fluorouracil", ("5-fu", "5-fluorouracil"), 0.2, 400.0, "mg/m2",
        f"half-life 8 to 20 min: {_TO_CHECK}; bolus of 400 mg/m2: Conroy, NEJM 2011",
    ),
    _hours(
        "leucovorin", ("folinic acid", "lv"), 6.2, 400.0, "mg/m2",
        f"half-life of total folates 6.2 h: {_TO_CHECK}; 400 mg/m2; strengthens fluorouracil, kills nothing alone",
    ),
    _hours(
        "leuprolide", ("leuprorelin", "lupron", "eligard"), 3, 22.5, "mg",
        f"half-life about 3 h once released: {_TO_CHECK}; 22.5 mg, a depot for three months: label. See hormones.py",
    ),
    Drug(
        "pembrolizumab", ("keytruda",), 26.5, 200.0, "mg",
        "two compartments of Elassaiss-Schaap, CPT Pharmacometrics Syst Pharmacol 2017; 200 mg every 3 weeks",
        Compartments(clearance_l_per_day=0.168, volumes_l=(2.88, 2.85), flows_l_per_day=(0.384,)),
    ),
    Drug(
        "durvalumab", ("imfinzi",), 18.0, 700.0, "mg",
        f"half-life about 18 days: {_TO_CHECK}; 10 mg/kg of 70 kg: Antonia, NEJM 2017",
    ),
    Drug(
        "pegvorhyaluronidase alfa", ("pegph20",), 1.5, 0.21, "mg",
        f"half-life 1 to 2 days: {_TO_CHECK}; 3 ug/kg of 70 kg: Van Cutsem, J Clin Oncol 2020",
    ),
)  # fmt: skip


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


def decays(
    drug: Drug, doses: list[tuple[float, DrugDose]], body_surface_area_m2: float | None = None
) -> tuple[Decay, ...]:
    """The concentration of a course relative to the start of one reference dose, as parts with closed-form integrals.

    Args:
        drug: of all ``doses``.
        doses: (day, dose) of each administration; infusions as such.
    """
    return drug.disposition.decays(
        Administration(day, relative_dose(dose, drug, body_surface_area_m2), dose.infusion_hours / 24)
        for day, dose in doses
    )
