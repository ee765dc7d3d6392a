"""A scripted module in the host: loaded, clicked, photographed, reloaded, saved."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from Testing.host.fixtures import skip_without_host

SAMPLE = Path(__file__).parent / "HostSample" / "HostSample.py"
CANCELED, FINISHED = "Canceled", "Finished"


@pytest.fixture
def panel(host):
    """The sample module's widget."""
    return host.load_module(SAMPLE)


@pytest.fixture
def volume(host):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "ramp")
    slicer.util.updateVolumeFromArray(node, np.arange(1000.0).reshape(10, 10, 10))
    return node


def test_the_module_is_told_when_slicer_has_started(host, panel):
    import slicer

    assert slicer.modules.HostSampleInstance.started
    assert slicer.util.selectedModule() == "HostSample"
    assert slicer.util.getModule("HostSample").title == "Host sample"
    assert slicer.util.getModuleLogic("HostSample") is panel.logic
    assert panel.parent.isEntered


def test_clicks_reach_the_logic(host, panel, volume):
    ui = panel.ui
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "Choose a volume."
    host.choose(ui.inputSelector, volume)
    host.type(ui.thresholdSlider, "899.5")
    host.type(ui.labelEdit, "bright")
    host.click(ui.applyButton)
    assert ui.resultLabel.text == "bright: 100"
    host.choose(ui.directionBox, "Voxels below")
    host.click(ui.applyButton)
    assert ui.resultLabel.text == "bright: 900"


def test_the_volume_is_named_in_the_selector_until_it_goes(host, panel, volume):
    import slicer

    selector = panel.ui.inputSelector
    host.choose(selector, "ramp")
    assert selector.currentNode() is volume
    volume.SetName("renamed")
    assert selector.comboBox().currentText == "renamed"
    slicer.mrmlScene.RemoveNode(volume)
    assert selector.currentNode() is None
    assert panel.parameters.inputVolume is None
    assert not panel.ui.applyButton.enabled


def test_what_a_user_cannot_reach_cannot_be_clicked(host, panel):
    with pytest.raises(AssertionError, match="applyButton is disabled: Choose a volume"):
        host.click(panel.ui.applyButton)
    with pytest.raises(AssertionError, match="carefulBox is not visible"):
        host.click(panel.ui.carefulBox)
    with pytest.raises(AssertionError, match="directionBox has no entry Sideways"):
        host.choose(panel.ui.directionBox, "Sideways")


def test_a_section_opens_by_a_click(host, panel):
    host.click(panel.ui.advancedSection)
    assert not panel.ui.advancedSection.collapsed
    host.click(panel.ui.carefulBox)
    assert not panel.parameters.careful
    host.type(panel.ui.stepsBox, "7")
    assert panel.parameters.steps == 7
    host.click(panel.ui.advancedSection)
    assert not panel.ui.carefulBox.visible


def test_a_folder_is_chosen_in_a_dialog(host, panel, tmp_path):
    host.click(panel.ui.advancedSection)
    host.desk.files.append(tmp_path)
    host.click(panel.ui.folderEdit.findChild("QToolButton"))
    assert panel.ui.folderEdit.currentPath == str(tmp_path)
    assert panel.ui.folderEdit.filters == panel.ui.folderEdit.Dirs


def test_an_error_is_shown_and_raised(host, panel):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    host.choose(panel.ui.inputSelector, node)
    with host.expect_slot_error(ValueError):
        host.click(panel.ui.applyButton)
    (message,) = host.messages
    assert message.kind == "critical"
    assert message.text == "Counting failed.\n\nthe volume has no voxels"
    assert "Traceback" in message.details


def test_an_error_nobody_expects_fails_the_click(host, panel):
    with pytest.raises(ZeroDivisionError, match="the slot failed"):
        host.click(panel.ui.failButton)


def test_a_process_runs_beside_the_panel(host, panel):
    host.clear_block()
    host.click(panel.ui.runButton)
    assert panel.ui.runButton.text == "Cancel"
    host.wait_until(lambda: panel.ui.resultLabel.text == FINISHED)
    assert panel.ui.progressBar.value == 20
    assert panel.ui.runButton.text == "Run"


def test_a_process_is_canceled(host, panel):
    panel.parameters.steps = 10_000
    host.click(panel.ui.runButton)
    host.wait_until(lambda: panel.ui.progressBar.value > 0)
    host.click(panel.ui.runButton)
    host.wait_until(lambda: panel.ui.resultLabel.text == CANCELED)
    assert 0 < panel.ui.progressBar.value < 10_000


def test_closing_the_scene_stops_the_process_and_empties_the_panel(host, panel, volume):
    import slicer

    panel.parameters.steps = 10_000
    host.choose(panel.ui.inputSelector, volume)
    host.click(panel.ui.runButton)
    slicer.mrmlScene.Clear(0)
    assert panel.process is None
    assert panel.ui.inputSelector.currentNode() is None
    assert panel.parameters.inputVolume is None


def test_leaving_and_coming_back(host, panel):
    host.leave_module()
    assert not panel.parent.isEntered
    host.enter_module()
    assert panel.parent.isEntered
    assert host.widget is panel


def test_unloading_cleans_up(host, panel):
    import slicer

    host.unload_module()
    assert panel.cleanedUp
    assert not hasattr(slicer.modules, "hostsample")
    assert "HostSample" not in sys.modules


def test_reload_makes_a_new_widget_from_the_file(host, panel, volume):
    host.choose(panel.ui.inputSelector, volume)
    host.type(panel.ui.thresholdSlider, "250")
    panel.onReload()
    fresh = host.module.widgetRepresentation().self()
    assert panel.cleanedUp
    assert fresh is not panel
    assert type(fresh) is not type(panel)
    assert fresh.ui.thresholdSlider.value == 250
    assert fresh.ui.inputSelector.currentNode() is volume


def test_the_self_test_runs(host, panel):
    import slicer

    slicer.selfTests["HostSample"]()
    assert sys.modules["HostSample"].HostSampleTest.ran == 1


def test_a_saved_scene_restores_the_panel(host, panel, volume, tmp_path):
    import slicer

    host.choose(panel.ui.inputSelector, volume)
    host.type(panel.ui.thresholdSlider, "321")
    host.choose(panel.ui.directionBox, "Voxels below")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert panel.ui.thresholdSlider.value == 100
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert panel.ui.thresholdSlider.value == 321
    assert panel.ui.inputSelector.currentNode().GetName() == "ramp"
    assert panel.ui.directionBox.currentText == "Voxels below"


def test_a_screenshot_shows_panel_and_views(host, panel, volume, tmp_path):
    import slicer

    from Testing.host.pythonqt.source import QtGui

    empty = QtGui.QImage(str(host.screenshot(tmp_path / "empty.png")))
    assert (empty.width(), empty.height()) == (1280, 800)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    shown = QtGui.QImage(str(host.screenshot(tmp_path / "volume.png")))
    red = host.window.layout_manager.sliceWidget("Red").content
    center = red.mapTo(host.window, red.rect.center())
    assert QtGui.QColor(empty.pixel(center)).value() == 0
    assert QtGui.QColor(shown.pixel(center)).value() > 0
    assert host.cut_off() == []


def test_a_text_that_does_not_fit_is_found(host, panel):
    panel.ui.applyButton.setMaximumWidth(20)
    assert any("applyButton 'Apply' needs" in fault for fault in host.cut_off())
    panel.ui.resultLabel.setMinimumWidth(1500)
    assert any("The window had to grow" in fault for fault in host.cut_off())


def test_unknown_widgets_are_refused(host, tmp_path):
    import slicer

    path = tmp_path / "unknown.ui"
    path.write_text('<ui version="4.0"><widget class="qMRMLNoSuchWidget" name="x"/></ui>')
    with pytest.raises(RuntimeError, match="no stand-in for qMRMLNoSuchWidget"):
        slicer.util.loadUI(str(path))


def test_the_process_ends_well(repository):
    """Qt, VTK and Python take each other apart at exit in an order that has crashed before."""
    skip_without_host()
    code = (
        "from Testing.host.host import running_host\n"
        "with running_host() as host:\n"
        f"    host.load_module({str(SAMPLE)!r})\n"
        "    host.process_events()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
