"""Stand-in for Slicer's IO manager: what slicer.util.load* and save* call, on MRML storage nodes and module logics."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import slicer
import vtk


def _load_scene(path: str, _name: str, properties: dict):
    scene = slicer.mrmlScene
    clear = properties.get("clear", False)
    if path.lower().endswith(".mrb"):
        return scene if scene.ReadFromMRB(path, clear) else None
    scene.SetURL(path)
    return scene if (scene.Connect() if clear else scene.Import()) else None


def _load_volume(path: str, name: str, properties: dict):
    flags = {"labelmap": 1, "center": 2, "singleFile": 4, "autoWindowLevel": 8, "discardOrientation": 16}
    chosen = {"autoWindowLevel": True, **properties}
    options = sum(bit for key, bit in flags.items() if chosen.get(key))
    files = None
    if properties.get("fileNames"):
        files = vtk.vtkStringArray()
        for file in properties["fileNames"]:
            files.InsertNextValue(str(file))
    return slicer.modules.volumes.logic().AddArchetypeVolume(path, name, options, files)


def _load_segmentation(path: str, name: str, properties: dict):
    return slicer.modules.segmentations.logic().LoadSegmentationFromFile(
        path, properties.get("autoOpacities", True), name
    )


def _load_sequence(path: str, name: str, _properties: dict):
    node = slicer.modules.sequences.logic().AddSequence(path)
    if node:
        node.SetName(name)
    return node


def _load_markups(path: str, name: str, _properties: dict):
    return slicer.mrmlScene.GetNodeByID(slicer.modules.markups.logic().LoadMarkups(path, name) or "")


def _load_model(path: str, name: str, _properties: dict):
    node = slicer.modules.models.logic().AddModel(path, slicer.vtkMRMLStorageNode.CoordinateSystemLPS)
    if node:
        node.SetName(name)
    return node


def _load_text(path: str, name: str, _properties: dict):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", name)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextStorageNode")
    storage.SetFileName(path)
    node.SetAndObserveStorageNodeID(storage.GetID())
    if storage.ReadData(node):
        return node
    slicer.mrmlScene.RemoveNode(node)
    slicer.mrmlScene.RemoveNode(storage)
    return None


@dataclass(frozen=True)
class FileType:
    """One of Slicer's file types.

    Args:
        name: as slicer.util spells it, e.g. ``"VolumeFile"``.
        node_class: what is saved to it.
        extensions: lower case, with their dot, longest first where one ends another.
        load: path, node name, properties -> what was loaded, or None.
    """

    name: str
    node_class: str
    extensions: tuple[str, ...]
    load: Callable


# Looked up in this order, so that ".seg.nrrd" is a segmentation before ".nrrd" makes it a volume.
_FILE_TYPES = (
    FileType("SceneFile", "vtkMRMLScene", (".mrb", ".mrml"), _load_scene),
    FileType("SegmentationFile", "vtkMRMLSegmentationNode", (".seg.nrrd", ".seg.nhdr", ".seg.vtm"), _load_segmentation),
    FileType("SequenceFile", "vtkMRMLSequenceNode", (".seq.nrrd", ".seq.mrb"), _load_sequence),
    FileType("MarkupsFile", "vtkMRMLMarkupsNode", (".mrk.json", ".fcsv"), _load_markups),
    FileType("VolumeFile", "vtkMRMLVolumeNode", (".nrrd", ".nhdr", ".nii.gz", ".nii", ".mha", ".mhd", ".dcm"),
             _load_volume),
    FileType("ModelFile", "vtkMRMLModelNode", (".vtk", ".vtp", ".stl", ".ply", ".obj"), _load_model),
    FileType("TableFile", "vtkMRMLTableNode", (".csv", ".tsv"),
             lambda path, name, _: slicer.modules.tables.logic().AddTable(path, name)),
    FileType("TransformFile", "vtkMRMLTransformNode", (".h5", ".tfm"),
             lambda path, _name, _: slicer.modules.transforms.logic().AddTransform(path, slicer.mrmlScene)),
    FileType("ColorTableFile", "vtkMRMLColorNode", (".ctbl",),
             lambda path, name, _: slicer.modules.colors.logic().LoadColorFile(path, name)),
    FileType("TextFile", "vtkMRMLTextNode", (".txt", ".json", ".xml"), _load_text),
)  # fmt: skip
_BY_NAME = {file_type.name: file_type for file_type in _FILE_TYPES}


class CoreIOManager:
    """The methods of qSlicerCoreIOManager that slicer.util calls; a failure returns False and leaves no node."""

    def fileType(self, path: str) -> str:
        lower = str(path).lower()
        return next((kind.name for kind in _FILE_TYPES if lower.endswith(kind.extensions)), "NoFile")

    def fileWriterFileType(self, node) -> str:
        return next((kind.name for kind in _FILE_TYPES if node.IsA(kind.node_class)), "NoFile")

    def registeredFileReaderCount(self, file_type: str) -> int:
        return int(file_type in _BY_NAME)

    def extractKnownExtension(self, path: str, _node=None) -> str:
        lower = str(path).lower()
        known = (extension for kind in _FILE_TYPES for extension in kind.extensions if lower.endswith(extension))
        return next(known, os.path.splitext(lower)[1])

    def fileWriterExtensions(self, node) -> list[str]:
        """Formats as Slicer writes them, e.g. ``"NRRD (.nrrd)"``."""
        storage = self._new_storage(node, "")
        formats = storage.GetSupportedWriteFileTypes()
        return [formats.GetValue(index) for index in range(formats.GetNumberOfValues())]

    def loadNodes(self, file_type: str, properties: dict, loaded, messages=None) -> bool:
        path = str(properties["fileName"])
        if not os.path.exists(path) or file_type not in _BY_NAME:
            return False
        base = properties.get("name") or os.path.basename(path)
        name = base.removesuffix(self.extractKnownExtension(base)) or base
        result = _BY_NAME[file_type].load(path, name, properties)
        if result is not None and file_type != "SceneFile":
            loaded.AddItem(result)
        return result is not None

    def saveNodes(self, file_type: str, properties: dict, messages=None) -> bool:
        path = str(properties["fileName"])
        if file_type == "SceneFile":
            return self._save_scene(path, messages)
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        storage = node.GetStorageNode()
        if storage is None:
            storage = slicer.mrmlScene.AddNode(self._new_storage(node, path))
            node.SetAndObserveStorageNodeID(storage.GetID())
        if "useCompression" in properties:
            storage.SetUseCompression(properties["useCompression"])
        storage.SetFileName(path)
        return bool(storage.WriteData(node))

    def exportNodes(self, node_ids, paths, _properties: dict, harden: bool, messages=None) -> bool:
        """Write copies, leaving the nodes' own storage as it is; ``harden`` applies parent transforms to the copy."""
        written = True
        for node_id, path in zip(node_ids, paths, strict=True):
            node = slicer.mrmlScene.GetNodeByID(node_id)
            copy = node
            if harden and node.IsA("vtkMRMLTransformableNode") and node.GetParentTransformNode():
                copy = slicer.mrmlScene.AddNewNodeByClass(node.GetClassName())
                copy.CopyContent(node)
                copy.SetAndObserveTransformNodeID(node.GetTransformNodeID())
                copy.HardenTransform()
            storage = self._new_storage(node, path)
            storage.SetFileName(path)
            written = bool(storage.WriteData(copy)) and written
            if copy is not node:
                slicer.mrmlScene.RemoveNode(copy)
        return written

    def _new_storage(self, node, path: str):
        class_name = node.GetDefaultStorageNodeClassName(path) or "vtkMRMLTextStorageNode"
        storage = slicer.mrmlScene.CreateNodeByClass(class_name)
        storage.UnRegister(None)  # CreateNodeByClass hands over a reference
        storage.SetScene(slicer.mrmlScene)  # the list of volume formats lives in the scene
        return storage

    def _save_scene(self, path: str, messages) -> bool:
        scene = slicer.mrmlScene
        lower = path.lower()
        if lower.endswith(".mrb"):
            return bool(scene.WriteToMRB(path, None, messages))
        if lower.endswith(".mrml"):
            scene.SetURL(path)
            return bool(scene.Commit(path, messages))
        os.makedirs(path, exist_ok=True)
        return bool(scene.SaveSceneToSlicerDataBundleDirectory(path, None, messages))
