"""What the report says of uncertainty: the posterior of the parameters, and the intervals of the volumes."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.forecast import Forecast
from TumorTwinLib.report.numbers import milliliters, significant
from TumorTwinLib.report.tables import bullets, date_text, day_text, table, words


def posterior_section(forecast: Forecast) -> str:
    """Parameters with intervals and what the scans tell of each; empty without a posterior."""
    if forecast.posterior is None:
        return ""
    rows = [
        (
            f"{row.name} ({row.symbol})",
            significant(row.median),
            f"{significant(row.lower)} to {significant(row.upper)}",
            f"{significant(row.prior_lower)} to {significant(row.prior_upper)}",
            row.unit,
            "yes" if row.informed else "no: rests on its prior",
            f"{row.sd_ratio:.2f}",
            "" if row.r_hat is None else f"{row.r_hat:.3f}",
        )
        for row in forecast.posterior.rows
    ]
    head = [
        "Parameter", "Median", "95 % interval", "95 % of the prior", "Unit", "Informed by the data",
        "Posterior to prior SD", "R-hat",
    ]  # fmt: skip
    return table(head, rows, numeric={1, 2, 3, 6, 7}) + bullets(forecast.posterior.notes)


def interval_section(forecast: Forecast) -> str:
    """Volumes that a scan will show on the predicted days; empty without uncertainty."""
    found = forecast.uncertainty
    if found is None:
        return ""
    rows = []
    for day in forecast.days[forecast.days > forecast.forecast_from_day]:
        number = int(np.searchsorted(found.days, day))
        for region, bands in found.volume_mm3.items():
            cells = (
                f"{milliliters(float(band.lower[number]))} to {milliliters(float(band.upper[number]))}"
                for band in bands
            )
            median = milliliters(float(bands[0].median[number]))
            rows.append((day_text(day), date_text(forecast.start, float(day)), words(region), median, *cells))
    names = [f"{band.name}, mL" for band in next(iter(found.volume_mm3.values()))]
    head = ["Day", "Date", "Region", "Median, mL", *names]
    notes = [f"Of {found.futures} equally probable futures, as a scan would show them."]
    if found.cohort:
        notes.append(f"Calibrated on {found.cohort}.")
    return table(head, rows, numeric={0, *range(3, len(head))}) + bullets(notes)
