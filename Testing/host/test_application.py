"""What modules ask of `slicer.app` and `slicer.util`, which slicer-core alone cannot answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def test_the_application(host):
    import qt
    import slicer

    assert slicer.app.applicationName == "Slicer"
    assert slicer.app.mainWindow() is slicer.util.mainWindow() is host.window
    assert slicer.app.mrmlScene() is slicer.mrmlScene
    assert slicer.app.layoutManager().viewport() is host.window.centralWidget()
    assert isinstance(slicer.app.startupEnvironment(), qt.QProcessEnvironment)
    assert not slicer.app.testingEnabled()
    slicer.app.processEvents()


def test_files_are_read_and_written(host, tmp_path):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "FLAIR")
    slicer.util.updateVolumeFromArray(node, np.arange(27.0).reshape(3, 3, 3))
    assert slicer.util.saveNode(node, str(tmp_path / "flair.nrrd"))
    again = slicer.util.loadVolume(str(tmp_path / "flair.nrrd"))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(again), slicer.util.arrayFromVolume(node))


def test_temporary_folders_and_messages_in_the_status_bar(host):
    import slicer

    folder = Path(slicer.util.tempDirectory())
    assert folder.is_dir()
    assert folder.is_relative_to(slicer.app.temporaryPath)
    slicer.util.showStatusMessage("Calibrating")
    assert host.window.statusBar().currentMessage() == "Calibrating"


def test_the_wait_cursor_is_put_back(host):
    import slicer

    with slicer.util.WaitCursor():
        assert slicer.app.overrideCursor() is not None
    with pytest.raises(KeyError), slicer.util.tryWithErrorDisplay("Failed.", waitCursor=True):
        raise KeyError
    assert slicer.app.overrideCursor() is None
    assert host.messages[0].text.startswith("Failed.")


def test_a_progress_dialog_and_a_passing_message(host):
    import slicer

    progress = slicer.util.createProgressDialog(maximum=10, labelText="Loading")
    progress.value = 5
    assert not progress.wasCanceled
    assert (progress.labelText, progress.value) == ("Loading", 5)
    progress.close()
    slicer.util.delayDisplay("Done", autoCloseMsec=1)


def test_modules_are_found(host):
    import slicer

    assert "Segmentations" in slicer.util.moduleNames()
    assert slicer.util.getModuleLogic("Sequences") is slicer.modules.sequences.logic()
    with pytest.raises(RuntimeError, match="NoSuchModule"):
        slicer.util.getModule("NoSuchModule")


def test_observers_of_a_module_are_removed(host):
    import slicer

    class Panel(slicer.util.VTKObservationMixin):
        seen = 0

        def onModified(self, caller, event):
            self.seen += 1

    node, panel = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode"), Panel()
    panel.addObserver(node, "ModifiedEvent", panel.onModified)
    node.SetText("one")
    panel.removeObservers()
    node.SetText("two")
    assert panel.seen == 1


def test_texts_are_translated_to_themselves(host):
    from slicer.i18n import tr, translate

    assert tr("Apply") == translate("TumorTwin", "Apply") == "Apply"
