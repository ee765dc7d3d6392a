"""The views of Slicer's layouts: offscreen renders, drawn when they are asked for and shown as pictures."""

from __future__ import annotations

import slicer

from Testing.host.pythonqt.source import QtWidgets
from Testing.host.widgets.node_table import fill_table
from Testing.host.widgets.pictures import ChartPicture, Picture
from TumorTwinLib.mrml.graphics import SUPERSAMPLING
from TumorTwinLib.mrml.views import SliceView, ThreeDView

_START = (320, 240)  # pixels, until the layout says
_BAR = {"vtkMRMLViewNode": "#a0a0ff", "vtkMRMLPlotViewNode": "#e0e0e0", "vtkMRMLTableViewNode": "#e0e0e0"}
_OFFSETS = {"Axial": ("S", "I"), "Coronal": ("A", "P"), "Sagittal": ("R", "L")}


class ViewWidget(QtWidgets.QWidget):
    """A colored bar over a picture.

    Args:
        tag: singleton tag of the view in the layout, e.g. ``"Red"``.
        properties: of the view in the layout's description.
    """

    def __init__(self, node_class: str, tag: str, properties: dict[str, str]) -> None:
        super().__init__()
        self.tag = tag
        self.properties = properties
        self.setObjectName(f"{node_class}{tag}")
        color = properties.get("viewcolor", _BAR.get(node_class, "#c0c0c0"))
        self.bar = QtWidgets.QFrame()
        self.bar.setStyleSheet(f"QFrame {{ background: {color}; }} QLabel {{ color: black; }}")
        self.bar.setFixedHeight(20)
        row = QtWidgets.QHBoxLayout(self.bar)
        row.setContentsMargins(6, 0, 6, 0)
        self.label = QtWidgets.QLabel(properties.get("viewlabel", ""))
        row.addWidget(self.label)
        row.addStretch(1)
        self.content = self._make_content()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.content, 1)
        self.setMinimumSize(60, 60)

    def refresh(self) -> None:
        """Draw what the scene holds now."""

    def close_view(self) -> None:
        """Take the view's own nodes out of the scene."""

    def forceRender(self) -> None:
        self.refresh()

    def _make_content(self) -> QtWidgets.QWidget:
        return Picture()


class qMRMLSliceWidget(ViewWidget):
    """What ``layoutManager().sliceWidget("Red")`` returns, and its view and controller too."""

    def __init__(self, node_class: str, tag: str, properties: dict[str, str]) -> None:
        super().__init__(node_class, tag, properties)
        node = slicer.mrmlScene.GetSingletonNode(tag, node_class)
        self._view = SliceView(properties.get("orientation", "Axial"), _START, node)
        self.offset = QtWidgets.QLabel()
        self.bar.layout().addWidget(self.offset)

    def refresh(self) -> None:
        self._view.resize(self.content.size_in_pixels())
        self._fit_node_to_window()
        self.content.show_pixels(self._view.render())
        positive, negative = _OFFSETS.get(self._view.node.GetOrientation(), ("", ""))
        offset = self.sliceLogic().GetSliceOffset()
        self.offset.setText(f"{positive if offset >= 0 else negative}: {abs(offset):.3f}mm")

    def _fit_node_to_window(self) -> None:
        """A slice keeps its center and its width when the window changes."""
        node = self._view.node
        width, height = (pixels * SUPERSAMPLING for pixels in self.content.size_in_pixels())
        if node.GetDimensions()[:2] == (width, height):
            return
        field_width, _, depth = node.GetFieldOfView()
        self.sliceLogic().ResizeSliceNode(width, height)
        node.SetFieldOfView(field_width, field_width * height / width, depth)

    def close_view(self) -> None:
        self._view.__exit__()

    def sliceLogic(self):
        return self._view.logic

    def mrmlSliceNode(self):
        return self._view.node

    def mrmlSliceCompositeNode(self):
        return self._view.logic.GetSliceCompositeNode()

    def sliceView(self):
        return self

    def sliceController(self):
        return self

    def sliceOrientation(self) -> str:
        return self._view.node.GetOrientation()

    def setSliceVisible(self, visible: bool) -> None:
        self._view.node.SetSliceVisible(visible)

    def fitSliceToBackground(self) -> None:
        self._fit_node_to_window()
        self.sliceLogic().FitSliceToAll(*self._view.node.GetDimensions()[:2])


class qMRMLThreeDWidget(ViewWidget):
    """What ``layoutManager().threeDWidget(0)`` returns, and its view and controller too."""

    def __init__(self, node_class: str, tag: str, properties: dict[str, str]) -> None:
        super().__init__(node_class, tag, properties)
        self._view = ThreeDView(_START, node=slicer.mrmlScene.GetSingletonNode(tag, node_class))

    def refresh(self) -> None:
        self._view.resize(self.content.size_in_pixels())
        self.content.show_pixels(self._view.render())

    def close_view(self) -> None:
        self._view.__exit__()

    def threeDView(self):
        return self

    def threeDController(self):
        return self

    def mrmlViewNode(self):
        return self._view.node

    def resetFocalPoint(self) -> None:
        self._view.renderer.ResetCamera()

    def resetCamera(self) -> None:
        self._view.renderer.ResetCamera()


class qMRMLPlotWidget(ViewWidget):
    """The chart that the layout's plot view node names."""

    def mrmlPlotViewNode(self):
        return slicer.mrmlScene.GetSingletonNode(self.tag, "vtkMRMLPlotViewNode")

    def plotView(self):
        return self

    def plotController(self):
        return self

    def refresh(self) -> None:
        node = self.mrmlPlotViewNode()
        self.content.show_chart(node.GetPlotChartNode() if node is not None else None)

    def _make_content(self) -> ChartPicture:
        return ChartPicture()


class qMRMLTableWidget(ViewWidget):
    """The table that the layout's table view node names."""

    def _make_content(self) -> QtWidgets.QTableWidget:
        return QtWidgets.QTableWidget()

    def mrmlTableViewNode(self):
        return slicer.mrmlScene.GetSingletonNode(self.tag, "vtkMRMLTableViewNode")

    def tableView(self):
        return self.content

    def tableController(self):
        return self

    def refresh(self) -> None:
        node = self.mrmlTableViewNode()
        fill_table(self.content, node.GetTableNode() if node is not None else None)


WIDGETS: dict[str, type[ViewWidget]] = {
    "vtkMRMLSliceNode": qMRMLSliceWidget,
    "vtkMRMLViewNode": qMRMLThreeDWidget,
    "vtkMRMLPlotViewNode": qMRMLPlotWidget,
    "vtkMRMLTableViewNode": qMRMLTableWidget,
}
