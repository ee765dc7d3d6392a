"""Stand-ins of the remaining qMRML widgets: tables, charts and numbers with units."""

from __future__ import annotations

import slicer

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtWidgets
from Testing.host.widgets.ctk_sliders import ctkDoubleSpinBox, ctkSliderWidget
from Testing.host.widgets.node_table import fill_table
from Testing.host.widgets.pictures import ChartPicture
from Testing.host.widgets.scene import NodeWatcher, SceneWidget

Property = QtCore.Property


@designer_widget
class qMRMLTableView(SceneWidget, QtWidgets.QTableWidget):
    """A vtkMRMLTableNode; cells that are edited are written back."""

    def __init__(self, parent=None) -> None:
        QtWidgets.QTableWidget.__init__(self, parent)
        self._table = NodeWatcher(self._fill)
        self.itemChanged.connect(self._on_edited)

    def mrmlTableNode(self):
        return self._table.node

    def setMRMLTableNode(self, node) -> None:
        self._table.watch(node)
        self._fill()

    def _fill(self) -> None:
        self.blockSignals(True)
        fill_table(self, self._table.node)
        self.blockSignals(False)

    def _on_edited(self, item) -> None:
        self._table.node.SetCellText(item.row(), item.column(), item.text())


@designer_widget
class qMRMLPlotView(SceneWidget, ChartPicture):
    """The chart that a vtkMRMLPlotViewNode names; drawn when the window is photographed."""

    def __init__(self, parent=None) -> None:
        ChartPicture.__init__(self, parent)
        self._view_node = None

    def mrmlPlotViewNode(self):
        return self._view_node

    def setMRMLPlotViewNode(self, node) -> None:
        self._view_node = node

    def refresh_picture(self) -> None:
        self.show_chart(self._view_node.GetPlotChartNode() if self._view_node is not None else None)


class _WithQuantity(SceneWidget):
    """A number whose unit is the scene's unit of a quantity."""

    _quantity = ""

    def setQuantity(self, quantity: str) -> None:
        self._quantity = quantity
        self.refresh()

    def refresh(self) -> None:
        node = slicer.app.applicationLogic().GetMRMLScene().GetNodeByID("vtkMRMLSelectionNodeSingleton")
        unit = node.GetUnitNode(self._quantity) if node is not None and self._quantity else None
        if unit is not None:
            self.setSuffix(unit.GetSuffix() or "")


@designer_widget
class qMRMLSliderWidget(_WithQuantity, ctkSliderWidget):
    quantity = Property(str, lambda self: self._quantity, _WithQuantity.setQuantity)


@designer_widget
class qMRMLSpinBox(_WithQuantity, ctkDoubleSpinBox):
    quantity = Property(str, lambda self: self._quantity, _WithQuantity.setQuantity)
