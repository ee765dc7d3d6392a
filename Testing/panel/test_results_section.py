"""Results: what a forecast in the scene can be asked to show, and that views change only when asked."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
import slicer

from TumorTwinLib.forecast import Curve, Forecast, Measurement, ParameterValue
from TumorTwinLib.geometry import Grid
from TumorTwinLib.mrml import result_kinds
from TumorTwinLib.mrml.density import fill_density
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.run_nodes import RunNodes
from TumorTwinLib.mrml.sequences import browse, empty_sequence, index_value, new_frame
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
                 "layoutButton", "plotButton", "reportButton", "mapCombo", "chartCombo"):  # fmt: skip
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
    assert not forecast.legend("density").GetVisibility()
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
    assert forecast.legend("density").GetVisibility()
    assert display.GetVisibility3D()
    host.click(results.legendCheckBox)
    host.click(results.show3DCheckBox)
    host.process_events()
    assert not forecast.legend("density").GetVisibility()
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


def test_another_plot_is_chosen(results, host):
    host.choose(results.chartCombo, "Tumor cells")
    host.click(results.plotButton)
    chart = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNode()
    assert chart.GetName() == "Phantom: tumor cell count"


def test_tables_show_the_numbers_with_their_units(results, host, panel):
    table = panel.panel.results.table("table")
    headings = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount)]
    assert headings[:2] == ["Time (d)", "Date"]
    assert "Whole tumor volume (mL)" in headings
    assert table.rowCount == 5
    assert table.item(4, headings.index("Whole tumor volume (mL)")).text() == "20"
    host.select_tab(results.tableTabs, "Parameters")
    table = panel.panel.results.table("parameters")
    assert table.item(0, 2).text() == "0.1235"
    assert table.item(0, 2).toolTip() == "0.123456"
    assert table.item(0, 6).text() == "yes"
    with pytest.raises(AssertionError, match="cannot be edited"):
        host.edit_cell(table, 0, 2, "1")


def test_a_registered_table_has_its_tab_when_there_is_one(results, host, panel):
    table = panel.panel.results.table("comparison")
    assert not results.tableTabs.isTabVisible(results.tableTabs.indexOf(table))
    node = RunNodes("Phantom", "TumorTwin").get("vtkMRMLTableNode", "comparison", "Regimens")
    fill_table(node, [Column("regimen", "Regimen", "", "Name.", ["Stupp", "none"])])
    host.process_events()
    host.select_tab(results.tableTabs, "Comparison")
    assert table.item(1, 0).text() == "none"


def test_a_registered_map_is_shown_when_it_is_chosen(ui, panel, host, scene, phantom):
    result_kinds.MAPS.append(result_kinds.ResultKind("probability", "Probability of tumor", "From 0 to 1."))
    try:
        nodes = show_forecast(grown())
        run = RunNodes("Phantom", "TumorTwin")
        sequence = run.get("vtkMRMLSequenceNode", "probability_sequence", "Probability over time")
        empty_sequence(sequence)
        for day in DAYS:
            frame = new_frame(nodes.density, day)
            fill_density(frame, np.full((4, 4, 4), 0.5), Grid.from_spacing((4, 4, 4), (8.0, 8.0, 8.0)))
            sequence.SetDataNodeAtValue(frame, index_value(day))
        shown = run.get("vtkMRMLScalarVolumeNode", "probability", "Phantom probability")
        browse(nodes.browser, [(sequence, shown)], 4)
        panel.panel.parameters.resultPatient = "Phantom"
        host.click(ui.resultsSection)
        host.choose(ui.mapCombo, "Probability of tumor")
        host.process_events()
        assert panel.panel.parameters.shownMap == "probability"
        assert layers(scene).GetForegroundVolumeID() == shown.GetID()
        assert not panel.panel.results.forecast.legend("density").GetVisibility()
        host.choose(ui.mapCombo, "Tumor cell density")
        host.process_events()
        assert layers(scene).GetForegroundVolumeID() == nodes.density.GetID()
    finally:
        result_kinds.MAPS.pop()


def test_parts_that_are_deleted_are_missed_not_mourned(results, panel, host, scene, forecast):
    for node in (forecast.tables["table"], *forecast.charts.values(), forecast.regions):
        scene.RemoveNode(node)
    host.process_events()
    assert results.dayLabel.text == "Day 110"
    assert not results.plotButton.isEnabled()
    host.click(results.layoutButton)  # there is still something to lay out
    assert panel.panel.results.table("table").rowCount == 0
    scene.RemoveNode(forecast.browser)
    host.process_events()
    assert results.resultsLabel.text == "There is no forecast yet."
    assert not results.daySlider.isEnabled()
