"""Columns with units to table nodes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import vtk
from vtk.util import numpy_support


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Args:
        name: what plots and scripts call it.
        title: what the reader sees; the unit is added to it.
        unit: UCUM-like label; ``"1"`` for a ratio, empty for text.
        description: one sentence.
        values: (n,) numbers or n texts. A missing number is NaN.
    """

    name: str
    title: str
    unit: str
    description: str
    values: Sequence | np.ndarray

    @property
    def heading(self) -> str:
        return self.title if self.unit in ("", "1") else f"{self.title} ({self.unit})"


def fill_table(node, columns: Sequence[Column]) -> None:
    """Replace the content of a vtkMRMLTableNode."""
    table = vtk.vtkTable()
    for column in columns:
        table.AddColumn(_vtk_array(column))
    node.RemoveAllColumns()
    node.SetAndObserveTable(table)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetLocked(True)
    for column in columns:
        node.SetColumnTitle(column.name, column.heading)
        node.SetColumnUnitLabel(column.name, column.unit)
        node.SetColumnDescription(column.name, column.description)


def write_csv(path: Path, columns: Sequence[Column]) -> None:
    """The same columns as text for spreadsheets: UTF-8, headings with units, missing numbers empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([column.heading for column in columns])
        writer.writerows(zip(*([_text(value) for value in column.values] for column in columns), strict=True))


def _text(value) -> str:
    if not isinstance(value, (int, float, np.number)):
        return str(value)
    return "" if np.isnan(value) else f"{value:.8g}"


def _vtk_array(column: Column):
    values = np.asarray(column.values)
    if values.dtype.kind in "biuf":
        array = numpy_support.numpy_to_vtk(values.astype(np.float64), deep=True)
    else:
        array = vtk.vtkStringArray()
        for value in values:
            array.InsertNextValue(str(value))
    array.SetName(column.name)
    return array
