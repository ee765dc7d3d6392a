"""Exact flows of growth laws without space, for what is known of a tumour by its volume alone."""

from __future__ import annotations

import numpy as np


def gompertz(volume_mm3, rate_per_day: float, capacity_mm3: float, days):
    """Volume after ``days`` of Gompertz growth ``dV/dt = a V ln(K / V)`` (Laird, Br J Cancer 1964).

    ``V(t) = K (V0 / K)^exp(-a t)``, so two steps are one step of their sum and no time-stepping error arises.

    Args:
        volume_mm3: V0, scalar or array, above zero.
        rate_per_day: a.
        capacity_mm3: K.
        days: t, scalar or array that broadcasts with ``volume_mm3``.
    """
    return capacity_mm3 * (np.asarray(volume_mm3, dtype=float) / capacity_mm3) ** np.exp(
        -rate_per_day * np.asarray(days)
    )
