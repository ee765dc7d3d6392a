"""Below the regimens to compare: what each would give, week by week, before anything is simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import qt
from slicer.i18n import tr as _

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.regimen_choice import RECORDED, offered_regimens
from TumorTwinLib.treatment.calendar import WEEKDAYS, calendar
from TumorTwinLib.treatment.events import TreatmentEvent
from TumorTwinLib.treatment.regimens import REGIMENS
from TumorTwinPanel.visit_table import ROW_HEIGHT

_VISIBLE_ROWS = 6


class ComparisonView:
    """Shows the calendar of one of the chosen regimens.

    Args:
        ui: widgets of the panel; the rows of settings are in the section already.
        recorded: called for the treatments that the panel lists; may refuse with a TumorTwinError.
    """

    def __init__(self, ui, recorded: Callable[[], Sequence[TreatmentEvent]]) -> None:
        section = ui.comparisonSection
        self.recorded = recorded
        self._cancer, self._decision = "", None
        self.purpose = qt.QLabel(_("In-silico research, not a treatment instruction."), section)
        self.purpose.setWordWrap(True)
        self.box = qt.QComboBox(section)
        self.box.setObjectName("calendarCombo")
        self.box.setToolTip(_("The chosen regimen whose days are shown below."))
        self.box.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.box.currentIndexChanged.connect(self.onChosen)
        self.label = qt.QLabel(section)
        self.label.setWordWrap(True)
        self.table = qt.QTableWidget(section)
        self.table.setObjectName("calendarTable")
        self.table.setToolTip(_("What is given in each week; the whole text of a day is in its tooltip."))
        self.table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        self.table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.table.setMinimumHeight((_VISIBLE_ROWS + 2) * ROW_HEIGHT)
        self.table.setColumnCount(len(WEEKDAYS))
        self.table.setHorizontalHeaderLabels(list(WEEKDAYS))
        layout = section.layout()
        layout.addRow(_("Calendar of:"), self.box)
        for widget in (self.label, self.table, self.purpose):
            layout.addRow(widget)

    def show(self, chosen: Sequence[str], cancer: str, decision: datetime | None) -> None:
        """Bring the calendar in line.

        Args:
            chosen: names of the regimens.
            decision: the last visit used, after which they begin; None while no visit is dated.
        """
        titles = offered_regimens(cancer)
        self._cancer, self._decision = cancer, decision
        listed = [self.box.itemData(index) for index in range(self.box.count)]
        wanted = [name for name in chosen if name in titles]
        if listed != wanted:
            current = self.box.itemData(self.box.currentIndex) if self.box.count else None
            self.box.clear()
            for name in wanted:
                self.box.addItem(titles[name], name)
            if current in wanted:
                self.box.setCurrentIndex(wanted.index(current))
        for widget in (self.box, self.table):
            widget.setEnabled(bool(wanted))
        self.onChosen()

    def onChosen(self, *_args) -> None:
        name = self.box.itemData(self.box.currentIndex) if self.box.count else None
        try:
            events, text = self._course(name)
        except TumorTwinError as error:
            events, text = (), str(error)
        self.label.setText(text)
        weeks = calendar(events)
        self.table.setRowCount(len(weeks))
        self.table.setVerticalHeaderLabels([f"{week.monday:%Y-%m-%d}" for week in weeks])
        for row, week in enumerate(weeks):
            for column, given in enumerate(week.days):
                item = qt.QTableWidgetItem(given)
                item.setToolTip(f"{week.monday + timedelta(days=column):%Y-%m-%d}: {given or _('nothing')}")
                self.table.setItem(row, column, item)
        self.table.resizeColumnsToContents()

    def _course(self, name: str | None) -> tuple[Sequence[TreatmentEvent], str]:
        """Events, and what to say about them."""
        if name is None:
            return (), _("Choose one regimen or more, then press Apply: a run with uncertainty compares them.")
        if self._decision is None:
            return (), _("The calendar needs the date of the last visit.")
        if name == RECORDED:
            events = [event for event in self.recorded() if event.time >= self._decision]
            return events, _("What the treatments listed above hold after the last visit used.")
        regimen = REGIMENS[name]
        start = datetime.combine(self._decision.date() + timedelta(days=1), datetime.min.time()).replace(hour=9)
        return regimen.events(start), f"{regimen.description} {_('Source')}: {regimen.source.rstrip('.')}."
