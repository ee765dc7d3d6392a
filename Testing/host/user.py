"""What a user can do with mouse and keyboard, and only that: what is hidden or disabled cannot be used."""

from __future__ import annotations

import contextlib

from Testing.host.pythonqt.source import QtCore, QtTest, QtWidgets
from Testing.host.slicer_window.geometry import aim
from Testing.host.slicer_window.window import qSlicerMainWindow

Qt = QtCore.Qt


class User:
    """Mouse and keyboard of the host.

    Attributes:
        window: the main window.
    """

    window: qSlicerMainWindow

    def process_events(self) -> None:
        raise NotImplementedError

    def _acting(self) -> contextlib.AbstractContextManager[None]:
        """Around everything a user does: it is measured, and errors of slots are raised after it."""
        raise NotImplementedError

    def click(self, widget: QtWidgets.QWidget, position: tuple[int, int] | None = None) -> None:
        """Press and release the left button on a widget a user could click.

        Args:
            position: in the widget's pixels; where a user would aim by default.
        """
        self._require_usable(widget)
        if position is None and _opens_menu(widget):
            raise AssertionError(f"{widget.objectName} opens a menu, which waits for the user: choose an entry of it.")
        with self._acting():
            where = QtCore.QPoint(*(position or aim(widget)))
            QtTest.QTest.mouseClick(widget, Qt.LeftButton, Qt.NoModifier, where)

    def type(self, widget: QtWidgets.QWidget, text: str) -> None:
        """Replace what the widget holds by typing, then press Enter as a user who is done."""
        self._require_usable(widget)
        target = widget.focusProxy() or widget
        with self._acting():
            target.setFocus()
            QtTest.QTest.keyClick(target, Qt.Key_A, Qt.ControlModifier)
            QtTest.QTest.keyClick(target, Qt.Key_Delete)
            QtTest.QTest.keyClicks(target, text)
            if not isinstance(target, QtWidgets.QTextEdit | QtWidgets.QPlainTextEdit):
                QtTest.QTest.keyClick(target, Qt.Key_Return)

    def press(self, widget: QtWidgets.QWidget, key: int) -> None:
        """One key, e.g. ``qt.Qt.Key_Down``."""
        self._require_usable(widget)
        with self._acting():
            QtTest.QTest.keyClick(widget.focusProxy() or widget, Qt.Key(key))

    def choose(self, widget: QtWidgets.QWidget, choice) -> None:
        """Pick an entry of a combo box or of a button's menu by its text, or a node of a node selector."""
        self._require_usable(widget)
        if isinstance(widget, QtWidgets.QPushButton | QtWidgets.QToolButton):
            self._choose_action(widget, choice)
            return
        box = widget if isinstance(widget, QtWidgets.QComboBox) else widget.comboBox()
        index = box.findText(choice) if isinstance(choice, str) else box.findData(choice.GetID())
        if index < 0:
            entries = [box.itemText(number) for number in range(box.count)]
            raise AssertionError(f"{widget.objectName} has no entry {choice}: {entries}")
        with self._acting():
            box.setCurrentIndex(index)
            box.activated.emit(index)

    def _choose_action(self, button, text: str) -> None:
        actions = {action.text.replace("&", ""): action for action in button.menu().actions()}
        if text not in actions:
            raise AssertionError(f"The menu of {button.objectName} has no entry {text}: {list(actions)}")
        if not actions[text].enabled:
            raise AssertionError(f"{text} in the menu of {button.objectName} is disabled.")
        with self._acting():
            actions[text].trigger()

    def slide(self, widget: QtWidgets.QWidget, value: float) -> None:
        """Drag the handle of a slider to this value and let it go."""
        self._require_usable(widget)
        with self._acting():
            if not isinstance(widget, QtWidgets.QAbstractSlider):
                widget.setValue(value)
                return
            widget.setSliderDown(True)
            widget.setSliderPosition(int(value))
            widget.setSliderDown(False)

    def select_tab(self, tabs: QtWidgets.QTabWidget, title: str) -> None:
        """Click on the tab of this title."""
        self._require_usable(tabs)
        bar = tabs.tabBar()
        titles = [bar.tabText(index) for index in range(bar.count)]
        if title not in titles:
            raise AssertionError(f"{tabs.objectName} has no tab {title}: {titles}")
        center = bar.tabRect(titles.index(title)).center()
        self.click(bar, (center.x(), center.y()))

    def edit_cell(self, table: QtWidgets.QTableWidget, row: int, column: int, text: str) -> None:
        """Double-click a cell, type, press Enter."""
        self._require_usable(table)
        item = table.item(row, column)
        table.scrollToItem(item)
        center = table.visualItemRect(item).center()
        with self._acting():
            QtTest.QTest.mouseClick(table.viewport(), Qt.LeftButton, Qt.NoModifier, center)
            QtTest.QTest.mouseDClick(table.viewport(), Qt.LeftButton, Qt.NoModifier, center)
            editor = table.viewport().findChild(QtWidgets.QLineEdit)
            if editor is None:
                raise AssertionError(f"Cell {row}, {column} of {table.objectName} cannot be edited.")
            editor.selectAll()
            QtTest.QTest.keyClicks(editor, text)
            QtTest.QTest.keyClick(editor, Qt.Key_Return)
            QtWidgets.QApplication.processEvents()

    def _require_usable(self, widget: QtWidgets.QWidget) -> None:
        self.process_events()
        self.window.panel.ensureWidgetVisible(widget)
        if not widget.isVisible():
            raise AssertionError(f"{widget.objectName or widget} is not visible: a user cannot reach it.")
        if not widget.isEnabled():
            raise AssertionError(f"{widget.objectName or widget} is disabled: {widget.toolTip or 'without a reason'}")


def _opens_menu(widget: QtWidgets.QWidget) -> bool:
    if isinstance(widget, QtWidgets.QToolButton):
        return widget.menu() is not None and widget.popupMode == QtWidgets.QToolButton.InstantPopup
    return isinstance(widget, QtWidgets.QPushButton) and widget.menu() is not None
