"""Running the event loop from a test, and measuring how long it could not run."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator

from Testing.host.pythonqt.source import QtCore

_BEAT_MS = 5
_LOOK_MS = 40
_CALLS_SHOWN = 12


class BlockMeter:
    """The longest time between two turns of the event loop, while the loop or a slot is running.

    A timer beats in the loop. Between beats nothing can be clicked or drawn, whatever the reason: a slow slot, a slow
    timer, or one that waits. The test's own work outside `running` is not counted.

    Attributes:
        longest_ms: since `clear`.
        where: what the main thread was doing in that time, innermost call last; empty for short times.
    """

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self.where = ""
        self._depth = 0
        self._last = 0.0
        self._seen = (0.0, "")  # the beat before the wait that was looked at last, and the stack then
        self._main_thread = threading.get_ident()
        self._closed = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()
        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.PreciseTimer)
        self._timer.setInterval(_BEAT_MS)
        self._timer.timeout.connect(self._beat)

    def clear(self) -> None:
        self.longest_ms, self.where = 0.0, ""

    def close(self) -> None:
        self._closed.set()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While the event loop turns, or a user's action is being handled."""
        self._depth += 1
        if self._depth == 1:
            self._last = time.perf_counter()
            self._timer.start()
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._beat()
                self._timer.stop()

    def _beat(self) -> None:
        now = time.perf_counter()
        blocked_ms = (now - self._last) * 1000
        if blocked_ms > self.longest_ms:
            self.longest_ms = blocked_ms
            self.where = self._seen[1] if self._seen[0] == self._last else ""
        self._last = now

    def _look(self) -> None:
        """Look, from another thread, at what the main thread does when it has not beaten for long."""
        while not self._closed.wait(_LOOK_MS / 1000):
            last = self._last
            if self._depth and (time.perf_counter() - last) * 1000 > _LOOK_MS:
                frame = sys._current_frames().get(self._main_thread)
                self._seen = (last, "".join(traceback.format_stack(frame, _CALLS_SHOWN)))


def run_until(condition: Callable[[], bool], timeout_s: float, turn: Callable[[], None] = lambda: None) -> bool:
    """Run the event loop until the condition holds; False when it never did.

    Args:
        turn: called after every turn of the loop, e.g. to stop at errors.
    """
    loop = QtCore.QEventLoop()
    poll = QtCore.QTimer()
    poll.setInterval(_BEAT_MS)
    poll.timeout.connect(loop.quit)
    deadline = time.monotonic() + timeout_s
    poll.start()
    try:
        while not condition():
            if time.monotonic() > deadline:
                return False
            loop.exec()
            turn()
        return True
    finally:
        poll.stop()


class SlotErrors:
    """Exceptions that slots raised. Qt prints and forgets them; here a test can see them."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self._previous = sys.excepthook

    def start(self) -> None:
        self._previous, sys.excepthook = sys.excepthook, self._collect

    def stop(self) -> None:
        sys.excepthook = self._previous

    def _collect(self, _kind, error, _traceback) -> None:
        self.errors.append(error)

    def take(self) -> list[BaseException]:
        """The errors so far, which are then forgotten."""
        taken, self.errors = self.errors, []
        return taken
