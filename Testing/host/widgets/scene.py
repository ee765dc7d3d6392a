"""What the stand-ins of qMRML widgets share: they are told the scene and watch it."""

from __future__ import annotations

import shiboken6
import slicer
import vtk

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtWidgets

_NODE_EVENTS = ("NodeAddedEvent", "NodeRemovedEvent")
_SCENE_EVENTS = ("EndCloseEvent", "EndImportEvent", "EndBatchProcessEvent")
Signal = QtCore.Signal


class SceneWidget:
    """Mixin: `setMRMLScene`, and `refresh` whenever nodes come or go."""

    _scene_tags: tuple[int, ...] = ()

    def mrmlScene(self):
        return self._scene

    _scene = None

    def setMRMLScene(self, scene) -> None:
        for tag in self._scene_tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        answers = dict.fromkeys(_NODE_EVENTS, self._on_node) | dict.fromkeys(_SCENE_EVENTS, self._on_scene)
        self._scene_tags = tuple(
            scene.AddObserver(getattr(slicer.vtkMRMLScene, name), answer)
            for name, answer in (answers.items() if scene is not None else ())
        )
        if hasattr(self, "mrmlSceneChanged"):
            self.mrmlSceneChanged.emit(scene)
        self.refresh()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node(self, scene, _event, node) -> None:
        self._follow(scene, node)

    def _on_scene(self, scene, _event) -> None:
        self._follow(scene)

    def _follow(self, scene, node=None) -> None:
        if not shiboken6.isValid(self):  # Qt deleted the widget, Python still holds its shell
            for tag in self._scene_tags:
                scene.RemoveObserver(tag)
        elif not (scene.IsBatchProcessing() or scene.IsClosing()) and (node is None or self.concerns(node)):
            self.refresh()

    def concerns(self, node) -> bool:
        """Whether the widget could show this node."""
        return True

    def refresh(self) -> None:
        """Show what the scene holds now."""


class NodeWatcher:
    """Calls a widget's method when one node is modified; the node can be changed or None."""

    def __init__(self, callback, events: tuple[int | str, ...] = ("ModifiedEvent",)) -> None:
        self.node = None
        self._callback = callback
        self._events = events
        self._tags: list[int] = []

    def watch(self, node) -> None:
        if node is self.node:
            return
        for tag in self._tags:
            self.node.RemoveObserver(tag)
        self.node = node
        self._tags = [node.AddObserver(event, self._on_event) for event in self._events] if node is not None else []

    def _on_event(self, *_event) -> None:
        if shiboken6.isValid(self._callback.__self__):
            self._callback()
        else:
            self.watch(None)


@designer_widget
class qMRMLWidget(SceneWidget, QtWidgets.QWidget):
    """The outermost widget of a module's .ui file; hands the scene on through the connections in that file."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None) -> None:
        QtWidgets.QWidget.__init__(self, parent)


@designer_widget
class qSlicerWidget(qMRMLWidget):
    pass
