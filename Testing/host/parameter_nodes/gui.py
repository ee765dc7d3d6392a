"""Which widget can show which type of parameter, as the table of Slicer's documentation says.

The widget must be of exactly the class named here: Slicer compares types, so a subclass is not bound.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer

from Testing.host.parameter_nodes.annotations import (
    Choice,
    Decimals,
    FloatRange,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    base_type,
    first_annotation,
    is_enum,
    union_members,
)
from Testing.host.pythonqt.source import QtWidgets
from Testing.host.widgets.ctk import ctkCheckBox, ctkComboBox, ctkDirectoryButton, ctkPathLineEdit
from Testing.host.widgets.ctk_sliders import ctkDoubleSlider, ctkDoubleSpinBox, ctkRangeWidget, ctkSliderWidget
from Testing.host.widgets.node_combo_box import qMRMLNodeComboBox

_INT_LIMIT = 2**31
_INFINITE = float("inf")


@dataclass
class Connector:
    """One widget bound to one parameter."""

    widget: Any
    read: Callable[[], Any]
    write: Callable[[Any], None]
    signal: Any
    _callback: Callable | None = None

    def on_changed(self, callback: Callable | None) -> None:
        """Call this when the user changed the widget; None stops that."""
        if self._callback is None and callback is not None and self.signal is not None:
            self.signal.connect(self._changed)
        self._callback = callback

    def _changed(self, *_arguments) -> None:
        if self._callback:
            self._callback()


def connector_of(widget, hint: Any) -> Connector:
    """Bind a widget to a possibly annotated type.

    Raises:
        RuntimeError: this widget cannot show this type.
    """
    kind = base_type(hint)
    make = _MAKERS.get((_group(kind), type(widget)))
    if make is None:
        raise RuntimeError(
            f"Unable to create GUI connector from datatype '{hint}' to widget type '{type(widget).__name__}' "
            f"({widget.objectName})"
        )
    return make(widget, hint)


def _group(kind: Any) -> Any:
    if is_enum(kind):
        return "enum"
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return "path"
    members = union_members(kind) or (kind,)
    if all(isinstance(one, type) and issubclass(one, slicer.vtkMRMLNode) for one in members):
        return "node"
    return kind


def _checked(widget, _hint) -> Connector:
    if isinstance(widget, QtWidgets.QPushButton):
        widget.setCheckable(True)
    return Connector(widget, widget.isChecked, widget.setChecked, widget.toggled)


def _number(widget, hint) -> Connector:
    for annotation, setter in ((Decimals, "setDecimals"), (SingleStep, "setSingleStep")):
        found = first_annotation(hint, annotation)
        if found is not None and hasattr(widget, setter):
            getattr(widget, setter)(found.value)
    low, high = _limits(hint)
    needs_both = isinstance(widget, QtWidgets.QSlider | ctkSliderWidget | ctkDoubleSlider)
    if needs_both and (low is None or high is None):
        raise RuntimeError(f"{type(widget).__name__} {widget.objectName} needs a parameter with both limits")
    lowest, highest = (-_INT_LIMIT, _INT_LIMIT - 1) if base_type(hint) is int else (-_INFINITE, _INFINITE)
    widget.setMinimum(lowest if low is None else low)
    widget.setMaximum(highest if high is None else high)
    return Connector(widget, lambda: widget.value, widget.setValue, widget.valueChanged)


def _limits(hint) -> tuple:
    both = first_annotation(hint, WithinRange)
    if both is not None:
        return both.minimum, both.maximum
    low, high = first_annotation(hint, Minimum), first_annotation(hint, Maximum)
    return low and low.minimum, high and high.maximum


def _range(widget, hint) -> Connector:
    low, high = _limits(hint)
    widget.setRange(low, high)
    return Connector(
        widget,
        lambda: FloatRange(widget.minimumValue, widget.maximumValue),
        lambda value: widget.setValues(value.minimum, value.maximum),
        widget.valuesChanged,
    )


def _choice(widget, hint) -> Connector:
    choice = first_annotation(hint, Choice)
    if choice is None:
        raise RuntimeError(f"Combo box {widget.objectName} needs a parameter with the Choice annotation")
    return _entries(widget, [(str(value), value) for value in choice.choices])


def _enum(widget, hint) -> Connector:
    members = list(base_type(hint))
    return _entries(widget, [(one.label() if hasattr(one, "label") else one.name, one) for one in members])


def _entries(widget, entries: list[tuple[str, Any]]) -> Connector:
    widget.clear()
    widget.addItems([label for label, _ in entries])
    values = [value for _, value in entries]
    return Connector(
        widget,
        lambda: values[widget.currentIndex],
        lambda value: widget.setCurrentIndex(values.index(value)),
        widget.currentIndexChanged,
    )


def _line(widget, _hint) -> Connector:
    def write(text: str) -> None:
        if widget.text != text:  # setting the same text would move the cursor of a user who is typing
            widget.setText(text)

    return Connector(widget, lambda: widget.text, write, widget.textChanged)


def _text(widget, _hint) -> Connector:
    def write(text: str) -> None:
        if widget.toPlainText() != text:
            widget.setPlainText(text)

    return Connector(widget, widget.toPlainText, write, widget.textChanged)


def _label(widget, _hint) -> Connector:
    return Connector(widget, lambda: widget.text, widget.setText, None)


def _path(widget, hint) -> Connector:
    kind = base_type(hint)
    return Connector(
        widget,
        lambda: kind(widget.currentPath),
        lambda path: widget.setCurrentPath(str(path)),
        widget.currentPathChanged,
    )


def _directory(widget, hint) -> Connector:
    kind = base_type(hint)
    return Connector(
        widget, lambda: kind(widget.directory), lambda path: widget.setDirectory(str(path)), widget.directoryChanged
    )


def _node(widget, hint) -> Connector:
    kind = base_type(hint)
    widget.setNodeTypes([one.__name__ for one in union_members(kind) or (kind,)])
    return Connector(widget, widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged)


_COMBO_BOXES = (QtWidgets.QComboBox, ctkComboBox)
_MAKERS: dict[tuple[Any, type], Callable] = {
    **{(bool, widget): _checked for widget in (QtWidgets.QCheckBox, QtWidgets.QPushButton, ctkCheckBox)},
    **{(int, widget): _number for widget in (QtWidgets.QSlider, QtWidgets.QSpinBox)},
    **{(float, widget): _number for widget in (QtWidgets.QDoubleSpinBox, ctkSliderWidget, ctkDoubleSlider)},
    (float, ctkDoubleSpinBox): _number,
    (FloatRange, ctkRangeWidget): _range,
    **{(kind, widget): _choice for kind in (int, float, str, bool) for widget in _COMBO_BOXES},
    **{("enum", widget): _enum for widget in _COMBO_BOXES},
    (str, QtWidgets.QLineEdit): _line,
    (str, QtWidgets.QTextEdit): _text,
    (str, QtWidgets.QLabel): _label,
    ("path", ctkPathLineEdit): _path,
    ("path", ctkDirectoryButton): _directory,
    ("node", qMRMLNodeComboBox): _node,
}
