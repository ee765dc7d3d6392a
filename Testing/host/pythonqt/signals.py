"""PythonQt's ``object.connect("clicked(bool)", slot)`` on PySide6 signals.

A signal that does not exist raises here; PythonQt only prints it and returns False, which no test would see.
"""

from __future__ import annotations

from collections.abc import Callable

from Testing.host.pythonqt.source import QtCore

_pyside_attribute = QtCore.QObject.__getattribute__
# What was connected for a (sender, signature, slot): the signal and the callable it really calls.
_connections: dict[tuple[int, str, object], list[tuple[object, Callable]]] = {}


def connect(self, *arguments) -> bool:
    """``connect(signature, callable)`` or ``connect(signature, receiver, slot signature)``."""
    if not isinstance(arguments[0], str):
        return _pyside_attribute(self, "connect")(*arguments)  # PySide6's own signals come back through here
    signature, slot = arguments[0], _slot(*arguments[1:])
    signal, parameters = _signal(self, signature)
    called = slot if parameters else _without_arguments(slot)
    _connections.setdefault((id(self), signature, slot), []).append((signal, called))
    signal.connect(called)
    return True


def disconnect(self, *arguments) -> bool:
    """Undo `connect` with the same arguments; with the signature alone, disconnect everything from that signal."""
    if not arguments or not isinstance(arguments[0], str):
        return _pyside_attribute(self, "disconnect")(*arguments)
    signature = arguments[0]
    if len(arguments) == 1:
        _signal(self, signature)[0].disconnect()
        return True
    connected = _connections.pop((id(self), signature, _slot(*arguments[1:])), [])
    for signal, called in connected:
        signal.disconnect(called)
    return bool(connected)


def _slot(receiver, member: str | None = None) -> Callable:
    return receiver if member is None else getattr(receiver, member.partition("(")[0])


def _without_arguments(slot: Callable) -> Callable:
    return lambda *_arguments: slot()


def _signal(sender, signature: str):
    """The PySide6 signal of a C++ signature and its parameter types.

    Raises:
        ValueError: the sender has no such signal.
    """
    meta = sender.metaObject()
    name, parameters = _parts(signature)
    known = [_parts(text) for text in _signatures(meta)]
    same_name = [types for known_name, types in known if known_name == name]
    if not any(_fits(parameters, types) for types in same_name):
        has = [f"{name}({','.join(types)})" for types in same_name] or sorted({known_name for known_name, _ in known})
        raise ValueError(f"{meta.className()} has no signal {signature}; it has {', '.join(has)}")
    return getattr(sender, name), parameters


def _signatures(meta) -> list[str]:
    methods = (meta.method(index) for index in range(meta.methodCount()))
    signals = (method for method in methods if method.methodType() == QtCore.QMetaMethod.Signal)
    return [bytes(method.methodSignature().data()).decode() for method in signals]


def _parts(signature: str) -> tuple[str, list[str]]:
    normalized = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
    name, _, parameters = normalized.rstrip(")").partition("(")
    return name, [text for text in parameters.split(",") if text]


def _fits(asked: list[str], has: list[str]) -> bool:
    """Qt wants the full list of types; a stand-in's Python object stands for types that PySide6 does not know."""
    return len(asked) == len(has) and all(
        ask == real or (real == "PyObject" and (ask.endswith("*") or ask == "vtkIdType"))
        for ask, real in zip(asked, has, strict=True)
    )
