"""How soon a job shows something and how soon it stops, on the shipped patient, in a process of its own.

First frame: from the start of the process, imports included, with compiled kernels at hand and without. Cancel: from
the request to the ``end`` event, asked for at many moments of a run; the slowest counts.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from Testing.Benchmarks.results import record
from TumorTwinLib.jobs.conversation import Listener, State
from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.runner import ProcessJob, start_job
from TumorTwinLib.jobs.spec import JobSpec

PATIENT = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "glioblastoma"
COMMAND = "make bench"
RUN_SECONDS = 24  # the moments of cancelling are spread over this; a run that is over by then is not counted
MOMENTS = 16


def _follow(job: ProcessJob, until: Callable[[], bool]) -> None:
    while not until() and not job.state.over:
        job.poll()
        time.sleep(0.002)


def _run(folder: Path, until: Callable[[ProcessJob, float], bool]) -> tuple[float, float | None]:
    """Seconds to the first frame or to ``until``, and from a request to stop then to the end, None if it was over."""
    frames: list[float] = []
    began = time.perf_counter()
    write_job(folder, JobSpec(patient=str(PATIENT)))
    job = start_job(folder, Listener(on_frame=lambda frame: frames.append(time.perf_counter() - began)))
    _follow(job, lambda: until(job, time.perf_counter() - began))
    first = frames[0] if frames else time.perf_counter() - began
    if job.state.over:
        return first, None
    asked = time.perf_counter()
    job.cancel()
    _follow(job, lambda: job.conversation.end is not None)
    seconds = time.perf_counter() - asked
    job.wait()
    if job.state not in (State.CANCELLED, State.COMPLETED):
        raise RuntimeError(job.message)
    return first, seconds


def _first_frame(folder: Path) -> float:
    return _run(folder, lambda job, _: bool(job.conversation.frames))[0]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="TumorTwin bench ü ") as temporary:
        root = Path(temporary)
        os.environ["NUMBA_CACHE_DIR"] = str(root / "kernels")
        cold = _first_frame(root / "cold")
        warm = min(_first_frame(root / f"warm {number}") for number in range(2))
        print(f"first frame: {warm:.1f} s, with kernels to compile {cold:.1f} s")
        slowest = 0.0
        for number in range(MOMENTS):
            moment = RUN_SECONDS * (number / MOMENTS) ** 2  # denser at the start, where imports and reading are
            _, seconds = _run(root / f"cancel {number}", lambda _, elapsed, moment=moment: elapsed > moment)
            print(f"cancel at {moment:4.1f} s: {'was over' if seconds is None else f'{seconds:.3f} s'}", flush=True)
            slowest = max(slowest, seconds or 0.0)
    record("jobs", "first_frame_seconds", warm, "s", 15.0, "lower", COMMAND)
    record("jobs", "first_frame_cold_seconds", cold, "s", None, "lower", COMMAND)
    record("jobs", "cancel_seconds_max", slowest, "s", 1.0, "lower", COMMAND)


if __name__ == "__main__":
    main()
