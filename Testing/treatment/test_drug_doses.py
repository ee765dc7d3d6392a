"""Drugs by name, and doses relative to the one a sensitivity refers to."""

from __future__ import annotations

from datetime import datetime

import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.drugs import DRUGS, find_drug, relative_dose
from TumorTwinLib.treatment.events import DrugDose, days_between

TIME = datetime(2024, 3, 20, 8)
TMZ = find_drug("temozolomide")


def dose(amount: float, unit: str = "mg/m2") -> DrugDose:
    return DrugDose(TIME, "temozolomide", amount, unit)


@pytest.mark.parametrize("name", ["temozolomide", "TMZ", " Temodal ", "TEMODAR"])
def test_a_drug_goes_by_several_names(name):
    assert find_drug(name) is TMZ


def test_names_are_not_shared():
    names = [name for drug in DRUGS for name in (drug.name, *drug.synonyms)]
    assert len(names) == len(set(names))
    assert all(find_drug(name).name in names for name in names)


def test_an_unknown_drug_is_none():
    assert find_drug("aspirin") is None
    assert find_drug("") is None


def test_elimination_of_temozolomide():
    assert TMZ.elimination_rate_per_day == pytest.approx(9.242, abs=5e-4)


def test_doses_in_mg_per_m2():
    assert relative_dose(dose(75.0), TMZ) == 1.0
    assert relative_dose(dose(200.0), TMZ) == pytest.approx(200 / 75)


def test_mg_and_mg_per_m2_are_the_same_dose_for_a_known_body():
    assert relative_dose(dose(150.0, "mg"), TMZ, 2.0) == relative_dose(dose(75.0), TMZ, 2.0) == 1.0
    assert relative_dose(dose(150.0, "mg"), TMZ, 1.5) == pytest.approx(4 / 3)


def test_mg_without_a_body_surface_area_is_refused():
    with pytest.raises(TumorTwinError, match="2024-03-20 08:00 is in mg .* give body_surface_area_m2"):
        relative_dose(dose(140.0, "mg"), TMZ)


def test_doses_are_absolute_CT_2():
    """Twice the dose is twice the effect, whatever else the record holds."""
    assert relative_dose(dose(150.0), TMZ) == 2 * relative_dose(dose(75.0), TMZ)


def test_days_keep_their_minutes():
    start = datetime(2024, 3, 5)
    assert days_between(start, datetime(2024, 3, 5, 14)) == pytest.approx(14 / 24)
    assert days_between(start, datetime(2024, 3, 6, 0, 1)) == pytest.approx(1 + 1 / 1440)
