"""Photographs every state of the panel in the test host, for the README and the panel's reference.

    python -m Testing.panel.screenshots FOLDER

The states come from a real run of the shipped patient, by clicks. Nothing may be cut off in any of them.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from TumorTwinLib.mrml.runtime import ensure_slicer

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600


def take(folder: Path) -> list[Path]:
    """Make all pictures.

    Returns:
        Where they are.

    Raises:
        AssertionError: something is cut off, or a run did not go as it should.
    """
    ensure_slicer()
    from Testing.host.host import running_host

    with running_host() as host:
        return _Photographer(host, folder).take()


class _Photographer:
    def __init__(self, host, folder: Path) -> None:
        self._host, self._folder = host, folder
        self._pictures: list[Path] = []
        self._ui = host.load_module(ROOT / "TumorTwin" / "TumorTwin.py").ui

    def take(self) -> list[Path]:
        host, ui = self._host, self._ui
        self._photograph("panel-1-start")
        host.click(ui.sampleButton)
        self._photograph("panel-2-patient")
        self._open(ui.treatmentSection)
        self._photograph("panel-3-treatments", ui.regimenLabel)
        self._close(ui.treatmentSection, ui.patientSection)
        self._open(ui.resultsSection)
        host.click(ui.applyButton)
        results = host.widget.panel.results
        self._wait(lambda: results.forecast and results.forecast.day_count > 5)  # a preview of the fit so far
        host.click(ui.layoutButton)
        self._photograph("panel-4-running", ui.runSection)
        self._wait_for_the_end()
        host.click(ui.layoutButton)
        self._photograph("panel-5-finished", ui.resultsSection)
        host.select_tab(ui.tableTabs, "Parameters")
        host.click(ui.plotButton)
        self._photograph("panel-6-plot", ui.tableTabs)
        self._close(ui.resultsSection)
        self._open(ui.advancedSection)
        self._photograph("panel-7-advanced", ui.packagesLabelText)
        self._close(ui.advancedSection)
        self._open(ui.logGroup)
        self._error()
        self._photograph("panel-8-error", ui.runSection)
        return self._pictures

    def _error(self) -> None:
        """As the system does when memory runs out."""
        host, ui = self._host, self._ui
        host.widget.panel.parameters.jobFolder = ""
        control = host.widget.panel.runActions.control
        host.type(ui.horizonSpinBox, "365")
        host.click(ui.applyButton)
        self._wait(lambda: control.job and control.job.progress and control.job.progress.done > 1)
        os.kill(control.job.conversation.worker_pid, signal.SIGKILL)
        self._wait_for_the_end()

    def _wait(self, condition) -> None:
        self._host.wait_until(condition, PATIENCE_S)

    def _wait_for_the_end(self) -> None:
        self._wait(lambda: self._ui.applyButton.text == "Apply")

    def _open(self, *sections) -> None:
        for section in sections:
            if section.collapsed:
                self._host.click(section)

    def _close(self, *sections) -> None:
        for section in sections:
            if not section.collapsed:
                self._host.click(section)

    def _photograph(self, name: str, look_at=None) -> None:
        cut = self._host.cut_off()
        assert cut == [], cut
        if look_at is not None:
            self._host.window.panel.ensureWidgetVisible(look_at)
        self._pictures.append(self._host.screenshot(self._folder / f"{name}.png"))


if __name__ == "__main__":
    for picture in take(Path(sys.argv[1])):
        print(picture)
