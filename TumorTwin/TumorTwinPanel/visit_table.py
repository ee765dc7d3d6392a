"""The table of visits, and the boxes that choose the images of the selected one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import qt
from slicer.i18n import tr as _

from TumorTwinLib.mrml.patient_selection import COLUMNS, PatientSelection, VisitSelection

ROW_HEIGHT = 22  # pixels, of the tables of this panel
_PRESENT = "✓"
_ABSENT = "–"


class VisitTable:
    """Shows a selection of scans and tells of every change the user makes to it.

    Args:
        ui: widgets of the panel.
        onEdited: called with the changed selection.
        onProblem: called with a sentence about an entry that was refused.
    """

    def __init__(self, ui, onEdited: Callable, onProblem: Callable) -> None:
        self.ui = ui
        self.table = ui.visitTable
        self.onEdited = onEdited
        self.onProblem = onProblem
        self.selection = PatientSelection()
        self._rows: list[list[tuple[str, str]]] = []  # text and tooltip of each cell, as shown
        self._showing = False
        self._imageBoxes = {
            "T1": ui.t1Combo,
            "T1CE": ui.t1ceCombo,
            "T2": ui.t2Combo,
            "FLAIR": ui.flairCombo,
            "ADC": ui.adcCombo,
            "segmentation": ui.segmentationCombo,
        }
        self._tissueBoxes = {
            "white_matter": ui.whiteMatterCombo,
            "grey_matter": ui.greyMatterCombo,
            "csf": ui.csfCombo,
        }
        headings = [_("Date and time"), *COLUMNS[:-1], _("Seg.")]
        self.table.setColumnCount(len(headings))
        self.table.setHorizontalHeaderLabels(headings)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        header.setHighlightSections(False)
        self.table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.table.cellChanged.connect(self.onCellChanged)
        self.table.itemSelectionChanged.connect(self.onRowSelected)
        ui.addVisitButton.clicked.connect(self.onAddVisit)
        ui.removeVisitButton.clicked.connect(self.onRemoveVisit)
        for box in self._imageBoxes.values():
            box.currentNodeChanged.connect(self.onImageChosen)
        for box in (ui.brainCombo, *self._tissueBoxes.values()):
            box.currentNodeChanged.connect(self.onMaskChosen)

    def show(self, selection: PatientSelection) -> None:
        """Fill the widgets; nobody is told."""
        self.selection = selection
        self._showing = True
        rows = [_cells(visit) for visit in selection.visits]
        if rows != self._rows:  # else a date that is being typed would be lost whenever a run adds a node
            self._showRows(rows)
        self.ui.brainCombo.setCurrentNode(selection.brain_mask)
        for name, box in self._tissueBoxes.items():
            box.setCurrentNode(selection.tissues.get(name))
        self._showImages()
        self._showing = False

    def _showRows(self, rows: list[list[tuple[str, str]]]) -> None:
        self._rows = rows
        selected = min(max(self.table.currentRow(), 0), len(rows) - 1)
        self.table.setRowCount(len(rows))
        for row, cells in enumerate(rows):
            for column, (text, tip) in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(tip)
                if column > 0:
                    item.setTextAlignment(qt.Qt.AlignCenter)
                    item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                self.table.setItem(row, column, item)
        if rows:
            self.table.selectRow(selected)

    def _showImages(self) -> None:
        visit = self._selectedVisit()
        for name, box in self._imageBoxes.items():
            box.setEnabled(visit is not None)
            box.setCurrentNode(visit.node(name) if visit else None)
        self.ui.removeVisitButton.setEnabled(visit is not None)

    def _selectedVisit(self) -> VisitSelection | None:
        row = self.table.currentRow()
        return self.selection.visits[row] if 0 <= row < len(self.selection.visits) else None

    def _replaceVisit(self, row: int, visit: VisitSelection) -> None:
        visits = list(self.selection.visits)
        visits[row] = visit
        self.onEdited(replace(self.selection, visits=tuple(visits)))

    # What the user does

    def onRowSelected(self, *_args) -> None:
        if not self._showing:
            self._showing = True
            self._showImages()
            self._showing = False

    def onCellChanged(self, row: int, column: int, *_args) -> None:
        if self._showing or column != 0:
            return
        text = self.table.item(row, 0).text().strip()
        try:
            time = datetime.fromisoformat(text).replace(tzinfo=None) if text else None
        except ValueError:
            self.onProblem(_("'{text}' is no date: write it as 2024-03-04 09:30.").format(text=text))
            self._showing = True
            self._showRows(self._rows)
            self._showing = False
            return
        self._replaceVisit(row, replace(self.selection.visits[row], time=time))

    def onImageChosen(self, *_args) -> None:
        visit = self._selectedVisit()
        if self._showing or visit is None:
            return
        chosen = {name: box.currentNode() for name, box in self._imageBoxes.items()}
        segmentation = chosen.pop("segmentation")
        images = {name: node for name, node in chosen.items() if node is not None}
        self._replaceVisit(self.table.currentRow(), replace(visit, images=images, segmentation=segmentation))

    def onMaskChosen(self, *_args) -> None:
        if self._showing:
            return
        chosen = {name: box.currentNode() for name, box in self._tissueBoxes.items()}
        tissues = {name: node for name, node in chosen.items() if node is not None}
        self.onEdited(replace(self.selection, brain_mask=self.ui.brainCombo.currentNode(), tissues=tissues))

    def onAddVisit(self, *_args) -> None:
        self.onEdited(replace(self.selection, visits=(*self.selection.visits, VisitSelection())))
        self.table.selectRow(len(self.selection.visits) - 1)

    def onRemoveVisit(self, *_args) -> None:
        row = self.table.currentRow()
        visits = [visit for number, visit in enumerate(self.selection.visits) if number != row]
        self.onEdited(replace(self.selection, visits=tuple(visits)))


def _cells(visit: VisitSelection) -> list[tuple[str, str]]:
    """Text and tooltip of each column."""
    time = f"{visit.time:%Y-%m-%d %H:%M}" if visit.time else ""
    cells = [(time, _("Local date and time of the scan, YYYY-MM-DD HH:MM. Double-click to edit."))]
    for name in COLUMNS:
        node = visit.node(name)
        absent = _("No {name} of this visit.").format(name=name)
        cells.append((_PRESENT, node.GetName()) if node else (_ABSENT, absent))
    return cells
