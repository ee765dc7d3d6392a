"""How often intervals contain what came to be, and how sharp they are, over a cohort of forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.inference.conformal import ConformalFactors
from TumorTwinLib.inference.predictive import Predictive, log_center_and_spread
from TumorTwinLib.metrics import clopper_pearson, crps, interval_score


@dataclass(frozen=True, eq=False)
class ForecastCheck:
    """One forecast of one volume beside what came to be; small enough to keep thousands.

    Args:
        region, horizon_days: which volume, when.
        log_draws: (m,) logarithms of forecast volumes (mm3), as a scan would show them.
        log_observed: of the volume that the scan showed.
    """

    region: str
    horizon_days: float
    log_draws: np.ndarray
    log_observed: float

    @property
    def center_and_spread(self) -> tuple[float, float]:
        center, spread = log_center_and_spread(np.exp(self.log_draws)[:, None])
        return float(center[0]), float(spread[0])

    @property
    def rank(self) -> float:
        """Probability integral transform: share of draws below what came to be."""
        return float(np.mean(self.log_draws < self.log_observed))

    def interval(self, level: float, conformal: ConformalFactors | None = None) -> tuple[float, float]:
        """Of the log-volume: raw quantiles, or calibrated with the factors."""
        if conformal is None:
            tail = 0.5 * (1.0 - level)
            lower, upper = np.quantile(self.log_draws, [tail, 1.0 - tail])
            return float(lower), float(upper)
        center, spread = self.center_and_spread
        reach = conformal.factor(self.region, self.horizon_days, level) * spread
        return center - reach, center + reach


def check_forecast(predictive: Predictive, number: int, observed_mm3: dict[str, float]) -> list[ForecastCheck]:
    """A check for every region observed, on the day of this number."""
    horizon = float(predictive.days[number] - predictive.from_day)
    return [
        ForecastCheck(
            region,
            horizon,
            np.log(np.maximum(predictive.measured_mm3[region][:, number], 1.0)),
            float(np.log(max(volume, 1.0))),
        )
        for region, volume in observed_mm3.items()
    ]


@dataclass(frozen=True)
class Coverage:
    """What a cohort showed of one region, horizon and level.

    Args:
        count, inside: forecasts, and those whose interval held what came to be.
        lower, upper: Clopper-Pearson 95 % interval of the share.
        mean_width, mean_interval_score, mean_crps: in log-volume.
    """

    level: float
    count: int
    inside: int
    lower: float
    upper: float
    mean_width: float
    mean_interval_score: float
    mean_crps: float

    @property
    def share(self) -> float:
        return self.inside / self.count

    @property
    def contains_nominal(self) -> bool:
        return self.lower <= self.level <= self.upper


def coverage(checks: Sequence[ForecastCheck], level: float, conformal: ConformalFactors | None = None) -> Coverage:
    """Of forecasts of one region and horizon, of different patients."""
    intervals = [check.interval(level, conformal) for check in checks]
    observed = [check.log_observed for check in checks]
    inside = sum(low <= y <= up for (low, up), y in zip(intervals, observed, strict=True))
    return Coverage(
        level, len(checks), inside, *clopper_pearson(inside, len(checks)),
        float(np.mean([up - low for low, up in intervals])),
        float(np.mean([interval_score(*i, y, level) for i, y in zip(intervals, observed, strict=True)])),
        float(np.mean([crps(check.log_draws, check.log_observed) for check in checks])),
    )  # fmt: skip


def fit_factors(checks: Sequence[ForecastCheck], levels: Sequence[float], cohort: str) -> ConformalFactors:
    """Conformal factors of every region and horizon in a virtual cohort; test them on another."""
    from TumorTwinLib.inference.conformal import fit_conformal

    factors = {}
    for region, horizon in sorted({(c.region, c.horizon_days) for c in checks}):
        chosen = [c for c in checks if (c.region, c.horizon_days) == (region, horizon)]
        centers, spreads = np.array([c.center_and_spread for c in chosen]).T
        observed = np.array([c.log_observed for c in chosen])
        for level in levels:
            factors[region, horizon, level] = fit_conformal(centers, spreads, observed, level)
    return ConformalFactors(factors, cohort)


def two_point_exponential(
    days: tuple[float, float],
    log_volumes: tuple[float, float],
    day: float,
    log_sd: float,
    count: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """(count,) draws of the log-volume on a day, from the straight line through two readings of it.

    The yardstick of a forecast. Each reading has the error ``log_sd``, and so has the volume that is to be read.
    """
    first, second = (y + log_sd * rng.standard_normal(count) for y in log_volumes)
    slope = (second - first) / (days[1] - days[0])
    return second + slope * (day - days[1]) + log_sd * rng.standard_normal(count)
