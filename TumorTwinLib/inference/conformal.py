"""Split-conformal factors: how much wider or narrower intervals must be to contain the truth as often as they say.

Fitted on one virtual cohort and tested on another. What they promise holds on average over that kind of cohort only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ConformalFactors:
    """Half-widths of intervals in units of the forecast's own spread, in log-volume.

    Args:
        factors: by (region, horizon in days, level).
        cohort: what they were fitted on, in words, with its size.
    """

    factors: Mapping[tuple[str, float, float], float]
    cohort: str

    def factor(self, region: str, horizon_days: float, level: float) -> float:
        """Linear between the horizons fitted, constant beyond them.

        Raises:
            KeyError: a region or level that was not fitted.
        """
        known = sorted((h, q) for (r, h, a), q in self.factors.items() if r == region and math.isclose(a, level))
        if not known:
            raise KeyError(f"no conformal factor of {region} at {level:g}")
        days, values = zip(*known, strict=True)
        return float(np.interp(horizon_days, days, values))

    def to_dict(self) -> dict:
        rows = [[r, h, a, q] for (r, h, a), q in sorted(self.factors.items())]
        return {"cohort": self.cohort, "factors": rows}

    @classmethod
    def from_dict(cls, data: dict) -> ConformalFactors:
        return cls({(r, float(h), float(a)): float(q) for r, h, a, q in data["factors"]}, data["cohort"])


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The ceil((n + 1) level)-th smallest of (n,) scores; infinite where there are too few (Vovk 2005; Lei 2018)."""
    n = len(scores)
    rank = math.ceil((n + 1) * level - 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank <= n else math.inf


def fit_conformal(centers: np.ndarray, spreads: np.ndarray, observed: np.ndarray, level: float) -> float:
    """The factor for one quantity and horizon.

    Args:
        centers, spreads: (n,) median and spread of each forecast's log-volume.
        observed: (n,) log-volume that came to be.
    """
    return conformal_quantile(np.abs(observed - centers) / spreads, level)
