"""Runs a job folder in a process of its own: blocking, or in the background of a program without Qt.

::

    job = start_job(folder, Listener(on_progress=..., on_frame=..., on_finished=...))
    while not job.state.over:
        job.poll()          # callbacks run here, in this thread
        ...

    result = run_job_folder(folder)     # or wait for it
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.conversation import GRACE_S, Conversation, Listener, State
from TumorTwinLib.jobs.processes import LOG_FILE, NO_WINDOW, end_process_group, worker_command, worker_environment
from TumorTwinLib.jobs.protocol import Ending, Progress
from TumorTwinLib.jobs.result_store import JobResult, reading_result
from TumorTwinLib.jobs.steps import run_through

_DRAIN_S = 1.0  # for output after the process is gone; a grandchild may hold the pipe open


class JobHandle:
    """A job under way. Runners differ in how they read and kill; the rest is here.

    Attributes:
        folder: of the job.
        conversation: all that is known of the run.
    """

    def __init__(self, folder: Path, listener: Listener, grace_s: float = GRACE_S) -> None:
        self.folder = folder
        self.conversation = Conversation(folder, listener, grace_s=grace_s)

    @property
    def state(self) -> State:
        return self.conversation.state

    @property
    def message(self) -> str:
        """A sentence for the user, once the job is over."""
        return self.conversation.message

    @property
    def details(self) -> str:
        """Traceback or end of the log, where something went wrong."""
        return self.conversation.details

    @property
    def progress(self) -> Progress | None:
        return self.conversation.progress

    @property
    def stats(self) -> dict[str, float]:
        """Seconds so far, frames announced, lines of output that were no event."""
        conversation = self.conversation
        return {
            "seconds": conversation.seconds,
            "frames": len(conversation.frames),
            "stray_lines": conversation.stray_lines,
        }

    def cancel(self) -> None:
        """Ask the worker to stop, and return at once; it is killed if it does not."""
        request = self.conversation.cancel()
        if request:
            self._write(request)

    def result(self) -> JobResult:
        """What was found; of a stopped job, what there was by then.

        Raises:
            TumorTwinError: the job failed or crashed, with the user's sentence; or it is not over.
        """
        return run_through(self.reading_result())

    def reading_result(self) -> Generator[None, None, JobResult]:
        """``result`` in steps of one frame."""
        if not self.state.over:
            raise TumorTwinError("The job is still running: wait for its end.")
        if self.state in (State.FAILED, State.CRASHED):
            raise TumorTwinError(self.message)
        if self.conversation.end is not None:
            return (yield from reading_result(self.folder))
        frames = tuple(frame for frame in self.conversation.frames if not frame.preview)
        return JobResult(Ending.CANCELLED, self.message, frames=frames)  # it was killed before it could write one

    def wait(self, timeout_s: float | None = None) -> bool:
        """Deliver until the job is over; False when the time ran out before."""
        raise NotImplementedError

    def _write(self, data: bytes) -> None:
        raise NotImplementedError


class ProcessJob(JobHandle):
    """A job in a child process of ours; ``poll`` or ``wait`` must be called for anything to be delivered."""

    def __init__(
        self, folder: Path, listener: Listener, *, interpreter: str | None = None, grace_s: float = GRACE_S
    ) -> None:
        super().__init__(folder, listener, grace_s)
        self._output: queue.SimpleQueue[bytes] = queue.SimpleQueue()  # an empty piece is its end
        self._output_ended = False
        self._gone_since: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            with (folder / LOG_FILE).open("wb") as log:
                self._process = subprocess.Popen(
                    worker_command(folder, interpreter), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                    env=worker_environment(), bufsize=0, start_new_session=True, creationflags=NO_WINDOW,
                )  # fmt: skip
        except OSError as error:
            self.conversation.closed(None, str(error))
            return
        threading.Thread(target=self._read, daemon=True).start()

    def poll(self, budget_s: float = float("inf")) -> None:
        """Call back what has happened since the last call, for about ``budget_s`` seconds; the rest comes next time."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._take(self._output.get_nowait())
        self._look_after()
        self.conversation.deliver(budget_s)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Poll until the job is over; False when the time ran out before."""
        until = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        self.poll()
        while not self.state.over and time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                self._take(self._output.get(timeout=min(0.1, max(0.0, until - time.monotonic()))))
            self.poll()
        return self.state.over

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        piece = b"-"
        while piece:
            piece = self._process.stdout.read(1 << 16) or b""
            self._output.put(piece)

    def _take(self, piece: bytes) -> None:
        self._output_ended = self._output_ended or not piece
        self.conversation.feed(piece)

    def _look_after(self) -> None:
        """Kill the process when it is overdue, and close the conversation when it is gone."""
        if self._process is None or self.state.over:
            return
        code = self._process.poll()
        if code is None:
            if self.conversation.overdue:
                self._kill()
            return
        self._gone_since = self._gone_since or time.monotonic()
        if self._output_ended or time.monotonic() - self._gone_since > _DRAIN_S:
            self._close_input()
            self.conversation.closed(code)

    def _kill(self) -> None:
        assert self._process is not None
        self.conversation.killed()
        for pid in {self._process.pid, self.conversation.worker_pid or self._process.pid}:
            end_process_group(pid)

    def _write(self, data: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone, which poll will notice
            self._process.stdin.write(data)

    def _close_input(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


def start_job(
    folder: Path, listener: Listener | None = None, *, interpreter: str | None = None, grace_s: float = GRACE_S
) -> ProcessJob:
    """Start computing a job folder, or continue one that was stopped. Returns at once.

    Args:
        listener: whose callbacks run inside the handle's ``poll`` and ``wait``.
        interpreter: the Python to use; by default Slicer's inside Slicer and the running one elsewhere.
        grace_s: how long a worker that was asked to stop may take before it is killed.
    """
    return ProcessJob(folder.absolute(), listener or Listener(), interpreter=interpreter, grace_s=grace_s)


def run_job_folder(folder: Path, listener: Listener | None = None, *, interpreter: str | None = None) -> JobResult:
    """Compute a job folder in a child process and wait for it.

    Raises:
        TumorTwinError: it failed or crashed; one sentence.
        KeyboardInterrupt: after the worker has stopped; what was complete is in the folder.
    """
    job = start_job(folder, listener, interpreter=interpreter)
    wait_or_cancel(job)
    return job.result()


def wait_or_cancel(job: JobHandle) -> None:
    """Wait for the end of a job; an interrupt meanwhile stops it first."""
    try:
        job.wait()
    except BaseException:
        job.cancel()
        job.wait(2 * GRACE_S)
        raise
