"""The panel in the test host, clicked through on the shipped patient: how soon it answers, and what it survives.

First frame: from the click on Apply to a day of the forecast in the scene. Cancel: from the click to a panel that is
ready again, at many moments of a run; the slowest counts. Block: the longest time between two turns of the event loop
while runs are prepared, computed, shown and cancelled. Load: reading the module's file, in Slicer's place.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from Testing.Benchmarks.results import record
from TumorTwinLib.mrml.runtime import ensure_slicer

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "TumorTwin" / "TumorTwin.py"
COMMAND = "make bench"
PATIENCE_S = 600
RUNS = 2  # the second refills the nodes of the first
MOMENTS = 10
LOADS = 5
_HEAVY = ("torch", "monai", "scipy", "SimpleITK", "numba")
_LOAD = f"""
import importlib.util, sys, time
from Testing.host.installation import installed
with installed():
    known = set(sys.modules)
    began = time.perf_counter()
    spec = importlib.util.spec_from_file_location("TumorTwin", {str(MODULE)!r})
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    print(1000 * (time.perf_counter() - began))
    heavy = {{name.split(".")[0] for name in set(sys.modules) - known}} & set({_HEAVY!r})
    assert not heavy, heavy
"""


def _module_load_ms() -> float:
    command = [sys.executable, "-c", _LOAD]
    runs = (subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True) for _ in range(LOADS))
    return statistics.median(float(run.stdout.split()[-1]) for run in runs)


class _Clicker:
    """Runs on the shipped patient."""

    def __init__(self, host) -> None:
        self._host = host
        self._ui = host.load_module(MODULE).ui
        host.click(self._ui.sampleButton)

    @property
    def _busy(self) -> bool:
        return self._host.widget.panel.runActions.control.busy

    def _start(self) -> float:
        self._host.widget.panel.parameters.jobFolder = ""  # or a stopped run would be continued
        began = time.perf_counter()
        self._host.click(self._ui.applyButton)
        return began

    def run(self) -> tuple[float, float]:
        """Seconds to the first frame, and all."""
        changed: list[float] = []
        control = self._host.widget.panel.runActions.control
        show = control.onForecastChanged

        def watch() -> None:
            show()
            changed.append(time.perf_counter())

        control.onForecastChanged = watch
        began = self._start()
        self._host.wait_until(lambda: not self._busy, PATIENCE_S)
        control.onForecastChanged = show
        if not self._ui.statusLabel.text.startswith("Done in "):
            raise RuntimeError(self._ui.statusLabel.text)
        return changed[0] - began, time.perf_counter() - began

    def cancel(self, moment: float) -> float | None:
        """Seconds from the click at this moment of a run; None if it was over."""
        began = self._start()
        self._host.wait_until(lambda: not self._busy or time.perf_counter() - began > moment, PATIENCE_S)
        if not self._busy:
            return None
        asked = time.perf_counter()
        self._host.click(self._ui.applyButton)
        self._host.wait_until(lambda: not self._busy, PATIENCE_S)
        return time.perf_counter() - asked


def _faults_survived(host) -> tuple[int, int]:
    from Testing.panel.faults import FAULTS, Run, survive

    survived = 0
    for name in FAULTS:
        host.reset()
        host.load_module(MODULE)
        with tempfile.TemporaryDirectory(prefix="TumorTwin bench ü ") as folder:
            try:
                survive(Run(host, Path(folder)), name)
                survived += 1
                print(f"survived: {name}", flush=True)
            except AssertionError as error:
                print(f"NOT survived: {name}: {error}", flush=True)
    return survived, len(FAULTS)


def _note(
    name: str, value: float, unit: str, target: float | None, better: Literal["lower", "higher"] = "lower"
) -> None:
    print(f"{name}: {value:.4g} {unit}", flush=True)
    record("panel", name, value, unit, target, better, COMMAND)


def main() -> None:
    _note("module_load_ms", _module_load_ms(), "ms", 100.0)
    ensure_slicer()
    from Testing.host.host import running_host

    with running_host() as host:
        clicker = _Clicker(host)
        host.clear_block()
        first, seconds = (min(values) for values in zip(*(clicker.run() for _ in range(RUNS)), strict=True))
        _note("first_frame_seconds", first, "s", 15.0)
        _note("run_seconds", seconds, "s", None)
        moments = [seconds * (number / MOMENTS) ** 2 for number in range(MOMENTS)]  # denser at the start
        cancelled = [taken for moment in moments if (taken := clicker.cancel(moment)) is not None]
        print(f"cancelled in {', '.join(f'{taken:.3f}' for taken in cancelled)} s")
        _note("cancel_seconds_max", max(cancelled), "s", 1.0)
        _note("ui_block_ms_max", host.longest_block_ms, "ms", 100.0)
        print(host.longest_block)
        survived, tried = _faults_survived(host)
        _note("faults_survived", survived, "", tried, "higher")
        _note("faults_tried", tried, "", None, "higher")


if __name__ == "__main__":
    main()
