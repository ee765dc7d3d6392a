"""A table node in a Qt table."""

from __future__ import annotations

from Testing.host.pythonqt.source import QtWidgets


def fill_table(widget: QtWidgets.QTableWidget, node) -> None:
    """Show the table node's columns; an empty table for None."""
    columns = node.GetNumberOfColumns() if node is not None else 0
    rows = node.GetNumberOfRows() if node is not None else 0
    widget.setRowCount(rows)
    widget.setColumnCount(columns)
    widget.setHorizontalHeaderLabels([_title(node, column) for column in range(columns)])
    for row in range(rows):
        for column in range(columns):
            widget.setItem(row, column, QtWidgets.QTableWidgetItem(node.GetCellText(row, column)))
    widget.resizeColumnsToContents()


def _title(node, column: int) -> str:
    name = node.GetColumnName(column)
    title = node.GetColumnTitle(name) if node.GetUseColumnTitleAsColumnHeader() else name
    return title or name or ""
