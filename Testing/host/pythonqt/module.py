"""The flat `qt` module of Slicer, made of PySide6."""

from __future__ import annotations

import functools
import types
from xml.etree import ElementTree

import shiboken6

from Testing.host.pythonqt import dialogs
from Testing.host.pythonqt.properties import cpp_stand_in, show_properties_as_attributes
from Testing.host.pythonqt.source import NAMESPACES, QtCore, QtUiTools, QtWidgets

# Stand-ins of C++ widgets that a .ui file may name.
_designer_widgets: dict[str, type] = {}


def designer_widget(cls: type) -> type:
    """Class decorator: a stand-in that is strict about attributes and can be used in .ui files under its own name."""
    _designer_widgets[cls.__name__] = cls
    return cpp_stand_in(cls)


@functools.cache
def qt_module() -> types.ModuleType:
    """The module to be imported as `qt`."""
    show_properties_as_attributes()
    module = types.ModuleType("qt", "PySide6 with the manners of PythonQt")
    for namespace in NAMESPACES:
        for name in dir(namespace):
            if not name.startswith("_"):
                setattr(module, name, getattr(namespace, name))
    module.QUiLoader = UiLoader
    _add_what_pythonqt_has(module)
    dialogs.record_modal_dialogs()
    return module


class UiLoader(QtUiTools.QUiLoader):
    """Loads Designer files that name the stand-ins, including connections with signatures of C++ pointer types."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        for widget in _designer_widgets.values():
            self.registerCustomWidget(widget)

    def load(self, device, parent=None):
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        _refuse_unknown_widgets(tree)
        _number_own_enumerations(tree)
        connections = _take_connections(tree)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        for connection in connections:
            _connect_named(widget, **connection)
        return widget


def _refuse_unknown_widgets(tree: ElementTree.Element) -> None:
    """QUiLoader silently makes a plain QWidget of a class it does not know."""
    unknown = {
        element.get("class")
        for element in tree.iter("widget")
        if element.get("class") not in _designer_widgets and not hasattr(QtWidgets, element.get("class"))
    }
    if unknown - {"Line"}:
        raise RuntimeError(f"The test host has no stand-in for {', '.join(sorted(unknown))}: add one to Testing/host.")


def _number_own_enumerations(tree: ElementTree.Element) -> None:
    """Stand-ins hold enumerations as numbers, which QUiLoader does not find by name."""
    for widget in tree.iter("widget"):
        stand_in = _designer_widgets.get(widget.get("class"))
        for prop in widget.findall("property") if stand_in else ():
            for element in (*prop.findall("set"), *prop.findall("enum")):
                names = [part.rpartition("::")[2] for part in element.text.split("|")]
                if all(isinstance(vars(stand_in).get(name), int) for name in names):
                    number = ElementTree.SubElement(prop, "number")
                    number.text = str(sum(vars(stand_in)[name] for name in set(names)))
                    prop.remove(element)


def _take_connections(tree: ElementTree.Element) -> list[dict[str, str]]:
    connections = tree.find("connections")
    if connections is None:
        return []
    tree.remove(connections)
    return [{name: one.find(name).text for name in ("sender", "signal", "receiver", "slot")} for one in connections]


def _connect_named(widget, *, sender: str, signal: str, receiver: str, slot: str) -> None:
    named = {child.objectName: child for child in (widget, *widget.findChildren(QtCore.QObject))}
    for name in (sender, receiver):
        if name not in named:
            raise RuntimeError(f"A connection of the .ui file names {name}, which is not in it.")
    named[sender].connect(signal, getattr(named[receiver], slot.partition("(")[0]))


def _add_what_pythonqt_has(module: types.ModuleType) -> None:
    pyside_find_child, pyside_find_children = QtCore.QObject.findChild, QtCore.QObject.findChildren

    def class_of(kind):
        return getattr(module, kind, _designer_widgets.get(kind)) if isinstance(kind, str) else kind

    def find_child(self, kind, name=None):
        return pyside_find_child(self, class_of(kind), *([] if name is None else [name]))

    def find_children(self, kind, name=None):
        return tuple(pyside_find_children(self, class_of(kind), *([] if name is None else [name])))

    def delete(self):
        shiboken6.delete(self)

    QtCore.QObject.findChild = find_child
    QtCore.QObject.findChildren = find_children
    QtCore.QObject.className = lambda self: self.metaObject().className()
    QtCore.QObject.delete = delete
    QtCore.QObject.isWidgetType = lambda self: isinstance(self, QtWidgets.QWidget)
