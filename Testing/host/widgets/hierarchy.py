"""Stand-ins of the widgets that show the subject hierarchy."""

from __future__ import annotations

import slicer
import vtk

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtWidgets
from Testing.host.widgets.scene import NodeWatcher, SceneWidget

Signal, Property, Qt = QtCore.Signal, QtCore.Property, QtCore.Qt


class _Hierarchy(SceneWidget):
    """Items of the subject hierarchy that pass the filters, each with its depth in the tree."""

    def _start(self) -> None:
        self._node_types: list[str] = []
        self._levels: list[str] = []
        self._attributes: list[tuple[str, str]] = []
        self._root = 0
        self._hierarchy = NodeWatcher(self.refresh, _hierarchy_events())

    def subjectHierarchyNode(self):
        return self._scene.GetSubjectHierarchyNode() if self._scene is not None else None

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self._hierarchy.watch(self.subjectHierarchyNode())
        super().setMRMLScene(scene)

    def setRootItem(self, item: int) -> None:
        self._root = item
        self.refresh()

    def rootItem(self) -> int:
        return self._root

    def addItemAttributeFilter(self, name: str, value: str = "") -> None:
        """Show only items with this attribute, and with this value where one is given."""
        self._attributes.append((name, value))
        self.refresh()

    def _items(self) -> list[tuple[int, int]]:
        """(item, depth) in the order of the tree."""
        hierarchy = self.subjectHierarchyNode()
        if hierarchy is None:
            return []
        found: list[tuple[int, int]] = []

        def walk(parent: int, depth: int) -> bool:
            any_shown = False
            for item in _children(hierarchy, parent):
                place = len(found)
                inner = walk(item, depth + 1)
                if inner or self._shows(hierarchy, item):  # what holds a shown item is shown, too
                    found.insert(place, (item, depth))
                    any_shown = True
            return any_shown

        walk(self._root or hierarchy.GetSceneItemID(), 0)
        return found

    def _shows(self, hierarchy, item: int) -> bool:
        node = hierarchy.GetItemDataNode(item)
        level = hierarchy.GetItemLevel(item)
        if self._node_types and not (node is not None and any(node.IsA(name) for name in self._node_types)):
            return False
        if self._levels and level not in self._levels:
            return False
        values = ((hierarchy.GetItemAttribute(item, name), value) for name, value in self._attributes)
        return all(has == value if value else bool(has) for has, value in values)

    def _set_node_types(self, names) -> None:
        self._node_types = [name for name in names if name]
        self.refresh()

    def _set_levels(self, names) -> None:
        self._levels = list(names)
        self.refresh()

    def setNodeTypes(self, names) -> None:
        self._set_node_types(names)

    def setLevelFilter(self, names) -> None:
        self._set_levels(names)


def _hierarchy_events() -> tuple[int, ...]:
    kind = slicer.vtkMRMLSubjectHierarchyNode
    return (
        kind.SubjectHierarchyItemAddedEvent,
        kind.SubjectHierarchyItemRemovedEvent,
        (kind.SubjectHierarchyItemModifiedEvent),
    )


def _children(hierarchy, parent: int) -> list[int]:
    ids = vtk.vtkIdList()
    hierarchy.GetItemChildren(parent, ids)
    return [ids.GetId(number) for number in range(ids.GetNumberOfIds())]


@designer_widget
class qMRMLSubjectHierarchyTreeView(_Hierarchy, QtWidgets.QTreeWidget):
    """The tree, with the names of the items."""

    currentItemChanged = Signal(object)
    currentItemsChanged = Signal(list)
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None) -> None:
        QtWidgets.QTreeWidget.__init__(self, parent)
        self._start()
        self._rows: dict[int, QtWidgets.QTreeWidgetItem] = {}
        self.setHeaderLabels(["Node"])
        self.itemSelectionChanged.connect(self._on_selection)

    def refresh(self) -> None:
        chosen = self.currentItems()
        self.blockSignals(True)
        self.clear()
        self._rows = {}
        stack = [self.invisibleRootItem()]
        for item, depth in self._items():
            del stack[depth + 1 :]
            row = QtWidgets.QTreeWidgetItem(stack[depth], [self.subjectHierarchyNode().GetItemName(item)])
            row.setData(0, Qt.UserRole, item)
            row.setExpanded(True)
            row.setSelected(item in chosen)
            self._rows[item] = row
            stack.append(row)
        self.blockSignals(False)
        if self.currentItems() != chosen:
            self._on_selection()

    def _on_selection(self) -> None:
        self.currentItemChanged.emit(self.currentItem())
        self.currentItemsChanged.emit(self.currentItems())

    def currentItems(self) -> list[int]:
        return [row.data(0, Qt.UserRole) for row in self.selectedItems()]

    def currentItem(self) -> int:
        return next(iter(self.currentItems()), 0)

    def setCurrentItem(self, item: int) -> None:
        self.clearSelection()
        if item in self._rows:
            self._rows[item].setSelected(True)

    def setCurrentNode(self, node) -> None:
        self.setCurrentItem(self.subjectHierarchyNode().GetItemByDataNode(node) if node is not None else 0)

    def setMultiSelection(self, many: bool) -> None:
        mode = QtWidgets.QAbstractItemView
        self.setSelectionMode(mode.ExtendedSelection if many else mode.SingleSelection)

    nodeTypes = Property("QStringList", lambda self: self._node_types, _Hierarchy._set_node_types)
    levelFilter = Property("QStringList", lambda self: self._levels, _Hierarchy._set_levels)
    multiSelection = Property(
        bool, lambda self: self.selectionMode == QtWidgets.QAbstractItemView.ExtendedSelection, setMultiSelection
    )


@designer_widget
class qMRMLSubjectHierarchyComboBox(_Hierarchy, QtWidgets.QComboBox):
    """One item of the tree, indented by its depth."""

    currentItemChanged = Signal(object)
    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None) -> None:
        QtWidgets.QComboBox.__init__(self, parent)
        self._start()
        self._none_enabled = False
        self._default_text = "Select item"
        self.currentIndexChanged.connect(lambda _row: self.currentItemChanged.emit(self.currentItem()))

    def refresh(self) -> None:
        chosen = self.currentItem()
        self.blockSignals(True)
        self.clear()
        if self._none_enabled:
            self.addItem("None", 0)
        for item, depth in self._items():
            self.addItem("    " * depth + self.subjectHierarchyNode().GetItemName(item), item)
        self.setCurrentIndex(self.findData(chosen))
        self.blockSignals(False)
        if self.currentItem() != chosen:
            self.currentItemChanged.emit(self.currentItem())

    def currentItem(self) -> int:
        return self.currentData or 0

    def setCurrentItem(self, item: int) -> None:
        self.setCurrentIndex(self.findData(item))

    def clearSelection(self) -> None:
        self.setCurrentIndex(-1)

    def setNoneEnabled(self, enabled: bool) -> None:
        self._none_enabled = enabled
        self.refresh()

    nodeTypes = Property("QStringList", lambda self: self._node_types, _Hierarchy._set_node_types)
    levelFilter = Property("QStringList", lambda self: self._levels, _Hierarchy._set_levels)
    noneEnabled = Property(bool, lambda self: self._none_enabled, setNoneEnabled)
