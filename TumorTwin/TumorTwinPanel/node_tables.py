"""Table nodes of the scene in tables of the panel."""

from __future__ import annotations

import math

import qt


def showTable(widget, node) -> None:
    """Fill a QTableWidget from a vtkMRMLTableNode; empty for None. Numbers have four digits, the node has them all."""
    columns = node.GetNumberOfColumns() if node else 0
    rows = node.GetNumberOfRows() if node else 0
    widget.setRowCount(rows)
    widget.setColumnCount(columns)
    names = [node.GetColumnName(column) for column in range(columns)]
    widget.setHorizontalHeaderLabels([node.GetColumnTitle(name) or name for name in names])
    for column, name in enumerate(names):
        widget.horizontalHeaderItem(column).setToolTip(node.GetColumnDescription(name) or name)
        for row in range(rows):
            item = qt.QTableWidgetItem(_cell(node, row, column))
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            item.setToolTip(node.GetCellText(row, column))
            widget.setItem(row, column, item)
    widget.resizeColumnsToContents()


def _cell(node, row: int, column: int) -> str:
    values = node.GetTable().GetColumn(column)
    if not values.IsA("vtkDataArray"):
        return node.GetCellText(row, column)
    value = values.GetValue(row)
    return "" if math.isnan(value) else f"{value:.4g}"  # NaN: nothing was measured
