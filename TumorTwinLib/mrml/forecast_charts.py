"""The charts of a forecast: predicted curves, measured points, and where the calibration ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from TumorTwinLib.forecast import Forecast
from TumorTwinLib.mrml.plots import Series, fill_chart
from TumorTwinLib.mrml.run_nodes import RunNodes
from TumorTwinLib.mrml.tables import Column, fill_table
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
    volume = []
    for region in forecast.thresholds:
        term = term_for(region)
        subject = f"{term.name}, "
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
