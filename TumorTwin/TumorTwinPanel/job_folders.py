"""Folders of jobs among Slicer's temporary files: new ones, and the old ones that may go."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import slicer

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.files import read_json
from TumorTwinLib.jobs.protocol import Ending
from TumorTwinLib.jobs.result_store import RESULT_FILE

_ABANDONED_S = 86400.0  # a folder without result and untouched for a day belongs to no running job


def jobsFolder() -> Path:
    return Path(slicer.app.temporaryPath) / "TumorTwinJobs"


def newJobFolder() -> Path:
    """An empty folder for one job.

    Raises:
        OSError: it cannot be made.
    """
    jobsFolder().mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("job-%Y%m%d-%H%M%S-"), dir=jobsFolder()))


def continuedJobFolder(last: Path | None) -> Path:
    """The folder of the last job if that was stopped, crashed or ran out of disk space, else a new one.

    What a job has computed is used again as far as patient and settings are the same; that is for the job to find out.

    Raises:
        OSError: it cannot be made.
    """
    return last if last is not None and not _isCompleted(last) else newJobFolder()


def deleteFinishedJobs(keep: Path | None) -> tuple[int, float]:
    """Remove the folders of jobs that are over, also those of earlier sessions.

    Args:
        keep: of a job that is running.

    Returns:
        How many there were, and their size in MB.
    """
    count, size = 0, 0.0
    for folder in jobsFolder().glob("job-*"):
        if folder == keep or not _isOver(folder):
            continue
        size += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        shutil.rmtree(folder, ignore_errors=True)
        count += 1
    return count, size


def _isCompleted(folder: Path) -> bool:
    try:
        return read_json(folder / RESULT_FILE).get("ending") == Ending.COMPLETED.value
    except TumorTwinError:
        return False


def _isOver(folder: Path) -> bool:
    return (folder / RESULT_FILE).is_file() or time.time() - folder.stat().st_mtime > _ABANDONED_S
