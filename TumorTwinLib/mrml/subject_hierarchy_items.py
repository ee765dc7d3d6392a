"""Stand-in for Slicer's subject-hierarchy plugins: a data node has an item in the tree while it exists."""

from __future__ import annotations

import slicer
import vtk

_SHOWN_CLASSES = (
    "vtkMRMLDisplayableNode",
    "vtkMRMLTableNode",
    "vtkMRMLPlotChartNode",
    "vtkMRMLPlotSeriesNode",
    "vtkMRMLTextNode",
)
_HIDDEN_CLASSES = ("vtkMRMLCameraNode",)


class SubjectHierarchyItems:
    """Adds an item when a data node enters the scene and removes it when the node leaves."""

    def __init__(self, scene) -> None:
        self._scene = scene
        scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, self._on_node_added)
        scene.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, self._on_node_removed)
        scene.AddObserver(slicer.vtkMRMLScene.EndBatchProcessEvent, self._on_batch_ended)

    def _add(self, node) -> None:
        shown = any(node.IsA(name) for name in _SHOWN_CLASSES) and not any(node.IsA(name) for name in _HIDDEN_CLASSES)
        if not shown or node.GetHideFromEditors():
            return
        hierarchy = self._scene.GetSubjectHierarchyNode()
        if not hierarchy.GetItemByDataNode(node):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_added(self, scene, _event, node) -> None:
        if not scene.IsBatchProcessing():  # a scene being read brings its own tree, which is complete only at the end
            self._add(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_removed(self, scene, _event, node) -> None:
        if scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = scene.GetSubjectHierarchyNode()
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)

    def _on_batch_ended(self, scene, _event) -> None:
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
        for index in range(scene.GetNumberOfNodes()):
            self._add(scene.GetNthNode(index))
