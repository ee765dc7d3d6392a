"""Quantities as a reader of the report sees them."""

from __future__ import annotations

import math

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def significant(value: float, digits: int = 3) -> str:
    """``digits`` significant digits, with a power of ten beyond the range that reads easily."""
    if not math.isfinite(value):
        return "not finite"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def milliliters(volume_mm3: float) -> str:
    """A volume in mL, to 0.1 mL, and to 0.01 mL where it is below 1 mL."""
    volume_ml = volume_mm3 / 1000.0
    return f"{volume_ml:.1f}" if volume_ml >= 1 else f"{volume_ml:.2f}"


def change(value: float, reference: float) -> str:
    """Signed percent of ``reference``; in words where a percentage says nothing."""
    if reference <= 0:
        return "from nothing" if value > 0 else "unchanged"
    percent = 100.0 * (value - reference) / reference
    return f"{percent:+.0f} %" if round(percent) else "unchanged"
