"""Stand-in for Slicer's application object: scene, logics, modules, IO. Used only without the desktop."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import slicer
import vtk

from TumorTwinLib.mrml.io_manager import CoreIOManager
from TumorTwinLib.mrml.subject_hierarchy_items import SubjectHierarchyItems

# Module name in Slicer: class of its logic. The colors module shares the application's color logic.
_MODULE_LOGICS = {
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Units": "vtkSlicerUnitsLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Volumes": "vtkSlicerVolumesLogic",
}
_SHARE_DIRECTORY = "share/Slicer"
# Slicer reads its default label colors from this file, which slicer-core does not carry.
_GENERIC_COLORS = "# label colors\n0 background 0 0 0 0\n" + "".join(
    f"{label} region_{label} {97 * label % 256} {(57 * label + 80) % 256} {(193 * label + 160) % 256} 255\n"
    for label in range(1, 64)
)


class Module:
    """What `slicer.modules.volumes` is: a name and a logic."""

    def __init__(self, name: str, logic) -> None:
        self.name = name
        self.path = ""
        self._logic = logic

    def logic(self):
        return self._logic

    def widgetRepresentation(self) -> None:
        return None


class ModuleManager:
    """Finds modules by name, as `slicer.util.getModule` asks for them."""

    def __init__(self) -> None:
        self._modules: dict[str, Module] = {}

    def add(self, module: Module) -> None:
        self._modules[module.name] = module

    def module(self, name: str) -> Module | None:
        return self._modules.get(name)

    def factoryManager(self) -> ModuleManager:
        return self

    def loadedModuleNames(self) -> list[str]:
        return list(self._modules)


class Application:
    """The part of qSlicerApplication that slicer.util and this library use.

    Args:
        scene: an empty vtkMRMLScene.
        temporary: an own, empty folder; the cache manager deletes files in its folder, so that is inside.
    """

    applicationName = "TumorTwin"

    def __init__(self, scene, temporary: Path) -> None:
        self.temporaryPath = str(temporary)
        self.modules = SimpleNamespace()
        self._scene = scene
        self._io_manager = CoreIOManager()
        self._module_manager = ModuleManager()
        self._options = SimpleNamespace(noMainWindow=True, runPythonAndExit=False)
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._logic.SetMRMLScene(scene)
        self._logic.SetTemporaryPath(self.temporaryPath)
        self._logic.SetSliceLogics(vtk.vtkCollection())
        self._logic.SetViewLogics(vtk.vtkCollection())
        self._add_colors(temporary)
        self._add_modules()
        self._add_data_io(temporary / "cache")
        scene.RegisterNodeClass(slicer.vtkMRMLCommandLineModuleNode())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
        self._items = SubjectHierarchyItems(scene)

    def _add_colors(self, home: Path) -> None:
        color_files = home / _SHARE_DIRECTORY / "ColorFiles"
        color_files.mkdir(parents=True)
        (color_files / "GenericColors.txt").write_text(_GENERIC_COLORS, encoding="utf-8")
        self._logic.SetHomeDirectory(str(home))
        self._logic.SetShareDirectory(_SHARE_DIRECTORY)
        colors = slicer.vtkSlicerColorLogic()
        self._logic.SetColorLogic(colors)
        self._add_module("Colors", colors)
        colors.AddDefaultColorNodes()

    def _add_modules(self) -> None:
        for name, class_name in _MODULE_LOGICS.items():
            self._add_module(name, getattr(slicer, class_name)())

    def _add_module(self, name: str, logic) -> None:
        logic.SetMRMLApplicationLogic(self._logic)
        logic.SetMRMLScene(self._scene)
        self._logic.SetModuleLogic(name, logic)
        module = Module(name, logic)
        self._module_manager.add(module)
        setattr(self.modules, name.lower(), module)

    def _add_data_io(self, cache: Path) -> None:
        """Scene bundles are unpacked through the data IO manager and its cache."""
        cache.mkdir()
        self._remote_io = slicer.vtkMRMLRemoteIOLogic()
        self._remote_io.SetMRMLApplicationLogic(self._logic)
        self._remote_io.SetMRMLScene(self._scene)
        self._remote_io.GetCacheManager().SetRemoteCacheDirectory(str(cache))
        self._data_io = slicer.vtkDataIOManagerLogic()
        self._data_io.SetMRMLApplicationLogic(self._logic)
        self._data_io.SetMRMLScene(self._scene)
        self._data_io.SetAndObserveDataIOManager(self._remote_io.GetDataIOManager())
        self._remote_io.AddDataIOToScene()

    # The names below are Slicer's.

    def applicationLogic(self):
        return self._logic

    def mrmlScene(self):
        return self._scene

    def coreIOManager(self) -> CoreIOManager:
        return self._io_manager

    def ioManager(self) -> CoreIOManager:
        return self._io_manager

    def moduleManager(self) -> ModuleManager:
        return self._module_manager

    def layoutManager(self) -> None:
        return None

    def commandOptions(self) -> SimpleNamespace:
        return self._options

    def testingEnabled(self) -> bool:
        return False

    def topLevelWidgets(self) -> list:
        return []

    def processEvents(self, *_arguments) -> None:
        pass

    def pauseRender(self) -> None:
        pass

    def resumeRender(self) -> None:
        pass

    def exit(self, status: int = 0) -> None:
        raise SystemExit(status)
