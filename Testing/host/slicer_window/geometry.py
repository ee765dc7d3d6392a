"""Where a user aims, and what a user cannot read."""

from __future__ import annotations

from Testing.host.pythonqt.source import QtWidgets
from Testing.host.slicer_window.window import SIZE, qSlicerMainWindow

_HEADER = 10  # pixels from the top of a section to the middle of its header


def aim(widget: QtWidgets.QWidget) -> tuple[int, int]:
    """The pixel of a widget that a user clicks on: its middle, but the box of a check box and a section's header."""
    if isinstance(widget, QtWidgets.QCheckBox | QtWidgets.QRadioButton):
        return 8, widget.height // 2
    if isinstance(widget, QtWidgets.QGroupBox):
        return 12, _HEADER
    if hasattr(widget, "collapsed"):
        return widget.width // 2, _HEADER
    return widget.width // 2, widget.height // 2


def too_small(window: qSlicerMainWindow) -> list[str]:
    """One sentence for each text of the panel that is cut off, and for a window that had to grow."""
    faults = []
    if (window.width, window.height) != SIZE:
        faults.append(f"The window had to grow to {window.width} x {window.height} pixels.")
    viewport = window.panel.viewport()
    for widget in viewport.findChildren(QtWidgets.QWidget):
        if not widget.isVisible() or not getattr(widget, "text", None):
            continue
        name = f"{widget.objectName or type(widget).__name__} '{widget.text}'"
        right = widget.mapTo(viewport, widget.rect.topRight()).x()
        if right > viewport.width:
            faults.append(f"{name} reaches {right - viewport.width} pixels out of the panel.")
        elif _needs(widget) > widget.width:
            faults.append(f"{name} needs {_needs(widget)} pixels and has {widget.width}.")
    return faults


def _needs(widget: QtWidgets.QWidget) -> int:
    """Width in pixels that a widget's text takes; 0 where it may be wrapped or scrolled."""
    if isinstance(widget, QtWidgets.QLabel):
        return 0 if widget.wordWrap else widget.sizeHint().width()
    if isinstance(widget, QtWidgets.QAbstractButton):
        return widget.minimumSizeHint().width()
    return 0
