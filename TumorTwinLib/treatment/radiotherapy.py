"""What a fraction of radiotherapy does: the linear-quadratic law and the arithmetic of fractionation.

Survival of one fraction of dose d: ``S = exp(-alpha d - beta d^2) = exp(-alpha (d + d^2 / (alpha/beta)))``
(Fowler, Br J Radiol 1989). Biologically effective dose ``BED = n d (1 + d / (alpha/beta))``.
"""

from __future__ import annotations

import numpy as np


def lq_exponent_gy(dose_gy, alpha_beta_gy: float):
    """``d + d^2 / (alpha/beta)`` in Gy: the log cell kill of a fraction per unit of alpha. Scalar or array."""
    dose = np.asarray(dose_gy, dtype=float)
    return dose + dose**2 / alpha_beta_gy


def survival(dose_gy, alpha_per_gy: float, alpha_beta_gy: float):
    """Surviving fraction of cells after one fraction."""
    return np.exp(-alpha_per_gy * lq_exponent_gy(dose_gy, alpha_beta_gy))


def biologically_effective_dose_gy(fractions: int, dose_gy: float, alpha_beta_gy: float) -> float:
    """BED in Gy of equal fractions."""
    return fractions * float(lq_exponent_gy(dose_gy, alpha_beta_gy))


def equivalent_dose_in_2gy_fractions(fractions: int, dose_gy: float, alpha_beta_gy: float) -> float:
    """EQD2 in Gy: the dose in 2 Gy fractions with the same BED."""
    return biologically_effective_dose_gy(fractions, dose_gy, alpha_beta_gy) / (1.0 + 2.0 / alpha_beta_gy)
