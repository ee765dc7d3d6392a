"""Body surface area and what is administered, against the formulas' own worked numbers."""

from __future__ import annotations

import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.dosing import (
    Body,
    calvert_dose_mg,
    dubois_body_surface_area_m2,
    mosteller_body_surface_area_m2,
)


def test_body_surface_areas():
    assert mosteller_body_surface_area_m2(180.0, 80.0) == pytest.approx(2.0, abs=1e-12)  # sqrt(180 * 80 / 3600)
    assert dubois_body_surface_area_m2(180.0, 80.0) == pytest.approx(1.99643, abs=5e-5)
    assert dubois_body_surface_area_m2(170.0, 70.0) == pytest.approx(1.80966, abs=5e-5)


def test_carboplatin_by_area_under_the_curve():
    assert calvert_dose_mg(5.0, 100.0) == 625.0
    assert Body(glomerular_filtration_ml_per_min=60.0).administered(2.0, "AUC") == (170.0, "mg")


@pytest.mark.parametrize(
    ("prescribed", "given"),
    [
        ((75.0, "mg/m2"), (150.0, "mg")),
        ((10.0, "mg/kg"), (800.0, "mg")),
        ((200.0, "mg"), (200.0, "mg")),
    ],
)
def test_what_a_body_is_given(prescribed, given):
    assert Body(surface_area_m2=2.0, weight_kg=80.0).administered(*prescribed) == given


def test_without_a_surface_area_doses_stay_by_area():
    assert Body().administered(75.0, "mg/m2") == (75.0, "mg/m2")


@pytest.mark.parametrize(("height", "weight"), [(1.8, 80.0), (180.0, 0.0), (180.0, float("nan"))])
def test_heights_in_metres_are_refused(height, weight):
    with pytest.raises(TumorTwinError, match="give the height in cm"):
        mosteller_body_surface_area_m2(height, weight)


def test_a_body_without_weight_is_refused():
    with pytest.raises(TumorTwinError, match="weight_kg is -1"):
        Body(weight_kg=-1.0)
