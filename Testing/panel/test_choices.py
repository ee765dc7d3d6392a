"""Cancer, segmentation model, forecast settings: registries fill the boxes, the scene keeps what was chosen."""

from __future__ import annotations

import pytest


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


def test_without_models_the_row_says_that_segmentations_are_used(ui):
    assert entries(ui.segmentationModelCombo) == ["Use the segmentations of the visits"]
    assert not ui.segmentationModelCombo.isEnabled()
    assert "the segmentation of each visit is used" in ui.segmentationModelCombo.toolTip


def test_a_segmentation_model_appears_and_is_kept(host, reloaded, monkeypatch):
    from TumorTwinLib.segmentation import registry

    model = registry.SegmentationModel("SegResNet", "Needs T1, T1CE, T2 and FLAIR.")
    monkeypatch.setitem(registry.SEGMENTATION_MODELS, "segresnet", model)
    ui = reloaded()
    host.click(ui.addVisitButton)
    assert "Choose the segmentation of visit 1: the model starts from it." in ui.reasonsLabel.text
    host.choose(ui.segmentationModelCombo, "SegResNet")
    assert host.widget.panel.parameters.segmentationModel == "segresnet"
    host.process_events()
    assert ui.segmentationModelCombo.currentText == "SegResNet"
    assert "Choose the segmentation" not in ui.reasonsLabel.text
    assert "Choose an image of visit 1 to segment." in ui.reasonsLabel.text


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
