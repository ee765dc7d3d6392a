"""`slicer.app.layoutManager()`: arranges the views as the layout node's description says."""

from __future__ import annotations

from xml.etree import ElementTree

import slicer

from Testing.host.pythonqt.properties import cpp_stand_in
from Testing.host.pythonqt.source import QtCore, QtWidgets
from Testing.host.slicer_window.layout_views import (
    WIDGETS,
    ViewWidget,
    qMRMLPlotWidget,
    qMRMLSliceWidget,
    qMRMLTableWidget,
    qMRMLThreeDWidget,
)
from Testing.host.widgets.scene import NodeWatcher

Property, Qt = QtCore.Property, QtCore.Qt


@cpp_stand_in
class qSlicerLayoutManager(QtCore.QObject):
    """The layouts are Slicer's own, made by vtkMRMLLayoutLogic; custom ones are followed, too.

    Args:
        viewport: the widget that is filled with views.
    """

    layoutChanged = QtCore.Signal(int)

    def __init__(self, viewport: QtWidgets.QWidget) -> None:
        super().__init__()
        self._viewport = viewport
        QtWidgets.QVBoxLayout(viewport).setContentsMargins(0, 0, 0, 0)
        self._views: dict[tuple[str, str], ViewWidget] = {}
        self._shown: list[ViewWidget] = []
        self._arrangement: QtWidgets.QWidget | None = None
        self._description = ""
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._watcher = NodeWatcher(self._arrange)
        self.start()

    def start(self) -> None:
        """Show the layout Slicer starts with."""
        self._watcher.watch(self._logic.GetLayoutNode())
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def close(self) -> None:
        """Take everything the layout needed out of the scene."""
        self._watcher.watch(None)
        layout_node = self._logic.GetLayoutNode()
        self._logic.SetMRMLScene(None)  # it would bring back the nodes of its views
        for view in self._views.values():
            view.close_view()
        for node_class in WIDGETS:
            for node in slicer.util.getNodesByClass(node_class):
                slicer.mrmlScene.RemoveNode(node)
        slicer.mrmlScene.RemoveNode(layout_node)

    def refresh(self) -> None:
        """Draw every view of the layout."""
        for view in self._shown:
            view.refresh()

    def _arrange(self) -> None:
        description = self.layoutLogic().GetLayoutNode().GetCurrentLayoutDescription()
        if not description or description == self._description:
            return
        self._description = description
        for view in self._shown:
            view.setParent(None)
        self._shown = []
        if self._arrangement is not None:
            self._arrangement.delete()
        self._arrangement = self._build(ElementTree.fromstring(description))
        self._viewport.layout().addWidget(self._arrangement)
        self.layoutChanged.emit(self.layout)

    def _build(self, element: ElementTree.Element) -> QtWidgets.QWidget:
        if element.tag == "view":
            return self._view(element)
        children = [self._build(item[0]) for item in element.findall("item")]
        if element.get("type") == "tab":
            tabs = QtWidgets.QTabWidget()
            for child in children:
                tabs.addTab(child, child.objectName)
            return tabs
        sizes = [int(item.get("splitSize", 1)) for item in element.findall("item")]
        box = QtWidgets.QWidget()
        direction = QtWidgets.QBoxLayout.LeftToRight
        if element.get("type") == "vertical":
            direction = QtWidgets.QBoxLayout.TopToBottom
        layout = QtWidgets.QBoxLayout(direction, box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for child, size in zip(children, sizes, strict=True):
            layout.addWidget(child, size)
        return box

    def _view(self, element: ElementTree.Element) -> ViewWidget:
        key = element.get("class"), element.get("singletontag", "1")
        if key[0] not in WIDGETS:
            raise RuntimeError(f"The test host has no view for {key[0]}")
        if key not in self._views:
            properties = {one.get("name"): one.text or "" for one in element.findall("property")}
            self._views[key] = WIDGETS[key[0]](*key, properties)
        self._shown.append(self._views[key])
        return self._views[key]

    def _of(self, kind: type) -> list:
        return [view for view in self._shown if isinstance(view, kind)]

    # The names below are Slicer's.

    def layoutLogic(self):
        return self._logic

    def setLayout(self, layout: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(int(layout))
        self._arrange()

    layout = Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)

    def viewport(self) -> QtWidgets.QWidget:
        return self._viewport

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(view.tag for view in self._views.values() if isinstance(view, qMRMLSliceWidget))

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        return self._views.get(("vtkMRMLSliceNode", name))

    def mrmlSliceLogics(self):
        return slicer.app.applicationLogic().GetSliceLogics()

    def threeDWidget(self, index: int) -> qMRMLThreeDWidget:
        return self._of(qMRMLThreeDWidget)[index]

    def plotWidget(self, index: int) -> qMRMLPlotWidget:
        return self._of(qMRMLPlotWidget)[index]

    def tableWidget(self, index: int) -> qMRMLTableWidget:
        return self._of(qMRMLTableWidget)[index]

    threeDViewCount = Property(int, lambda self: len(self._of(qMRMLThreeDWidget)))
    plotViewCount = Property(int, lambda self: len(self._of(qMRMLPlotWidget)))
    tableViewCount = Property(int, lambda self: len(self._of(qMRMLTableWidget)))

    def resetSliceViews(self) -> None:
        for view in self._of(qMRMLSliceWidget):
            view.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        for view in self._of(qMRMLThreeDWidget):
            view.resetFocalPoint()
