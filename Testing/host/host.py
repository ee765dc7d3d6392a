"""The test host: Slicer's window for one scripted module, without the desktop.

Everything a user does goes through here, so that it is measured and its errors are seen::

    with running_host() as host:
        panel = host.load_module("TumorTwin/TumorTwin.py")
        host.click(panel.ui.applyButton)
        host.wait_until(lambda: panel.ui.applyButton.text == "Apply")
        host.screenshot("finished.png")

What it does not prove: how real qMRML and CTK widgets behave, and that the module loads in a real Slicer.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import slicer

from Testing.host.event_loop import BlockMeter, SlotErrors, run_until
from Testing.host.python_layer import PackageDesk, packages
from Testing.host.pythonqt.dialogs import Desk, desk
from Testing.host.pythonqt.source import QtCore, QtTest, QtWidgets
from Testing.host.scripted_module import load, qSlicerScriptedLoadableModule, unload
from Testing.host.slicer_window.application import HostApplication, application
from Testing.host.slicer_window.geometry import aim, too_small
from Testing.host.slicer_window.window import SIZE, qSlicerMainWindow

PATIENCE_S = 60.0
_LAYOUT_TURNS = 8
Qt = QtCore.Qt


class Host:
    """Slicer with one scripted module, as a test's hands and eyes.

    Attributes:
        app, window: `slicer.app` and the main window.
        module: what ``slicer.modules.<name>`` is.
        widget: the module's Python widget object.
        desk: message boxes and dialogs that were asked for, and the answers to give.
        packages: what the module asked `slicer.packaging` for.
    """

    def __init__(self, app: HostApplication) -> None:
        self.app = app
        self.desk: Desk = desk
        self.packages: PackageDesk = packages
        self._slot_errors = SlotErrors()
        self._slot_errors.start()
        self.window = qSlicerMainWindow()
        app.show_layout(self.window.layout_manager)
        self.module: qSlicerScriptedLoadableModule | None = None
        self.widget = None
        self._meter = BlockMeter()
        self.window.show()
        app.processEvents()

    # The module

    def load_module(self, path: str | Path):
        """Load the module's file, show its panel, and return its widget object."""
        self.unload_module()
        self.module = load(Path(path).resolve())
        self.app.moduleManager().add(self.module)
        self.window.moduleSelector().add(self.module)
        self.app.startupCompleted.emit()
        self.enter_module()
        return self.widget

    def enter_module(self) -> None:
        """Choose the module in the selector, as a user does."""
        with self._acting():
            slicer.util.selectModule(self.module.name)
            self.widget = self.module.widgetRepresentation().self()

    def leave_module(self) -> None:
        """Go to no module: the panel is told to `exit`."""
        with self._acting():
            self.window.leave_module()

    def unload_module(self) -> None:
        """As at the end of Slicer: `exit`, then `cleanup`."""
        if self.module is None:
            return
        name = self.module.name
        self.leave_module()
        self.window.moduleSelector().remove(name)
        self.app.moduleManager().remove(name)
        self.module.widgetRepresentation().deleteLater()
        unload(self.module)
        self.module = self.widget = None
        self.app.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)

    # The user's hands

    def find(self, name: str) -> QtWidgets.QWidget:
        """The panel's widget of this object name."""
        return slicer.util.findChild(self.module.widgetRepresentation(), name)

    def click(self, widget: QtWidgets.QWidget, position: tuple[int, int] | None = None) -> None:
        """Press and release the left button on a widget a user could click.

        Args:
            position: in the widget's pixels; where a user would aim by default.
        """
        self._require_usable(widget)
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
        """Pick an entry of a combo box by its text, or a node of a node selector."""
        self._require_usable(widget)
        box = widget if isinstance(widget, QtWidgets.QComboBox) else widget.comboBox()
        index = box.findText(choice) if isinstance(choice, str) else box.findData(choice.GetID())
        if index < 0:
            entries = [box.itemText(number) for number in range(box.count)]
            raise AssertionError(f"{widget.objectName} has no entry {choice}: {entries}")
        with self._acting():
            box.setCurrentIndex(index)
            box.activated.emit(index)

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
            self.app.processEvents()

    def _require_usable(self, widget: QtWidgets.QWidget) -> None:
        self.process_events()
        self.window.panel.ensureWidgetVisible(widget)
        if not widget.isVisible():
            raise AssertionError(f"{widget.objectName or widget} is not visible: a user cannot reach it.")
        if not widget.isEnabled():
            raise AssertionError(f"{widget.objectName or widget} is disabled: {widget.toolTip or 'without a reason'}")

    # Time

    def wait_until(self, condition: Callable[[], bool], timeout: float = PATIENCE_S) -> None:
        """Run the event loop until the condition holds.

        Raises:
            AssertionError: it did not within `timeout` seconds.
        """
        with self._acting():
            if not run_until(condition, timeout, self._raise_slot_errors):
                raise AssertionError(f"Waited {timeout:g} s in vain; messages so far: {self.messages}")

    def process_events(self) -> None:
        """One turn of the event loop."""
        with self._acting():
            self.app.processEvents()

    def _settle(self) -> None:
        """Until all is laid out: a panel asks for room, the window gives it, which moves the panel, and so on."""
        for _turn in range(_LAYOUT_TURNS):
            self.process_events()

    @property
    def longest_block_ms(self) -> float:
        """The longest time the event loop could not turn since `clear_block`."""
        return self._meter.longest_ms

    def clear_block(self) -> None:
        self._meter.clear()

    @contextlib.contextmanager
    def _acting(self) -> Iterator[None]:
        with self._meter.running():
            yield
        self._raise_slot_errors()

    # What is seen

    def screenshot(self, path: str | Path) -> Path:
        """Draw the views and write the whole window as a PNG."""
        self._settle()
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self.window.photograph().save(str(path)):
            raise OSError(f"{path} could not be written")
        return path

    def cut_off(self) -> list[str]:
        """What does not fit into the panel or the window, one sentence each."""
        self._settle()
        return too_small(self.window)

    @property
    def messages(self) -> list:
        """Message boxes that were shown."""
        return self.desk.messages

    # Errors

    @property
    def slot_errors(self) -> list[BaseException]:
        """Exceptions of slots that no action of the test has raised yet."""
        return self._slot_errors.errors

    def _raise_slot_errors(self) -> None:
        errors = self._slot_errors.take()
        if errors:
            raise errors[0]

    @contextlib.contextmanager
    def expect_slot_error(self, kind: type[BaseException]) -> Iterator[None]:
        """Where a slot shall fail, as one in ``tryWithErrorDisplay`` does after it told the user."""
        try:
            yield
            self._raise_slot_errors()
        except kind:
            return
        raise AssertionError(f"No slot raised {kind.__name__}.")

    # From test to test

    def reset(self) -> None:
        """Unload the module, close the scene, and forget messages, answers, settings and measurements."""
        self.unload_module()
        for other in self.app.topLevelWidgets():
            if other is not self.window and not other.parent():
                other.close()
        self.window.resize(*SIZE)
        slicer.mrmlScene.Clear(0)
        for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
            slicer.mrmlScene.RemoveNode(node)  # singletons outlive the scene
        slicer.app.layoutManager().start()
        QtCore.QSettings().clear()
        while self.app.overrideCursor() is not None:
            self.app.restoreOverrideCursor()
        self.desk.clear()
        self.packages.clear()
        self.process_events()
        self._meter.clear()

    def close(self) -> None:
        try:
            self.reset()
            self.window.layout_manager.close()
            self.window.close()
            self.window.deleteLater()
            self.app.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
        finally:
            self._slot_errors.stop()


@contextlib.contextmanager
def running_host() -> Iterator[Host]:
    """A host from here on; afterwards `slicer` is headless again, as other tests of this process expect it."""
    from Testing.host.installation import installed

    with tempfile.TemporaryDirectory(prefix="tumortwin-settings-") as settings, installed():
        app = application()
        headless = slicer.app
        app.adopt(headless, settings)
        slicer.app = app
        try:
            host = Host(app)
            try:
                yield host
            finally:
                host.close()
        finally:
            slicer.app = headless
