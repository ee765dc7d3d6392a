"""`slicer.app` with a Qt event loop: Qt's application object that also answers what Slicer's does."""

from __future__ import annotations

from types import SimpleNamespace

import slicer

from Testing.host.pythonqt.source import QtCore, QtGui, QtWidgets

Signal = QtCore.Signal


class HostModuleManager(QtCore.QObject):
    """Module manager with its signals, over the manager of the headless application."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def __init__(self, headless) -> None:
        super().__init__()
        self._headless = headless
        self._scripted: dict[str, object] = {}

    def add(self, module) -> None:
        self._scripted[module.name] = module
        self.moduleLoaded.emit(module.name)

    def remove(self, name: str) -> None:
        self.moduleAboutToBeUnloaded.emit(name)
        del self._scripted[name]

    def module(self, name: str):
        return self._scripted.get(name) or self._headless.module(name)

    def factoryManager(self):
        return self

    def loadedModuleNames(self) -> list[str]:
        return [*self._headless.loadedModuleNames(), *self._scripted]


class HostApplication(QtWidgets.QApplication):
    """One a process, as Qt wants it; `adopt` gives it the scene and the logics."""

    startupCompleted = Signal()
    majorVersion, minorVersion = 5, 12
    documentationBaseUrl = "https://slicer.readthedocs.io/en/latest/"

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self.setStyle("Fusion")
        self.setFont(_panel_font())
        self.setOrganizationName("TumorTwinTesting")
        self.setApplicationName("Slicer")
        self.setQuitOnLastWindowClosed(False)

    def adopt(self, headless, settings_folder: str) -> None:
        """Answer for this headless application from now on.

        Args:
            settings_folder: where QSettings are kept, so that a test never sees or changes those of a person.
        """
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, settings_folder)
        self._headless = headless
        self._module_manager = HostModuleManager(headless.moduleManager())
        self._layout_manager = None
        self.modules = headless.modules
        self.temporaryPath = headless.temporaryPath
        self.slicerHome = headless.temporaryPath

    def show_layout(self, layout_manager) -> None:
        self._layout_manager = layout_manager

    # The names below are Slicer's.

    def applicationLogic(self):
        return self._headless.applicationLogic()

    def mrmlScene(self):
        return self._headless.mrmlScene()

    def coreIOManager(self):
        return self._headless.coreIOManager()

    def ioManager(self):
        return self._headless.coreIOManager()

    def moduleManager(self) -> HostModuleManager:
        return self._module_manager

    def layoutManager(self):
        return self._layout_manager

    def mainWindow(self):
        return slicer.util.mainWindow()

    def settings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    def userSettings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    def commandOptions(self) -> SimpleNamespace:
        return SimpleNamespace(noMainWindow=False, runPythonAndExit=False, testingEnabled=False)

    def testingEnabled(self) -> bool:
        return False  # in testing mode Slicer skips message boxes; here they are recorded

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        return QtCore.QProcessEnvironment.systemEnvironment()

    def extensionsManagerModel(self) -> None:
        return None

    def pauseRender(self) -> None:
        """Views are drawn only when they are photographed."""

    def resumeRender(self) -> None:
        """See `pauseRender`."""

    def restart(self) -> None:
        raise SystemExit("slicer.app.restart() was called")

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.documentationBaseUrl}{name}"


def application() -> HostApplication:
    """The application object of this process."""
    existing = QtWidgets.QApplication.instance()
    return existing if isinstance(existing, HostApplication) else HostApplication()


def _panel_font() -> QtGui.QFont:
    font = QtGui.QFont("DejaVu Sans")
    font.setPixelSize(12)
    return font
