"""Rows for the settings that capabilities register in ``TumorTwinLib.jobs.options``."""

from __future__ import annotations

import json
from collections.abc import Callable

import qt

from TumorTwinLib.jobs.options import (
    ADVANCED,
    COMPARISON,
    FORECAST,
    JOB_OPTIONS,
    SEGMENTATION,
    Choices,
    Flag,
    JobOption,
    Number,
)

_SECTIONS = {
    SEGMENTATION: "cancerSection",
    FORECAST: "forecastSection",
    COMPARISON: "comparisonSection",
    ADVANCED: "advancedSection",
}


def optionValues(text: str) -> dict:
    """Values by field of ``JobSpec``, from what the scene keeps; defaults where it has none."""
    try:
        kept = json.loads(text or "{}")
    except ValueError:
        kept = {}
    return {option.field: option.valid(kept.get(option.field)) for option in JOB_OPTIONS}


class OptionRows:
    """Shows the values and tells of every change the user makes to them.

    Args:
        ui: widgets of the panel.
        onEdited: called with the text to keep.
    """

    def __init__(self, ui, onEdited: Callable) -> None:
        self.ui = ui
        self.onEdited = onEdited
        self._showing = False
        self._cancer = ""
        self._widgets = {option.field: self._addRow(option) for option in JOB_OPTIONS}
        ui.comparisonSection.setVisible(any(option.section == COMPARISON for option in JOB_OPTIONS))

    def widget(self, field: str):
        """The widget that shows this field."""
        return self._widgets[field]

    def _addRow(self, option: JobOption):
        section = getattr(self.ui, _SECTIONS[option.section])
        widget = _WIDGETS[type(option.kind)](option.kind, section, self.onChanged)
        label = qt.QLabel(f"{option.title}:", section)
        label.setToolTip(option.description)
        widget.setToolTip(option.description)
        widget.setObjectName(f"{option.field}Option")
        section.layout().addRow(label, widget)
        return widget

    def show(self, text: str, cancer: str) -> None:
        """Bring the rows in line; nobody is told."""
        values = optionValues(text)
        self._showing = True
        for option in JOB_OPTIONS:
            widget, value = self._widgets[option.field], values[option.field]
            if isinstance(option.kind, Flag):
                widget.setChecked(value)
            elif isinstance(option.kind, Number):
                widget.setValue(value)
            else:
                _showChoices(widget, option.kind.offered(cancer), value)
        self._showing = False

    def onChanged(self, *_args) -> None:
        if not self._showing:
            self.onEdited(json.dumps({option.field: self._value(option) for option in JOB_OPTIONS}))

    def _value(self, option: JobOption):
        widget = self._widgets[option.field]
        if isinstance(option.kind, Flag):
            return widget.isChecked()
        if isinstance(option.kind, Number):
            return widget.value
        items = [widget.item(row) for row in range(widget.count)]
        return [item.data(qt.Qt.UserRole) for item in items if item.checkState() == qt.Qt.Checked]


def _checkBox(_kind: Flag, parent, onChanged: Callable):
    box = qt.QCheckBox(parent)
    box.toggled.connect(onChanged)
    return box


def _spinBox(kind: Number, parent, onChanged: Callable):
    box = qt.QDoubleSpinBox(parent) if kind.decimals else qt.QSpinBox(parent)
    if kind.decimals:
        box.setDecimals(kind.decimals)
    box.setRange(kind.minimum, kind.maximum)
    box.setSuffix(f" {kind.unit}" if kind.unit else "")
    box.setKeyboardTracking(False)
    box.valueChanged.connect(onChanged)
    return box


def _checkList(_kind: Choices, parent, onChanged: Callable):
    box = qt.QListWidget(parent)
    box.itemChanged.connect(onChanged)
    return box


def _showChoices(box, offered: dict[str, str], chosen: tuple[str, ...]) -> None:
    if [box.item(row).data(qt.Qt.UserRole) for row in range(box.count)] != list(offered):
        box.clear()
        for name, title in offered.items():
            item = qt.QListWidgetItem(title, box)
            item.setData(qt.Qt.UserRole, name)
    for row, name in enumerate(offered):
        box.item(row).setCheckState(qt.Qt.Checked if name in chosen else qt.Qt.Unchecked)


_WIDGETS = {Flag: _checkBox, Number: _spinBox, Choices: _checkList}
