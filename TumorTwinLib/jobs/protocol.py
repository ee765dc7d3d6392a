"""What a worker says: one JSON object a line on its standard output, in UTF-8.

=========  ==================================================  =========================================
event      further fields                                      when
=========  ==================================================  =========================================
start      pid, version                                        first
progress   stage, done, total, eta_s, metrics                  at each stage, then up to five a second
frame      day, file, preview                                  once the file is whole
warning    message                                             a few a job at most
error      type, message, traceback                            once, before the end
end        status (completed, cancelled, failed), message      last, once ``result.json`` is whole
=========  ==================================================  =========================================

Whatever else a library prints goes to the log, never here. The exit code says the end again: 0 completed, 3 cancelled,
1 failed; 2 is a wrong command line, which has no end.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from TumorTwinLib.jobs.frames import Frame

CANCEL = b"cancel\n"  # what the worker obeys on its standard input; the end of that input means the same
OUT_OF_MEMORY = "The computer ran out of memory: choose a coarser resolution_mm or close other programs."
READ, CALIBRATE, FORECAST = "read", "calibrate", "forecast"
SAMPLE, PREDICT, COMPARE = "sample", "predict", "compare"  # only of Bayesian jobs
IMAGING, SEGMENT = "imaging", "segmentation"  # only of jobs that begin with raw scans, or ask for new outlines
STAGES = {
    READ: "Reading the patient",
    IMAGING: "Preparing the scans",
    SEGMENT: "Outlining tumor and tissues",
    CALIBRATE: "Calibrating",
    SAMPLE: "Sampling the posterior",
    FORECAST: "Forecasting",
    PREDICT: "Forecasting with uncertainty",
    COMPARE: "Comparing regimens",
}


class Ending(enum.Enum):
    """How a job ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def exit_code(self) -> int:
        return {Ending.COMPLETED: 0, Ending.CANCELLED: 3, Ending.FAILED: 1}[self]


@dataclass(frozen=True)
class Start:
    """The process that does the work; a launcher's may be another."""

    pid: int
    version: str

    def __post_init__(self) -> None:
        if type(self.pid) is not int or self.pid <= 1:  # it may have to be killed, and those would not be one process
            raise ValueError(f"{self.pid!r} is no process")


@dataclass(frozen=True)
class Progress:
    """How far a stage is.

    Args:
        stage: one of ``STAGES``.
        done, total: steps when preparing scans and outlining; model runs when calibrating, where the total is a guess;
            days when forecasting; draws when sampling and when forecasting with uncertainty; draws under one regimen
            when comparing; None if unknown.
        eta_s: seconds left in this stage, or None while unknown.
        metrics: numbers worth watching: ``residual <kind>`` and parameters by name.
    """

    stage: str
    done: float = 0.0
    total: float | None = None
    eta_s: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """A sentence the user should see."""

    message: str


@dataclass(frozen=True)
class Error:
    """``message`` is the user's sentence; ``traceback`` is empty unless the error was unexpected."""

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class End:
    """``message`` is a sentence for the user."""

    status: Ending
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", Ending(self.status))


Event = Start | Progress | Frame | Notice | Error | End
_CLASSES: dict[str, type[Any]] = {
    "start": Start, "progress": Progress, "frame": Frame, "warning": Notice, "error": Error, "end": End,
}  # fmt: skip
_NAMES = {class_: name for name, class_ in _CLASSES.items()}


def encode(event: Event) -> bytes:
    """The event as a line. JSON has no NaN or infinity: they become null."""
    content = {"event": _NAMES[type(event)], **asdict(event)}
    return (json.dumps(_plain(content), ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def decode(line: bytes) -> Event | None:
    """The event of a line, or None when it is none: something else printed it, or it was cut."""
    try:
        content = json.loads(line.decode("utf-8"))
        return _CLASSES[content.pop("event")](**content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, enum.Enum):
        return value.value
    return None if isinstance(value, float) and not math.isfinite(value) else value
