"""What a scene shows when it is opened: density over anatomy in the slices, surfaces in 3D, the chart beside them."""

from __future__ import annotations

import slicer

# Slicer's three standard slice views.
_SLICES = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}


def arrange_views(*, anatomy, density, chart, center_mm, density_opacity: float = 0.6, width_mm: float = 240.0) -> None:
    """Set the standard views of this scene, which Slicer also restores from a saved one.

    Args:
        anatomy, density: volume nodes behind and in front; either may be None.
        chart: plot chart node, or None while there is none yet.
        center_mm: (3,) RAS position in the middle of all slices.
        width_mm: field of view.
    """
    scene = slicer.mrmlScene
    for name, orientation in _SLICES.items():
        view = _view_node("vtkMRMLSliceNode", name)
        view.SetOrientation(orientation)
        width, height = max(view.GetDimensions()[0], 1), max(view.GetDimensions()[1], 1)
        view.SetFieldOfView(width_mm, width_mm * height / width, view.GetFieldOfView()[2])
        view.JumpSliceByCentering(*(float(value) for value in center_mm))
        layers = _view_node("vtkMRMLSliceCompositeNode", name)
        layers.SetBackgroundVolumeID(anatomy.GetID() if anatomy else None)
        layers.SetForegroundVolumeID(density.GetID() if density else None)
        layers.SetForegroundOpacity(density_opacity)
    _view_node("vtkMRMLPlotViewNode", "PlotView1").SetPlotChartNodeID(chart.GetID() if chart else None)
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode") or scene.AddNode(slicer.vtkMRMLLayoutNode())
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)


def _view_node(class_name: str, layout_name: str):
    """The view's node: one a layout name, which Slicer recognizes when it opens the scene."""
    node = slicer.mrmlScene.GetSingletonNode(layout_name, class_name)
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass(class_name)
        node.UnRegister(None)  # CreateNodeByClass hands over a reference
        node.SetName(layout_name)
        node.SetLayoutName(layout_name)
        node = slicer.mrmlScene.AddNode(node)
    return node
