"""The TumorTwin module in Slicer: what it is called, its panel's life, and its self test.

What the panel does lives in ``TumorTwinPanel``, what it computes in ``TumorTwinLib``; both are imported when the module
is opened, so that Slicer starts as fast with this module as without it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

# In a checkout the library lies beside this folder; in an installed extension it lies beside this file, where Slicer
# already looks.
_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "TumorTwinLib").is_dir() and str(_CHECKOUT) not in sys.path:
    sys.path.append(str(_CHECKOUT))

from TumorTwinLib.mrml.logic import TumorTwinLogic

_OURS = ("TumorTwinLib", "TumorTwinPanel")


class TumorTwin(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("TumorTwin")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Simulation")]
        parent.dependencies = []
        parent.contributors = ["The TumorTwin developers"]
        parent.helpText = _(
            "Calibrates a tumor growth model to a patient's scans and treatments and adds the forecast to the scene. "
            "Research software, not for clinical use. "
            'See <a href="https://github.com/TumorTwin/SlicerTumorTwin">the documentation</a>.'
        )
        parent.acknowledgementText = _(
            "Developed by the TumorTwin developers. It is a different program from the Python package TumorTwin "
            "of OncologyModelingGroup (arXiv:2505.00670)."
        )


class TumorTwinWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life: when it is made, shown, hidden and taken away, and when the scene is closed under it."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        from TumorTwinPanel.panel import Panel

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/TumorTwin.ui"))
        self.layout.addWidget(uiWidget)
        self.layout.addStretch(1)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = TumorTwinLogic()
        self.panel = Panel(self.ui, self.resourcePath("requirements.txt"), uiWidget)
        scene = slicer.vtkMRMLScene
        self.addObserver(slicer.mrmlScene, scene.StartCloseEvent, self.onSceneStartClose)
        for event in (scene.StartImportEvent, scene.StartRestoreEvent):
            self.addObserver(slicer.mrmlScene, event, self.onSceneStartChange)
        for event in (scene.EndCloseEvent, scene.EndImportEvent, scene.EndRestoreEvent):
            self.addObserver(slicer.mrmlScene, event, self.onSceneEndChange)
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self.addObserver(slicer.mrmlScene, event, self.panel.scheduleRefresh)
        self.panel.attach()

    def cleanup(self) -> None:
        self.removeObservers()
        if self.panel is not None:  # None where setup failed
            self.panel.close()

    def enter(self) -> None:
        self.panel.attach()

    def exit(self) -> None:
        self.panel.detach()

    def onSceneStartClose(self, *_args) -> None:
        self.panel.sceneCloses()

    def onSceneStartChange(self, *_args) -> None:
        self.panel.detach()

    def onSceneEndChange(self, *_args) -> None:
        if self.parent.isEntered:
            self.panel.scheduleAttach()

    def onReload(self) -> None:
        """Reload library and panel along with this file; a running job is stopped."""
        self.cleanup()
        for name in [name for name in sys.modules if name.split(".")[0] in _OURS]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class TumorTwinTest(ScriptedLoadableModuleTest):
    """Calibrates and forecasts a small phantom through the panel, with the real solver."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def test_phantom(self) -> None:
        slicer.util.selectModule("TumorTwin")
        from TumorTwinPanel.patient_loading import addPatient
        from TumorTwinPanel.phantom import phantomPatient

        panel = slicer.util.getModuleWidget("TumorTwin").panel
        self.delayDisplay("Adding the phantom to the scene")
        panel.patientActions.choose(addPatient(phantomPatient()))
        panel.parameters.horizonDays = 30
        panel.parameters.resolutionMm = 4.0
        panel.refresh()
        self.assertTrue(panel.ui.applyButton.enabled, panel.ui.reasonsLabel.text)
        self.delayDisplay("Calibrating and forecasting the phantom")
        panel.ui.applyButton.click()
        while panel.runActions.control.busy:
            slicer.app.processEvents()
        forecast = panel.results.forecast
        self.assertIsNotNone(forecast, panel.ui.statusLabel.text)
        self.assertEqual(forecast.phase(forecast.day_count - 1), "prediction")
        self.assertEqual(forecast.day(forecast.day_count - 1), 110.0)
        self.delayDisplay(panel.ui.statusLabel.text)
