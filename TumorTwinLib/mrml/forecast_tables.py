"""The columns of a forecast's tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from TumorTwinLib.forecast import Curve, Forecast, ParameterValue
from TumorTwinLib.mrml.tables import Column
from TumorTwinLib.terminology import term_for

_CELL_COUNT_SCALE = 1e9


def _dates(forecast: Forecast, days) -> list[str]:
    return [(forecast.start + timedelta(days=float(day))).isoformat(sep=" ", timespec="minutes") for day in days]


def _time_columns(forecast: Forecast, days) -> list[Column]:
    return [
        Column("day", "Time", "d", "Days since the first visit.", np.asarray(days, dtype=float)),
        Column("date", "Date", "", "Date and time.", _dates(forecast, days)),
    ]


def _volume_column(region: str, volume_mm3, kind: str) -> Column:
    volume_ml = np.asarray(volume_mm3, dtype=float) / 1000
    return Column(f"{region}_volume", f"{term_for(region).name} volume", "mL", f"{kind} volume of {region}.", volume_ml)


def _cell_count_column(count, description: str) -> Column:
    return Column("cell_count", "Total cell count", "10^9 cells", description, np.asarray(count) / _CELL_COUNT_SCALE)


def _quantity_columns(forecast: Forecast, at: Forecast | Curve) -> list[Column]:
    phase = ["fit" if day <= forecast.forecast_from_day else "prediction" for day in at.days]
    return [
        *_time_columns(forecast, at.days),
        Column("phase", "Phase", "", "Whether the day was used in the calibration or is predicted.", phase),
        *(
            _volume_column(region, at.volume_mm3[region], f"Above density {level:g}: predicted")
            for region, level in forecast.thresholds.items()
        ),
        _cell_count_column(at.total_cell_count, "Tumor cells in the whole field."),
    ]


def forecast_columns(forecast: Forecast) -> list[Column]:
    """Volumes and cell count on the output days."""
    return _quantity_columns(forecast, forecast)


def curve_columns(forecast: Forecast) -> list[Column]:
    """The same on the days of the curve, for plotting; on the output days where there is no curve."""
    return _quantity_columns(forecast, forecast.curve or forecast)


def measured_columns(forecast: Forecast) -> list[Column]:
    """What the scans showed, NaN where one showed nothing."""
    scans = forecast.measurements
    counts = [np.nan if scan.total_cell_count is None else scan.total_cell_count for scan in scans]
    return [
        *_time_columns(forecast, [scan.day for scan in scans]),
        *(
            _volume_column(region, [scan.volume_mm3.get(region, np.nan) for scan in scans], "Segmented")
            for region in forecast.thresholds
        ),
        _cell_count_column(np.array(counts, dtype=float), "Tumor cells in the segmented tumor, from the ADC map."),
    ]


def parameter_columns(rows: Sequence[ParameterValue]) -> list[Column]:
    """One row a parameter."""
    informed = {True: "yes", False: "no, rests on the prior", None: "not assessed"}

    def numbers(values) -> np.ndarray:
        return np.array([np.nan if value is None else value for value in values], dtype=float)

    return [
        Column("parameter", "Parameter", "", "Name.", [row.name for row in rows]),
        Column("symbol", "Symbol", "", "As in the model's equation.", [row.symbol for row in rows]),
        Column("value", "Value", "", "In the unit of its row.", numbers(row.value for row in rows)),
        Column("standard_error", "Standard error", "", "In the unit of its row.",
               numbers(row.standard_error for row in rows)),
        Column("unit", "Unit", "", "Of value and standard error.", [row.unit for row in rows]),
        Column("posterior_to_prior_sd", "Posterior to prior SD", "1", "Below 0.8 the data informed the parameter.",
               numbers(row.posterior_to_prior_sd for row in rows)),
        Column("informed", "Informed by data", "", "Whether the scans say something about it.",
               [informed[row.informed_by_data] for row in rows]),
        Column("source", "Source of the prior", "", "Literature.", [row.source for row in rows]),
    ]  # fmt: skip
