"""How close a forecast is to a scan: the field's standard measures."""

from __future__ import annotations

import math

import numpy as np

from TumorTwinLib.geometry import Grid


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap ``2 |A and B| / (|A| + |B|)`` of two Boolean masks; 1 when both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else 2.0 * int(np.logical_and(first, second).sum()) / total


def volume_error_percent(predicted_mm3: float, measured_mm3: float) -> float:
    """Signed error of the predicted volume; 0 when both are zero, infinite when only the measured one is."""
    if measured_mm3 == 0:
        return 0.0 if predicted_mm3 == 0 else math.inf
    return 100.0 * (predicted_mm3 - measured_mm3) / measured_mm3


def center_of_mass_mm(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """(3,) RAS centre of mass of a mask or density; NaN when it is empty."""
    weight = mask.astype(float)
    total = weight.sum()
    if total == 0:
        return np.full(3, np.nan)
    ijk = [float((weight.sum(axis=tuple(a for a in range(3) if a != axis)) @ np.arange(weight.shape[axis])) / total)
           for axis in range(3)]  # fmt: skip
    return grid.ras_mm(np.array(ijk))


def center_of_mass_distance_mm(first: np.ndarray, second: np.ndarray, grid: Grid) -> float:
    """Distance between the centres of mass of two masks on one grid."""
    return float(np.linalg.norm(center_of_mass_mm(first, grid) - center_of_mass_mm(second, grid)))


def concordance(first: np.ndarray, second: np.ndarray) -> float:
    """Lin's concordance correlation coefficient of two arrays (Biometrics 1989)."""
    x, y = first.ravel().astype(float), second.ravel().astype(float)
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return 1.0 if spread == 0 else float(2.0 * covariance / spread)


def crps(draws: np.ndarray, observed: float, weights: np.ndarray | None = None) -> float:
    """Continuous ranked probability score of (n,) draws (Gneiting and Raftery 2007), in their unit; smaller is better.

    ``E |X - y| - E |X - X'| / 2``; of one draw, the absolute error.
    """
    order = np.argsort(draws, kind="stable")
    x = np.asarray(draws, dtype=float)[order]
    w = np.full(len(x), 1.0 / len(x)) if weights is None else np.asarray(weights, dtype=float)[order]
    below = np.cumsum(w)
    # E |X - X'| = 2 sum_i w_i x_i (2 F_i - w_i - 1), with F_i the weight up to and with i
    spread = 2.0 * float(np.sum(w * x * (2.0 * below - w - 1.0)))
    return float(w @ np.abs(x - observed)) - 0.5 * spread


def interval_score(lower: float, upper: float, observed: float, level: float) -> float:
    """Width of a central interval, plus 2 / (1 - level) times how far it misses (Gneiting and Raftery 2007)."""
    miss = max(lower - observed, 0.0) + max(observed - upper, 0.0)
    return (upper - lower) + 2.0 / (1.0 - level) * miss


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact confidence interval of a proportion (Biometrika 1934)."""
    from scipy.special import betaincinv

    tail = 0.5 * (1.0 - level)
    lower = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    upper = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1.0 - tail))
    return lower, upper
