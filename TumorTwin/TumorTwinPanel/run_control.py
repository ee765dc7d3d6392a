"""One run from the Apply button to the forecast in the scene: prepare the job, watch it, show what it found."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.conversation import Listener, State
from TumorTwinLib.jobs.frames import Frame
from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.protocol import (
    CALIBRATE,
    COMPARE,
    FORECAST,
    IMAGING,
    PREDICT,
    READ,
    SAMPLE,
    SEGMENT,
    Ending,
    Progress,
)
from TumorTwinLib.jobs.result_store import JobResult
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.mrml.comparison import showing_comparison
from TumorTwinLib.mrml.forecast import showing_forecast
from TumorTwinLib.mrml.live_forecast import LiveForecast
from TumorTwinLib.mrml.patient import reading_patient
from TumorTwinLib.mrml.patient_selection import PatientSelection
from TumorTwinLib.treatment.events import TreatmentEvent
from TumorTwinPanel.qt_job import QtJob, Steps
from TumorTwinPanel.run_view import RunView, duration


@dataclass(frozen=True)
class RunRequest:
    """What a run needs to know, as it is when Apply is pressed.

    Args:
        folder: new, for the job.
        bodySurfaceM2: 0 where it is not known.
    """

    folder: Path
    spec: JobSpec
    selection: PatientSelection
    treatments: Sequence[TreatmentEvent]
    bodySurfaceM2: float


def writingJob(request: RunRequest) -> Generator[None, None, None]:
    """Write the job folder in steps that are short.

    Raises:
        TumorTwinError: with one sentence naming the node or the folder.
    """
    needed = request.spec.images_needed
    visits = [
        {
            "time": visit.time,
            "images": {name: visit.images[name] for name in needed if name in visit.images},
            "segmentation": visit.segmentation,
        }
        for visit in request.selection.visits
    ]
    patient = yield from reading_patient(
        patient_id=request.selection.patient_id,
        visits=visits,
        brain_mask=request.selection.brain_mask,
        treatments=request.treatments,
        tissues=request.selection.tissues,
        body_surface_area_m2=request.bodySurfaceM2 or None,
    )
    yield
    try:
        write_job(request.folder, request.spec, patient)
    except OSError as error:
        text = _("The job could not be written to {folder} ({reason}): free some disk space, then press Apply again.")
        raise TumorTwinError(text.format(folder=request.folder, reason=error.strerror)) from error


class Phase(enum.Enum):
    """Where a run is."""

    IDLE = "idle"
    PREPARING = "preparing"
    COMPUTING = "computing"
    SHOWING = "showing"


class RunControl:
    """Runs one request at a time.

    Args:
        view: told how the run stands.
        onForecastChanged: called whenever nodes of the forecast came or changed.
        onEnded: called once at the end of every run.
        parent: QObject that owns processes and timers.
    """

    def __init__(self, view: RunView, onForecastChanged: Callable, onEnded: Callable, parent) -> None:
        self.view = view
        self.onForecastChanged = onForecastChanged
        self.onEnded = onEnded
        self.parent = parent
        self.interpreter: str | None = None
        self.phase = Phase.IDLE
        self.request: RunRequest | None = None
        self._steps: Steps | None = None
        self.job: QtJob | None = None
        self._live: LiveForecast | None = None
        self._framesShown = False

    @property
    def busy(self) -> bool:
        return self.phase is not Phase.IDLE

    def start(self, request: RunRequest) -> None:
        """Begin a run; nothing happens while one is under way."""
        if self.busy:
            return
        self.request = request
        self.phase = Phase.PREPARING
        self.view.showStarted()
        self.view.showProgress(_("Preparing the job"), None)
        self._steps = Steps(writingJob(request), self._onWritten, self._onFailed, self.parent)

    def cancel(self) -> None:
        """Stop the run; what has been forecast until then stays in the scene."""
        if self.phase is Phase.COMPUTING:
            self.view.showStopping()
            self.job.cancel()
        elif self.busy:
            self._steps.stop()
            self._end(_("Stopped."))

    def abandon(self) -> None:
        """Stop at once and leave the scene alone, which is closing or loses its panel."""
        if not self.busy:
            return
        self.phase = Phase.IDLE  # what the job still says is for nobody
        if self._steps is not None:
            self._steps.stop()
        if self.job is not None:
            self.job.stopNow()
        self._forget()
        self.onEnded()

    # Preparing

    def _onWritten(self, _result) -> None:
        self.phase = Phase.COMPUTING
        self._live = LiveForecast(self.request.selection.patient_id)
        self._framesShown = False
        listener = Listener(self._onProgress, self._onFrame, self._onNotice, self._onFinished)
        self.job = QtJob(self.request.folder, listener, self.parent, self.interpreter)

    # Computing

    def _onProgress(self, progress: Progress) -> None:
        if self.phase is not Phase.COMPUTING or self.job.state is State.CANCELLING:
            return
        share = progress.done / progress.total if progress.total else None
        detail = ""
        if progress.stage == CALIBRATE and progress.total:
            detail = _("model run {done:.0f} of about {total:.0f}").format(
                done=progress.done + 0.5, total=progress.total
            )
        elif progress.stage == FORECAST and progress.total:
            detail = _("day {done:.0f} of {total:.0f}").format(done=progress.done, total=progress.total)
        elif progress.stage in (SAMPLE, PREDICT, COMPARE) and progress.total:
            detail = _("draw {done:.0f} of {total:.0f}").format(done=progress.done, total=progress.total)
        self.view.showProgress(_stageTitle(progress.stage), share, detail, progress.eta_s)

    def _onFrame(self, frame: Frame) -> None:
        if self.phase is not Phase.COMPUTING:
            return
        try:
            self._live.add(self.request.folder, frame)
        except TumorTwinError as error:  # a frame that cannot be shown is no reason to stop
            self.view.log(str(error))
            return
        self._framesShown = True
        self.onForecastChanged()

    def _onNotice(self, sentence: str) -> None:
        self.view.log(sentence)

    def _onFinished(self) -> None:
        if self.phase is not Phase.COMPUTING:
            return
        if self.job.details:
            self.view.log(self.job.details)
        self.phase = Phase.SHOWING
        self._steps = Steps(self._showing(), self._onShown, self._onFailed, self.parent)

    # Showing

    def _showing(self) -> Generator[None, None, JobResult]:
        result = yield from self.job.reading_result()
        if result.forecast is not None:
            self.view.showProgress(_("Adding the forecast to the scene"), None)
            yield from showing_forecast(result.forecast)
        if result.comparison is not None:
            yield from showing_comparison(result.comparison)
        return result

    def _onShown(self, result: JobResult) -> None:
        if result.forecast is None:
            self._end(_stopped(len(result.frames), previewed=self._framesShown))
            return
        self.onForecastChanged()
        if result.ending is not Ending.COMPLETED:
            self._end(_stoppedLate(compared=result.comparison is not None))
            return
        time = duration(self.job.stats["seconds"])
        self._end(_("Done in {time}. The forecast is in the scene, under the patient.").format(time=time))

    # The end

    def _onFailed(self, error: Exception) -> None:
        if not isinstance(error, TumorTwinError):
            self.view.log(repr(error))
            error_text = _("Stopped by an unexpected error: {error}. The log has details.").format(error=error)
        else:
            error_text = str(error)
        self._end(error_text)
        if not isinstance(error, TumorTwinError):
            raise error

    def _end(self, sentence: str) -> None:
        self.phase = Phase.IDLE
        self._forget()
        self.view.log(sentence)
        self.onEnded()
        self.view.showStatus(sentence)

    def _forget(self) -> None:
        self._steps = self.job = self._live = None


def _stageTitle(stage: str) -> str:
    titles = {
        READ: _("Reading the patient"),
        IMAGING: _("Preparing the scans"),
        SEGMENT: _("Outlining tumor and tissues"),
        CALIBRATE: _("Calibrating"),
        SAMPLE: _("Sampling the posterior"),
        FORECAST: _("Forecasting"),
        PREDICT: _("Forecasting with uncertainty"),
        COMPARE: _("Comparing regimens"),
    }
    return titles.get(stage, stage)


def _stoppedLate(compared: bool) -> str:
    if compared:
        return _("Stopped. The forecast is in the scene, and what was compared until then.")
    return _("Stopped. The forecast is in the scene; the regimens had not been compared yet.")


def _stopped(frameCount: int, previewed: bool) -> str:
    if frameCount:
        return _("Stopped. The {count} days forecast until then are in the scene.").format(count=frameCount)
    if previewed:
        return _("Stopped. The scene shows a preview, made with the parameters fitted until then.")
    return _("Stopped. Nothing had been forecast yet.")
