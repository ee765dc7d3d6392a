"""The forecast of `make_forecast` with a posterior and futures made up for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from Testing.mrml.conftest import make_forecast
from TumorTwinLib.forecast import Forecast
from TumorTwinLib.uncertainty import STEPS, Band, ParameterRow, PosteriorSummary, Uncertainty


def make_posterior(count: int = 300) -> PosteriorSummary:
    """One parameter that the data informed, one that they did not; the two are correlated."""
    rng = np.random.default_rng(3)
    normal = rng.standard_normal((2, count))
    draws = {
        "diffusivity_mm2_per_day": 0.11 * np.exp(0.2 * normal[0]),
        "proliferation_per_day": 0.03 * np.exp(0.9 * (0.6 * normal[0] + 0.8 * normal[1])),
    }
    known = [("D", "mm2/day", 0.22, 1.2), ("k", "1/day", 0.9, 0.01)]
    rows = [
        ParameterRow(
            name, symbol, unit, *(float(q) for q in np.quantile(x, [0.5, 0.025, 0.975])),
            float(np.median(x)) / 6, float(np.median(x)) * 6, ratio, divergence, None, "Swanson 2000",
        )
        for (name, x), (symbol, unit, ratio, divergence) in zip(draws.items(), known, strict=True)
    ]  # fmt: skip
    notes = ("300 draws by importance sampling, worth 120 equal ones; Pareto k-hat 0.31.",)
    return PosteriorSummary(tuple(rows), notes, "importance sampling", 0.31, 120.0, True, False, draws)


def make_uncertain(days=(0.0, 30.0, 60.1875, 120.0, 180.0), *, calibrated: bool = True) -> Forecast:
    """Intervals that widen with time, and maps of a tumor whose boundary is uncertain."""
    forecast = make_forecast(days)
    curve = forecast.curve
    spread = 0.05 + 0.3 * curve.days / 180

    def band(volume: np.ndarray, z: float, level: float, *, of_study: bool = False) -> Band:
        later = np.where(of_study & (curve.days <= forecast.forecast_from_day), np.nan, 1.0)
        return Band(level, volume * later, volume * np.exp(-z * spread) * later, volume * np.exp(z * spread) * later,
                    of_study)  # fmt: skip

    volumes = {
        region: (
            band(volume, 1.64, 0.9),
            band(volume, 1.96, 0.95),
            *((band(volume, 2.4, 0.9, of_study=True),) if calibrated else ()),
        )
        for region, volume in curve.volume_mm3.items()
    }
    cells = (band(curve.total_cell_count, 1.64, 0.9),)
    field = forecast.cellularity
    odds = field / (1.0001 - field)
    density = {p: _steps(odds * f / (1 + odds * f)) for p, f in ((5, 0.3), (50, 1.0), (95, 3.0))}
    probability = {
        region: _steps(np.where(field > 0, 1 / (1 + (level / (1 - level) / np.maximum(odds, 1e-9)) ** 2), 0))
        for region, level in forecast.thresholds.items()
    }
    prior = {region: band(volume, 6.0, 0.9) for region, volume in curve.volume_mm3.items()}
    uncertainty = Uncertainty(
        128, curve.days, volumes, cells, prior, density, probability, "40 virtual patients" if calibrated else ""
    )
    # intervals are asked for on the days of the forecast
    return replace(_on_days(forecast, uncertainty), posterior=make_posterior())


def _on_days(forecast: Forecast, found: Uncertainty) -> Forecast:
    days = np.union1d(found.days, forecast.days)

    def moved(band: Band) -> Band:
        later = np.where(band.calibrated & (days <= forecast.forecast_from_day), np.nan, 1.0)
        known = ~np.isnan(band.median)
        curves = (np.interp(days, found.days[known], x[known]) * later for x in (band.median, band.lower, band.upper))
        return Band(band.level, *curves, band.calibrated)

    bands = {region: tuple(map(moved, some)) for region, some in found.volume_mm3.items()}
    prior = {region: moved(band) for region, band in found.prior_mm3.items()}
    cells = tuple(map(moved, found.cells))
    return replace(forecast, uncertainty=replace(found, days=days, volume_mm3=bands, prior_mm3=prior, cells=cells))


def _steps(field: np.ndarray) -> np.ndarray:
    return np.round(field * STEPS).astype(np.uint8)
