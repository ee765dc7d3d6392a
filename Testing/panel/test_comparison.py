"""Regimens in the panel: chosen, looked at week by week, compared by a run, told in words, and put in the report."""

from __future__ import annotations

from datetime import date

import pytest
import slicer

from TumorTwinLib.jobs.regimen_choice import offered_regimens
from TumorTwinLib.recommend import DISCLAIMER

PATIENCE_S = 400


def tick(panel, host, *names: str) -> None:
    import qt

    box = panel.panel.options.widget("regimens")
    for row in range(box.count):
        if box.item(row).data(qt.Qt.UserRole) in names:
            box.item(row).setCheckState(qt.Qt.Checked)
    host.process_events()


@pytest.fixture
def opened(ui, host, phantom):
    """The section of the comparison, with a patient."""
    host.click(ui.comparisonSection)
    return ui


def cells(table) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount) for column in range(table.columnCount)]


def test_the_library_is_offered_and_a_choice_is_kept_with_the_scene(opened, panel, host):
    box = panel.panel.options.widget("regimens")
    offered = offered_regimens("glioblastoma")
    assert [box.item(row).text() for row in range(box.count)] == list(offered.values())
    tick(panel, host, "gbm_stupp", "gbm_rt_60_30")
    assert '"gbm_rt_60_30", "gbm_stupp"' in panel.panel.parameters.options
    spec = panel.panel.runActions._spec()
    assert spec.regimens == ("gbm_rt_60_30", "gbm_stupp")
    assert spec.bayesian  # a comparison needs draws
    assert host.cut_off() == []


def test_the_calendar_shows_the_weeks_of_a_chosen_regimen(opened, panel, host, tmp_path):
    view = panel.panel.comparison
    assert view.table.rowCount == 0
    assert "Choose one regimen" in view.label.text
    tick(panel, host, "gbm_stupp", "recorded")
    host.choose(view.box, offered_regimens("glioblastoma")["gbm_stupp"])
    days = cells(view.table)
    assert sum("2 Gy" in day for day in days) == 30
    assert sum("temozolomide" in day for day in days) > 60
    decision = panel.panel.visits.selection.visits[-1].time.date()
    first = date.fromisoformat(view.table.verticalHeaderItem(0).text())
    assert first.weekday() == 0
    assert abs((first - decision).days) < 7
    host.window.panel.ensureWidgetVisible(view.purpose)
    assert host.screenshot(tmp_path / "calendar.png").stat().st_size > 20_000
    assert "Stupp" in view.label.text
    host.choose(view.box, offered_regimens("glioblastoma")["recorded"])
    assert "listed above" in view.label.text
    assert "not a treatment instruction" in view.purpose.text
    assert host.cut_off() == []


def test_a_run_compares_and_the_report_has_it(opened, panel, host, tmp_path):
    ui, options, results = opened, panel.panel.options, panel.panel.results
    tick(panel, host, "gbm_rt_60_30", "gbm_elderly_40_15")
    host.type(options.widget("comparison_draws"), "16")
    host.click(ui.comparisonSection)
    host.click(ui.advancedSection)
    host.type(options.widget("n_samples"), "100")
    host.type(options.widget("n_futures"), "16")
    host.click(ui.advancedSection)
    host.click(ui.applyButton)
    host.wait_until(lambda: "Comparing regimens" in ui.statusLabel.text, PATIENCE_S)
    host.wait_until(lambda: ui.applyButton.text == "Apply", PATIENCE_S)
    assert ui.statusLabel.text.startswith("Done in"), ui.statusLabel.text
    host.click(ui.resultsSection)
    assert ui.verdictLabel.text.endswith(DISCLAIMER)
    assert ui.verdictLabel.visible
    host.select_tab(ui.tableTabs, "Comparison")
    assert results.table("comparison").rowCount == 3
    titles = [results.table("comparison").item(row, 0).text() for row in range(3)]
    assert titles[-1] == "No further treatment"
    host.choose(ui.mapCombo, f"Density, {titles[0]}")
    host.process_events()
    layers = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert layers.GetForegroundVolumeID() == results.forecast.maps["regimen_density_00"].GetID()
    host.choose(ui.chartCombo, "Treatment timeline")
    host.click(ui.plotButton)
    host.choose(ui.chartCombo, "Regimens")
    host.click(ui.layoutButton)
    chart = slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNode()
    assert "under each regimen" in chart.GetTitle()
    host.window.panel.ensureWidgetVisible(ui.tableTabs)
    assert host.cut_off() == []
    assert host.screenshot(tmp_path / "compared.png").stat().st_size > 50_000
    host.desk.files.append(str(tmp_path / "report.html"))
    host.click(ui.reportButton)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h2>Comparison of regimens</h2>" in page
    assert DISCLAIMER in page
