"""Stand-in of qMRMLNodeComboBox: the nodes of some classes in a combo box."""

from __future__ import annotations

import slicer

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtWidgets
from Testing.host.widgets.scene import NodeWatcher, SceneWidget

Signal, Property = QtCore.Signal, QtCore.Property
_ACTIONS = ("Create new", "Rename current", "Delete current")


def _option(kind, name: str, default):
    """A property that changes which nodes or actions are shown."""
    attribute = f"_{name}"

    def read(self):
        return self.__dict__.get(attribute, default)

    def write(self, value) -> None:
        self.__dict__[attribute] = list(value) if isinstance(default, list) else value
        self.refresh()

    return Property(kind, read, write)


@designer_widget
class qMRMLNodeComboBox(SceneWidget, QtWidgets.QWidget):
    """Nodes in the order of the scene, then the actions that are enabled, as entries of a combo box."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeAddedByUser = Signal(object)
    currentNodeRenamed = Signal(str)
    mrmlSceneChanged = Signal(object)

    nodeTypes = _option("QStringList", "nodeTypes", [])
    noneEnabled = _option(bool, "noneEnabled", False)
    noneDisplay = _option(str, "noneDisplay", "None")
    addEnabled = _option(bool, "addEnabled", True)
    removeEnabled = _option(bool, "removeEnabled", True)
    renameEnabled = _option(bool, "renameEnabled", False)
    editEnabled = _option(bool, "editEnabled", False)
    showHidden = _option(bool, "showHidden", False)
    hideChildNodeTypes = _option("QStringList", "hideChildNodeTypes", [])
    showChildNodeTypes = _option(bool, "showChildNodeTypes", True)
    selectNodeUponCreation = _option(bool, "selectNodeUponCreation", True)
    baseName = _option(str, "baseName", "")
    interactionNodeSingletonTag = _option(str, "interactionNodeSingletonTag", "")

    def __init__(self, parent=None) -> None:
        QtWidgets.QWidget.__init__(self, parent)
        self._attributes: list[tuple[str, str, str | None]] = []
        self._current_id = self._requested_id = ""
        self._names = NodeWatcher(self.refresh)
        self._box = QtWidgets.QComboBox(self)
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._box.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self._box.activated.connect(self._on_activated)
        self._box.currentIndexChanged.connect(self._on_index)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box)
        self.setFocusProxy(self._box)

    def comboBox(self):
        return self._box

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        """Show nodes of this class only with this attribute."""
        self._attributes.append((node_type, name, value))
        self.refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._attributes = [one for one in self._attributes if one[:2] != (node_type, name)]
        self.refresh()

    def nodes(self) -> list:
        if self._scene is None:
            return []
        return [node for node in slicer.util.getNodesByClass("vtkMRMLNode", self._scene) if self._shows(node)]

    def nodeCount(self) -> int:
        return len(self.nodes())

    def nodeFromIndex(self, index: int):
        return self.nodes()[index]

    def concerns(self, node) -> bool:
        return any(node.IsA(name) for name in self.nodeTypes if name)

    def _shows(self, node) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        if any(node.IsA(name) for name in self.hideChildNodeTypes):
            return False
        of_type = node.IsA if self.showChildNodeTypes else node.GetClassName().__eq__
        return any(of_type(name) for name in self.nodeTypes if name) and all(
            node.GetAttribute(name) == value if value is not None else node.GetAttribute(name) is not None
            for node_type, name, value in self._attributes
            if node.IsA(node_type)
        )

    def refresh(self) -> None:
        nodes = self.nodes()
        ids = [node.GetID() for node in nodes]
        current = next((one for one in (self._requested_id, self._current_id) if one in ids), "")
        if not current and not self.noneEnabled and ids:
            current = ids[0]  # with no way to say "none", the first node is chosen
        self._box.blockSignals(True)
        self._box.clear()
        if self.noneEnabled:
            self._box.addItem(self.noneDisplay, "")
        for node in nodes:
            self._box.addItem(node.GetName() or "", node.GetID())
        for action in self._actions(current):
            self._box.addItem(action, action)
        self._box.blockSignals(False)
        self._show_current(current)

    def _actions(self, current: str) -> list[str]:
        offered = (self.addEnabled, self.renameEnabled and current, self.removeEnabled and current)
        kind = (self.nodeTypes or [""])[0].removeprefix("vtkMRML").removesuffix("Node")
        return [f"{action} {kind}..." for action, enabled in zip(_ACTIONS, offered, strict=True) if enabled]

    def _show_current(self, node_id: str) -> None:
        self._box.blockSignals(True)
        self._box.setCurrentIndex(self._box.findData(node_id) if node_id or self.noneEnabled else -1)
        self._box.blockSignals(False)
        changed, self._current_id = node_id != self._current_id, node_id
        if node_id:
            self._requested_id = ""
        self._names.watch(self.currentNode())
        if changed:
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(node_id)

    def _on_index(self, index: int) -> None:
        data = self._box.itemData(index) if index >= 0 else ""
        if not str(data).startswith(_ACTIONS):
            self._show_current(data or "")

    def _on_activated(self, index: int) -> None:
        action = str(self._box.itemData(index))
        if action.startswith(_ACTIONS[0]):
            self.addNode()
        elif action.startswith(_ACTIONS[2]):
            self._scene.RemoveNode(self.currentNode())
        elif action.startswith(_ACTIONS[1]):
            raise NotImplementedError("The test host does not rename nodes")

    def currentNode(self):
        return self._scene.GetNodeByID(self._current_id) if self._scene is not None and self._current_id else None

    def setCurrentNode(self, node) -> None:
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str | None) -> None:
        """Choose this node; while a scene is loaded, as soon as it is there."""
        known = bool(node_id) and self._box.findData(node_id) >= 0
        self._requested_id = "" if known else node_id or ""
        self._show_current(node_id if known else "")

    currentNodeID = Property(str, lambda self: self._current_id, setCurrentNodeID)

    def setNodeTypes(self, names) -> None:
        self.nodeTypes = names

    def setNoneEnabled(self, enabled: bool) -> None:
        self.noneEnabled = enabled

    def addNode(self, node_type: str | None = None):
        """What the entry "Create new" does."""
        node = self._scene.AddNewNodeByClass(node_type or self.nodeTypes[0], self.baseName)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node
