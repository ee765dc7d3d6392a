"""What the user does about the patient: load one, find one in the scene, read and write treatments."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.mrml.patient_selection import PatientSelection, store
from TumorTwinLib.mrml.scan_finder import find_scans, patients_in_scene
from TumorTwinLib.patient.treatment_csv import read_treatment_csv, write_treatment_csv
from TumorTwinPanel.patient_loading import LoadedPatient, loadPatient, samplePatientPath
from TumorTwinPanel.treatment_table import treatmentEvents, treatmentText

_FOLDER_KEY = "TumorTwin/PatientFolder"  # where the user last chose a patient on this computer
_NO_PATIENT = "patient"  # what the library calls scans that are under no patient
_CSV = "CSV (*.csv)"


class PatientActions:
    """Answers the buttons of the patient and treatment sections.

    Args:
        panel: whose scene and status line are used.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.ui.sampleButton.clicked.connect(self.onSample)
        self.ui.folderButton.clicked.connect(self.onFolder)
        self.ui.fileButton.clicked.connect(self.onFile)
        self.ui.findScansButton.clicked.connect(self.onFindScans)
        self.ui.patientCombo.activated.connect(self.onPatientChosen)
        self.ui.importTreatmentsButton.clicked.connect(self.onImportTreatments)
        self.ui.exportTreatmentsButton.clicked.connect(self.onExportTreatments)

    def showPatients(self, selection: PatientSelection) -> None:
        """Bring the box of patients in line with the scene."""
        box = self.ui.patientCombo
        box.clear()
        for name in patients_in_scene():
            box.addItem(name, name)
        if selection.visits and box.findData(selection.patient_id) < 0:
            box.addItem(_("Scans without a patient"), _NO_PATIENT)
        box.setCurrentIndex(box.findData(selection.patient_id))
        box.setEnabled(box.count > 0)

    def onSample(self, *_args) -> None:
        self._load(samplePatientPath())

    def onFolder(self, *_args) -> None:
        start = slicer.util.settingsValue(_FOLDER_KEY, "")
        self._loadChosen(qt.QFileDialog.getExistingDirectory(self.ui.folderButton, _("Folder of visits"), start))

    def onFile(self, *_args) -> None:
        start = slicer.util.settingsValue(_FOLDER_KEY, "")
        title = _("JSON patient file")
        self._loadChosen(qt.QFileDialog.getOpenFileName(self.ui.fileButton, title, start, "JSON (*.json)"))

    def _loadChosen(self, path: str) -> None:
        if path:
            qt.QSettings().setValue(_FOLDER_KEY, str(Path(path).parent))
            self._load(path)

    def _load(self, path: str | Path) -> None:
        panel = self.panel
        panel.run.showStatus(_("Loading {name}...").format(name=Path(path).name))
        slicer.app.processEvents()  # or the line above would appear only afterwards
        try:
            with slicer.util.WaitCursor():
                loaded = loadPatient(path)
        except TumorTwinError as error:
            panel.run.showStatus(str(error))
            return
        self.choose(loaded)

    def choose(self, loaded: LoadedPatient) -> None:
        """Make a patient of the scene the one to forecast."""
        panel = self.panel
        with slicer.util.NodeModify(panel.parameters.parameterNode):
            store(loaded.selection, panel.parameters.parameterNode)
            panel.parameters.treatments = loaded.treatments
            panel.parameters.bodySurfaceM2 = loaded.bodySurfaceM2
        for notice in loaded.notices:
            panel.run.log(notice)
        panel.refresh()
        text = _("Loaded {patient}: {visits} visits, {treatments} treatments.")
        counts = {
            "visits": len(loaded.selection.visits),
            "treatments": len(treatmentEvents(loaded.treatments)),
        }
        panel.run.showStatus(text.format(patient=loaded.selection.patient_id, **counts))

    def onFindScans(self, *_args) -> None:
        patients = patients_in_scene()
        self._find(patients[0] if patients else "")

    def onPatientChosen(self, index: int, *_args) -> None:
        name = self.ui.patientCombo.itemData(index)
        self._find("" if name == _NO_PATIENT else name)

    def _find(self, patient: str) -> None:
        found, notices = find_scans(patient)
        for notice in notices:
            self.panel.run.log(notice)
        if not found.visits:
            text = _("No scans were found: name volumes T1, T1CE, T2, FLAIR or ADC, and segment the tumor.")
            self.panel.run.showStatus(text)
            return
        self.panel.storeSelection(found)
        text = _("Found {visits} visits of {patient}. Check their dates and images.")
        self.panel.run.showStatus(text.format(visits=len(found.visits), patient=found.patient_id))

    def onImportTreatments(self, *_args) -> None:
        button = self.ui.importTreatmentsButton
        path = qt.QFileDialog.getOpenFileName(button, _("Treatments to import"), "", _CSV)
        if not path:
            return
        try:
            events = read_treatment_csv(path)
        except TumorTwinError as error:
            self.panel.run.showStatus(str(error))
            return
        self.panel.storeTreatments(treatmentText(events))
        text = _("Imported {count} treatments from {name}.")
        self.panel.run.showStatus(text.format(count=len(events), name=Path(path).name))

    def onExportTreatments(self, *_args) -> None:
        button = self.ui.exportTreatmentsButton
        path = qt.QFileDialog.getSaveFileName(button, _("File for the treatments"), "treatment.csv", _CSV)
        if not path:
            return
        try:
            write_treatment_csv(treatmentEvents(self.panel.parameters.treatments), path)
        except TumorTwinError as error:
            self.panel.run.showStatus(str(error))
            return
        self.panel.run.showStatus(_("Wrote {name}.").format(name=path))
