"""Stand-ins of the widgets that step through a sequence browser."""

from __future__ import annotations

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtWidgets
from Testing.host.widgets.scene import NodeWatcher, SceneWidget

Signal, Qt = QtCore.Signal, QtCore.Qt


class _BrowserWidget(SceneWidget, QtWidgets.QWidget):
    """A widget told one vtkMRMLSequenceBrowserNode."""

    def __init__(self, parent=None) -> None:
        QtWidgets.QWidget.__init__(self, parent)
        self._browser = NodeWatcher(self._refresh_browser)
        self.setEnabled(False)
        self._row = QtWidgets.QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)

    def mrmlSequenceBrowserNode(self):
        return self._browser.node

    def setMRMLSequenceBrowserNode(self, node) -> None:
        self._browser.watch(node)
        self._refresh_browser()

    def _refresh_browser(self) -> None:
        self.setEnabled(self._count() > 0)
        self._show_browser()

    def _count(self) -> int:
        node = self._browser.node
        return node.GetNumberOfItems() if node is not None and node.GetMasterSequenceNode() is not None else 0

    def _show_browser(self) -> None:
        raise NotImplementedError


@designer_widget
class qMRMLSequenceBrowserSeekWidget(_BrowserWidget):
    """A slider over the items and the index value of the selected one."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(Qt.Horizontal, self)
        self._label = QtWidgets.QLabel(self)
        self._row.addWidget(self._slider, 1)
        self._row.addWidget(self._label)
        self._slider.valueChanged.connect(self._on_slider)

    def slider(self):
        return self._slider

    def _on_slider(self, item: int) -> None:
        if self._count():
            self._browser.node.SetSelectedItemNumber(item)

    def _show_browser(self) -> None:
        node, count = self._browser.node, self._count()
        self._slider.blockSignals(True)
        self._slider.setRange(0, max(count - 1, 0))
        self._slider.setValue(node.GetSelectedItemNumber() if count else 0)
        self._slider.blockSignals(False)
        self._label.setText(_index_text(node) if count else "")


def _index_text(browser) -> str:
    sequence = browser.GetMasterSequenceNode()
    value = sequence.GetNthIndexValue(browser.GetSelectedItemNumber())
    return f"{value} {sequence.GetIndexUnit() or ''}".strip()


@designer_widget
class qMRMLSequenceBrowserPlayWidget(_BrowserWidget):
    """First, previous, play, next, last; plays at the browser's own rate."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._play = self._button("play", "\u25b6", self._on_play)
        self._play.setCheckable(True)
        self._first = self._button("first", "\u23ee", lambda: self._go(0))
        self._previous = self._button("previous", "\u25c0", lambda: self._step(-1))
        self._next = self._button("next", "\u25b6|", lambda: self._step(1))
        self._last = self._button("last", "\u23ed", lambda: self._go(self._count() - 1))
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(lambda: self._step(1))
        for button in (self._first, self._previous, self._play, self._next, self._last):
            self._row.addWidget(button)

    def _button(self, name: str, text: str, action) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(text, self)
        button.setObjectName(f"pushButton_Vcr{name.capitalize()}")
        button.setMaximumWidth(36)
        button.clicked.connect(lambda *_checked: action())
        return button

    def setPlaybackRateSpinBox(self, _spin_box) -> None:
        """The rate is read from the browser node."""

    def _go(self, item: int) -> None:
        self._browser.node.SetSelectedItemNumber(item)

    def _step(self, items: int) -> None:
        if self._count():
            self._browser.node.SelectNextItem(items)

    def _on_play(self) -> None:
        self._browser.node.SetPlaybackActive(self._play.checked)

    def _show_browser(self) -> None:
        node = self._browser.node
        playing = bool(self._count() and node.GetPlaybackActive())
        self._play.setChecked(playing)
        if not playing:
            self._timer.stop()
        elif not self._timer.active:
            self._timer.start(round(1000 / node.GetPlaybackRateFps()))
