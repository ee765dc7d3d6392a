"""The table of treatments: the rows of a treatment.csv, checked as the file is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import qt
import slicer
from slicer.i18n import tr as _

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.patient.treatment_csv import COLUMNS, csv_row
from TumorTwinLib.patient.treatment_entry import parse_time, treatment_event
from TumorTwinLib.treatment.events import TreatmentEvent
from TumorTwinPanel.visit_table import ROW_HEIGHT


def treatmentText(events: Sequence[TreatmentEvent]) -> str:
    """The rows of a treatment.csv without its heading, times as people write them."""
    rows = [csv_row(event, _("The table")) for event in events]
    return _text([(_readable(row[0]), *row[1:]) for row in rows])


def treatmentEvents(text: str) -> list[TreatmentEvent]:
    """The events of such rows.

    Raises:
        TumorTwinError: naming the row, what is wrong and what to do.
    """
    return [_event(row, number) for number, row in enumerate(_rows(text), start=1)]


def treatmentProblems(text: str) -> list[str]:
    """A sentence for each row that is no treatment."""
    problems = (_problem(row, number) for number, row in enumerate(_rows(text), start=1))
    return [problem for problem in problems if problem]


def _problem(row: Sequence[str], number: int) -> str:
    try:
        _event(row, number)
    except TumorTwinError as error:
        return str(error)
    return ""


def _event(row: Sequence[str], number: int) -> TreatmentEvent:
    time, kind, name, amount, unit = row
    where = _("Treatment {number} ({time})").format(number=number, time=time)
    return treatment_event(time=time, kind=kind, name=name, amount=amount, unit=unit, where=where)


def _rows(text: str) -> list[list[str]]:
    return [(row + [""] * len(COLUMNS))[: len(COLUMNS)] for row in csv.reader(io.StringIO(text)) if row]


def _text(rows: Sequence[Sequence[str]]) -> str:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows)
    return lines.getvalue()


def _readable(iso: str) -> str:
    """``2024-03-05T14:00:00`` as ``2024-03-05 14:00``."""
    return iso.replace("T", " ").removesuffix(":00")


class TreatmentTable:
    """Shows the rows and tells of every change the user makes to them.

    Args:
        ui: widgets of the panel.
        onEdited: called with the text of the changed rows.
        defaultTime: called for the date of a first row; None where no visit is dated yet.
    """

    def __init__(self, ui, onEdited: Callable, defaultTime: Callable) -> None:
        self.ui = ui
        self.table = ui.treatmentTable
        self.onEdited = onEdited
        self.defaultTime = defaultTime
        self._showing = False
        self._text = ""
        headings = [_("Date and time"), _("Kind"), _("Name"), _("Dose"), _("Unit")]
        self.table.setColumnCount(len(headings))
        self.table.setHorizontalHeaderLabels(headings)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(2, qt.QHeaderView.Stretch)
        header.setHighlightSections(False)
        self.table.verticalHeader().setVisible(False)  # its room is needed for the names of drugs
        self.table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.table.cellChanged.connect(self.onCellChanged)
        ui.addTreatmentButton.clicked.connect(self.onAdd)
        ui.removeTreatmentButton.clicked.connect(self.onRemove)

    def show(self, text: str) -> None:
        """Fill the table; nobody is told."""
        rows = _rows(text)
        if text != self._text or self.table.rowCount != len(rows):
            self._text = text
            self._showing = True
            self.table.setRowCount(len(rows))
            for number, row in enumerate(rows):
                self._showRow(number, row)
            self._showing = False
        count = len(rows)
        title = _("Treatments ({count})").format(count=count) if count else _("Treatments (none)")
        self.ui.treatmentSection.setText(title)

    def _showRow(self, number: int, row: Sequence[str]) -> None:
        problem = _problem(row, number + 1)
        for column, cell in enumerate(row):
            item = qt.QTableWidgetItem(cell)
            item.setToolTip(problem or _("Double-click to edit."))
            if problem and column == 0:
                item.setIcon(slicer.app.style().standardIcon(qt.QStyle.SP_MessageBoxWarning))
            self.table.setItem(number, column, item)

    # What the user does

    def onCellChanged(self, row: int, column: int, *_args) -> None:
        if self._showing:
            return
        rows = _rows(self._text)
        rows[row][column] = self.table.item(row, column).text().strip()
        self.onEdited(_text(rows))

    def onAdd(self, *_args) -> None:
        self.addRows([[self._nextTime(), "radiotherapy", "", "2", "Gy"]])
        self.table.selectRow(self.table.rowCount - 1)

    def onRemove(self, *_args) -> None:
        row = self.table.currentRow()
        self.onEdited(_text([cells for number, cells in enumerate(_rows(self._text)) if number != row]))

    def addRows(self, rows: Sequence[Sequence[str]]) -> None:
        self.onEdited(self._text + _text(rows))

    def _nextTime(self) -> str:
        """A day after the last treatment."""
        times = []
        for row in _rows(self._text):
            try:
                times.append(parse_time(row[0], ""))
            except TumorTwinError:
                continue
        last: datetime | None = max(times) if times else self.defaultTime()
        return f"{last + timedelta(days=1):%Y-%m-%d %H:%M}" if last else ""
