"""TumorTwin.py with stand-ins for Qt, Slicer and the logic: what the panel calls and what it says.

Not a test of real widgets: those need Slicer.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from unittest.mock import MagicMock

import pytest

from TumorTwinLib.errors import TumorTwinError


class _Base:
    """What the panel uses of Slicer's scripted module classes."""

    def __init__(self, parent=None) -> None:
        self.parent = parent
        self.layout = MagicMock()

    def setup(self) -> None:
        pass

    def resourcePath(self, name: str) -> str:
        return f"Resources/{name}"


@pytest.fixture
def module(repository, monkeypatch):
    """TumorTwin.py, freshly loaded; Slicer's modules are put back after the test."""
    scripted = types.ModuleType("slicer.ScriptedLoadableModule")
    for name in ("", "Widget", "Test"):
        setattr(scripted, f"ScriptedLoadableModule{name}", type(f"ScriptedLoadableModule{name}", (_Base,), {}))
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    slicer = MagicMock()
    stand_ins = {
        "qt": MagicMock(),
        "ctk": MagicMock(),
        "slicer": slicer,
        "slicer.i18n": i18n,
        "slicer.ScriptedLoadableModule": scripted,
        "slicer.packaging": slicer.packaging,
        "TumorTwinLib.mrml": types.ModuleType("TumorTwinLib.mrml"),
        "TumorTwinLib.mrml.logic": MagicMock(),
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, stand_in)
    spec = importlib.util.spec_from_file_location("TumorTwin", repository / "TumorTwin" / "TumorTwin.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def panel(module, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ensurePythonPackages", MagicMock())
    widget = module.TumorTwinWidget()
    widget.setup()
    widget.patientPathEdit.currentPath = str(tmp_path)
    widget.horizonSpinBox.value = 90
    return widget


def status(panel) -> list[str]:
    return [call.args[0] for call in panel.statusLabel.setText.call_args_list]


def test_slicer_is_told_what_the_module_is(module):
    parent = MagicMock()
    module.TumorTwin(parent)
    assert parent.title == "TumorTwin"
    assert parent.categories == ["Simulation"]
    assert "not for clinical use" in parent.helpText
    assert "2505.00670" in parent.acknowledgementText


def test_apply_waits_for_an_existing_folder(panel, tmp_path):
    for path, ready in ((str(tmp_path / "absent"), False), ("", False), (str(tmp_path), True)):
        panel.patientPathEdit.currentPath = path
        panel.updateApply()
        assert panel.applyButton.setEnabled.call_args.args == (ready,)


def test_apply_runs_the_patient_and_says_so(panel, tmp_path):
    panel.onApply()
    panel.logic.runPatient.assert_called_once_with(str(tmp_path), 90.0)
    first, last = status(panel)
    assert "does not respond" in first
    assert last.startswith("Done.")
    assert [call.args[0] for call in panel.applyButton.setEnabled.call_args_list][-2:] == [False, True]


def test_the_users_mistake_is_shown_as_its_sentence(panel):
    panel.logic.runPatient.side_effect = TumorTwinError("treatment.csv has no dates: add them.")
    panel.onApply()
    assert status(panel)[-1] == "treatment.csv has no dates: add them."
    assert panel.applyButton.setEnabled.call_args.args == (True,)


def test_an_unexpected_error_reaches_the_console(panel):
    panel.logic.runPatient.side_effect = ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        panel.onApply()
    assert "Python console" in status(panel)[-1]
    assert panel.applyButton.setEnabled.call_args.args == (True,)


@pytest.fixture
def without_torch(module, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))


def test_torch_comes_from_its_extension(module, without_torch, monkeypatch):
    extension = MagicMock()
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    module.ensurePythonPackages("requirements.txt")
    module.slicer.packaging.pip_ensure.assert_called_once()
    install = extension.PyTorchUtilsLogic().installTorch
    assert install.call_args.kwargs["torchVersionRequirement"] == module.TORCH_REQUIREMENT


def test_without_the_extension_the_user_is_told_to_install_it(module, without_torch):
    with pytest.raises(TumorTwinError, match="install the PyTorch extension"):
        module.ensurePythonPackages("requirements.txt")
