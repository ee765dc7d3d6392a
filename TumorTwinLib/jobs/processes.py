"""How a worker is started and, if need be, ended: the same for every runner."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

LOG_FILE = "log.txt"
NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # on Windows a console would pop up
_TAIL_BYTES = 8192
_TAIL_LINES = 20


def worker_command(folder: Path, interpreter: str | None = None) -> list[str]:
    """Program and arguments that compute a job folder."""
    return [interpreter or find_interpreter(), "-m", "TumorTwinLib.jobs.worker", "run", str(folder)]


def find_interpreter() -> str:
    """Slicer's own Python inside Slicer, where ``sys.executable`` may be no plain interpreter; else the running one."""
    in_slicer = "SLICER_HOME" in os.environ  # the application sets it for itself and its children
    return (in_slicer and shutil.which("PythonSlicer")) or sys.executable


def worker_environment() -> dict[str, str]:
    """The variables a worker needs, for it alone: this process keeps its own.

    UTF-8 whatever the system's code page, no buffering between the worker and us, and this library on the path.
    """
    library = str(Path(__file__).resolve().parents[2])
    paths = [library, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
    }


def end_process_group(pid: int) -> None:
    """Kill a process and what it started, at once. The process must lead a group of its own, as workers do."""
    if os.name == "nt":
        command = ["taskkill", "/F", "/T", "/PID", str(pid)]
        subprocess.run(command, capture_output=True, check=False, creationflags=NO_WINDOW)
        return
    for kill in (os.killpg, os.kill):  # before it leads a group, there is only the process
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def log_tail(log: Path) -> str:
    """The last lines of a log, or nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-_TAIL_LINES:])
