"""Progress of a job on a terminal: one line a stage, with a bar while it runs."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_BAR = 24
_REDRAW_S = 0.1


class TerminalProgress:
    """Shows numbered stages. On a terminal the running one has a bar; in a log file each leaves one line when done.

    Args:
        stages: how many there will be.
        stream: where to write; standard output by default.
    """

    def __init__(self, stages: int, stream: TextIO | None = None) -> None:
        self._stages = stages
        self._stream = stream or sys.stdout
        self._live = bool(getattr(self._stream, "isatty", lambda: False)())  # Slicer's own streams have no isatty
        encoding = str(getattr(self._stream, "encoding", None) or "ascii").lower()
        self._marks = "█░" if encoding.startswith("utf") else "#."
        self._number = 0
        self._title = ""
        self._began = self._drawn = 0.0
        self._width = 0

    def stage(self, title: str) -> None:
        """The running stage is done and the next begins."""
        self.end()
        self._number += 1
        self._title = title
        self._began = time.monotonic()
        self._drawn = 0.0
        self.update(None)

    def update(self, share: float | None, detail: str = "") -> None:
        """How far the running stage is: 0 to 1, or None while that is not known."""
        now = time.monotonic()
        if not self._live or (now - self._drawn < _REDRAW_S and share != 1.0):
            return
        self._drawn = now
        bar = ""
        if share is not None:
            filled = round(_BAR * min(max(share, 0.0), 1.0))
            done, left = self._marks[0], self._marks[1]
            bar = done * filled + left * (_BAR - filled) + f" {share:4.0%}"
        self._write(" ".join(part for part in (self._head(), bar, f"{now - self._began:.0f} s", detail) if part))

    def end(self, outcome: str = "done") -> None:
        """Close the line of the running stage, if there is one."""
        if self._title:
            self._write(f"{self._head()} {outcome}, {time.monotonic() - self._began:.1f} s")
            print(file=self._stream, flush=True)
        self._title = ""
        self._width = 0

    def _head(self) -> str:
        return f"[{self._number}/{self._stages}] {self._title:<28}"

    def _write(self, line: str) -> None:
        start = "\r" if self._live else ""
        print(start + line.ljust(self._width), end="", file=self._stream, flush=True)
        self._width = len(line)
