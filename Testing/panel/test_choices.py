"""Cancer, segmentation model, forecast settings: registries fill the boxes, the scene keeps what was chosen."""

from __future__ import annotations

import pytest

from Testing.processing.bright_network import install_bright_network


def entries(box) -> list[str]:
    return [box.itemText(number) for number in range(box.count)]


@pytest.fixture
def reloaded(host, repository):
    """Makes the panel anew, as after a registry was filled."""
    return lambda: host.load_module(repository / "TumorTwin" / "TumorTwin.py").ui


def test_the_cancers_are_those_of_the_registry(ui):
    assert entries(ui.cancerCombo) == ["Glioblastoma"]
    assert ui.cancerCombo.currentText == "Glioblastoma"


def test_a_new_cancer_appears_and_is_kept(host, reloaded, monkeypatch):
    from TumorTwinLib.models import registry

    other = registry.Cancer("Lung metastasis", "TumorTwinLib.models.glioblastoma", "ReactionDiffusionModel", ())
    monkeypatch.setitem(registry.CANCERS, "lung", other)
    ui = reloaded()
    assert entries(ui.cancerCombo) == ["Glioblastoma", "Lung metastasis"]
    host.choose(ui.cancerCombo, "Lung metastasis")
    assert host.widget.panel.parameters.cancer == "lung"
    host.process_events()
    assert ui.cancerCombo.currentText == "Lung metastasis"


def test_the_models_of_the_brain_are_offered_after_the_segmentations_of_the_visits(ui):
    offered = entries(ui.segmentationModelCombo)
    assert offered[0] == "Use the segmentations of the visits"
    assert offered[1].startswith("TumorTwin brain tumor")
    assert not any("pancreas" in entry.lower() or "prostate" in entry.lower() for entry in offered)
    own = next(entry for entry in offered if "nnU-Net" in entry)
    assert own.endswith(("(needs package)", "(needs file)"))
    assert ui.segmentationModelCombo.isEnabled()


def test_an_installed_model_appears_is_kept_and_reaches_the_job(host, reloaded, tmp_path, monkeypatch):
    pytest.importorskip("monai")
    monkeypatch.setenv("TUMORTWIN_MODELS", str(tmp_path / "models"))
    install_bright_network()
    ui = reloaded()
    host.choose(ui.segmentationModelCombo, "Bright")
    panel = host.widget.panel
    assert panel.parameters.segmentationModel == "bright"
    host.process_events()
    assert ui.segmentationModelCombo.currentText == "Bright"
    assert "Bright on FLAIR." in ui.segmentationModelCombo.toolTip
    assert panel.runActions._spec().segmentation_model == "bright"


def test_a_model_that_is_not_here_falls_back_to_the_segmentations(ui, host, panel):
    panel.panel.parameters.segmentationModel = "from another computer"
    host.process_events()
    assert ui.segmentationModelCombo.currentText == "Use the segmentations of the visits"


def test_forecast_settings_are_kept_in_their_limits(ui, host, panel):
    host.type(ui.horizonSpinBox, "365")
    host.type(ui.outputEverySpinBox, "7")
    assert (panel.panel.parameters.horizonDays, panel.panel.parameters.outputEveryDays) == (365, 7)
    host.type(ui.horizonSpinBox, "99999")
    assert panel.panel.parameters.horizonDays <= 3650
    assert ui.horizonSpinBox.suffix == " days"


CONTROLS = {
    "QPushButton", "QComboBox", "QSpinBox", "QDoubleSpinBox", "QCheckBox", "QSlider", "QLineEdit", "QTableWidget",
    "ctkSliderWidget", "qMRMLNodeComboBox",
}  # fmt: skip
DISPLAYS = {"QLabel", "QProgressBar", "QPlainTextEdit", "QTabWidget"}


def test_every_control_says_what_it_is_for(ui):
    silent = [
        name
        for name, widget in vars(ui).items()
        if widget.className() in CONTROLS | DISPLAYS and not name.startswith("qt_") and not widget.toolTip.strip()
    ]
    assert silent == []


def test_every_control_is_used_by_a_test_of_this_folder(ui, repository):
    tests = "".join(path.read_text(encoding="utf-8") for path in (repository / "Testing" / "panel").glob("*.py"))
    names = [name for name, widget in vars(ui).items() if widget.className() in CONTROLS and not name.startswith("qt_")]
    assert [name for name in names if f".{name}" not in tests and f'"{name}"' not in tests] == []
