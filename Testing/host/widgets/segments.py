"""Stand-ins of the widgets for segmentations."""

from __future__ import annotations

import slicer

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtWidgets
from Testing.host.widgets.ctk import ctkMenuButton
from Testing.host.widgets.node_combo_box import qMRMLNodeComboBox
from Testing.host.widgets.scene import NodeWatcher

Signal, Property, Qt = QtCore.Signal, QtCore.Property, QtCore.Qt


def _segments(node) -> list[tuple[str, str]]:
    """(identifier, name) of every segment of a segmentation node or None."""
    if node is None:
        return []
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    return [(segment_id, segmentation.GetSegment(segment_id).GetName()) for segment_id in ids]


@designer_widget
class qMRMLSegmentSelectorWidget(QtWidgets.QWidget):
    """A segmentation, and one of its segments or several."""

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)
    segmentSelectionChanged = Signal(list)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._many = False
        self._none_enabled = False
        self._segmentations = qMRMLNodeComboBox(self)
        self._segmentations.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._segmentations.addEnabled = self._segmentations.removeEnabled = False
        self._segment = QtWidgets.QComboBox(self)
        self._segments = QtWidgets.QListWidget(self)
        self._segments.hide()
        self._content = NodeWatcher(self._fill, ("ModifiedEvent", *_segmentation_events()))
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self._segmentations, self._segment, self._segments):
            column.addWidget(widget)
        self._segmentations.currentNodeChanged.connect(self._on_node)
        self._segment.currentIndexChanged.connect(lambda _row: self.currentSegmentChanged.emit(self.currentSegmentID()))
        self._segments.itemChanged.connect(lambda _item: self.segmentSelectionChanged.emit(self.selectedSegmentIDs()))

    def mrmlScene(self):
        return self._segmentations.mrmlScene()

    def setMRMLScene(self, scene) -> None:
        self._segmentations.setMRMLScene(scene)

    def _on_node(self, node) -> None:
        self._content.watch(node)
        self._fill()
        self.currentNodeChanged.emit(node)

    def _fill(self) -> None:
        chosen, checked = self.currentSegmentID(), set(self.selectedSegmentIDs())
        for widget in (self._segment, self._segments):
            widget.blockSignals(True)
            widget.clear()
        if self._none_enabled:
            self._segment.addItem("None", "")
        for segment_id, name in _segments(self.currentNode()):
            self._segment.addItem(name, segment_id)
            item = QtWidgets.QListWidgetItem(name, self._segments)
            item.setData(Qt.UserRole, segment_id)
            item.setCheckState(Qt.Checked if segment_id in checked else Qt.Unchecked)
        self._segment.setCurrentIndex(max(self._segment.findData(chosen), 0))
        for widget in (self._segment, self._segments):
            widget.blockSignals(False)
        if self.currentSegmentID() != chosen:
            self.currentSegmentChanged.emit(self.currentSegmentID())

    def currentNode(self):
        return self._segmentations.currentNode()

    def setCurrentNode(self, node) -> None:
        self._segmentations.setCurrentNode(node)

    def currentSegmentID(self) -> str:
        return self._segment.currentData or ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        self._segment.setCurrentIndex(self._segment.findData(segment_id))

    def selectedSegmentIDs(self) -> list[str]:
        items = (self._segments.item(row) for row in range(self._segments.count))
        return [item.data(Qt.UserRole) for item in items if item.checkState() == Qt.Checked]

    def setSelectedSegmentIDs(self, segment_ids) -> None:
        for row in range(self._segments.count):
            item = self._segments.item(row)
            item.setCheckState(Qt.Checked if item.data(Qt.UserRole) in segment_ids else Qt.Unchecked)

    def setMultiSelection(self, many: bool) -> None:
        self._many = many
        self._segment.setVisible(not many)
        self._segments.setVisible(many)

    def setNoneEnabled(self, enabled: bool) -> None:
        self._none_enabled = enabled
        self._fill()

    def setSegmentationNodeSelectorVisible(self, visible: bool) -> None:
        self._segmentations.setVisible(visible)

    multiSelection = Property(bool, lambda self: self._many, setMultiSelection)
    noneEnabled = Property(bool, lambda self: self._none_enabled, setNoneEnabled)
    segmentationNodeSelectorVisible = Property(
        bool, lambda self: not self._segmentations.isHidden(), setSegmentationNodeSelectorVisible
    )
    currentNodeID = Property(
        str,
        lambda self: self._segmentations.currentNodeID,
        lambda self, node_id: self._segmentations.setCurrentNodeID(node_id),
    )


def _segmentation_events() -> tuple[int, ...]:
    kind = slicer.vtkSegmentation
    return kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified


@designer_widget
class qMRMLSegmentationShow3DButton(ctkMenuButton):
    """Makes closed surfaces and shows them in 3D, or removes them again."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node = None
        self.setText("Show 3D")
        self.setCheckable(True)
        self.setEnabled(False)
        self._content = NodeWatcher(self._refresh, ("ModifiedEvent", *_representation_events()))
        self.clicked.connect(self._on_clicked)

    def segmentationNode(self):
        return self._content.node

    def setSegmentationNode(self, node) -> None:
        self._content.watch(node)
        self._refresh()

    def _refresh(self) -> None:
        node = self._content.node
        surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
        has_surface = node is not None and node.GetSegmentation().ContainsRepresentation(surface)
        display = node.GetDisplayNode() if node is not None else None
        self.setEnabled(node is not None and node.GetSegmentation().GetNumberOfSegments() > 0)
        self.setChecked(bool(has_surface and (display is None or display.GetVisibility3D())))

    def _on_clicked(self, checked: bool) -> None:
        node = self._content.node
        if checked:
            node.CreateClosedSurfaceRepresentation()
            if node.GetDisplayNode() is not None:
                node.GetDisplayNode().SetVisibility3D(True)
        else:
            node.RemoveClosedSurfaceRepresentation()
        self._refresh()


def _representation_events() -> tuple[int, ...]:
    kind = slicer.vtkSegmentation
    return (*_segmentation_events(), kind.ContainedRepresentationNamesModified)
