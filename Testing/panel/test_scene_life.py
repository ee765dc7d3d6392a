"""The panel and the scene: saved and restored, closed under a run, left and entered, reloaded."""

from __future__ import annotations

import gc
import sys

import pytest
import slicer

from TumorTwinLib.mrml.scene import load_scene, save_scene

PATIENCE_S = 300


def idle(ui):
    return lambda: ui.applyButton.text == "Apply"


def test_a_saved_scene_restores_the_panel(ui, panel, host, scene, phantom, tmp_path):
    host.click(ui.applyButton)
    host.wait_until(idle(ui), PATIENCE_S)
    host.click(ui.resultsSection)
    host.slide(ui.daySlider, 2)
    host.slide(ui.densityOpacitySlider, 0.35)
    host.click(ui.treatmentSection)
    host.click(ui.addTreatmentButton)
    host.process_events()
    path = save_scene(tmp_path / "scene.mrb")
    scene.Clear(0)
    host.process_events()
    assert ui.visitTable.rowCount == 0
    assert ui.horizonSpinBox.value == 180
    assert ui.resultsLabel.text == "There is no forecast yet."
    load_scene(path)
    host.process_events()
    assert ui.visitTable.rowCount == 3
    assert ui.visitTable.item(1, 0).text() == "2024-04-13 09:30"
    assert ui.patientCombo.currentText == "Phantom"
    assert (ui.horizonSpinBox.value, ui.outputEverySpinBox.value, ui.resolutionSpinBox.value) == (30, 10, 4.0)
    assert ui.treatmentTable.rowCount == 2
    assert ui.daySlider.value == 2
    assert ui.dayLabel.text == "Day 80, 2024-05-23, fit"
    assert ui.densityOpacitySlider.value == pytest.approx(0.35)
    assert ui.applyButton.isEnabled()
    host.click(ui.applyButton)  # and what was restored can be run again
    host.wait_until(idle(ui), PATIENCE_S)
    assert ui.statusLabel.text.startswith("Done in ")


def test_leaving_the_module_goes_on_with_the_run(ui, panel, host, phantom):
    host.click(ui.applyButton)
    host.leave_module()
    host.wait_until(lambda: not panel.panel.runActions.control.busy, PATIENCE_S)
    host.enter_module()
    assert ui.statusLabel.text.startswith("Done in ")
    assert panel.panel.results.forecast.day_count == 6


def test_an_import_beside_the_patient_changes_nothing(ui, host, scene, phantom, tmp_path):
    path = save_scene(tmp_path / "other.mrb")
    load_scene(path, clear=False)
    host.process_events()
    assert ui.visitTable.rowCount == 3
    assert ui.applyButton.isEnabled()


def test_observers_of_a_left_scene_are_gone(ui, panel, host, scene):
    node = panel.panel.parameters.parameterNode
    host.leave_module()
    gc.collect()
    assert not node.HasObserver("ModifiedEvent")
    node.Modified()
    host.enter_module()
    assert node.HasObserver("ModifiedEvent")


def test_reload_takes_the_library_and_the_panel_anew(ui, panel, host, phantom):
    import TumorTwinPanel.panel

    before = TumorTwinPanel.panel
    host.click(ui.applyButton)
    control = panel.panel.runActions.control
    panel.onReload()
    assert not control.busy  # the run was stopped
    widget = slicer.util.getModuleWidget("TumorTwin")
    assert widget is not panel
    assert sys.modules["TumorTwinPanel.panel"] is not before
    assert widget.ui.visitTable.rowCount == 3  # the scene is as it was
    widget.ui.applyButton.click()
    host.wait_until(idle(widget.ui), PATIENCE_S)
    assert widget.ui.statusLabel.text.startswith("Done in ")


def test_the_self_test_passes(panel):
    slicer.selfTests["TumorTwin"]()


def test_the_end_of_slicer_stops_a_run(ui, panel, host, phantom):
    host.click(ui.applyButton)
    control = panel.panel.runActions.control
    host.wait_until(lambda: control.phase.value == "computing", PATIENCE_S)
    job = control.job
    host.unload_module()
    assert job.state.over
    assert not control.busy
