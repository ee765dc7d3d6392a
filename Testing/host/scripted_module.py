"""Our own base classes of a scripted module, and the C++ objects that hold it. `slicer.ScriptedLoadableModule`."""

from __future__ import annotations

import importlib.util
import sys
import types
import unittest
from pathlib import Path

import slicer

from Testing.host.pythonqt.source import QtCore, QtGui, QtWidgets
from Testing.host.widgets.scene import qMRMLWidget

Signal = QtCore.Signal


def _resource(path: str, name: str) -> str:
    return str(Path(path).parent / "Resources" / name)


class ScriptedLoadableModule:
    """Base of the class that tells Slicer about a module."""

    def __init__(self, parent) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        icon = Path(self.resourcePath(f"Icons/{self.moduleName}.png"))
        if icon.is_file():
            parent.icon = QtGui.QIcon(str(icon))
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        return _resource(self.parent.path, filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        return f'<p>For more information see the <a href="{docPage or self.moduleName}">online documentation</a>.</p>'

    def runTest(self, msec: int = 100, **options) -> None:
        test_class = getattr(sys.modules[self.moduleName], f"{self.moduleName}Test")
        test = test_class()
        test.messageDelay = msec
        test.runTest(**options)


class ScriptedLoadableModuleWidget:
    """Base of the class that makes the panel."""

    def __init__(self, parent=None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        self.parent = parent
        self.layout = parent.layout()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:
        return _resource(slicer.util.modulePath(self.moduleName), filename)

    def setup(self) -> None:
        if self.developerMode:
            self.reloadButton = QtWidgets.QPushButton("Reload")
            self.reloadButton.connect("clicked()", self.onReload)
            self.layout.addWidget(self.reloadButton)

    def cleanup(self) -> None:
        """Called before the panel goes away."""

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)

    def _onModuleAboutToBeUnloaded(self, name: str) -> None:
        if name == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)


class ScriptedLoadableModuleLogic:
    """Base of the class that does the work; knows the module's parameter node."""

    def __init__(self, parent=None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        """The module's parameter node in this scene, made when there is none."""
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node is not None:
                node.SetAttribute("ModuleName", self.moduleName)  # closing a scene removes the attribute
                return node
        existing = self.getAllParameterNodes()
        return existing[0] if existing else slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list:
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self):
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)  # CreateNodeByClass hands over a reference
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of the module's self test: runs every method whose name starts with "test"."""

    messageDelay = 100

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)

    def runTest(self, **_options) -> None:
        for name in unittest.TestLoader().getTestCaseNames(type(self)):
            self.setUp()
            getattr(self, name)()
            self.tearDown()

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        slicer.app.processEvents()


class qSlicerScriptedLoadableModule(QtCore.QObject):
    """What Slicer passes as `parent` of a module and keeps as ``slicer.modules.<name>``."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__()
        self.name = name
        self.path = path
        self.title = name
        self.categories: list[str] = []
        self.dependencies: list[str] = []
        self.contributors: list[str] = []
        self.helpText = self.acknowledgementText = ""
        self.icon = QtGui.QIcon()
        self.hidden = False
        self.imported_before: dict[str, types.ModuleType] = {}
        self._widget = None

    def widgetRepresentation(self):
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
            self._widget.reload()
        return self._widget

    def createNewWidgetRepresentation(self):
        widget = qSlicerScriptedLoadableModuleWidget(self)
        widget.reload()
        return widget

    def logic(self) -> None:
        return None


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The C++ side of the panel: holds the Python object and passes on enter and exit."""

    stands_for_cpp = False

    def __init__(self, module) -> None:
        super().__init__()
        self.module = module
        self.isEntered = False
        self._python = None
        QtWidgets.QVBoxLayout(self)
        self.setMRMLScene(slicer.mrmlScene)

    def reload(self) -> None:
        """Make the Python object anew from the class that the module's file defines now."""
        name = self.module.name
        self._python = getattr(sys.modules[name], f"{name}Widget")(self)
        setattr(slicer.modules, f"{name}Widget", self._python)
        self._python.setup()

    def self(self):
        return self._python

    def enter(self) -> None:
        self.isEntered = True
        getattr(self._python, "enter", lambda: None)()

    def exit(self) -> None:
        self.isEntered = False
        getattr(self._python, "exit", lambda: None)()


def load(path: Path) -> qSlicerScriptedLoadableModule:
    """Import the module's file as Slicer does and make the object that describes it."""
    name = path.stem
    module = qSlicerScriptedLoadableModule(name, str(path))
    module.imported_before = dict(sys.modules)
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    setattr(slicer.modules, name.lower(), module)
    setattr(slicer.modules, f"{name}Instance", getattr(loaded, name)(module))
    return module


def unload(module: qSlicerScriptedLoadableModule) -> None:
    """Forget the module and what it imported from its own folder, and undo what its Reload did to other packages."""
    folder = Path(module.path).parent
    before = module.imported_before
    reloaded = {name for name in before if "." not in name and sys.modules.get(name) is not before[name]}
    for name, loaded in list(sys.modules.items()):
        file = getattr(loaded, "__file__", None)
        own = file is not None and Path(file).is_relative_to(folder)
        if own or name.partition(".")[0] in reloaded:
            del sys.modules[name]
    sys.modules.update({name: one for name, one in before.items() if name.partition(".")[0] in reloaded})
    sys.path.remove(str(folder))
    slicer.selfTests.pop(module.name, None)
    for attribute in (module.name.lower(), f"{module.name}Instance", f"{module.name}Widget"):
        if hasattr(slicer.modules, attribute):
            delattr(slicer.modules, attribute)


def scripted_module_module() -> types.ModuleType:
    """The module to be imported as `slicer.ScriptedLoadableModule`."""
    module = types.ModuleType("slicer.ScriptedLoadableModule", "Base classes of scripted modules")
    for cls in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(module, cls.__name__, cls)
    module.__all__ = [name for name in vars(module) if name.startswith("Scripted")]
    return module
