"""A forecast as Slicer nodes: density and regions over time, tables with units, charts, under the patient's study."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.forecast import Forecast
from TumorTwinLib.geometry import Grid, Image, bounding_box
from TumorTwinLib.mrml.colors import fill_color_table
from TumorTwinLib.mrml.forecast_charts import show_charts
from TumorTwinLib.mrml.forecast_tables import curve_columns, forecast_columns, measured_columns, parameter_columns
from TumorTwinLib.mrml.run_nodes import RunNodes, file_under, folder_item, study_item
from TumorTwinLib.mrml.segmentations import add_segment, fill_segmentation
from TumorTwinLib.mrml.sequences import browse, filling_sequence
from TumorTwinLib.mrml.steps import run_through
from TumorTwinLib.mrml.tables import fill_table
from TumorTwinLib.mrml.volumes import coded_entry, fill_volume

FOLDER = "TumorTwin forecast"
_VISIBLE_DENSITY = 0.02  # below this fraction of capacity a voxel is not drawn
_STORED_DENSITY = 1e-3  # frames are cropped to the voxels that ever exceed this
_DENSITY_STEP = 2.0**-13  # densities are stored in steps of 0.00012, which makes scene files ten times smaller
_CROP_MARGIN_VOXELS = (3, 3, 3)


@dataclass(frozen=True)
class ForecastNodes:
    """What `show_forecast` made. ``density`` and ``regions`` follow the browser's selected day."""

    browser: Any
    density: Any
    density_sequence: Any
    regions: Any
    regions_sequence: Any
    color_table: Any
    table: Any
    curve_table: Any
    measured_table: Any
    parameter_table: Any
    volume_chart: Any
    cell_count_chart: Any
    provenance: Any
    folder: int


def show_forecast(
    forecast: Forecast, *, run: str = "TumorTwin", study: int | None = None, day: float | None = None
) -> ForecastNodes:
    """Put a forecast into the scene, or refill the nodes that an earlier call made for this patient and run.

    Args:
        forecast: all of it is shown; frames are cropped to where tumor cells ever are.
        run: names this set of nodes, so that two runs of one patient can be compared.
        study: subject-hierarchy item to file the results under; by default the patient's study named after the run.
        day: the output day to select; by default the last.

    Raises:
        TumorTwinError: the forecast contradicts itself. The scene is then as it was.
    """
    return run_through(showing_forecast(forecast, run=run, study=study, day=day))


def showing_forecast(
    forecast: Forecast, *, run: str = "TumorTwin", study: int | None = None, day: float | None = None
) -> Generator[None, None, ForecastNodes]:
    """``show_forecast`` in steps of one region of one frame, so that a panel can let the user go on between them."""
    grid, window = yield from _checked_box(forecast)
    selected = len(forecast.days) - 1 if day is None else int(np.argmin(np.abs(np.asarray(forecast.days) - day)))
    nodes = RunNodes(forecast.patient_id, run)
    name = forecast.patient_id if run == "TumorTwin" else f"{forecast.patient_id} {run}"

    color_table = nodes.get("vtkMRMLColorTableNode", "colors", "Tumor cell density colors")
    fill_color_table(color_table)
    yield
    browser = nodes.get("vtkMRMLSequenceBrowserNode", "browser", f"{name} forecast")
    density_sequence = nodes.get("vtkMRMLSequenceNode", "density_sequence", f"{name} tumor cell density over time")
    regions_sequence = nodes.get("vtkMRMLSequenceNode", "regions_sequence", f"{name} predicted regions over time")
    # Frames read from a file carry no mark, and a proxy is as its frame; the browser knows its proxies all the same.
    density, regions = (
        nodes.get(class_name, role, f"{name} {what}", browser.GetProxyNode(sequence))
        for class_name, role, what, sequence in (
            ("vtkMRMLScalarVolumeNode", "density", "tumor cell density", density_sequence),
            ("vtkMRMLSegmentationNode", "regions", "predicted regions", regions_sequence),
        )
    )
    yield
    yield from filling_sequence(
        density_sequence, forecast.days, density,
        lambda node, n: _filling_density(node, forecast.cellularity[n][window], grid),
    )  # fmt: skip
    yield from filling_sequence(
        regions_sequence, forecast.days, regions,
        lambda node, n: _filling_regions(node, forecast.cellularity[n][window], grid, forecast.thresholds),
    )  # fmt: skip
    browse(browser, [(density_sequence, density), (regions_sequence, regions)], selected)
    yield
    _show_density(density, color_table)
    _show_regions(regions, forecast)
    yield

    table = nodes.get("vtkMRMLTableNode", "table", f"{name} forecast")
    fill_table(table, forecast_columns(forecast))
    curve_table = nodes.get("vtkMRMLTableNode", "curve", f"{name} curve")
    fill_table(curve_table, curve_columns(forecast))
    measured_table = nodes.get("vtkMRMLTableNode", "measured", f"{name} measured")
    fill_table(measured_table, measured_columns(forecast))
    parameter_table = nodes.get("vtkMRMLTableNode", "parameters", f"{name} parameters")
    fill_table(parameter_table, parameter_columns(forecast))
    provenance = nodes.get("vtkMRMLTextNode", "provenance", f"{name} provenance")
    provenance.SetText(json.dumps(dict(forecast.provenance), indent=2, default=str))
    provenance.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)

    yield
    volume_chart, cell_count_chart = show_charts(nodes, forecast, curve_table, measured_table)
    yield
    nodes.remove_unused()
    folder = folder_item(study or study_item(forecast.patient_id, run), FOLDER)
    result = ForecastNodes(
        browser, density, density_sequence, regions, regions_sequence, color_table, table, curve_table,
        measured_table, parameter_table, volume_chart, cell_count_chart, provenance, folder,
    )  # fmt: skip
    yield
    file_under(folder, [density, regions, volume_chart, cell_count_chart, table, measured_table, parameter_table])
    series = [
        chart.GetNthPlotSeriesNode(number)
        for chart in (volume_chart, cell_count_chart)
        for number in range(chart.GetNumberOfPlotSeriesNodes())
    ]
    helpers = [one.GetTableNode() for one in series if one.GetTableNode() is not measured_table]
    file_under(folder_item(folder, "Plot data"), [*series, *helpers, provenance])
    return result


def _checked_box(forecast: Forecast) -> Generator[None, None, tuple[Grid, tuple[slice, ...]]]:
    """The part of the grid where tumor cells ever are, as a grid and as a window into the fields.

    Raises:
        TumorTwinError: the forecast contradicts itself.
    """
    days = np.asarray(forecast.days, dtype=float)
    who = f"The forecast of {forecast.patient_id}"
    if days.ndim != 1 or days.size == 0 or not np.isfinite(days).all() or (np.diff(days) <= 0).any():
        raise TumorTwinError(f"{who} has output days {days.tolist()}: give at least one day, in rising order.")
    if forecast.cellularity.shape != (days.size, *forecast.grid.shape):
        raise TumorTwinError(
            f"{who} has fields of shape {forecast.cellularity.shape} for {days.size} days on a grid of "
            f"{forecast.grid.shape}: run it again."
        )
    if not forecast.thresholds:
        raise TumorTwinError(f"{who} has no region with a threshold: run it again.")
    for quantities in (forecast, forecast.curve or forecast):
        lengths = {len(quantities.total_cell_count), *(len(volume) for volume in quantities.volume_mm3.values())}
        if lengths != {len(quantities.days)} or set(quantities.volume_mm3) != set(forecast.thresholds):
            raise TumorTwinError(f"{who} has quantities that do not match its days and regions: run it again.")
    occupied = np.zeros(forecast.grid.shape, bool)
    for field in forecast.cellularity:
        if not np.isfinite(field).all():
            raise TumorTwinError(
                f"{who} has values that are not finite: shorten the time step or check the parameters."
            )
        occupied |= field > _STORED_DENSITY
        yield
    if not occupied.any():
        raise TumorTwinError(f"{who} has no tumor cells on any day: check the first segmentation.")
    lower, upper = bounding_box(occupied, _CROP_MARGIN_VOXELS)
    window = tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))
    return forecast.grid.crop(lower, upper), window


def _filling_density(node, field: np.ndarray, grid: Grid) -> Iterator[None]:
    steps = np.round(np.asarray(field, dtype=np.float32) / _DENSITY_STEP)
    fill_volume(node, Image(steps * np.float32(_DENSITY_STEP), grid, "density"))
    yield


def _filling_regions(node, field: np.ndarray, grid: Grid, thresholds: Mapping[str, float]) -> Iterator[None]:
    """Segments with closed surfaces, for smooth outlines and 3D on every day of the sequence."""
    first, *others = ((region, Image(field >= level, grid, region)) for region, level in thresholds.items())
    fill_segmentation(node, dict([first]))
    node.CreateClosedSurfaceRepresentation()
    yield
    for region, mask in others:
        add_segment(node, region, mask)
        yield


def _show_density(volume, color_table) -> None:
    # On the proxy, since frames do not hand these on.
    volume.SetVoxelValueQuantity(coded_entry("cell-density", "99TUMORTWIN", "Tumor cell density"))
    volume.SetVoxelValueUnits(coded_entry("1", "UCUM", "no units"))
    display = volume.GetDisplayNode()
    display.SetAndObserveColorNodeID(color_table.GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.SetThreshold(_VISIBLE_DENSITY, 10.0)
    display.ApplyThresholdOn()
    display.InterpolateOn()
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(volume)
    legend.SetTitleText("Tumor cell density\n(fraction of capacity)")
    legend.SetLabelFormat("%.2f")
    legend.SetNumberOfLabels(5)
    legend.SetPosition(0.95, 0.5)
    legend.SetSize(0.12, 0.5)


def _show_regions(segmentation, forecast: Forecast) -> None:
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    display = segmentation.GetDisplayNode()
    display.SetPreferredDisplayRepresentationName2D(surface)
    display.SetPreferredDisplayRepresentationName3D(surface)
    display.SetVisibility2DFill(False)  # the fill would hide the density
    display.SetVisibility2DOutline(True)
    display.SetSliceIntersectionThickness(3)
    display.SetRemoveUnusedDisplayProperties(False)  # segments come and go as the day changes; their looks stay
    innermost = max(forecast.thresholds, key=forecast.thresholds.__getitem__)
    for region in forecast.thresholds:
        display.SetSegmentOpacity3D(region, 1.0 if region == innermost else 0.3)
