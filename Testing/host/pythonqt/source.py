"""PySide6, imported the one way the host needs it."""

from __future__ import annotations

import os

# Enumerations are integers in PythonQt. PySide6 reads this when it is imported first.
os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "0x02"
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtTest, QtUiTools, QtWidgets  # noqa: E402

if not isinstance(QtCore.Qt.Checked, int):
    raise RuntimeError("PySide6 was imported before Testing.host.pythonqt.source, with other enumerations.")

__all__ = ["NAMESPACES", "QtCore", "QtGui", "QtTest", "QtUiTools", "QtWidgets", "qobject_classes"]

# PythonQt has one flat namespace.
NAMESPACES = (QtCore, QtGui, QtWidgets)


def qobject_classes() -> set[type]:
    """Every class of Qt that has a metaobject."""
    names = ((module, name) for module in (*NAMESPACES, QtUiTools) for name in dir(module))
    found = (getattr(module, name) for module, name in names)
    return {cls for cls in found if isinstance(cls, type) and issubclass(cls, QtCore.QObject)}
