"""What a fraction of radiotherapy does: the linear-quadratic law, its extensions and the arithmetic of fractionation.

Survival of one fraction of dose d: ``S = exp(-alpha d - beta d^2) = exp(-alpha (d + d^2 / (alpha/beta)))``
(Fowler, Br J Radiol 1989). Biologically effective dose ``BED = n d (1 + d / (alpha/beta))``.

Above a transition dose the curve goes on as its tangent (LQ-L: Guerrero & Li, Phys Med Biol 2004), because the
quadratic term overstates the kill of large fractions. Hypoxic cells feel less: ``alpha h`` and ``beta h^2`` with
``h = (m p + K) / (m (p + K))`` at oxygen pressure p (Alper & Howard-Flanders, Nature 1956; Wouters & Brown 1997), which
is the law at the dose ``h d``.
"""

from __future__ import annotations

import numpy as np

from TumorTwinLib.errors import TumorTwinError

LARGEST_OXYGEN_ENHANCEMENT = 3.0  # m: sensitivity with plenty of oxygen over that without any
HALF_EFFECT_MMHG = 3.0  # K: oxygen pressure half-way between


def lq_exponent_gy(dose_gy, alpha_beta_gy: float, *, transition_dose_gy: float | None = None, oxygen_factor=1.0):
    """The log cell kill of a fraction per unit of alpha, in Gy: ``d + d^2 / (alpha/beta)``. Scalar or array.

    Args:
        dose_gy: of the fraction.
        alpha_beta_gy: alpha/beta ratio.
        transition_dose_gy: dose above which the curve is straight (6 to 10 Gy), or None for the law as it is.
        oxygen_factor: h of ``oxygen_factor_at``; 1 where there is plenty.

    Raises:
        TumorTwinError: an alpha/beta or transition dose that is not positive.
    """
    if not alpha_beta_gy > 0:
        raise TumorTwinError(f"alpha/beta is {alpha_beta_gy} Gy: give a positive dose, as 10 for most tumors.")
    dose = np.asarray(dose_gy, dtype=float) * oxygen_factor
    if transition_dose_gy is None:
        return dose + dose**2 / alpha_beta_gy
    if not transition_dose_gy > 0:
        raise TumorTwinError(f"The transition dose is {transition_dose_gy} Gy: give a positive dose, 6 to 10 Gy.")
    limit = np.asarray(transition_dose_gy * oxygen_factor, dtype=float)
    curved = np.minimum(dose, limit)
    straight = (1.0 + 2.0 * limit / alpha_beta_gy) * np.maximum(dose - limit, 0.0)
    return curved + curved**2 / alpha_beta_gy + straight


def oxygen_factor_at(oxygen_mmhg):
    """h: what is left of radiosensitivity at this oxygen pressure; 1/3 without oxygen, 1 with plenty."""
    pressure, m = np.asarray(oxygen_mmhg, dtype=float), LARGEST_OXYGEN_ENHANCEMENT
    return (m * pressure + HALF_EFFECT_MMHG) / (m * (pressure + HALF_EFFECT_MMHG))


def survival(
    dose_gy,
    alpha_per_gy: float,
    alpha_beta_gy: float,
    *,
    transition_dose_gy: float | None = None,
    hypoxic_fraction: float = 0.0,
    hypoxic_oer: float = 1.7,
):
    """Surviving fraction of cells after one fraction.

    Args:
        hypoxic_fraction: share of cells that are hypoxic.
        hypoxic_oer: dose that kills them over the dose that kills the others (1.70 for intermediate hypoxia in NSCLC:
            Jeong, Clin Cancer Res 2017).
    """

    def of(oxygen_factor: float):
        exponent = lq_exponent_gy(
            dose_gy, alpha_beta_gy, transition_dose_gy=transition_dose_gy, oxygen_factor=oxygen_factor
        )
        return np.exp(-alpha_per_gy * exponent)

    if not 0 <= hypoxic_fraction <= 1:
        raise TumorTwinError(f"The hypoxic fraction is {hypoxic_fraction}: give a share between 0 and 1.")
    if hypoxic_fraction == 0:
        return of(1.0)
    return (1.0 - hypoxic_fraction) * of(1.0) + hypoxic_fraction * of(1.0 / hypoxic_oer)


def biologically_effective_dose_gy(fractions: int, dose_gy: float, alpha_beta_gy: float) -> float:
    """BED in Gy of equal fractions."""
    return fractions * float(lq_exponent_gy(dose_gy, alpha_beta_gy))


def equivalent_dose_in_2gy_fractions(fractions: int, dose_gy: float, alpha_beta_gy: float) -> float:
    """EQD2 in Gy: the dose in 2 Gy fractions with the same BED."""
    return biologically_effective_dose_gy(fractions, dose_gy, alpha_beta_gy) / (1.0 + 2.0 / alpha_beta_gy)
