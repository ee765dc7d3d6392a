"""Doses are absolute, and leave the body at the drug's own rate."""

from __future__ import annotations

from datetime import datetime

import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.drugs import DRUGS, find_drug, relative_dose
from TumorTwinLib.treatment.events import DrugDose


def dose(amount: float, unit: str, drug: str = "temozolomide") -> DrugDose:
    return DrugDose(datetime(2024, 3, 5), drug, amount, unit)


def test_temozolomide_leaves_at_9_24_per_day():
    assert find_drug("TMZ").elimination_rate_per_day == pytest.approx(9.242, abs=5e-4)


def test_every_name_leads_to_one_drug():
    names = [name for drug in DRUGS for name in (drug.name, *drug.synonyms)]
    assert len(names) == len(set(names))
    for drug in DRUGS:
        assert all(find_drug(f" {name.upper()} ") is drug for name in (drug.name, *drug.synonyms))
        assert drug.source
        assert drug.reference_unit in ("mg", "mg/m2")
    assert find_drug("aspirin") is None


def test_twice_the_dose_is_twice_the_relative_dose():
    tmz = find_drug("temozolomide")
    assert relative_dose(dose(75, "mg/m2"), tmz) == 1.0
    assert relative_dose(dose(150, "mg/m2"), tmz) == 2.0


def test_mg_and_mg_per_m2_agree_through_the_body_surface_area():
    tmz = find_drug("temozolomide")
    assert relative_dose(dose(75 * 1.85, "mg"), tmz, 1.85) == pytest.approx(1.0)
    assert relative_dose(dose(75, "mg/m2"), tmz, 1.85) == 1.0


def test_a_conversion_without_body_surface_area_is_refused():
    with pytest.raises(TumorTwinError, match="body_surface_area_m2"):
        relative_dose(dose(105, "mg"), find_drug("temozolomide"))
