"""The results in the panel: the day shown, how density and surfaces look, views, tables."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from TumorTwinLib.mrml.layout import arrange_views
from TumorTwinLib.mrml.rendering import center_of_mass
from TumorTwinLib.mrml.result_kinds import CHARTS, TABLES
from TumorTwinLib.mrml.shown_forecast import ShownForecast
from TumorTwinPanel.node_tables import showTable
from TumorTwinPanel.visit_table import ROW_HEIGHT


class ResultsView:
    """Shows one forecast of the scene, also while it grows: its days, and a map, chart or table of each kind there is.

    Args:
        ui: widgets of the panel.
        anatomyOf: called with a day, returns the volume to show behind the map, or None.
        onMap: called with the role of the map that was chosen.
    """

    def __init__(self, ui, anatomyOf, onMap) -> None:
        self.ui = ui
        self.anatomyOf = anatomyOf
        self.onMap = onMap
        self.forecast: ShownForecast | None = None
        self._showing = False
        self._followed = None
        self._followTag = 0
        self._verdictTip = ui.verdictLabel.toolTip
        ui.daySlider.valueChanged.connect(self.onDayChosen)
        ui.layoutButton.clicked.connect(self.onLayout)
        ui.plotButton.clicked.connect(self.onPlot)
        ui.mapCombo.activated.connect(self.onMapChosen)
        self._tables = {kind.role: self._addTab(kind) for kind in TABLES}

    def _addTab(self, kind):
        table = qt.QTableWidget(self.ui.tableTabs)
        table.setObjectName(f"{kind.role}Table")
        table.setToolTip(kind.description)
        table.setAlternatingRowColors(True)
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        self.ui.tableTabs.addTab(table, kind.title)
        return table

    def table(self, role: str):
        """The widget that shows the table of that role."""
        return self._tables[role]

    def show(self, forecast: ShownForecast | None, parameters) -> None:
        """Bring widgets and views in line with the scene.

        Args:
            parameters: of the panel, for how the results look.
        """
        self.forecast = forecast if forecast and forecast.day_count else None
        self._follow(self.forecast.browser if self.forecast else None)
        self._showing = True
        self._showDays()
        self._showTables()
        _fill(self.ui.chartCombo, CHARTS, self.forecast.charts if self.forecast else {})
        kinds = self.forecast.map_kinds if self.forecast else ()
        _fill(self.ui.mapCombo, kinds, self.forecast.maps if self.forecast else {}, parameters.shownMap)
        self._showVerdict()
        self.ui.plotButton.setEnabled(self.ui.chartCombo.isEnabled())
        self._showing = False
        if self.forecast:
            self._showLooks(parameters)

    def release(self) -> None:
        """Stop observing the scene."""
        self._follow(None)

    def _follow(self, browser) -> None:
        """Show the day that the browser shows, whoever chose it."""
        if browser is self._followed:
            return
        if self._followed is not None:
            self._followed.RemoveObserver(self._followTag)
        self._followed = browser
        if browser is not None:
            self._followTag = browser.AddObserver("ModifiedEvent", self.onBrowserModified)

    def onBrowserModified(self, *_args) -> None:
        if not self.forecast.day_count:  # its frames are just being replaced
            return
        self._showing = True
        self._showDays()
        self._showing = False

    def _showDays(self) -> None:
        ui, forecast = self.ui, self.forecast
        for widget in (ui.daySlider, ui.densityCheckBox, ui.densityOpacitySlider, ui.legendCheckBox, ui.show3DCheckBox):
            widget.setEnabled(forecast is not None)
        ui.layoutButton.setEnabled(bool(forecast and forecast.density))
        ui.resultsLabel.setText(forecast.browser.GetName() if forecast else _("There is no forecast yet."))
        ui.daySlider.setMaximum(forecast.day_count - 1 if forecast else 0)
        ui.daySlider.setValue(max(forecast.selected, 0) if forecast else 0)
        ui.dayLabel.setText(self._dayText())

    def _dayText(self) -> str:
        if not self.forecast:
            return ""
        number = max(self.forecast.selected, 0)
        parts = [_("Day {day:g}").format(day=round(self.forecast.day(number), 1))]
        date, phase = self.forecast.date(number), self.forecast.phase(number)
        if date:
            parts.append(date[:10])
        if phase:
            parts.append(_("fit") if phase == "fit" else _("prediction"))
        return ", ".join(parts)

    def _showTables(self) -> None:
        nodes = self.forecast.tables if self.forecast else {}
        tabs = self.ui.tableTabs
        for kind in TABLES:
            table = self._tables[kind.role]
            showTable(table, nodes.get(kind.role))
            tabs.setTabVisible(tabs.indexOf(table), kind.role in nodes or kind is TABLES[0])

    def _showVerdict(self) -> None:
        verdict, *notes = self.forecast.verdict if self.forecast and self.forecast.verdict else ("",)
        self.ui.verdictLabel.setText(verdict)
        self.ui.verdictLabel.setToolTip("\n".join(notes) or self._verdictTip)
        self.ui.verdictLabel.setVisible(bool(verdict))

    def _showLooks(self, parameters) -> None:
        maps = self.forecast.maps
        shown = parameters.shownMap if parameters.shownMap in maps else "density"
        for layers in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if parameters.densityVisible and shown in maps:
                layers.SetForegroundVolumeID(maps[shown].GetID())
                layers.SetForegroundOpacity(parameters.densityOpacity)
            elif layers.GetForegroundVolumeID() in {volume.GetID() for volume in maps.values()}:
                layers.SetForegroundVolumeID(None)
        for role in maps:
            legend = self.forecast.legend(role)
            if legend:
                legend.SetVisibility(parameters.legendVisible and parameters.densityVisible and role == shown)
        if self.forecast.regions and self.forecast.regions.GetDisplayNode():
            self.forecast.regions.GetDisplayNode().SetVisibility3D(parameters.show3D)

    # What the user does

    def onDayChosen(self, number: int, *_args) -> None:
        if self._showing or not self.forecast:
            return
        self.forecast.select(number)
        self.ui.dayLabel.setText(self._dayText())

    def onMapChosen(self, index: int, *_args) -> None:
        self.onMap(self.ui.mapCombo.itemData(index))

    def onLayout(self, *_args) -> None:
        """The one place where views are rearranged, since the user asked for it."""
        day = self.forecast.day(max(self.forecast.selected, 0))
        with slicer.util.WaitCursor():
            arrange_views(
                anatomy=self.anatomyOf(day),
                density=self._map() if self.ui.densityCheckBox.isChecked() else None,
                chart=self._chart(),
                center_mm=center_of_mass(self.forecast.density),
                density_opacity=self.ui.densityOpacitySlider.value,
            )
        if slicer.app.layoutManager():
            slicer.app.layoutManager().resetThreeDViews()

    def onPlot(self, *_args) -> None:
        manager = slicer.app.layoutManager()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpPlotView)
        manager.plotWidget(0).mrmlPlotViewNode().SetPlotChartNodeID(self._chart().GetID())

    def _chart(self):
        return self.forecast.charts.get(_chosen(self.ui.chartCombo))

    def _map(self):
        return self.forecast.maps.get(_chosen(self.ui.mapCombo))


def _chosen(box) -> str:
    return box.itemData(box.currentIndex)


def _fill(box, kinds, nodes, chosen: str | None = None) -> None:
    """List the kinds that are there, keeping what was chosen. Nobody is told."""
    chosen = chosen or _chosen(box)
    box.clear()
    for kind in kinds:
        if kind.role in nodes:
            box.addItem(kind.title, kind.role)
            box.setItemData(box.count - 1, kind.description, qt.Qt.ToolTipRole)
    box.setCurrentIndex(max(box.findData(chosen), 0) if box.count else -1)
    box.setEnabled(box.count > 0)
