"""What the user does about a run: apply, cancel, save the job, look at its folder, export the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.result_store import read_result
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.jobs.steps import run_through
from TumorTwinLib.report.html import write_report
from TumorTwinPanel.advanced_view import device
from TumorTwinPanel.job_folders import continuedJobFolder, deleteFinishedJobs
from TumorTwinPanel.option_rows import optionValues
from TumorTwinPanel.packages import ensurePackages
from TumorTwinPanel.run_control import RunControl, RunRequest, writingJob
from TumorTwinPanel.treatment_table import treatmentEvents


class RunActions:
    """Answers the buttons that start, stop and keep runs.

    Args:
        panel: whose scene and status line are used.
        requirementsPath: of the packages a run needs.
        parent: QObject that owns processes and timers.
    """

    def __init__(self, panel, requirementsPath: str, parent) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.control = RunControl(panel.run, panel.refreshResults, panel.refresh, parent)
        self._requirementsPath = requirementsPath
        self.ui.applyButton.clicked.connect(self.onApply)
        self.ui.saveJobButton.clicked.connect(self.onSaveJob)
        self.ui.openJobButton.clicked.connect(self.onOpenJob)
        self.ui.deleteJobsButton.clicked.connect(self.onDeleteJobs)
        self.ui.reportButton.clicked.connect(self.onReport)

    def show(self, ready: bool) -> None:
        """Bring the buttons in line.

        Args:
            ready: whether a job could be written now.
        """
        folder = self._lastFolder()
        self.ui.saveJobButton.setEnabled(ready)
        self.ui.openJobButton.setEnabled(folder is not None)
        self.ui.reportButton.setEnabled(folder is not None and not self.control.busy)

    def _lastFolder(self) -> Path | None:
        text = self.panel.parameters.jobFolder
        return Path(text) if text and Path(text).is_dir() else None

    def _spec(self) -> JobSpec:
        parameters = self.panel.parameters
        model = parameters.segmentationModel
        segmentation = {"segmentation_model": model} if model in self.panel.choices.models else {}
        options = optionValues(parameters.options)
        options["bayesian"] = options["bayesian"] or bool(options["regimens"])  # which are compared on its draws
        return JobSpec(
            cancer=parameters.cancer,
            horizon_days=float(parameters.horizonDays),
            frame_every_days=float(parameters.outputEveryDays),
            calibration_visits=parameters.calibrationVisits or None,
            resolution_mm=parameters.resolutionMm,
            tolerance=parameters.tolerance,
            device=device(),
            **segmentation,
            **options,
        )

    def _request(self, folder: Path) -> RunRequest:
        parameters = self.panel.parameters
        events = treatmentEvents(parameters.treatments)
        return RunRequest(folder, self._spec(), self.panel.selection(), events, parameters.bodySurfaceM2)

    def onApply(self, *_args) -> None:
        if self.control.busy:
            self.control.cancel()
            return
        try:
            request = self._request(Path())
            ensurePackages(self._requirementsPath, request.spec.device)
            request = replace(request, folder=continuedJobFolder(self._lastFolder()))
        except TumorTwinError as error:
            self.panel.run.showStatus(str(error))
            return
        except OSError as error:
            text = _("No folder for the job can be made ({reason}): free some disk space, then press Apply again.")
            self.panel.run.showStatus(text.format(reason=error.strerror))
            return
        self.panel.parameters.jobFolder = str(request.folder)
        self.panel.parameters.resultPatient = request.selection.patient_id
        self.control.start(request)

    def onSaveJob(self, *_args) -> None:
        path = qt.QFileDialog.getExistingDirectory(self.ui.saveJobButton, _("Empty folder for the job"), "")
        if not path:
            return
        try:
            if any(Path(path).iterdir()):
                raise TumorTwinError(_("{folder} is not empty: choose an empty folder.").format(folder=path))
            with slicer.util.WaitCursor():
                run_through(writingJob(self._request(Path(path))))
        except TumorTwinError as error:
            self.panel.run.showStatus(str(error))
            return
        text = _("Saved. To run it: python -m TumorTwinLib.jobs.worker run {folder}")
        self.panel.run.showStatus(text.format(folder=path))

    def onOpenJob(self, *_args) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._lastFolder())))

    def onDeleteJobs(self, *_args) -> None:
        count, size = deleteFinishedJobs(self._lastFolder() if self.control.busy else None)
        self.panel.run.showStatus(_("Deleted {count} jobs, {size:.0f} MB.").format(count=count, size=size))
        self.panel.refresh()

    def onReport(self, *_args) -> None:
        name = f"{self.panel.parameters.resultPatient} report.html"
        path = qt.QFileDialog.getSaveFileName(self.ui.reportButton, _("File for the report"), name, "HTML (*.html)")
        if not path:
            return
        try:
            with slicer.util.WaitCursor():
                result = read_result(self._lastFolder())
                if result.forecast is None:
                    raise TumorTwinError(_("The last run has no forecast: press Apply first."))
                write_report(result.forecast, path, notices=result.notices, comparison=result.comparison)
        except (TumorTwinError, OSError) as error:
            self.panel.run.showStatus(str(error))
            return
        self.panel.run.showStatus(_("Wrote {name}.").format(name=path))
