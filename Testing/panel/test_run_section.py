"""Run: from Apply to a forecast by clicks alone, and Cancel at any time."""

from __future__ import annotations

import pytest
import slicer

from TumorTwinLib.jobs.result_store import read_result

PATIENCE_S = 300  # for a run on a busy machine


def idle(ui):
    return lambda: ui.applyButton.text == "Apply"


def job_folder(panel):
    from pathlib import Path

    return Path(panel.panel.parameters.jobFolder)


def nodes_of(scene, class_name: str) -> list[str]:
    return sorted(node.GetName() for node in slicer.util.getNodesByClass(class_name))


def test_a_phantom_from_apply_to_forecast(ui, panel, host, scene, phantom):
    host.click(ui.applyButton)
    assert ui.applyButton.text == "Cancel"
    assert ui.progressBar.isVisible()
    stages = set()

    def done() -> bool:
        stages.add(ui.statusLabel.text.split(",")[0].split(" (")[0])
        return idle(ui)()

    host.wait_until(done, PATIENCE_S)
    assert {"Preparing the job", "Calibrating"} <= stages
    assert ui.statusLabel.text.startswith("Done in ")
    assert not ui.progressBar.isVisible()
    assert panel.panel.results.forecast.day_count == 6  # three visits and three outputs
    assert "The scans say little about" in ui.logEdit.toPlainText()
    assert host.messages == []
    assert host.packages.calls == []
    result = read_result(job_folder(panel))
    assert result.forecast.patient_id == "Phantom"
    host.click(ui.resultsSection)
    host.select_tab(ui.tableTabs, "Parameters")
    assert panel.panel.results.table("parameters").item(0, 0).text() == "diffusivity_mm2_per_day"
    assert host.cut_off() == []


def test_a_second_run_refills_the_same_nodes(ui, host, scene, phantom):
    for _ in range(2):
        host.click(ui.applyButton)
        host.wait_until(idle(ui), PATIENCE_S)
        names = {
            name: nodes_of(scene, name) for name in ("vtkMRMLSequenceNode", "vtkMRMLTableNode", "vtkMRMLVolumeNode")
        }
    assert names["vtkMRMLSequenceNode"] == [
        "Phantom predicted regions over time",
        "Phantom tumor cell density over time",
    ]
    assert names["vtkMRMLTableNode"].count("Phantom forecast") == 1
    assert names["vtkMRMLVolumeNode"].count("Phantom tumor cell density") == 1


def test_the_sample_patient_by_clicks_alone(ui, panel, host):
    host.click(ui.sampleButton)
    host.click(ui.advancedSection)
    host.type(ui.resolutionSpinBox, "4")
    host.type(ui.horizonSpinBox, "90")
    host.click(ui.applyButton)
    host.wait_until(idle(ui), PATIENCE_S)
    assert ui.statusLabel.text.startswith("Done in ")
    forecast = panel.panel.results.forecast
    days = [round(forecast.day(number)) for number in range(forecast.day_count)]
    assert days == [0, 35, 126, 183, 213, 243, 273]
    host.click(ui.resultsSection)
    assert ui.dayLabel.text == "Day 273, 2024-12-02, prediction"
    host.click(ui.layoutButton)
    assert host.cut_off() == []


def test_cancel_while_preparing_leaves_nothing(ui, panel, host, phantom):
    host.click(ui.applyButton)
    host.click(ui.applyButton)
    assert ui.statusLabel.text == "Stopped."
    assert ui.applyButton.text == "Apply"
    assert ui.applyButton.isEnabled()
    assert panel.panel.results.forecast is None
    assert list(job_folder(panel).iterdir()) == []


def test_cancel_while_calibrating_keeps_what_there_is(ui, panel, host):
    host.click(ui.sampleButton)
    host.click(ui.applyButton)
    host.wait_until(lambda: "Calibrating" in ui.statusLabel.text, PATIENCE_S)
    host.click(ui.applyButton)
    assert ui.applyButton.text == "Stopping..."
    assert not ui.applyButton.isEnabled()
    host.wait_until(idle(ui), PATIENCE_S)
    assert ui.statusLabel.text.startswith("Stopped. ")
    assert ui.applyButton.isEnabled()
    assert host.messages == []


def test_cancel_while_forecasting_keeps_the_days_solved(ui, panel, host, phantom):
    host.click(ui.advancedSection)
    host.type(ui.resolutionSpinBox, "1.5")
    host.type(ui.horizonSpinBox, "900")
    host.type(ui.outputEverySpinBox, "3")
    host.click(ui.applyButton)
    host.wait_until(lambda: "Forecasting, day" in ui.statusLabel.text, PATIENCE_S)
    host.click(ui.applyButton)
    host.wait_until(idle(ui), PATIENCE_S)
    assert "days forecast until then are in the scene" in ui.statusLabel.text
    forecast = panel.panel.results.forecast
    assert 0 < forecast.day_count < 303
    assert forecast.density.GetName() == "Phantom tumor cell density"
    assert ui.applyButton.isEnabled()


def test_a_run_that_was_stopped_is_continued(ui, panel, host, phantom):
    def model_runs():
        return {path.name: path.stat().st_mtime_ns for path in (job_folder(panel) / "checkpoint").rglob("*.json")}

    parameters = panel.panel.parameters
    parameters.resolutionMm, parameters.tolerance = 3.0, 1e-5
    host.click(ui.applyButton)
    host.wait_until(lambda: len(model_runs()) >= 2, PATIENCE_S)
    host.click(ui.applyButton)
    host.wait_until(idle(ui), PATIENCE_S)
    folder, before = job_folder(panel), model_runs()
    host.click(ui.applyButton)
    host.wait_until(idle(ui), PATIENCE_S)
    assert ui.statusLabel.text.startswith("Done in ")
    assert job_folder(panel) == folder
    assert before.items() <= model_runs().items()  # none was repeated
    host.click(ui.applyButton)
    assert job_folder(panel) != folder  # a run that was completed is kept
    host.wait_until(idle(ui), PATIENCE_S)


def test_the_log_is_copied(ui, host, phantom):
    host.click(ui.logGroup)
    ui.logEdit.appendPlainText("something to report")
    host.click(ui.copyLogButton)
    assert "something to report" in slicer.app.clipboard().text()
    assert ui.statusLabel.text == "The log is in the clipboard."


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (130, "2 min 10 s"), (3900, "1 h 05 min")]
)
def test_durations_read_as_people_say_them(panel, seconds, text):
    from TumorTwinPanel.run_view import duration

    assert duration(seconds) == text
