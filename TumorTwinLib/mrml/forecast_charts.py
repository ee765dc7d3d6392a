"""The charts of a forecast: predicted curves and bands, measured points, and where the calibration ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import slicer

from TumorTwinLib.forecast import Forecast
from TumorTwinLib.mrml.plots import Series, fill_chart
from TumorTwinLib.mrml.run_nodes import RunNodes
from TumorTwinLib.mrml.tables import Column, fill_table
from TumorTwinLib.mrml.uncertainty_tables import band_columns, chart_band
from TumorTwinLib.terminology import term_for

_GRAY = (0.55, 0.55, 0.55)
_CELL_COUNT_COLOR = (0.80, 0.47, 0.65)
_TIME = "Time since first scan (days)"
_LAST_SCAN = "Last scan used"


def show_charts(nodes: RunNodes, forecast: Forecast, curve_table, measured_table) -> tuple[Any, Any]:
    """The volume chart and the cell count chart.

    Args:
        curve_table, measured_table: filled with ``curve_columns`` and ``measured_columns``.
    """
    volume, bands = [], _band_table(nodes, forecast)
    for region in forecast.thresholds:
        term = term_for(region)
        subject = f"{term.name}, "
        if bands is not None:
            volume += _band(forecast, region, bands)
        volume += _curve_and_points(f"{region}_volume", subject, term.color_fraction, curve_table, measured_table)
    count = _curve_and_points("cell_count", "", _CELL_COUNT_COLOR, curve_table, measured_table)
    if forecast.measurements:
        line = nodes.get("vtkMRMLTableNode", "last_scan", _LAST_SCAN)
        fill_table(
            line,
            [
                Column("day", "Time", "d", "Last day used in the calibration.", [forecast.forecast_from_day] * 2),
                Column("volume", "Volume", "mL", "From bottom to top of the chart.", [0.0, _highest(volume)]),
                Column("cell_count", "Cell count", "10^9 cells", "From bottom to top.", [0.0, _highest(count)]),
            ],
        )
        volume.append(Series("last_scan_volume", _LAST_SCAN, line, "day", "volume", _GRAY, "dashes"))
        count.append(Series("last_scan_cell_count", _LAST_SCAN, line, "day", "cell_count", _GRAY, "dashes"))
    who = forecast.patient_id
    return (
        fill_chart(nodes, "volume_chart", f"{who}: tumor volume", _TIME, "Volume (mL)", volume),
        fill_chart(nodes, "cell_count_chart", f"{who}: tumor cell count", _TIME, "Cells (billions)", count),
    )


def show_prior_chart(nodes: RunNodes, forecast: Forecast, measured_table):
    """What was expected before the later scans were seen, beside what is now; None without uncertainty."""
    bands = _band_table(nodes, forecast)
    if bands is None:
        return None
    series = []
    for region in forecast.thresholds:
        term = term_for(region)
        now = _band(forecast, region, bands, role="now_")
        before = [
            Series(f"prior_{region}_{bound}", f"{term.name}, {percent} % before", bands, "day",
                   f"{region}_prior_{bound}", term.color_fraction, "dashes")
            for bound, percent in (("upper", 95), ("lower", 5))
        ]  # fmt: skip
        column = f"{region}_volume"
        points = _curve_and_points(column, f"{term.name}, ", term.color_fraction, measured_table, measured_table)[1:]
        series += [*now, *before, *(replace(one, role=f"prior_{one.role}") for one in points)]
    title = f"{forecast.patient_id}: volume expected before and after the scans"
    return fill_chart(nodes, "prior_chart", title, _TIME, "Volume (mL)", series)


def _band_table(nodes: RunNodes, forecast: Forecast):
    if forecast.uncertainty is None:
        return None
    table = nodes.get("vtkMRMLTableNode", "bands", "Bands")
    fill_table(table, band_columns(forecast.uncertainty))
    return table


def _band(forecast: Forecast, region: str, table, role: str = "") -> list[Series]:
    """Median, and the bounds as lines; Slicer's plots fill nothing."""
    assert forecast.uncertainty is not None
    band = chart_band(forecast.uncertainty.volume_mm3[region])
    kind, tail = "calibrated" if band.calibrated else "raw", 50 * (1 - band.level)
    term = term_for(region)
    name, color = term.name, term.color_fraction
    upper, lower = (f"{region}_{bound}" for bound in ("upper", "lower"))
    return [
        Series(f"{role}{upper}", f"{name}, {100 - tail:g} % ({kind})", table, "day", upper, color, "dots", lower),
        Series(f"{role}{lower}", f"{name}, {tail:g} % ({kind})", table, "day", lower, color, "dots"),
        Series(f"{role}{region}_median", f"{name}, median", table, "day", f"{region}_median", color, "dashes"),
    ]


def _curve_and_points(
    column: str, subject: str, color: tuple[float, float, float], curve_table, measured_table
) -> list[Series]:
    """The predicted curve, and the measured points if there is any."""
    curve = Series(f"predicted_{column}", f"{subject}predicted".capitalize(), curve_table, "day", column, color)
    if not np.isfinite(slicer.util.arrayFromTableColumn(measured_table, column)).any():
        return [curve]
    label = f"{subject}measured".capitalize()
    return [curve, Series(f"measured_{column}", label, measured_table, "day", column, color, "points")]


def _highest(series: list[Series]) -> float:
    return max(float(np.nanmax(slicer.util.arrayFromTableColumn(one.table, one.y))) for one in series)
