"""What a worker's bytes and its exit mean, whatever carries them: pipes of ours, or a QProcess.

A runner feeds what it reads, says when the process is gone, asks whether it is overdue, and delivers when it suits:
callbacks run inside ``deliver`` only, in the thread that calls it. Nothing here waits or starts anything.
"""

from __future__ import annotations

import enum
import logging
import math
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from TumorTwinLib.jobs.frames import Frame
from TumorTwinLib.jobs.processes import LOG_FILE, log_tail
from TumorTwinLib.jobs.protocol import CANCEL, OUT_OF_MEMORY, End, Ending, Error, Event, Notice, Progress, Start, decode

logger = logging.getLogger("TumorTwin.jobs")

GRACE_S = 5.0  # after a request to stop, or after the end was announced, before the process is killed
_LONGEST_LINE = 1 << 20
_KILLED = {-9, 137}  # by SIGKILL, seen directly and through a launcher
_NO_MEMORY = ("out of memory", "bad_alloc", "cannot allocate memory")  # last words of compilers and C++ libraries


class State(enum.Enum):
    """Where a job is."""

    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    CRASHED = "crashed"

    @property
    def over(self) -> bool:
        return self in (State.COMPLETED, State.CANCELLED, State.FAILED, State.CRASHED)


_STATES = {
    Ending.COMPLETED: State.COMPLETED, Ending.CANCELLED: State.CANCELLED, Ending.FAILED: State.FAILED,
}  # fmt: skip


def _ignore(*_) -> None:
    pass


@dataclass(frozen=True)
class Listener:
    """Who is told what, in the order it happened; of what was overtaken before it was delivered, only the latest.

    Progress alone does not wait for its turn: a listener that is slow with frames still knows how far the job is.
    """

    on_progress: Callable[[Progress], None] = _ignore
    on_frame: Callable[[Frame], None] = _ignore
    on_notice: Callable[[str], None] = _ignore
    on_finished: Callable[[], None] = _ignore


class Conversation:
    """One run of a worker.

    Args:
        folder: of the job.
        clock: seconds that only go forward.

    Attributes:
        state: ``over`` once the process is gone, and not before.
        message: a sentence for the user, when over.
        details: the traceback or the end of the log, when something went wrong.
        worker_pid: of the process that works, once it has said so.
        end: what the worker announced, or None.
        frames: announced so far. notices: sentences to show. stray_lines: output that was no event.
    """

    def __init__(
        self, folder: Path, listener: Listener, *, clock: Callable[[], float] = time.monotonic, grace_s: float = GRACE_S
    ) -> None:
        self.state = State.STARTING
        self.message = self.details = ""
        self.worker_pid: int | None = None
        self.progress: Progress | None = None
        self.frames: list[Frame] = []
        self.notices: list[str] = []
        self.stray_lines = 0
        self._folder, self._listener, self._clock, self._grace_s = folder, listener, clock, grace_s
        self._began = clock()
        self._seconds: float | None = None
        self._rest = b""
        self._pending: deque[Event | None] = deque()  # None is the finish
        self._error: Error | None = None
        self.end: End | None = None
        self._deadline = math.inf
        self._killed = False

    @property
    def seconds(self) -> float:
        """That the job has taken so far, or took."""
        return self._clock() - self._began if self._seconds is None else self._seconds

    def feed(self, data: bytes) -> None:
        """Bytes from the worker's standard output, cut anywhere."""
        if self.state.over:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > _LONGEST_LINE:  # never an event: do not gather it for ever
            self._rest = b""
            self.stray_lines += 1

    def cancel(self) -> bytes:
        """What to write to the worker's standard input; nothing when it is over or was asked before."""
        if self.state.over or self.state is State.CANCELLING:
            return b""
        self.state = State.CANCELLING
        self._deadline = min(self._deadline, self._clock() + self._grace_s)
        return CANCEL

    @property
    def overdue(self) -> bool:
        """The process should be gone by now and is to be killed."""
        return not self.state.over and self._clock() > self._deadline

    def killed(self) -> None:
        """The runner has killed the process, which was overdue."""
        self._killed = True
        self._deadline = math.inf

    def closed(self, exit_code: int | None, problem: str = "") -> None:
        """The process is gone and all its output was fed.

        Args:
            exit_code: None when it could not be started; negative for a signal.
            problem: why it could not be started.
        """
        if self.state.over:
            return
        self._seconds = self.seconds
        if self._rest:  # cut off by the end of the process
            self._take(self._rest)
            self._rest = b""
        self.state, self.message, self.details = self._verdict(exit_code, problem)
        self._pending.append(None)

    def deliver(self, budget_s: float = math.inf) -> bool:
        """Call back what has happened since; True when the budget did not suffice for all of it."""
        until = self._clock() + budget_s
        while self._pending:
            event = self._pending.popleft()
            try:
                self._tell(event)
            except Exception:  # a listener's fault must cost no other event, least of all the finish
                logger.exception("A listener of the job in %s failed", self._folder)
            if self._clock() > until:
                break
        return bool(self._pending)

    def _take(self, line: bytes) -> None:
        event = decode(line) if line.strip() else None
        if event is None or self.end is not None:
            self.stray_lines += bool(line.strip())
            return
        match event:
            case Start():
                self.worker_pid = event.pid
                if self.state is State.STARTING:
                    self.state = State.RUNNING
            case Progress():
                self.progress = event
                self._drop(lambda other: isinstance(other, Progress))
                self._pending.appendleft(event)
            case Frame():
                self.frames.append(event)
                self._drop(lambda other: isinstance(other, Frame) and other.file == event.file)
                self._pending.append(event)
            case Notice():
                self.notices.append(event.message)
                self._pending.append(event)
            case Error():
                self._error = self._error or event
            case End():
                self.end = event
                self._deadline = min(self._deadline, self._clock() + self._grace_s)

    def _drop(self, overtaken: Callable[[Event | None], bool]) -> None:
        self._pending = deque(event for event in self._pending if not overtaken(event))

    def _tell(self, event: Event | None) -> None:
        match event:
            case Progress():
                self._listener.on_progress(event)
            case Frame():
                self._listener.on_frame(event)
            case Notice():
                self._listener.on_notice(event.message)
            case None:
                self._listener.on_finished()

    def _verdict(self, exit_code: int | None, problem: str) -> tuple[State, str, str]:
        log = log_tail(self._folder / LOG_FILE)
        if exit_code is None:
            return State.CRASHED, f"The job could not be started: {problem}", log
        details = (self._error.traceback if self._error else "") or log
        if self.end is not None and (self._killed or exit_code == self.end.status.exit_code):
            state = _STATES[self.end.status]
            return state, self.end.message, details if state is State.FAILED else ""
        if self._killed:
            return State.CANCELLED, "Stopped on request, by force; frames until then are kept.", log
        if self.end is not None:
            sentence = f"The job said it was {self.end.status.value}, but its process then ended with {_how(exit_code)}"
            return State.CRASHED, f"{sentence}: run it again; it will continue.", details
        if self._error is not None:
            return State.CRASHED, self._error.message, details
        return State.CRASHED, _crash(exit_code, log), details


def _how(exit_code: int) -> str:
    known = {-number.value: number.name for number in signal.Signals}
    return known.get(exit_code, f"exit code {exit_code}")


def _crash(exit_code: int, log: str) -> str:
    if any(sign in log.lower() for sign in _NO_MEMORY):
        return OUT_OF_MEMORY
    if exit_code in _KILLED:
        return (
            "The job was killed from outside, as the system does when memory runs out: choose a coarser resolution "
            "or close other programs, then run it again; it will continue."
        )
    last = f": {log.splitlines()[-1].strip()}" if log else " is empty."
    return f"The job ended unexpectedly with {_how(exit_code)}; the end of its log" + last
