"""Results: what a forecast in the scene can be asked to show, and that views change only when asked."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
import slicer

from TumorTwinLib.forecast import Curve, Forecast, Measurement, ParameterValue
from TumorTwinLib.geometry import Grid
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.run_nodes import RunNodes
from TumorTwinLib.mrml.tables import Column, fill_table

DAYS = np.array([0.0, 40.0, 80.0, 90.0, 110.0])
CONVENTIONAL_PLOT = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView


def grown(days: np.ndarray = DAYS) -> Forecast:
    """A ball that grows in the phantom's brain."""
    shape = (28, 30, 26)
    grid = Grid.from_spacing(shape, (4.0, 4.0, 4.0), tuple(-2.0 * (np.array(shape) - 1)))
    distance_mm = np.linalg.norm(grid.ras_mm(np.moveaxis(np.indices(shape), 0, -1)) - [12.0, 8.0, -4.0], axis=-1)
    fields = np.stack([np.clip((16 + 0.1 * day - distance_mm) / 8, 0, 1) for day in days]).astype(np.float32)
    volumes = {name: np.linspace(5e3, 2e4, days.size) * scale for name, scale in (("core", 0.5), ("whole_tumor", 1.0))}
    return Forecast(
        "Phantom", datetime(2024, 3, 4, 9, 30), days, grid, fields, {"core": 0.65, "whole_tumor": 0.25}, volumes,
        np.linspace(1e9, 4e9, days.size), Curve(days, volumes, np.linspace(1e9, 4e9, days.size)), 80.0,
        (Measurement(0.0, {"core": 2e3}),), (ParameterValue("diffusivity", "D", 0.123456, "mm2/day", 0.01, 0.4),),
    )  # fmt: skip


@pytest.fixture
def results(ui, panel, host, phantom):
    """The section with a forecast of five days."""
    show_forecast(grown())
    panel.panel.parameters.resultPatient = "Phantom"
    host.click(ui.resultsSection)
    return ui


@pytest.fixture
def forecast(results, panel):
    return panel.panel.results.forecast


def layers(scene, name: str = "Red"):
    return scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")


def test_without_a_forecast_nothing_can_be_asked(ui, host):
    host.click(ui.resultsSection)
    assert ui.resultsLabel.text == "There is no forecast yet."
    for name in ("daySlider", "densityCheckBox", "densityOpacitySlider", "legendCheckBox", "show3DCheckBox",
                 "layoutButton", "plotButton", "reportButton"):  # fmt: skip
        assert not getattr(ui, name).isEnabled(), name
    assert host.cut_off() == []


def test_the_slider_goes_through_the_days(results, host, forecast):
    assert results.resultsLabel.text == "Phantom forecast"
    assert (results.daySlider.maximum, results.daySlider.value) == (4, 4)
    assert results.dayLabel.text == "Day 110, 2024-06-22, prediction"
    last = slicer.util.arrayFromVolume(forecast.density).sum()
    host.slide(results.daySlider, 1)
    assert forecast.selected == 1
    assert results.dayLabel.text == "Day 40, 2024-04-13, fit"
    assert slicer.util.arrayFromVolume(forecast.density).sum() < last
    assert host.cut_off() == []


def test_the_slider_follows_the_sequence_browser(results, host, forecast):
    forecast.browser.SetSelectedItemNumber(2)
    host.process_events()
    assert results.daySlider.value == 2
    assert results.dayLabel.text.startswith("Day 80")


def test_the_density_lies_over_the_anatomy_as_wanted(results, host, scene, forecast):
    assert layers(scene).GetForegroundVolumeID() == forecast.density.GetID()
    assert layers(scene).GetForegroundOpacity() == pytest.approx(0.6)
    host.slide(results.densityOpacitySlider, 0.25)
    host.process_events()
    assert layers(scene, "Green").GetForegroundOpacity() == pytest.approx(0.25)
    host.click(results.densityCheckBox)
    host.process_events()
    assert layers(scene).GetForegroundVolumeID() is None
    assert not forecast.legend().GetVisibility()
    host.click(results.densityCheckBox)
    host.process_events()
    assert layers(scene).GetForegroundVolumeID() == forecast.density.GetID()


def test_an_overlay_of_the_users_own_is_left_alone(results, host, scene, phantom):
    other = phantom.selection.visits[0].images["T1CE"]
    host.click(results.densityCheckBox)
    host.process_events()
    layers(scene).SetForegroundVolumeID(other.GetID())
    host.click(results.legendCheckBox)
    host.process_events()
    assert layers(scene).GetForegroundVolumeID() == other.GetID()


def test_legend_and_surfaces_come_and_go(results, host, forecast):
    display = forecast.regions.GetDisplayNode()
    assert forecast.legend().GetVisibility()
    assert display.GetVisibility3D()
    host.click(results.legendCheckBox)
    host.click(results.show3DCheckBox)
    host.process_events()
    assert not forecast.legend().GetVisibility()
    assert not display.GetVisibility3D()


def test_views_are_rearranged_by_their_button_alone(results, host, scene, panel):
    before = slicer.app.layoutManager().layout
    assert before != CONVENTIONAL_PLOT
    position = slicer.util.arrayFromVTKMatrix(scene.GetSingletonNode("Red", "vtkMRMLSliceNode").GetSliceToRAS()).copy()
    host.slide(results.daySlider, 0)
    assert slicer.app.layoutManager().layout == before
    host.click(results.layoutButton)
    assert slicer.app.layoutManager().layout == CONVENTIONAL_PLOT
    moved = slicer.util.arrayFromVTKMatrix(scene.GetSingletonNode("Red", "vtkMRMLSliceNode").GetSliceToRAS())
    assert moved[2, 3] == pytest.approx(-4.0, abs=4.0)
    assert not np.allclose(position, moved)
    chart = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNode()
    assert chart.GetName() == "Phantom: tumor volume"
    assert scene.GetNodeByID(layers(scene).GetBackgroundVolumeID()).GetName() == "T1CE day 0"
    assert host.cut_off() == []


def test_the_plot_alone_fills_the_window(results, host):
    host.click(results.plotButton)
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpPlotView
    chart = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNode()
    assert chart.GetName() == "Phantom: tumor volume"


def test_tables_show_the_numbers_with_their_units(results, host):
    headings = [
        results.forecastTable.horizontalHeaderItem(column).text() for column in range(results.forecastTable.columnCount)
    ]
    assert headings[:2] == ["Time (d)", "Date"]
    assert "Whole tumor volume (mL)" in headings
    assert results.forecastTable.rowCount == 5
    assert results.forecastTable.item(4, headings.index("Whole tumor volume (mL)")).text() == "20"
    host.select_tab(results.tableTabs, "Parameters")
    assert results.parameterTable.item(0, 2).text() == "0.1235"
    assert results.parameterTable.item(0, 2).toolTip() == "0.123456"
    assert results.parameterTable.item(0, 6).text() == "yes"
    with pytest.raises(AssertionError, match="cannot be edited"):
        host.edit_cell(results.parameterTable, 0, 2, "1")


def test_the_comparison_has_its_place_when_there_is_one(results, host):
    assert not results.tableTabs.isTabVisible(results.tableTabs.indexOf(results.comparisonTab))
    table = RunNodes("Phantom", "TumorTwin").get("vtkMRMLTableNode", "comparison", "Regimens")
    fill_table(table, [Column("regimen", "Regimen", "", "Name.", ["Stupp", "none"])])
    host.process_events()
    host.select_tab(results.tableTabs, "Comparison")
    assert results.comparisonTable.item(1, 0).text() == "none"


def test_parts_that_are_deleted_are_missed_not_mourned(results, host, scene, forecast):
    for node in (forecast.table, forecast.volume_chart, forecast.regions):
        scene.RemoveNode(node)
    host.process_events()
    assert results.dayLabel.text == "Day 110"
    assert not results.plotButton.isEnabled()
    assert results.forecastTable.rowCount == 0
    scene.RemoveNode(forecast.browser)
    host.process_events()
    assert results.resultsLabel.text == "There is no forecast yet."
    assert not results.daySlider.isEnabled()
