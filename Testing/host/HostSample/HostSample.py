"""A small scripted module in the style of Slicer's template: what the host's own tests load, click and photograph."""

import enum
import sys
from typing import Annotated

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Decimals, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

WORKER = """
import sys, threading, time
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stopped.set()), daemon=True).start()
for step in range(int(sys.argv[1])):
    if stopped.wait(0.005):
        sys.exit(3)
    print(step + 1, flush=True)
"""


class Direction(enum.Enum):
    ABOVE = "above"
    BELOW = "below"

    def label(self) -> str:
        return f"Voxels {self.value}"


@parameterNodeWrapper
class HostSampleParameters:
    inputVolume: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(0, 1000), Decimals(1)] = 100.0
    direction: Direction = Direction.ABOVE
    steps: Annotated[int, WithinRange(1, 10_000)] = 20
    label: str = "count"
    careful: bool = True


class HostSample(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Host sample")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Testing")]
        parent.helpText = _("Counts voxels.")
        slicer.app.connect("startupCompleted()", self.onStartup)
        self.started = False

    def onStartup(self):
        self.started = True


class HostSampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.process = None
        self.parameters = None
        self.cleanedUp = False

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HostSample.ui"))
        self.layout.addWidget(uiWidget)
        self.layout.addStretch(1)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HostSampleLogic()
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.ui.runButton.clicked.connect(self.onRun)
        self.ui.failButton.clicked.connect(self.onFail)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneClosed)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneImported)
        self.initializeParameters()

    def cleanup(self):
        self.stop()
        self.removeObservers()
        self.cleanedUp = True

    def enter(self):
        self.initializeParameters()

    def onSceneClosed(self, caller, event):
        self.stop()
        if self.parent.isEntered:
            self.initializeParameters()

    def onSceneImported(self, caller, event):
        self.parameters.Modified()  # its references to nodes are resolved only now

    def initializeParameters(self):
        if self.parameters is not None and self.parameters.parameterNode is self.logic.getParameterNode():
            return
        self.parameters = HostSampleParameters(self.logic.getParameterNode())
        self.parameters.connectGui(self.ui)
        self.addObserver(self.parameters.parameterNode, "ModifiedEvent", self.checkCanApply)
        self.checkCanApply()

    def checkCanApply(self, *args):
        ready = self.parameters.inputVolume is not None
        self.ui.applyButton.enabled = ready
        self.ui.applyButton.toolTip = _("Count the voxels.") if ready else _("Choose a volume.")

    def onApply(self, *args):
        with slicer.util.tryWithErrorDisplay(_("Counting failed."), waitCursor=True):
            parameters = self.parameters
            count = self.logic.count(parameters.inputVolume, parameters.threshold, parameters.direction)
            self.ui.resultLabel.text = f"{parameters.label}: {count}"

    def onRun(self, *args):
        if self.process is not None:
            self.process.write(b"cancel\n")
            return
        self.process = qt.QProcess()
        self.process.connect("readyReadStandardOutput()", self.onOutput)
        self.process.finished.connect(self.onFinished)
        self.ui.progressBar.setMaximum(self.parameters.steps)
        self.ui.runButton.setText(_("Cancel"))
        self.process.start(sys.executable, ["-c", WORKER, str(self.parameters.steps)])

    def onOutput(self):
        lines = self.process.readAllStandardOutput().data().decode().split()
        if lines:
            self.ui.progressBar.setValue(int(lines[-1]))

    def onFinished(self, exitCode, exitStatus):
        self.onOutput()
        self.process = None
        self.ui.runButton.setText(_("Run"))
        self.ui.resultLabel.setText(_("Canceled") if exitCode == 3 else _("Finished"))

    def stop(self):
        if self.process is not None:
            self.process.finished.disconnect(self.onFinished)
            self.process.kill()
            self.process.waitForFinished()
            self.process = None

    def onFail(self, *args):
        raise ZeroDivisionError("the slot failed")


class HostSampleLogic(ScriptedLoadableModuleLogic):
    def count(self, volume, threshold, direction):
        if volume.GetImageData() is None:
            raise ValueError("the volume has no voxels")
        voxels = slicer.util.arrayFromVolume(volume)
        return int((voxels > threshold).sum() if direction is Direction.ABOVE else (voxels < threshold).sum())


class HostSampleTest(ScriptedLoadableModuleTest):
    ran = 0

    def test_itself(self):
        HostSampleTest.ran += 1
        assert HostSampleLogic().moduleName == "HostSample"
