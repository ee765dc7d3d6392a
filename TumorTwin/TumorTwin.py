"""The TumorTwin module in Slicer: what it is called, a small panel, and its self test.

Everything it does lives in ``TumorTwinLib``; heavy packages (PyTorch, NumPy) are imported when a run starts, so that
Slicer starts as fast with this module as without it.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import ctk
import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

# In a checkout the library lies beside this folder; in an installed extension it lies beside this file, where Slicer
# already looks.
_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "TumorTwinLib").is_dir() and str(_CHECKOUT) not in sys.path:
    sys.path.append(str(_CHECKOUT))

import TumorTwinLib
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.mrml.logic import TumorTwinLogic

# From the first with NumPy 2 wheels on every platform to the newest that was tested.
TORCH_REQUIREMENT = ">=2.6,<2.14"


def ensurePythonPackages(requirementsPath: str) -> None:
    """Install what a run needs, after asking the user; does nothing when all is there.

    Raises:
        TumorTwinError: PyTorch is absent and the PyTorch extension is not installed.
    """
    import slicer.packaging

    requirements = slicer.packaging.load_requirements(requirementsPath)
    slicer.packaging.pip_ensure(requirements, requester="TumorTwin")
    if importlib.util.find_spec("torch") is not None:
        return
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        message = _("PyTorch is not installed: install the PyTorch extension in the Extensions Manager, then restart.")
        raise TumorTwinError(message) from error
    logic = PyTorchUtils.PyTorchUtilsLogic()
    logic.installTorch(askConfirmation=True, torchVersionRequirement=TORCH_REQUIREMENT)


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


class TumorTwinWidget(ScriptedLoadableModuleWidget):
    """Choose a patient and a horizon, press Apply, read the status."""

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = TumorTwinLogic()

        section = ctk.ctkCollapsibleButton()
        section.setText(_("Forecast"))
        self.layout.addWidget(section)
        form = qt.QFormLayout(section)

        self.patientPathEdit = ctk.ctkPathLineEdit()
        self.patientPathEdit.filters = ctk.ctkPathLineEdit.Dirs
        self.patientPathEdit.setToolTip(_("Folder with the patient's visits and treatment.csv."))
        self.patientPathEdit.currentPathChanged.connect(self.updateApply)
        form.addRow(_("Patient folder:"), self.patientPathEdit)

        self.horizonSpinBox = qt.QSpinBox()
        self.horizonSpinBox.setRange(1, 3650)
        self.horizonSpinBox.setValue(180)
        self.horizonSpinBox.setSuffix(_(" days"))
        self.horizonSpinBox.setToolTip(_("How far the forecast reaches."))
        form.addRow(_("Horizon:"), self.horizonSpinBox)

        self.applyButton = qt.QPushButton(_("Apply"))
        self.applyButton.clicked.connect(self.onApply)
        form.addRow(self.applyButton)

        self.statusLabel = qt.QLabel()
        self.statusLabel.setWordWrap(True)
        form.addRow(self.statusLabel)

        self.layout.addStretch(1)
        self.updateApply()

    def onReload(self) -> None:
        """Reload the library along with this file."""
        for name in [name for name in sys.modules if name.split(".")[0] == "TumorTwinLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def updateApply(self, *args) -> None:
        ready = Path(self.patientPathEdit.currentPath or "-").is_dir()
        self.applyButton.setEnabled(ready)
        hint = _("Calibrate on the visits and forecast.") if ready else _("Choose an existing patient folder first.")
        self.applyButton.setToolTip(hint)

    def onApply(self, *args) -> None:
        self.applyButton.setEnabled(False)
        self.showStatus(_("Calibrating and forecasting. Slicer does not respond until this is done."))
        try:
            with slicer.util.WaitCursor():
                ensurePythonPackages(self.resourcePath("requirements.txt"))
                self.logic.runPatient(self.patientPathEdit.currentPath, float(self.horizonSpinBox.value))
        except TumorTwinError as error:
            self.showStatus(str(error))
        except Exception:
            self.showStatus(_("Stopped by an unexpected error. The Python console shows the details."))
            raise
        else:
            self.showStatus(_("Done. The forecast is in the scene, under the patient in the Data module."))
        finally:
            self.updateApply()

    def showStatus(self, text: str) -> None:
        self.statusLabel.setText(text)
        slicer.app.processEvents()  # or the text would appear only after the run


class TumorTwinTest(ScriptedLoadableModuleTest):
    """Forecasts the shipped patient inside Slicer."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def test_shippedPatient(self) -> None:
        if importlib.util.find_spec("torch") is None:
            self.skipTest("PyTorch is not installed in this Slicer")
        root = Path(TumorTwinLib.__file__).resolve().parents[1]
        self.delayDisplay("Forecasting the shipped patient for 30 days")
        TumorTwinLogic().runPatient(root / "Resources" / "SampleData" / "glioblastoma", horizonDays=30)
        self.assertGreater(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceNode"), 0)
        self.assertGreater(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode"), 0)
        self.delayDisplay("Test passed")
