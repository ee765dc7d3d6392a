"""From what is prescribed to milligrams: body surface area, body weight and kidney function."""

from __future__ import annotations

import math
from dataclasses import dataclass

from TumorTwinLib.errors import TumorTwinError

STANDARD_BODY_SURFACE_AREA_M2 = 1.73  # the convention that indexes kidney function (McIntosh, J Clin Invest 1928)
PRESCRIBED_UNITS = ("mg", "mg/m2", "mg/kg", "AUC")


def mosteller_body_surface_area_m2(height_cm: float, weight_kg: float) -> float:
    """``sqrt(height weight / 3600)`` (Mosteller, N Engl J Med 1987)."""
    _check_body(height_cm, weight_kg)
    return math.sqrt(height_cm * weight_kg / 3600.0)


def dubois_body_surface_area_m2(height_cm: float, weight_kg: float) -> float:
    """``0.007184 height^0.725 weight^0.425`` (DuBois & DuBois, Arch Intern Med 1916)."""
    _check_body(height_cm, weight_kg)
    return 0.007184 * height_cm**0.725 * weight_kg**0.425


def calvert_dose_mg(auc_mg_min_per_ml: float, glomerular_filtration_ml_per_min: float) -> float:
    """Carboplatin for an area under the curve: ``AUC (GFR + 25)`` (Calvert, J Clin Oncol 1989)."""
    return auc_mg_min_per_ml * (glomerular_filtration_ml_per_min + 25.0)


@dataclass(frozen=True)
class Body:
    """What turns a prescription into an administration.

    Args:
        surface_area_m2: or None: doses in mg/m2 then stay in mg/m2.
        weight_kg: for doses in mg/kg; an assumption unless given.
        glomerular_filtration_ml_per_min: for doses by area under the curve; an assumption unless given.
    """

    surface_area_m2: float | None = None
    weight_kg: float = 70.0
    glomerular_filtration_ml_per_min: float = 100.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise TumorTwinError(f"The body's {name} is {value}: give a positive number.")

    def administered(self, amount: float, unit: str) -> tuple[float, str]:
        """Amount and unit, ``mg`` or ``mg/m2``, of a prescription in one of ``PRESCRIBED_UNITS``."""
        if unit == "mg/m2" and self.surface_area_m2 is not None:
            return amount * self.surface_area_m2, "mg"
        if unit == "mg/kg":
            return amount * self.weight_kg, "mg"
        if unit == "AUC":
            return calvert_dose_mg(amount, self.glomerular_filtration_ml_per_min), "mg"
        return amount, unit


def _check_body(height_cm: float, weight_kg: float) -> None:
    if not (30 <= height_cm <= 250 and 1 <= weight_kg <= 400):
        raise TumorTwinError(f"A body of {height_cm} cm and {weight_kg} kg: give the height in cm, the weight in kg.")
