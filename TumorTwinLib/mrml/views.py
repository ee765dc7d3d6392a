"""Offscreen slice and 3D views on Slicer's own displayable managers: what is drawn is what the nodes say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import numpy as np
import slicer
import vtk

from TumorTwinLib.mrml.graphics import SUPERSAMPLING, offscreen_window, picture

_TRANSLUCENT_LAYERS = 6
_SLICE_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D",)
_THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
)


@contextlib.contextmanager
def only_visible(nodes: Iterable) -> Iterator[None]:
    """Hide every other model, segmentation and markup of the scene for a moment."""
    shown = {node.GetDisplayNodeID() for node in nodes}
    classes = ("vtkMRMLSegmentationDisplayNode", "vtkMRMLModelDisplayNode", "vtkMRMLMarkupsDisplayNode")
    displays = [display for name in classes for display in slicer.util.getNodesByClass(name)]
    hidden = [display for display in displays if display.GetVisibility() and display.GetID() not in shown]
    for display in hidden:
        display.SetVisibility(False)
    try:
        yield
    finally:
        for display in hidden:
            display.SetVisibility(True)


class _View:
    """A render window whose renderer is filled by displayable managers. A context manager: closing removes its nodes.

    Args:
        size: (width, height) of the picture in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._application_logic = slicer.app.applicationLogic()
        self.renderer = vtk.vtkRenderer()
        self._window = offscreen_window(size)
        self._window.AddRenderer(self.renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()

    def _start_logic(self, logic, collection) -> None:
        self.logic = logic
        logic.SetMRMLApplicationLogic(self._application_logic)
        collection.AddItem(logic)
        logic.SetMRMLScene(slicer.mrmlScene)

    def _fill(self, view_node, managers: tuple[str, ...]) -> None:
        self._group.SetRenderer(self.renderer)
        for name in managers:
            manager = slicer.vtkMRMLDisplayableManagerGroup.InstantiateDisplayableManager(name)
            manager.SetMRMLApplicationLogic(self._application_logic)
            self._group.AddDisplayableManager(manager)
        view_node.SetMappedInLayout(1)
        self._group.SetMRMLDisplayableNode(view_node)

    def _own_nodes(self) -> list:
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_exception) -> None:
        nodes = self._own_nodes()
        self._group.SetMRMLDisplayableNode(None)
        self.logic.SetMRMLScene(None)  # a slice logic that still sees the scene would put its nodes back
        for node in nodes:
            slicer.mrmlScene.RemoveNode(node)
        self._window.Finalize()

    def resize(self, size: tuple[int, int]) -> None:
        """Change the (width, height) of the picture in pixels."""
        self._window.SetSize(*(pixels * SUPERSAMPLING for pixels in size))

    def render(self) -> np.ndarray:
        """(height, width, 3) uint8, first row on top."""
        return picture(self._window)


class SliceView(_View):
    """One slice view, showing a background volume, a foreground volume over it, and segmentation outlines.

    Args:
        orientation: ``"Axial"``, ``"Coronal"`` or ``"Sagittal"``.
        node: the slice node to show, e.g. of a layout, which stays in the scene; the view makes its own for None.
    """

    def __init__(self, orientation: str, size: tuple[int, int], node=None) -> None:
        super().__init__(size)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        image = vtk.vtkActor2D()
        image.SetMapper(self._mapper)
        image.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(image)  # before the managers: 2D props are drawn in the order they were added
        self._start_logic(slicer.vtkMRMLSliceLogic(), self._application_logic.GetSliceLogics())
        self._made_node = self.logic.AddSliceNode(f"TumorTwin{orientation}") if node is None else None
        self.node = self._made_node or node
        self.logic.SetSliceNode(self.node)
        self.node.SetOrientation(orientation)
        self._fill(self.node, _SLICE_MANAGERS)

    def show(self, background, foreground, *, opacity: float, center_mm, width_mm: float) -> None:
        """Choose the volumes (either may be None) and the part of space seen.

        Args:
            opacity: of the foreground, 0 to 1.
            center_mm: (3,) RAS position in the middle of the picture.
            width_mm: of the picture; its height follows.
        """
        composite = self.logic.GetSliceCompositeNode()
        composite.SetBackgroundVolumeID(background.GetID() if background else None)
        composite.SetForegroundVolumeID(foreground.GetID() if foreground else None)
        composite.SetForegroundOpacity(opacity)
        width, height = self._window.GetSize()
        self.logic.ResizeSliceNode(width, height)
        self.node.SetFieldOfView(width_mm, width_mm * height / width, 1.0)
        self.node.JumpSliceByCentering(*(float(value) for value in center_mm))

    def render(self) -> np.ndarray:
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())
        return super().render()

    def _own_nodes(self) -> list:
        logic = self.logic
        nodes = [
            logic.GetSliceModelTransformNode(), logic.GetSliceModelDisplayNode(), logic.GetSliceModelNode(),
            logic.GetSliceCompositeNode(), self._made_node,
        ]  # fmt: skip
        self._application_logic.GetSliceLogics().RemoveItem(logic)
        return [node for node in nodes if node]

    def show_plane_in_3d(self) -> None:
        """Draw this slice as a textured plane in 3D views while this view is open."""
        self.node.SetSliceVisible(True)


class ThreeDView(_View):
    """One 3D view of every visible model and segmentation surface.

    Args:
        background: plain color of a view that makes its own node.
        node: the view node to show, e.g. of a layout, which stays in the scene; the view makes its own for None.
    """

    def __init__(self, size: tuple[int, int], background: tuple[float, float, float] = (0, 0, 0), node=None) -> None:
        super().__init__(size)
        self.renderer.SetUseDepthPeeling(1)
        self.renderer.SetMaximumNumberOfPeels(_TRANSLUCENT_LAYERS)
        logic = slicer.vtkMRMLViewLogic()
        if node is not None:
            logic.SetName(node.GetLayoutName())  # by which a view logic finds its node
        self._start_logic(logic, self._application_logic.GetViewLogics())
        self._made_node = self._make_node(background) if node is None else None
        self.node = self._made_node or node
        self._fill(self.node, _THREE_D_MANAGERS)

    def _make_node(self, background: tuple[float, float, float]):
        node = self.logic.AddViewNode("TumorTwin3D")
        node.SetBackgroundColor(background)
        node.SetBackgroundColor2(background)
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        node.SetOrientationMarkerType(slicer.vtkMRMLAbstractViewNode.OrientationMarkerTypeCube)
        node.SetOrientationMarkerSize(slicer.vtkMRMLAbstractViewNode.OrientationMarkerSizeSmall)
        return node

    def look(self, *, from_direction, up, center_mm, height_mm: float) -> None:
        """Put the camera ``from_direction`` (RAS vector) of ``center_mm``, seeing ``height_mm`` from top to bottom."""
        camera = self._camera_node()
        direction = np.asarray(from_direction, float) / np.linalg.norm(from_direction)
        angle_degrees = 20.0  # a long lens: little perspective
        distance_mm = height_mm / 2 / np.tan(np.radians(angle_degrees / 2))
        camera.SetViewAngle(angle_degrees)
        camera.SetFocalPoint(*map(float, center_mm))
        camera.SetPosition(*map(float, np.asarray(center_mm) + direction * distance_mm))
        camera.SetViewUp(*map(float, up))
        self.renderer.ResetCameraClippingRange()

    def _camera_node(self):
        return self._group.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager").GetCameraNode()

    def _own_nodes(self) -> list:
        self._application_logic.GetViewLogics().RemoveItem(self.logic)
        return [node for node in (self._camera_node(), self._made_node) if node]
