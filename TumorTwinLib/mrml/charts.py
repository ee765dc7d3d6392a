"""A plot chart node as a picture, drawn from its series and tables as Slicer's plot view draws them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.mrml.canvas import BACKGROUND, QUIET_TEXT, Canvas, fraction
from TumorTwinLib.mrml.graphics import SUPERSAMPLING, offscreen_window, picture, require_graphics
from TumorTwinLib.mrml.plots import BAND_ATTRIBUTE

_GRID = (46, 50, 56)
_AXIS = (96, 102, 110)
_MARGIN = 20
_AXIS_TITLE = 36
_LINE_HEIGHT = 26
_BAND_OPACITY = 0.18
_SERIES = slicer.vtkMRMLPlotSeriesNode
_PENS = {
    _SERIES.LineStyleNone: vtk.vtkPen.NO_PEN,
    _SERIES.LineStyleSolid: vtk.vtkPen.SOLID_LINE,
    _SERIES.LineStyleDash: vtk.vtkPen.DASH_LINE,
    _SERIES.LineStyleDot: vtk.vtkPen.DOT_LINE,
    _SERIES.LineStyleDashDot: vtk.vtkPen.DASH_DOT_LINE,
    _SERIES.LineStyleDashDotDot: vtk.vtkPen.DASH_DOT_DOT_LINE,
}
_MARKERS = {
    _SERIES.MarkerStyleNone: vtk.vtkPlotPoints.NONE,
    _SERIES.MarkerStyleCross: vtk.vtkPlotPoints.CROSS,
    _SERIES.MarkerStylePlus: vtk.vtkPlotPoints.PLUS,
    _SERIES.MarkerStyleSquare: vtk.vtkPlotPoints.SQUARE,
    _SERIES.MarkerStyleCircle: vtk.vtkPlotPoints.CIRCLE,
    _SERIES.MarkerStyleDiamond: vtk.vtkPlotPoints.DIAMOND,
}


def render_chart(chart, path: str | Path, *, size: tuple[int, int] = (960, 600)) -> Path:
    """Draw a vtkMRMLPlotChartNode of x-y series.

    Args:
        path: of the PNG.
        size: (width, height) in pixels.

    Raises:
        TumorTwinError: the chart has no series, or pictures cannot be made on this machine.
    """
    require_graphics()
    series = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    if not series:
        raise TumorTwinError(f"The chart {chart.GetName()} has no series: add one.")
    width, height = size
    canvas = Canvas(width, height)
    canvas.text(chart.GetTitle() or chart.GetName(), _MARGIN, 14, size=22, bold=True)
    top = _draw_legend(canvas, series, 54, height // 2) if chart.GetLegendVisibility() else 54
    plot_size = (width - _AXIS_TITLE - _MARGIN, height - top - _AXIS_TITLE)
    canvas.paste(_plot(chart, series, plot_size), _AXIS_TITLE, top)
    x_title, y_title = chart.GetXAxisTitle() or "", chart.GetYAxisTitle() or ""
    canvas.text(x_title, _AXIS_TITLE + plot_size[0] // 2, height - 30, size=16, anchor="center")
    canvas.text(y_title, 10, top + plot_size[1] // 2, size=16, anchor="center", upwards=True)
    return canvas.write(path)


def _plot(chart, series, size: tuple[int, int]):
    view = vtk.vtkContextView()
    window = offscreen_window(size)
    view.SetRenderWindow(window)
    view.GetRenderer().SetBackground(*fraction(BACKGROUND))
    drawing = vtk.vtkChartXY()
    drawing.SetHiddenAxisBorder(_MARGIN * SUPERSAMPLING)
    view.GetScene().AddItem(drawing)
    for node in series:
        _add_series(drawing, node)
    x_limits = _limits(series, "X", None if chart.GetXAxisRangeAuto() else chart.GetXAxisRange())
    y_limits = _limits(series, "Y", None if chart.GetYAxisRangeAuto() else chart.GetYAxisRange())
    _style_axis(drawing.GetAxis(vtk.vtkAxis.BOTTOM), x_limits, size[0] // 110, chart.GetXAxisLogScale())
    _style_axis(drawing.GetAxis(vtk.vtkAxis.LEFT), y_limits, size[1] // 70, chart.GetYAxisLogScale())
    drawn = picture(window)
    window.Finalize()
    return drawn


def _limits(series, axis: str, fixed) -> tuple[float, float]:
    """The chart's own range, else that of the finite values with a little room; from 0 where values start near it."""
    if fixed is not None:
        return tuple(fixed)
    columns = [
        node.GetTableNode().GetTable().GetColumnByName(getattr(node, f"Get{axis}ColumnName")()) for node in series
    ]
    values = np.concatenate([numpy_support.vtk_to_numpy(column).astype(float) for column in columns])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    room = 0.03 * (high - low) or 0.5
    from_zero = axis == "Y" and 0 <= low < 0.5 * high
    return (0.0 if from_zero else low - room), high + room


def nice_ticks(low: float, high: float, about: int) -> np.ndarray:
    """Round positions inside [low, high], at steps of 1, 2, 3 or 5 times a power of ten, about as many as asked for."""
    wish = (high - low) / max(about, 1)
    power = 10.0 ** np.floor(np.log10(wish))
    step = min((factor * power for factor in (1, 2, 3, 5, 10)), key=lambda size: abs(np.log(size / wish)))
    return np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step + 0.0  # no minus zero


def _add_series(drawing: vtk.vtkChartXY, node) -> None:
    down_to = node.GetAttribute(BAND_ATTRIBUTE)
    if down_to:
        area = drawing.AddPlot(vtk.vtkChart.AREA)
        area.SetInputData(node.GetTableNode().GetTable())
        for index, column in enumerate((node.GetXColumnName(), node.GetYColumnName(), down_to)):
            area.SetInputArray(index, column)
        area.SetColorF(*node.GetColor())
        area.GetBrush().SetOpacityF(_BAND_OPACITY)
    plot = drawing.AddPlot(vtk.vtkChart.LINE)
    plot.SetInputData(node.GetTableNode().GetTable(), node.GetXColumnName(), node.GetYColumnName())
    plot.SetColorF(*node.GetColor())
    plot.SetWidth(node.GetLineWidth() * SUPERSAMPLING)
    plot.GetPen().SetLineType(_PENS[node.GetLineStyle()])
    plot.SetMarkerStyle(_MARKERS[node.GetMarkerStyle()])
    plot.SetMarkerSize(node.GetMarkerSize() * SUPERSAMPLING)


def _style_axis(axis: vtk.vtkAxis, limits: tuple[float, float], ticks: int, logarithmic: bool) -> None:
    axis.SetTitle("")  # titles are drawn beside the plot, where they cannot run into the numbers
    axis.SetBehavior(vtk.vtkAxis.FIXED)
    if logarithmic:
        axis.SetLogScale(True)
        axis.SetUnscaledRange(*limits)
    else:
        axis.SetRange(*limits)
        positions = nice_ticks(*limits, ticks)
        labels = vtk.vtkStringArray()
        for position in positions:
            labels.InsertNextValue(f"{position:.6g}")
        axis.SetCustomTickPositions(numpy_support.numpy_to_vtk(positions, deep=True), labels)
    axis.GetPen().SetColorF(*fraction(_AXIS))
    axis.GetPen().SetWidth(SUPERSAMPLING)
    axis.GetGridPen().SetColorF(*fraction(_GRID))
    axis.GetGridPen().SetWidth(SUPERSAMPLING)
    axis.GetLabelProperties().SetFontSize(15 * SUPERSAMPLING)
    axis.GetLabelProperties().SetColor(*fraction(QUIET_TEXT))
    axis.SetLabelOffset(8 * SUPERSAMPLING)
    axis.SetTickLength(5 * SUPERSAMPLING)


def _draw_legend(canvas: Canvas, series, top: int, lowest: int) -> int:
    """Entries side by side, in as many lines as fit above ``lowest``; returns where the plot may start."""
    left, widest = _MARGIN, canvas.pixels.shape[1] - _MARGIN
    for node in series:
        label = node.GetName()
        width = 44 + Canvas.text_width(label, 15)
        if left + width > widest and left > _MARGIN:
            if top + 2 * _LINE_HEIGHT > lowest:  # the curves need the room more
                break
            left, top = _MARGIN, top + _LINE_HEIGHT
        color = tuple(round(255 * channel) for channel in node.GetColor())
        _draw_sample(canvas, node, color, left, top + 9)
        canvas.text(label, left + 38, top, size=15)
        left += width + 24
    return top + _LINE_HEIGHT + 8


def _draw_sample(canvas: Canvas, node, color: tuple[int, int, int], left: int, middle: int) -> None:
    if node.GetLineStyle() == _SERIES.LineStyleSolid:
        canvas.fill(left, middle - 1, 28, 3, color)
    elif node.GetLineStyle() != _SERIES.LineStyleNone:
        for dash in range(3):
            canvas.fill(left + 10 * dash, middle - 1, 7, 2, color)
    if node.GetMarkerStyle() != _SERIES.MarkerStyleNone:
        canvas.disk(left + 14, middle, 5, color)
