"""The columns of the tables of a posterior and of a forecast with intervals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import numpy as np

from TumorTwinLib.forecast import Forecast
from TumorTwinLib.mrml.tables import Column
from TumorTwinLib.terminology import term_for
from TumorTwinLib.uncertainty import Band, PosteriorSummary, Uncertainty


def posterior_columns(posterior: PosteriorSummary) -> list[Column]:
    """One row a parameter: what is known of it, whether from the scans, and how far the draws can be trusted."""
    rows = posterior.rows

    def numbers(values: Iterable) -> np.ndarray:
        return np.array([np.nan if value is None else value for value in values], dtype=float)

    each = np.ones(len(rows))
    k_hat = np.nan if posterior.k_hat is None else posterior.k_hat
    return [
        Column("parameter", "Parameter", "", "Name.", [row.name for row in rows]),
        Column("symbol", "Symbol", "", "As in the model's equation.", [row.symbol for row in rows]),
        Column("median", "Median", "", "Of the posterior, in the unit of its row.", numbers(r.median for r in rows)),
        Column("lower", "2.5 %", "", "Lower end of the 95 % credible interval.", numbers(row.lower for row in rows)),
        Column("upper", "97.5 %", "", "Upper end of the 95 % credible interval.", numbers(row.upper for row in rows)),
        Column("unit", "Unit", "", "Of median and interval.", [row.unit for row in rows]),
        Column("data", "Data", "", "Informed: narrower than 0.8 of the prior; else it rests on the prior.",
               [row.mark for row in rows]),
        Column("sd_ratio", "Posterior to prior SD", "1", "1 says that the scans told nothing.",
               numbers(row.sd_ratio for row in rows)),
        Column("divergence", "Divergence from prior", "nat", "Kullback-Leibler.",
               numbers(row.divergence for row in rows)),
        Column("prior_lower", "Prior 2.5 %", "", "Of the prior.", numbers(row.prior_lower for row in rows)),
        Column("prior_upper", "Prior 97.5 %", "", "Of the prior.", numbers(row.prior_upper for row in rows)),
        Column("r_hat", "R-hat", "1", "Over islands of tempered SMC; should be below 1.05.",
               numbers(row.r_hat for row in rows)),
        Column("k_hat", "Pareto k-hat", "1", "Of the weights of all draws; should be below 0.7.", each * k_hat),
        Column("effective", "Effective draws", "1", "Equal draws that the weighted ones are worth.",
               each * posterior.effective),
        Column("source", "Source of the prior", "", "Literature.", [row.source for row in rows]),
    ]  # fmt: skip


def interval_columns(forecast: Forecast, uncertainty: Uncertainty) -> list[Column]:
    """One row a predicted day, region and interval: raw, and calibrated where a study gave factors."""
    rows: list[tuple[float, str, Band, int]] = []
    for day in forecast.days[forecast.days > forecast.forecast_from_day]:
        number = int(np.searchsorted(uncertainty.days, day))
        for region, bands in uncertainty.volume_mm3.items():
            rows += [(float(day), region, band, number) for band in bands]
    dates = [(forecast.start + timedelta(days=day)).isoformat(sep=" ", timespec="minutes") for day, *_ in rows]

    def volumes_ml(curve: str) -> np.ndarray:
        return np.array([getattr(band, curve)[number] / 1000 for _, _, band, number in rows])

    return [
        Column("day", "Time", "d", "Days since the first visit.", np.array([day for day, *_ in rows])),
        Column("date", "Date", "", "Date and time.", dates),
        Column("region", "Region", "", "Whose volume.", [term_for(region).name for _, region, _, _ in rows]),
        Column("interval", "Interval", "", "Raw, or calibrated on a virtual cohort.", [b.name for _, _, b, _ in rows]),
        Column("lower", "From", "mL", "That a scan will show.", volumes_ml("lower")),
        Column("median", "Median", "mL", "That a scan will show.", volumes_ml("median")),
        Column("upper", "To", "mL", "That a scan will show.", volumes_ml("upper")),
    ]


def draw_columns(posterior: PosteriorSummary) -> list[Column]:
    """One row a draw; all are equally probable."""
    units = {row.name: row.unit for row in posterior.rows}
    return [
        Column(name, name.replace("_", " ").capitalize(), units[name], "Posterior draws.", values)
        for name, values in posterior.draws.items()
    ]


def band_columns(uncertainty: Uncertainty) -> list[Column]:
    """Curves for the charts: by region the median, the bounds of the chart's band, and those of the prior."""
    columns = [Column("day", "Time", "d", "Days since the first visit.", uncertainty.days)]
    for region, bands in uncertainty.volume_mm3.items():
        prior = uncertainty.prior_mm3[region]
        curves = {
            "median": bands[0].median,
            "lower": chart_band(bands).lower,
            "upper": chart_band(bands).upper,
            "prior_lower": prior.lower,
            "prior_upper": prior.upper,
        }
        title = term_for(region).name
        columns += [
            Column(f"{region}_{what}", f"{title}, {what.replace('_', ' ')}", "mL", "Volume.", curve / 1000)
            for what, curve in curves.items()
        ]
    return columns


def chart_band(bands: tuple[Band, ...]) -> Band:
    """The band that the chart shows: the narrowest, calibrated where there is one of that level."""
    narrow = min(band.level for band in bands)
    return [band for band in bands if band.level == narrow][-1]
