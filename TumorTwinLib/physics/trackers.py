"""What watches a run: progress, frames, cancel. The solver calls these and knows nothing of who listens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from TumorTwinLib.errors import CancelledError


class Fields(Protocol):
    """The state at one instant, turned into arrays only when asked."""

    def cellularity(self) -> np.ndarray:
        """(E, ni, nj, nk) cellularity of every member on the grid."""

    def tangents(self) -> np.ndarray:
        """(E, P, ni, nj, nk) its derivative by every parameter."""

    def living(self) -> np.ndarray:
        """(E, ni, nj, nk) cells that live, where the cellularity also shows the dead."""


class Tracker:
    """Base of all trackers: override what you need. Raising ``CancelledError`` stops the run and keeps its outputs."""

    def step(self, day: float, end_day: float, fields: Fields) -> None:
        """After every step."""

    def output(self, day: float, fields: Fields) -> None:
        """At every output day."""


@dataclass
class ProgressTracker(Tracker):
    """Calls ``report(day, end_day, seconds_left)`` at most every ``interval_s`` of real time, and at the end."""

    report: Callable[[float, float, float | None], None]
    start_day: float = 0.0
    interval_s: float = 0.2
    _began: float = field(default_factory=time.monotonic)
    _last: float = 0.0

    def step(self, day: float, end_day: float, fields: Fields) -> None:
        now = time.monotonic()
        if now - self._last < self.interval_s and day < end_day:
            return
        self._last = now
        share = (day - self.start_day) / (end_day - self.start_day)
        self.report(day, end_day, (now - self._began) * (1 - share) / share if share > 0 else None)


@dataclass
class FrameTracker(Tracker):
    """Calls ``show(day, cellularity)`` about every ``interval_days`` of simulated time, for live pictures."""

    show: Callable[[float, np.ndarray], None]
    interval_days: float
    _next: float = -np.inf

    def step(self, day: float, end_day: float, fields: Fields) -> None:
        if day >= self._next:
            self._next = day + self.interval_days
            self.show(day, fields.cellularity())


@dataclass
class CancelTracker(Tracker):
    """Stops the run when ``asked()`` is true."""

    asked: Callable[[], bool]

    def step(self, day: float, end_day: float, fields: Fields) -> None:
        if self.asked():
            raise CancelledError(f"Stopped on request at day {day:.1f}; results up to then are kept.")
