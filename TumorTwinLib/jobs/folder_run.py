"""A job folder computed in this process: events to whoever listens; frames, checkpoint and result to the folder."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.forecast import ParameterValue
from TumorTwinLib.geometry import Grid
from TumorTwinLib.inference.least_squares import FitStatus
from TumorTwinLib.jobs.frames import Frame, FrameFolder, frames_of
from TumorTwinLib.jobs.observer import Observer
from TumorTwinLib.jobs.protocol import OUT_OF_MEMORY, READ, End, Ending, Error, Event, Notice, Progress
from TumorTwinLib.jobs.result_store import RESULT_FILE, FitSummary, JobResult, read_result, write_result
from TumorTwinLib.jobs.spec import read_spec

if TYPE_CHECKING:
    from TumorTwinLib.forecast import Forecast
    from TumorTwinLib.inference.calibration import FitSoFar, MapResult
    from TumorTwinLib.inference.posterior import Posterior
    from TumorTwinLib.jobs.comparing import Task
    from TumorTwinLib.recommend.record import ComparisonRecord

logger = logging.getLogger("TumorTwin.jobs")

POSTERIOR_FOLDER = "posterior"  # as ``inference.posterior_files.load_posterior`` reads it
_STORAGE_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FolderRun(Observer):
    """One run of one job folder.

    Args:
        folder: with ``job.json``.
        emit: told every event.
        cancelled: asked before every step; True stops the job.
    """

    wants_previews = True

    def __init__(self, folder: Path, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> None:
        self._folder, self._emit, self._cancelled = folder, emit, cancelled
        self._began = time.monotonic()
        self._ended = threading.Lock()  # taken once, by whoever ends the job, and never given back
        self._result = JobResult(Ending.FAILED, "")  # as far as it is known
        self._frames: dict[bool, FrameFolder] = {}

    def run(self) -> Ending:
        """Read, calibrate, forecast. However it ends, there is one ``end`` and, if at all possible, a result."""
        try:
            result = self._compute()
        except CancelledError:
            return self.stop()
        except Exception as error:
            return self._end(Ending.FAILED, self._result, self._described(error))
        return self._end(Ending.COMPLETED, result)

    def stop(self) -> Ending:
        """End as cancelled, with what there is. Any thread may do this, as some work cannot be interrupted."""
        return self._end(Ending.CANCELLED, self._result)

    def check(self) -> Ending:
        """Everything up to the solver's first step, or to the first step on raw scans; nothing is written."""
        error = None
        try:
            from TumorTwinLib.jobs.preparation import check_patient
            from TumorTwinLib.jobs.stages import compute

            spec = read_spec(self._folder)
            self._emit(Progress(READ))
            patient = check_patient(spec, self._folder)
            if patient is not None:
                with contextlib.suppress(CancelledError):
                    compute(spec, patient, _FirstStep(self._emit))
        except Exception as problem:
            error = self._described(problem)
        self._ended.acquire()
        return self._say_end(Ending.COMPLETED, "The job would run.", error)

    def _compute(self) -> JobResult:
        self._go_on()
        spec = read_spec(self._folder)
        self._emit(Progress(READ))
        # Half a second to import, during which a request to stop is already heard.
        from TumorTwinLib.jobs.checkpoint import EvaluationFolder, SummaryFolder, fingerprints
        from TumorTwinLib.jobs.comparing import comparison_task
        from TumorTwinLib.jobs.preparation import prepare_patient
        from TumorTwinLib.jobs.regimen_choice import chosen_regimens
        from TumorTwinLib.jobs.stages import compute

        patient = prepare_patient(spec, self._folder, self)
        self._go_on()
        whole, fit = fingerprints(spec, patient)
        task = None
        if spec.regimens:
            task = comparison_task(spec, patient, chosen_regimens(spec, self._folder, patient), whole)
        earlier = self._earlier(whole)
        if earlier is not None:
            for frame in earlier.frames:
                self._emit(frame)
            if earlier.ending is Ending.COMPLETED and _print_of(earlier.comparison) == _print_of(task):
                return earlier
        (self._folder / RESULT_FILE).unlink(missing_ok=True)
        shutil.rmtree(self._folder / POSTERIOR_FOLDER, ignore_errors=True)
        self._result = replace(self._result, fingerprint=whole, patient_id=patient.patient_id)
        memory = (SummaryFolder if spec.bayesian else EvaluationFolder)(self._folder, fit)
        outcome = compute(
            spec, patient, self, memory, task=task, known=None if earlier is None else earlier.forecast,
            compared=SummaryFolder(self._folder, f"{fit}-compared"),
        )  # fmt: skip
        return replace(self._result, forecast=outcome.forecast, notices=outcome.notices, comparison=outcome.comparison)

    def _go_on(self) -> None:
        if self._cancelled():
            raise CancelledError("Stopped on request.")

    def _earlier(self, fingerprint: str) -> JobResult | None:
        """What an earlier run found of the same, if it came as far as it was asked to, or to a forecast."""
        try:
            earlier = read_result(self._folder)
        except TumorTwinError:
            return None
        far = earlier.ending is Ending.COMPLETED or earlier.forecast is not None
        return earlier if far and earlier.fingerprint == fingerprint else None

    def _end(self, ending: Ending, result: JobResult, error: Error | None = None) -> Ending:
        self._ended.acquire()
        message = error.message if error else ""
        try:
            frames = frames_of(self._folder, result.fingerprint)
            message = message or _message(ending, result, frames)
            seconds = result.seconds or time.monotonic() - self._began
            write_result(self._folder, replace(result, ending=ending, message=message, frames=frames, seconds=seconds))
        except Exception as problem:  # the disk may be full, which may be what is being told
            error = error or self._described(problem)
        return self._say_end(ending, message, error)

    def _say_end(self, ending: Ending, message: str, error: Error | None) -> Ending:
        if error is not None:
            ending, message = Ending.FAILED, error.message
            self._emit(error)
        self._emit(End(ending, message))
        return ending

    def _described(self, error: Exception) -> Error:
        kind = type(error).__name__
        trace = "".join(traceback.format_exception(error))
        if isinstance(error, TumorTwinError):
            return Error(kind, str(error))
        if isinstance(error, MemoryError) or kind == "OutOfMemoryError":  # torch has its own
            sentence = OUT_OF_MEMORY
        elif isinstance(error, OSError) and error.errno in _STORAGE_FULL:
            sentence = f"The disk of {self._folder} is full: free some space and run the job again; it will continue."
        else:
            sentence = f"Stopped by an unexpected error ({kind}: {error})."
        logger.error("%s\n%s", sentence, trace)
        return Error(kind, sentence, trace)

    # What the computation tells.

    def cancelled(self) -> bool:
        return self._cancelled()

    def progress(self, progress: Progress) -> None:
        self._emit(progress)

    def fit(self, fit: FitSoFar) -> None:
        rows = tuple(ParameterValue(p.name, p.symbol, fit.values[p.name], p.unit) for p in fit.values.declared)
        summary = FitSummary(FitStatus.CANCELLED, rows, dict(fit.root_mean_square), fit.iterations)
        self._result = replace(self._result, fit=summary)

    def calibrated(self, fit: MapResult) -> None:
        self._result = replace(self._result, fit=FitSummary.of(fit))

    def sampled(self, posterior: Posterior) -> None:
        posterior.save(self._folder / POSTERIOR_FOLDER)
        summary, fit = posterior.summary(), FitSummary.of_posterior(posterior)
        self._result = replace(self._result, fit=fit, posterior=summary)

    def forecasted(self, forecast: Forecast) -> None:
        self._result = replace(self._result, forecast=forecast)

    def compared(self, record: ComparisonRecord) -> None:
        self._result = replace(self._result, comparison=record)

    def frame(self, day: float, cellularity: np.ndarray, grid: Grid, *, preview: bool) -> None:
        if preview not in self._frames:
            self._frames[preview] = FrameFolder(self._folder, grid, self._result.fingerprint, preview=preview)
        self._emit(self._frames[preview].write(day, cellularity))

    def warning(self, sentence: str) -> None:
        self._result = replace(self._result, notices=(*self._result.notices, sentence))
        self._emit(Notice(sentence))


def _print_of(part: Task | ComparisonRecord | None) -> str:
    return "" if part is None else part.fingerprint


class _FirstStep(Observer):
    """Stops a job as soon as it begins to solve: by then all that can be wrong with its inputs has been found."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._solving = False

    def progress(self, progress: Progress) -> None:
        self._solving = True

    def warning(self, sentence: str) -> None:
        self._emit(Notice(sentence))

    def cancelled(self) -> bool:
        return self._solving


def _compared_so_far(record: ComparisonRecord) -> str:
    if record.comparison.cancelled:
        return f"the comparison of {record.comparison.provenance['draws']} draws is kept."
    return "the comparison is kept, without the maps of all regimens."


def _message(ending: Ending, result: JobResult, frames: Sequence[Frame]) -> str:
    if ending is Ending.COMPLETED:
        return "Done."
    if result.comparison is not None:
        return f"Stopped on request; {_compared_so_far(result.comparison)}"
    if result.forecast is not None:
        return "Stopped on request; the forecast is kept."
    if frames:
        return f"Stopped on request; the forecast up to day {frames[-1].day:.0f} is kept."
    if result.posterior is not None:
        return "Stopped on request; the best posterior so far is kept."
    if result.fit is not None:
        return "Stopped on request; the best fit so far is kept."
    return "Stopped on request before anything was found."
