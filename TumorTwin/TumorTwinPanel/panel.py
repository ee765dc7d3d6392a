"""The panel as a whole: what is in the scene is shown, what the user does goes to the scene or to the run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import qt
from slicer.i18n import tr as _

from TumorTwinLib.mrml.patient_selection import PatientSelection, load, store
from TumorTwinLib.mrml.shown_forecast import find_forecast
from TumorTwinLib.treatment.events import TreatmentEvent
from TumorTwinPanel.advanced_view import AdvancedView
from TumorTwinPanel.choices import Choices
from TumorTwinPanel.comparison_view import ComparisonView
from TumorTwinPanel.option_rows import OptionRows, optionValues
from TumorTwinPanel.parameters import PanelParameters, sceneParameters
from TumorTwinPanel.patient_actions import PatientActions
from TumorTwinPanel.patient_loading import anatomyOf
from TumorTwinPanel.readiness import missingInputs
from TumorTwinPanel.results_view import ResultsView
from TumorTwinPanel.run_actions import RunActions
from TumorTwinPanel.run_view import RunView
from TumorTwinPanel.treatment_table import TreatmentTable, treatmentEvents, treatmentProblems, treatmentText
from TumorTwinPanel.visit_table import VisitTable


class Panel:
    """Everything between the widgets of the .ui file and the library.

    Args:
        ui: widgets by object name.
        requirementsPath: of the packages a run needs.
        parent: widget that holds all others, and owns timers and processes.
    """

    def __init__(self, ui, requirementsPath: str, parent) -> None:
        self.ui = ui
        self.parent = parent
        self.parameters: PanelParameters | None = None
        self._guiTag = None
        self._refreshTimer = _nextTurn(self.refresh, parent)
        self._attachTimer = _nextTurn(self.attach, parent)
        self.run = RunView(ui)
        self.visits = VisitTable(ui, self.storeSelection, self.run.showStatus)
        self.treatments = TreatmentTable(ui, self.storeTreatments, self._lastVisitTime)
        self.results = ResultsView(ui, self._anatomy, self.storeShownMap)
        self.advanced = AdvancedView(ui)
        self.options = OptionRows(ui, self.storeOptions)
        self.comparison = ComparisonView(ui, self._treatmentEvents)
        self.choices = Choices(
            ui,
            onCancer=self.storeCancer,
            onSegmentationModel=self.storeSegmentationModel,
            onRegimen=self.addTreatments,
            onProblem=self.run.showStatus,
        )
        self.patientActions = PatientActions(self)
        self.runActions = RunActions(self, requirementsPath, parent)

    # Following the scene

    def scheduleAttach(self) -> None:
        """Follow the parameters of the scene, once its nodes are there and all widgets have taken notice of them."""
        self._attachTimer.start()

    def attach(self, *_args) -> None:
        """Follow the parameters of the open scene."""
        self.detach()
        self.parameters = sceneParameters()
        widgets = {widget.property("SlicerParameterName"): widget for widget in vars(self.ui).values()}
        widgets.pop(None, None)
        self._guiTag = self.parameters.connectParametersToGui(widgets)
        self.parameters.AddObserver("ModifiedEvent", self.scheduleRefresh)
        self.parent.setEnabled(True)
        self.refresh()

    def detach(self) -> None:
        """Let go of the scene's parameters: the scene is changing as a whole, or the panel is hidden.

        Widgets then tell that their nodes are gone, which is nothing that the user has chosen.
        """
        self._refreshTimer.stop()
        self._attachTimer.stop()
        self.results.release()
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.parameters.release()
            self.parameters = None
        self.parent.setEnabled(False)

    def sceneCloses(self) -> None:
        """The scene is about to be emptied: the run has no place any more."""
        self.detach()
        if self.runActions.control.busy:
            self.runActions.control.abandon()
            self.run.showStatus(_("Stopped, since the scene was closed."))

    def close(self) -> None:
        """The panel goes away. May be called more than once."""
        self.detach()
        self.runActions.control.abandon()

    # Showing

    def scheduleRefresh(self, *_args) -> None:
        """Bring the widgets in line with the scene, once, when whatever is changing it is done."""
        if self.parameters is not None:
            self._refreshTimer.start()

    def refresh(self, *_args) -> None:
        if self.parameters is None:
            return
        selection = self.selection()
        self.patientActions.showPatients(selection)
        self.visits.show(selection)
        self.treatments.show(self.parameters.treatments)
        start = self._lastVisitTime()
        self.choices.show(self.parameters.cancer, self.parameters.segmentationModel, start)
        self.advanced.show(self.parameters.cancer)
        self.options.show(self.parameters.options, self.parameters.cancer)
        self._showComparison()
        self.refreshResults()
        segments = self.parameters.segmentationModel in self.choices.models
        reasons = [*missingInputs(selection, segments), *treatmentProblems(self.parameters.treatments)]
        self.runActions.show(ready=not reasons)
        if not self.runActions.control.busy:
            self.run.showReady(reasons)

    def _showComparison(self) -> None:
        visits = self.visits.selection.visits
        used = visits[: self.parameters.calibrationVisits or len(visits)]
        chosen = optionValues(self.parameters.options)["regimens"]
        self.comparison.show(chosen, self.parameters.cancer, used[-1].time if used else None)

    def refreshResults(self) -> None:
        if self.parameters is not None:
            self.results.show(find_forecast(self.parameters.resultPatient), self.parameters)

    # What the scene keeps

    def selection(self) -> PatientSelection:
        return load(self.parameters.parameterNode)

    def storeSelection(self, selection: PatientSelection) -> None:
        if self.parameters is None:  # between two scenes, nothing was chosen
            return
        store(selection, self.parameters.parameterNode)
        self.refresh()

    def storeTreatments(self, text: str) -> None:
        self.parameters.treatments = text
        self.refresh()

    def addTreatments(self, events: Sequence[TreatmentEvent]) -> None:
        self.storeTreatments(self.parameters.treatments + treatmentText(events))

    def storeCancer(self, name: str) -> None:
        self.parameters.cancer = name

    def storeOptions(self, text: str) -> None:
        self.parameters.options = text

    def storeShownMap(self, role: str) -> None:
        self.parameters.shownMap = role

    def storeSegmentationModel(self, name: str) -> None:
        self.parameters.segmentationModel = name

    def _treatmentEvents(self) -> Sequence[TreatmentEvent]:
        return treatmentEvents(self.parameters.treatments) if self.parameters else ()

    def _lastVisitTime(self) -> datetime | None:
        times = [visit.time for visit in self.visits.selection.visits if visit.time]
        return times[-1] if times else None

    def _anatomy(self, day: float):
        return anatomyOf(self.visits.selection, day)


def _nextTurn(slot, parent):
    """A timer that calls once, in the next turn of the event loop, however often it is started until then."""
    timer = qt.QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(0)
    timer.timeout.connect(slot)
    return timer
