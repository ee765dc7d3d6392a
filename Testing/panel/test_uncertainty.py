"""A run with uncertainty in the panel: one box to tick, then tables, maps and bands are there by themselves."""

from __future__ import annotations

import pytest
import slicer

from TumorTwinLib.jobs.protocol import SAMPLE
from TumorTwinLib.jobs.result_store import read_result
from TumorTwinLib.mrml.result_kinds import MAPS

PATIENCE_S = 300


@pytest.fixture
def uncertain(ui, panel, host, phantom):
    """The phantom's run, few draws, ready to be started."""
    host.click(panel.panel.options.widget("bayesian"))
    host.click(ui.advancedSection)
    host.type(panel.panel.options.widget("n_samples"), "100")
    host.type(panel.panel.options.widget("n_futures"), "16")
    assert host.cut_off() == []
    host.click(ui.advancedSection)
    return ui


def test_a_run_with_uncertainty(uncertain, panel, host, scene, tmp_path):
    ui, results = uncertain, panel.panel.results
    host.click(ui.applyButton)
    host.wait_until(lambda: "Sampling the posterior" in ui.statusLabel.text, PATIENCE_S)
    assert "draw " in ui.statusLabel.text
    host.wait_until(lambda: ui.applyButton.text == "Apply", PATIENCE_S)
    assert ui.statusLabel.text.startswith("Done in"), ui.statusLabel.text
    host.click(ui.resultsSection)
    host.select_tab(ui.tableTabs, "Posterior")
    table = results.table("posterior")
    headings = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount)]
    assert {table.item(row, headings.index("Data")).text() for row in range(table.rowCount)} <= {
        "informed", "prior-dominated",
    }  # fmt: skip
    host.select_tab(ui.tableTabs, "Intervals")
    assert results.table("intervals").rowCount == 3 * 2 * 2  # days, regions, levels
    assert {kind.role for kind in MAPS} == set(results.forecast.maps)
    host.choose(ui.mapCombo, "Probability of whole tumor")
    host.process_events()
    layers = scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert layers.GetForegroundVolumeID() == results.forecast.maps["probability_whole_tumor"].GetID()
    assert results.forecast.legend("probability_whole_tumor").GetVisibility()
    assert not results.forecast.legend("density").GetVisibility()
    host.choose(ui.chartCombo, "Before and after the scans")
    host.click(ui.plotButton)
    chart = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNode()
    assert chart.GetName() == "Phantom: volume expected before and after the scans"
    host.choose(ui.chartCombo, "Tumor volume")
    host.click(ui.layoutButton)
    assert host.cut_off() == []
    picture = host.screenshot(tmp_path / "uncertainty.png")
    assert picture.stat().st_size > 50_000


def test_stopped_while_sampling_nothing_is_left_in_the_scene_and_the_posterior_is_kept(uncertain, panel, host):
    ui, control = uncertain, panel.panel.runActions.control
    host.click(ui.advancedSection)
    host.type(panel.panel.options.widget("n_samples"), "20000")
    host.click(ui.applyButton)
    host.wait_until(lambda: control.job and control.job.progress and control.job.progress.stage == SAMPLE, PATIENCE_S)
    folder = control.request.folder
    host.click(ui.applyButton)
    host.wait_until(lambda: ui.applyButton.text == "Apply", PATIENCE_S)
    assert ui.statusLabel.text == "Stopped. Nothing had been forecast yet."
    stopped = read_result(folder)
    assert stopped.fit is not None
    assert stopped.forecast is None
