"""PySide6 objects that behave as PythonQt shows them in Slicer: properties as attributes, no stray attributes.

In PythonQt ``button.text`` is the text and ``button.text()`` an error, ``button.text = "x"`` sets it, ``setText`` works
too, and an attribute that C++ does not have cannot be made. Plain PySide6 has only the methods, and an assignment
shadows them without a word.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from Testing.host.pythonqt.signals import connect, disconnect
from Testing.host.pythonqt.source import QtCore, qobject_classes

# Qt calls these virtual getters and looks them up by name: a property there would be called as the override.
_VIRTUAL_GETTERS = {"sizeHint", "minimumSizeHint"}


class PythonQtProperty:
    """Descriptor of one C++ property: the value on objects, what PySide6 has under this name on the class."""

    def __init__(self, name: str, class_name: str, getter, setter, writable: bool, on_class) -> None:
        self._name = name
        self._class_name = class_name
        self._getter = getter
        self._setter = setter
        self._writable = writable
        self._on_class = on_class  # QTimer.singleShot is a property of timers and a function of the class

    def __get__(self, instance, owner=None):
        if instance is None:
            return self if self._on_class is None else self._on_class
        return self._getter(instance)

    def __set__(self, instance, value) -> None:
        if not self._writable:
            raise AttributeError(f"Property '{self._name}' of {self._class_name} object is not writable")
        try:
            accepted = self._setter(instance, value) is not False
        except (TypeError, ValueError, OverflowError):
            accepted = False
        if not accepted:
            raise AttributeError(
                f"Property '{self._name}' of {self._class_name} does not accept an object of type "
                f"{type(value).__name__} ({value!r})"
            )


def cpp_stand_in(cls: type) -> type:
    """Class decorator: as strict about attributes as a class of C++; its own are private."""
    cls.stands_for_cpp = True
    return cls


def show_properties_as_attributes() -> None:
    """Put a descriptor on every PySide6 class for every property of its metaobject. Done once a process."""
    if "connect" in vars(_Attributes):
        return
    _Attributes.connect = connect
    _Attributes.disconnect = disconnect
    classes = qobject_classes()
    # Subclasses first: what a class inherits must still be the C++ getter when its own properties are made.
    for cls in sorted(classes, key=lambda cls: len(cls.__mro__), reverse=True):
        for name, descriptor in _descriptors(cls).items():
            setattr(cls, name, descriptor)
    for cls in classes:
        cls.__setattr__ = _set_attribute
    QtCore.QObject.name = property(lambda self: self.objectName, lambda self, name: self.setObjectName(name))
    for cls in classes:
        if "__getattribute__" in cls.__dict__:
            cls.__getattribute__ = _getter_over(cls.__getattribute__)


def _descriptors(cls) -> dict[str, PythonQtProperty]:
    meta = cls.staticMetaObject
    found = {}
    for index in range(meta.propertyCount()):
        prop = meta.property(index)
        name = prop.name()
        redeclared = name in cls.__dict__
        if name not in _VIRTUAL_GETTERS and (index >= meta.propertyOffset() or redeclared):
            found[name] = _descriptor(cls, prop, name)
    return found


def _descriptor(cls, prop, name: str) -> PythonQtProperty:
    capitalized = name[0].upper() + name[1:]
    on_class = getattr(cls, name, None)
    getters = (getattr(cls, candidate, None) for candidate in (name, f"is{capitalized}"))
    getter = next((getter for getter in getters if _is_cpp_method(getter)), None)
    setter = getattr(cls, f"set{capitalized}", None)
    return PythonQtProperty(
        name,
        cls.__name__,
        getter if getter is not None else lambda instance: QtCore.QObject.property(instance, name),
        setter if setter is not None else lambda instance, value: instance.setProperty(name, value),
        prop.isWritable(),
        on_class if isinstance(on_class, types.BuiltinFunctionType) else None,
    )


def _is_cpp_method(attribute: Any) -> bool:
    return type(attribute).__name__ == "method_descriptor"


class _Attributes:
    """Methods every object has in PythonQt. PySide6 looks `connect` and `disconnect` up before any class attribute."""


def _getter_over(pyside_getattribute: Callable) -> Callable:
    """Attribute access as in PythonQt: dynamic properties and named children are attributes, too."""

    def get_attribute(self, name: str):
        if name in ("connect", "disconnect"):
            return types.MethodType(getattr(_Attributes, name), self)
        try:
            return pyside_getattribute(self, name)
        except AttributeError:
            if not name.startswith("_"):
                if name in _dynamic_properties(self):
                    return self.property(name)
                for child in self.children():
                    if child.objectName == name:
                        return child
            raise

    return get_attribute


def _set_attribute(self, name: str, value) -> None:
    kind = type(self)
    declared = next((parent.__dict__[name] for parent in kind.__mro__ if name in parent.__dict__), None)
    if hasattr(type(declared), "__set__"):
        declared.__set__(self, value)
    elif isinstance(declared, QtCore.Property) and declared.fset is not None:
        declared.fset(self, value)
    elif name in _dynamic_properties(self):
        self.setProperty(name, value)
    elif _may_hold(kind, name) or isinstance(value, QtCore.SignalInstance):  # PySide6 keeps signals it has looked up
        self.__dict__[name] = value
    elif declared is not None:
        raise AttributeError(f"Slot '{name}' can not be overwritten on {kind.__name__} object")
    else:
        raise AttributeError(
            f"'{name}' does not exist on {kind.__name__} and creating new attributes on C++ objects is not allowed"
        )


def _dynamic_properties(self) -> set[str]:
    return {bytes(name.data()).decode() for name in self.dynamicPropertyNames()}


def _may_hold(kind: type, name: str) -> bool:
    """Only classes written in Python hold attributes; those that stand in for C++ ones hold just their own, private."""
    if name.startswith("__"):
        return True
    if getattr(kind, "stands_for_cpp", False):
        return name.startswith("_")
    return not kind.__module__.startswith("PySide6.")
