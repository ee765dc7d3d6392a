"""The Apply button that becomes Cancel, the progress, the status line and the log."""

from __future__ import annotations

import time
from collections.abc import Sequence

import slicer
from slicer.i18n import tr as _

_STEPS = 1000  # of the progress bar
_MOST_REASONS = 4


class RunView:
    """Shows how a run stands; knows nothing of how it is run.

    Args:
        ui: widgets of the panel.
    """

    def __init__(self, ui) -> None:
        self.ui = ui
        self._began = 0.0
        ui.progressBar.setVisible(False)
        ui.copyLogButton.clicked.connect(self.onCopyLog)

    def showReady(self, reasons: Sequence[str]) -> None:
        """No run is under way.

        Args:
            reasons: why one cannot be started; empty when it can.
        """
        ui = self.ui
        ui.applyButton.setText(_("Apply"))
        ui.applyButton.setEnabled(not reasons)
        missing = "\n".join(reasons[:_MOST_REASONS])
        if len(reasons) > _MOST_REASONS:
            missing += "\n" + _("And {count} more.").format(count=len(reasons) - _MOST_REASONS)
        ui.applyButton.setToolTip(missing or _("Calibrate the model on the visits, then forecast."))
        ui.reasonsLabel.setText(missing)
        ui.reasonsLabel.setVisible(bool(reasons))
        ui.progressBar.setVisible(False)

    def showStarted(self) -> None:
        """A run begins: the button stops it from now on."""
        ui = self.ui
        self._began = time.monotonic()
        ui.applyButton.setText(_("Cancel"))
        ui.applyButton.setEnabled(True)
        ui.applyButton.setToolTip(_("Stop the run. What has been forecast until then stays in the scene."))
        ui.reasonsLabel.setVisible(False)
        ui.logEdit.clear()
        ui.progressBar.setVisible(True)

    def showStopping(self) -> None:
        """The run has been told to stop."""
        self.ui.applyButton.setText(_("Stopping..."))
        self.ui.applyButton.setEnabled(False)

    def showProgress(self, stage: str, share: float | None, detail: str = "", secondsLeft: float | None = None) -> None:
        """How far the running stage is.

        Args:
            share: 0 to 1, or None while that is not known: the bar then only moves.
            detail: what the share counts, as in ``day 40 of 180``.
        """
        bar = self.ui.progressBar
        bar.setRange(0, 0 if share is None else _STEPS)
        if share is not None:
            bar.setValue(round(share * _STEPS))
        parts = [stage]
        if detail:
            parts.append(detail)
        if secondsLeft is not None:
            parts.append(_("{time} left in this stage").format(time=duration(secondsLeft)))
        elapsed = duration(time.monotonic() - self._began)
        self.showStatus(_("{what} ({time} so far)").format(what=", ".join(parts), time=elapsed))
        bar.setFormat(stage if share is None else f"{stage}: %p%")

    def showStatus(self, sentence: str) -> None:
        self.ui.statusLabel.setText(sentence)

    def log(self, line: str) -> None:
        self.ui.logEdit.appendPlainText(f"{time.strftime('%H:%M:%S')}  {line.rstrip()}")

    def onCopyLog(self, *_args) -> None:
        slicer.app.clipboard().setText(self.ui.logEdit.toPlainText())
        self.showStatus(_("The log is in the clipboard."))


def duration(seconds: float) -> str:
    """As a person would say it: ``45 s``, ``2 min 10 s``, ``1 h 05 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return _("{s} s").format(s=seconds)
    if seconds < 3600:
        return _("{m} min {s:02d} s").format(m=seconds // 60, s=seconds % 60)
    return _("{h} h {m:02d} min").format(h=seconds // 3600, m=seconds % 3600 // 60)
