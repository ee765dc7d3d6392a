"""Treatments: the table is a treatment.csv, checked as the file is."""

from __future__ import annotations

from datetime import datetime

import pytest

from TumorTwinLib.patient.treatment_csv import read_treatment_csv
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction


@pytest.fixture
def section(ui, host, phantom):
    """The section, opened; the phantom has one fraction of radiotherapy."""
    host.click(ui.treatmentSection)
    return ui


def row(table, number: int) -> list[str]:
    return [table.item(number, column).text() for column in range(table.columnCount)]


def test_the_phantoms_treatment_is_shown(section, host):
    assert row(section.treatmentTable, 0) == ["2024-03-24 09:30", "radiotherapy", "", "2.0", "Gy"]
    assert section.treatmentSection.text == "Treatments (1)"
    assert host.cut_off() == []


def test_a_row_is_added_a_day_later_and_edited(section, host, panel):
    host.click(section.addTreatmentButton)
    assert row(section.treatmentTable, 1) == ["2024-03-25 09:30", "radiotherapy", "", "2", "Gy"]
    for column, text in enumerate(["2024-03-26 08:15", "drug", "temodal", "75", "mg/m2"]):
        host.edit_cell(section.treatmentTable, 1, column, text)
    assert section.applyButton.isEnabled()
    from TumorTwinPanel.treatment_table import treatmentEvents

    events = treatmentEvents(panel.panel.parameters.treatments)
    assert events[1] == DrugDose(datetime(2024, 3, 26, 8, 15), "temozolomide", 75.0, "mg/m2")


def test_the_first_row_comes_after_the_last_visit(section, host):
    section.treatmentTable.selectRow(0)
    host.click(section.removeTreatmentButton)
    assert section.treatmentSection.text == "Treatments (none)"
    assert section.treatmentTable.rowCount == 0
    host.click(section.addTreatmentButton)
    assert row(section.treatmentTable, 0)[0] == "2024-05-24 09:30"


@pytest.mark.parametrize(
    ("column", "text", "sentence"),
    [
        (0, "soon", "Treatment 1 (soon) has the date 'soon': write it as 2024-03-05 or 2024-03-05T14:00."),
        (1, "magic", "Treatment 1 (2024-03-24 09:30) has the kind 'magic': use radiotherapy, drug or surgery."),
        (3, "two", "Treatment 1 (2024-03-24 09:30) has the amount 'two': give a number with a decimal point."),
        (4, "mg", "Treatment 1 (2024-03-24 09:30) gives radiotherapy in mg: give its dose in Gy."),
    ],
)
def test_a_wrong_cell_is_marked_and_said(section, host, column, text, sentence):
    host.edit_cell(section.treatmentTable, 0, column, text)
    assert section.reasonsLabel.text == sentence
    assert not section.applyButton.isEnabled()
    assert section.treatmentTable.item(0, column).toolTip() == sentence
    assert not section.treatmentTable.item(0, 0).icon().isNull()


def test_a_cell_with_a_comma_stays_one_cell(section, host):
    host.edit_cell(section.treatmentTable, 0, 2, 'gamma knife, "B"')
    assert row(section.treatmentTable, 0)[2] == 'gamma knife, "B"'
    assert section.applyButton.isEnabled()  # radiotherapy needs no name


def test_a_file_is_exported_and_imported(section, host, tmp_path):
    host.click(section.addTreatmentButton)
    path = tmp_path / "treatments of Zoë.csv"
    host.desk.files.append(str(path))
    host.click(section.exportTreatmentsButton)
    assert section.statusLabel.text == f"Wrote {path}."
    events = read_treatment_csv(path)
    assert [type(event) for event in events] == [RadiotherapyFraction] * 2
    section.treatmentTable.selectRow(0)
    host.click(section.removeTreatmentButton)
    host.desk.files.append(str(path))
    host.click(section.importTreatmentsButton)
    assert section.treatmentTable.rowCount == 2
    assert section.statusLabel.text == "Imported 2 treatments from treatments of Zoë.csv."


def test_files_that_cannot_be_used_are_said(section, host, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("when,what\n")
    host.desk.files.extend([str(bad), str(tmp_path / "no folder" / "x.csv"), "", ""])
    host.click(section.importTreatmentsButton)
    assert section.statusLabel.text.startswith(f"{bad} lacks the column date")
    host.click(section.exportTreatmentsButton)
    assert "cannot be written" in section.statusLabel.text
    host.edit_cell(section.treatmentTable, 0, 3, "much")
    host.click(section.importTreatmentsButton)
    host.click(section.exportTreatmentsButton)
    assert row(section.treatmentTable, 0)[3] == "much"


def test_body_surface_goes_to_the_job(section, host, panel):
    host.type(section.bodySurfaceSpinBox, "1.75")
    assert panel.panel.parameters.bodySurfaceM2 == 1.75


def test_the_regimens_of_the_cancer_are_offered_and_added(ui, host):
    from TumorTwinLib.treatment.regimens import regimens_for

    host.click(ui.sampleButton)
    host.click(ui.treatmentSection)
    box = ui.regimenCombo
    assert [box.itemText(number) for number in range(box.count)] == [one.title for one in regimens_for("glioblastoma")]
    host.choose(box, "Radiotherapy 60 Gy in 30")
    assert ui.regimenLabel.text.startswith("60 Gy in 30 fractions on working days. Source: ")
    assert ui.regimenStartEdit.text == "2024-09-03 10:15"  # the last visit
    host.type(ui.regimenStartEdit, "2024-09-10 08:00")
    host.click(ui.addRegimenButton)
    assert ui.treatmentTable.rowCount == 130
    assert row(ui.treatmentTable, 129) == ["2024-10-21 08:00", "radiotherapy", "", "2.0", "Gy"]
    assert host.cut_off() == []
    host.type(ui.regimenStartEdit, "tomorrow")
    host.click(ui.addRegimenButton)
    assert ui.statusLabel.text.startswith("The regimen has the date 'tomorrow'")


def test_every_regimen_of_glioblastoma_fits_the_table_or_says_why_not(section, host):
    box, before = section.regimenCombo, section.treatmentTable.rowCount
    host.type(section.regimenStartEdit, "2024-09-10 08:00")
    for title in [box.itemText(number) for number in range(box.count)]:
        host.choose(box, title)
        section.statusLabel.setText("")
        host.click(section.addRegimenButton)
        added = section.treatmentTable.rowCount - before
        assert added > 0 or "The table cannot hold" in section.statusLabel.text, title
        before += added
    assert section.applyButton.isEnabled()  # what was added is valid


def test_the_users_own_regimens_are_offered(host, repository, tmp_path, monkeypatch):
    from TumorTwinLib.treatment import regimens

    read = regimens.add_user_regimens
    monkeypatch.setattr(regimens, "REGIMENS", dict(regimens.REGIMENS))
    own = (repository / "TumorTwinLib" / "treatment" / "regimens" / "glioblastoma.json").read_text(encoding="utf-8")
    (tmp_path / "ours.json").write_text(own.replace("gbm_", "ours_").replace("Elderly:", "Our clinic:"))
    monkeypatch.setattr(regimens, "add_user_regimens", lambda: read(tmp_path))
    ui = host.load_module(repository / "TumorTwin" / "TumorTwin.py").ui
    host.click(ui.treatmentSection)
    host.choose(ui.regimenCombo, "Our clinic: 40 Gy in 15")
    (tmp_path / "ours.json").write_text("{")
    ui = host.load_module(repository / "TumorTwin" / "TumorTwin.py").ui
    assert str(tmp_path / "ours.json") in ui.statusLabel.text


def test_a_cancer_without_regimens_hides_their_row(host, repository, monkeypatch):
    from TumorTwinLib.models import registry

    other = registry.Cancer("Meningioma", "TumorTwinLib.models.glioblastoma", "ReactionDiffusionModel", ())
    monkeypatch.setitem(registry.CANCERS, "meningioma", other)
    ui = host.load_module(repository / "TumorTwin" / "TumorTwin.py").ui
    host.choose(ui.cancerCombo, "Meningioma")
    host.click(ui.treatmentSection)
    assert not ui.regimenRow.isVisible()
    assert not ui.regimenLabel.isVisible()
