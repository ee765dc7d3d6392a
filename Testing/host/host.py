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
from Testing.host.pythonqt.source import QtCore, QtWidgets
from Testing.host.scripted_module import load, qSlicerScriptedLoadableModule, unload
from Testing.host.slicer_window.application import HostApplication, application
from Testing.host.slicer_window.geometry import too_small
from Testing.host.slicer_window.window import SIZE, qSlicerMainWindow
from Testing.host.user import User

PATIENCE_S = 60.0
_LAYOUT_TURNS = 8


class Host(User):
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

    def find(self, name: str) -> QtWidgets.QWidget:
        """The panel's widget of this object name."""
        return slicer.util.findChild(self.module.widgetRepresentation(), name)

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

    @property
    def longest_block(self) -> str:
        """Where that time went: the calls of the main thread, innermost last."""
        return self._meter.where

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
            self._meter.close()
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
