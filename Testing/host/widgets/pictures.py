"""Pixels and charts in a label."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from Testing.host.pythonqt.source import QtGui, QtWidgets
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.mrml.charts import render_chart

_SMALLEST = 16  # pixels


class Picture(QtWidgets.QLabel):
    """A label whose picture follows its size instead of the other way round."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Ignored)
        self.setStyleSheet("background: black;")

    def size_in_pixels(self) -> tuple[int, int]:
        return max(self.width, _SMALLEST), max(self.height, _SMALLEST)

    def show_pixels(self, pixels: np.ndarray) -> None:
        """(height, width, 3) uint8, first row on top."""
        height, width, _ = pixels.shape
        data = np.ascontiguousarray(pixels)
        image = QtGui.QImage(data.data, width, height, 3 * width, QtGui.QImage.Format_RGB888)
        self.setPixmap(QtGui.QPixmap.fromImage(image.copy()))  # the copy outlives the array


class ChartPicture(Picture):
    def show_chart(self, chart) -> None:
        """Draw a vtkMRMLPlotChartNode; nothing for None, and for a chart without series, as in Slicer."""
        self.clear()
        if chart is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = render_chart(chart, Path(folder) / "chart.png", size=self.size_in_pixels())
            except TumorTwinError:
                return
            self.setPixmap(QtGui.QPixmap(str(path)))
