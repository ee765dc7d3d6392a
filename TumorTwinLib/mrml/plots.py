"""Table columns to plot series and charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import slicer

from TumorTwinLib.mrml.run_nodes import RunNodes

BAND_ATTRIBUTE = "TumorTwin.DownTo"


@dataclass(frozen=True)
class Series:
    """One line or set of points of a chart.

    Args:
        role: unique in the run.
        label: in the legend.
        table: the table node its columns are in.
        x, y: column names.
        color: red, green, blue, 0 to 1.
        style: ``"line"``, ``"points"``, ``"dashes"`` or ``"dots"``.
        down_to: column of the lower bound of a band whose upper bound is ``y``; pictures fill it.
    """

    role: str
    label: str
    table: Any
    x: str
    y: str
    color: tuple[float, float, float]
    style: str = "line"
    down_to: str = ""


def fill_chart(nodes: RunNodes, role: str, title: str, x_title: str, y_title: str, series: Sequence[Series]):
    """A vtkMRMLPlotChartNode with exactly these series."""
    chart = nodes.get("vtkMRMLPlotChartNode", role, title)
    chart.RemoveAllPlotSeriesNodeIDs()
    chart.SetTitle(title)
    chart.SetXAxisTitle(x_title)
    chart.SetYAxisTitle(y_title)
    chart.SetLegendVisibility(True)
    chart.SetGridVisibility(True)
    for one in series:
        chart.AddAndObservePlotSeriesNodeID(_series_node(nodes, one).GetID())
    return chart


def _series_node(nodes: RunNodes, series: Series):
    node = nodes.get("vtkMRMLPlotSeriesNode", series.role, series.label)
    kind = slicer.vtkMRMLPlotSeriesNode
    node.SetAndObserveTableNodeID(series.table.GetID())
    node.SetPlotType(kind.PlotTypeScatter)  # x against y; a "line" plot in MRML has the row number as x
    node.SetXColumnName(series.x)
    node.SetYColumnName(series.y)
    node.SetColor(*series.color)
    node.SetLineWidth(2 if series.style == "line" else 1.5)
    node.SetMarkerSize(9)
    lines = {
        "line": kind.LineStyleSolid, "dashes": kind.LineStyleDash, "dots": kind.LineStyleDot,
        "points": kind.LineStyleNone,
    }  # fmt: skip
    node.SetLineStyle(lines[series.style])
    node.SetAttribute(BAND_ATTRIBUTE, series.down_to or None)
    node.SetMarkerStyle(kind.MarkerStyleCircle if series.style == "points" else kind.MarkerStyleNone)
    return node
