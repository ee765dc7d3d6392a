"""Patient and visits: every way to choose a patient, every way to correct what was found."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import slicer

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.mrml.patient_selection import COLUMNS
from TumorTwinLib.mrml.segmentations import segmentation_from_masks
from TumorTwinLib.mrml.volumes import node_from_image

SAMPLE = ("Resources", "SampleData", "glioblastoma")
GRID = Grid.from_spacing((6, 7, 8), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0))


def cells(table, column: int) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount)]


def volume(name: str):
    return node_from_image(Image(np.ones(GRID.shape, np.float32), GRID, name))


def segmentation(name: str, region: str = "enhancing"):
    mask = np.zeros(GRID.shape, bool)
    mask[2:4, 2:4, 2:4] = True
    return segmentation_from_masks({region: Image(mask, GRID, name)}, name)


def test_an_empty_panel_says_what_to_do(ui, host):
    assert ui.visitTable.rowCount == 0
    assert not ui.applyButton.isEnabled()
    assert ui.reasonsLabel.isVisible()
    assert ui.reasonsLabel.text.startswith("Choose a patient: load a folder")
    assert ui.reasonsLabel.text == ui.applyButton.toolTip
    assert not ui.patientCombo.isEnabled()
    assert not ui.removeVisitButton.isEnabled()
    assert host.cut_off() == []


def test_the_sample_patient_is_one_click(ui, host, scene):
    host.click(ui.sampleButton)
    assert cells(ui.visitTable, 0) == ["2024-03-04 09:30", "2024-04-08 07:45", "2024-07-08 09:00", "2024-09-03 10:15"]
    for column in range(1, len(COLUMNS) + 1):
        assert cells(ui.visitTable, column) == ["✓"] * 4
    assert ui.visitTable.item(1, 2).toolTip() == "T1CE day 34.93"
    assert ui.patientCombo.currentText == "TT-GBM-001"
    assert ui.treatmentTable.rowCount == 100
    assert ui.treatmentSection.text == "Treatments (100)"
    assert ui.bodySurfaceSpinBox.value == pytest.approx(1.9)
    assert ui.brainCombo.currentNode().GetName() == "Brain"
    assert ui.whiteMatterCombo.currentNode().GetName() == "White matter"
    assert ui.applyButton.isEnabled()
    assert not ui.reasonsLabel.isVisible()
    assert ui.statusLabel.text == "Loaded TT-GBM-001: 4 visits, 100 treatments."
    red = scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    assert scene.GetNodeByID(red.GetBackgroundVolumeID()).GetName() == "T1CE day 183"
    assert host.cut_off() == []


def test_a_folder_is_chosen_and_its_place_remembered(ui, host, repository, tmp_path):
    shutil.copytree(repository.joinpath(*SAMPLE), tmp_path / "Zoë's patients" / "P 7")
    (tmp_path / "Zoë's patients" / "P 7" / "patient.json").write_text(json.dumps({"patient_id": "Zoë 7"}))
    host.desk.files.append(str(tmp_path / "Zoë's patients" / "P 7"))
    host.click(ui.folderButton)
    assert ui.patientCombo.currentText == "Zoë 7"
    assert ui.visitTable.rowCount == 4
    assert ui.bodySurfaceSpinBox.value == 0
    assert slicer.util.settingsValue("TumorTwin/PatientFolder", "") == str(tmp_path / "Zoë's patients")


@pytest.mark.parametrize("button", ["folderButton", "fileButton"])
def test_a_file_dialog_that_is_cancelled_changes_nothing(ui, host, button):
    host.desk.files.append("")
    host.click(getattr(ui, button))
    assert ui.visitTable.rowCount == 0
    assert ui.statusLabel.text == ""


@pytest.mark.parametrize(
    ("button", "name", "sentence"),
    [("folderButton", "empty", "holds no visits"), ("fileButton", "broken.json", "is no valid JSON")],
)
def test_a_patient_that_cannot_be_read_is_a_sentence_and_the_scene_stays(
    ui, host, scene, tmp_path, button, name, sentence
):
    path = tmp_path / name
    if path.suffix:
        path.write_text("{")
    else:
        path.mkdir()
    before = scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")
    host.desk.files.append(str(path))
    host.click(getattr(ui, button))
    assert sentence in ui.statusLabel.text
    assert str(path) in ui.statusLabel.text
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == before
    assert host.messages == []


def test_scans_of_the_scene_are_found(ui, host):
    host.click(ui.findScansButton)
    assert ui.statusLabel.text.startswith("No scans were found")
    for date in ("2024-03-04", "2024-05-06"):
        volume(f"{date} T1 post gad")
        volume(f"{date} ADC")
        segmentation(f"{date} tumor")
    segmentation("brain mask", "brain")
    volume("2024-05-06 adc map")
    host.process_events()
    assert ui.visitTable.rowCount == 0  # the user has not asked yet
    host.click(ui.findScansButton)
    assert cells(ui.visitTable, 0) == ["2024-03-04 00:00", "2024-05-06 00:00"]
    assert cells(ui.visitTable, COLUMNS.index("T1CE") + 1) == ["✓", "✓"]
    assert cells(ui.visitTable, COLUMNS.index("T1") + 1) == ["–", "–"]
    assert ui.brainCombo.currentNode().GetName() == "brain mask"
    assert ui.patientCombo.currentText == "Scans without a patient"
    assert ui.applyButton.isEnabled()
    assert "adc map is left out" in ui.logEdit.toPlainText()


def test_another_patient_of_the_scene_is_chosen(ui, host, phantom):
    host.click(ui.sampleButton)
    assert ui.visitTable.rowCount == 4
    host.choose(ui.patientCombo, "Phantom")
    assert ui.visitTable.rowCount == 3
    assert ui.statusLabel.text == "Found 3 visits of Phantom. Check their dates and images."
    host.choose(ui.patientCombo, "TT-GBM-001")
    assert ui.visitTable.rowCount == 4


def test_a_date_is_edited(ui, host, phantom):
    host.edit_cell(ui.visitTable, 1, 0, "2024-04-01 14:20")
    assert cells(ui.visitTable, 0)[1] == "2024-04-01 14:20"
    assert ui.applyButton.isEnabled()
    host.edit_cell(ui.visitTable, 1, 0, "2024-02-01T08:00")
    assert ui.reasonsLabel.text == "Visit 2 is not after visit 1: correct a date or the order."
    assert not ui.applyButton.isEnabled()
    host.edit_cell(ui.visitTable, 1, 0, "first of April")
    assert ui.statusLabel.text == "'first of April' is no date: write it as 2024-03-04 09:30."
    assert cells(ui.visitTable, 0)[1] == "2024-02-01 08:00"
    with pytest.raises(AssertionError, match="cannot be edited"):
        host.edit_cell(ui.visitTable, 1, 2, "x")


def test_a_date_that_is_being_typed_survives_a_node_that_comes(ui, host, phantom):
    item = ui.visitTable.item(1, 0)
    ui.visitTable.editItem(item)
    volume("from a run")
    host.process_events()
    assert ui.visitTable.item(1, 0) is item
    assert ui.visitTable.isPersistentEditorOpen(item)


def test_images_of_a_visit_are_chosen(ui, host, phantom):
    host.click(ui.visitGroup)
    ui.visitTable.selectRow(1)
    assert ui.t1ceCombo.currentNode().GetName() == "T1CE day 40"
    boxes = {"T1": ui.t1Combo, "T2": ui.t2Combo, "FLAIR": ui.flairCombo, "ADC": ui.adcCombo}
    for name, box in boxes.items():
        host.choose(box, volume(f"other {name}"))
        assert ui.visitTable.item(1, COLUMNS.index(name) + 1).toolTip() == f"other {name}"
    host.choose(ui.t1ceCombo, "other T1")
    assert "T1 and T1CE of visit 2 are the same volume." in ui.reasonsLabel.text
    host.choose(ui.t1Combo, "None")
    assert ui.applyButton.isEnabled()
    host.choose(ui.segmentationCombo, segmentation("drawn anew"))
    assert ui.visitTable.item(1, len(COLUMNS)).toolTip() == "drawn anew"
    ui.visitTable.selectRow(0)
    assert ui.t1ceCombo.currentNode().GetName() == "T1CE day 0"
    host.choose(ui.segmentationCombo, "None")
    assert ui.reasonsLabel.text == "Choose the segmentation of visit 1: the model starts from it."
    assert ui.visitTable.item(0, len(COLUMNS)).text() == "–"


def test_masks_are_chosen(ui, host, phantom):
    host.click(ui.maskGroup)
    host.choose(ui.brainCombo, "None")
    assert ui.reasonsLabel.text == "Choose the brain mask."
    host.choose(ui.brainCombo, volume("brain volume"))
    assert ui.applyButton.isEnabled()
    for box in (ui.whiteMatterCombo, ui.greyMatterCombo, ui.csfCombo):
        host.choose(box, volume(box.objectName))
        assert box.currentNode().GetName() == box.objectName


def test_visits_are_added_and_removed(ui, host, phantom):
    host.click(ui.addVisitButton)
    assert ui.visitTable.rowCount == 4
    assert ui.visitTable.currentRow() == 3
    assert ui.reasonsLabel.text.splitlines() == [
        "Give visit 4 its date, as in 2024-03-04 09:30.",
        "Choose a segmentation or an ADC map of visit 4.",
    ]
    host.click(ui.removeVisitButton)
    assert ui.applyButton.isEnabled()
    ui.visitTable.selectRow(0)
    host.click(ui.removeVisitButton)
    assert cells(ui.visitTable, 0) == ["2024-04-13 09:30", "2024-05-23 09:30"]
    ui.visitTable.selectRow(1)
    host.click(ui.removeVisitButton)
    assert ui.reasonsLabel.text == "Add a second visit: calibration compares at least two."


def test_many_reasons_are_counted_not_listed(ui, host, phantom):
    for _ in range(4):
        host.click(ui.addVisitButton)
    assert len(ui.reasonsLabel.text.splitlines()) == 5
    assert ui.reasonsLabel.text.endswith("And 4 more.")
    assert host.cut_off() == []


def test_a_node_that_leaves_the_scene_leaves_the_table(ui, host, scene, phantom):
    scene.RemoveNode(phantom.selection.visits[0].segmentation)
    host.process_events()
    assert ui.visitTable.item(0, len(COLUMNS)).text() == "–"
    assert ui.reasonsLabel.text == "Choose the segmentation of visit 1: the model starts from it."
