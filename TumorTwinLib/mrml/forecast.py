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
from TumorTwinLib.jobs.steps import run_through
from TumorTwinLib.mrml.colors import fill_color_table
from TumorTwinLib.mrml.density import fill_density, style_density
from TumorTwinLib.mrml.forecast_charts import show_charts, show_prior_chart
from TumorTwinLib.mrml.forecast_tables import curve_columns, forecast_columns, measured_columns, parameter_columns
from TumorTwinLib.mrml.forecast_uncertainty import UncertaintyNodes, showing_uncertainty
from TumorTwinLib.mrml.run_nodes import RunNodes, file_under, folder_item, study_item
from TumorTwinLib.mrml.segmentations import add_segment, fill_segmentation
from TumorTwinLib.mrml.sequences import browse, filling_sequence
from TumorTwinLib.mrml.tables import fill_table

FOLDER = "TumorTwin forecast"
_STORED_DENSITY = 1e-3  # frames are cropped to the voxels that ever exceed this
_CROP_MARGIN_VOXELS = (3, 3, 3)


@dataclass(frozen=True)
class ForecastNodes:
    """What `show_forecast` made. ``density`` and ``regions`` follow the browser's selected day.

    ``uncertainty`` and ``prior_chart`` are None for a forecast of the most probable parameters alone.
    """

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
    uncertainty: UncertaintyNodes | None = None
    prior_chart: Any = None


@dataclass(frozen=True)
class TimeNodes:
    """Density and regions over time, each with the node that shows the browser's selected day."""

    browser: Any
    density: Any
    density_sequence: Any
    regions: Any
    regions_sequence: Any
    color_table: Any

    def browse(self, selected: int) -> None:
        """Play both together, and show frame number ``selected``."""
        pairs = [(self.density_sequence, self.density), (self.regions_sequence, self.regions)]
        browse(self.browser, pairs, selected)


def time_nodes(nodes: RunNodes, name: str) -> TimeNodes:
    """The nodes over time of a run, added where there are none yet."""
    color_table = nodes.get("vtkMRMLColorTableNode", "colors", "Tumor cell density colors")
    fill_color_table(color_table)
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
    return TimeNodes(browser, density, density_sequence, regions, regions_sequence, color_table)


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

    at = time_nodes(nodes, name)
    yield
    yield from filling_sequence(
        at.density_sequence, forecast.days, at.density,
        lambda node, n: _filling_density(node, forecast.cellularity[n][window], grid),
    )  # fmt: skip
    yield from filling_sequence(
        at.regions_sequence, forecast.days, at.regions,
        lambda node, n: _filling_regions(node, forecast.cellularity[n][window], grid, forecast.thresholds),
    )  # fmt: skip
    at.browse(selected)
    yield
    style_density(at.density, at.color_table)
    _show_regions(at.regions, forecast)
    yield
    uncertainty = yield from showing_uncertainty(nodes, name, forecast, at.browser, at.color_table)

    table = nodes.get("vtkMRMLTableNode", "table", f"{name} forecast")
    fill_table(table, forecast_columns(forecast))
    curve_table = nodes.get("vtkMRMLTableNode", "curve", f"{name} curve")
    fill_table(curve_table, curve_columns(forecast))
    measured_table = nodes.get("vtkMRMLTableNode", "measured", f"{name} measured")
    fill_table(measured_table, measured_columns(forecast))
    parameter_table = nodes.get("vtkMRMLTableNode", "parameters", f"{name} parameters")
    fill_table(parameter_table, parameter_columns(forecast.parameters))
    provenance = nodes.get("vtkMRMLTextNode", "provenance", f"{name} provenance")
    provenance.SetText(json.dumps(dict(forecast.provenance), indent=2, default=str))
    provenance.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)

    yield
    volume_chart, cell_count_chart = show_charts(nodes, forecast, curve_table, measured_table)
    prior_chart = show_prior_chart(nodes, forecast, measured_table)
    yield
    nodes.remove_unused()
    folder = folder_item(study or study_item(forecast.patient_id, run), FOLDER)
    result = ForecastNodes(
        at.browser, at.density, at.density_sequence, at.regions, at.regions_sequence, at.color_table, table,
        curve_table, measured_table, parameter_table, volume_chart, cell_count_chart, provenance, folder,
        uncertainty, prior_chart,
    )  # fmt: skip
    yield
    charts = [chart for chart in (volume_chart, cell_count_chart, prior_chart) if chart is not None]
    file_under(folder, [at.density, at.regions, *charts, table, measured_table, parameter_table])
    if uncertainty is not None:
        file_under(folder, [*uncertainty.maps.values(), uncertainty.posterior_table, uncertainty.interval_table])
        file_under(folder, [uncertainty.draws_table, uncertainty.corner])
    series = [
        chart.GetNthPlotSeriesNode(number) for chart in charts for number in range(chart.GetNumberOfPlotSeriesNodes())
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
    fill_density(node, field, grid)
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
