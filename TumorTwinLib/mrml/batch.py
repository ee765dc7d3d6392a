"""A job as a command: progress on the terminal, one sentence at the end, an exit code, and a log file."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.jobs.stages import Outcome
from TumorTwinLib.mrml.pipeline import run_job, stage_titles
from TumorTwinLib.mrml.terminal import TerminalProgress

OK, FAILED, STOPPED = 0, 1, 130
LOG_FILE = "log.txt"

logger = logging.getLogger("TumorTwin")


def run_command(job: JobSpec, out: Path) -> int:
    """Run a job and say how it went.

    Returns:
        The exit code. On failure one sentence goes to standard error, and never a traceback: that of an unexpected
        error is in ``<out>.log``. The log of a job that went well is in the out folder.
    """
    out = out.absolute()
    log = out.with_name(f"{out.name}.log")
    progress = TerminalProgress(len(stage_titles(job)))
    try:
        with _interruptible(), _logging_to(log):
            outcome = run_job(job, out, progress)
    except TumorTwinError as error:
        progress.end("failed")
        log.unlink(missing_ok=True)  # the sentence says it all
        return _complain(str(error), FAILED)
    except KeyboardInterrupt:
        progress.end("stopped")
        log.unlink(missing_ok=True)
        return _complain("Stopped on request; no result was written.", STOPPED)
    except Exception as error:
        progress.end("failed")
        return _complain(f"Stopped by an unexpected error ({type(error).__name__}: {error}). Details: {log}", FAILED)
    progress.end()
    os.replace(log, out / LOG_FILE)
    _conclude(outcome, out)
    return OK


@contextlib.contextmanager
def _logging_to(log: Path) -> Iterator[None]:
    """Everything logged goes to the file, also the traceback of an error that ends the block."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    except Exception:
        logger.exception("The job failed")
        raise
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """A request to terminate ends the job as Ctrl+C does, so that unfinished files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _conclude(outcome: Outcome, out: Path) -> None:
    for notice in outcome.notices:
        print(f"Note: {notice}")
    forecast = outcome.forecast
    assert forecast is not None
    volumes = (f"{name.replace('_', ' ')} {values[-1] / 1000:.1f} mL" for name, values in forecast.volume_mm3.items())
    print(f"Predicted for day {forecast.days[-1]:.0f}: {', '.join(volumes)}.")
    print(f"Open {out / 'forecast.mrb'} in 3D Slicer, or {out / 'report.html'} in a browser.", flush=True)


def _complain(sentence: str, code: int) -> int:
    print(f"TumorTwin: {sentence}", file=sys.stderr, flush=True)
    return code
