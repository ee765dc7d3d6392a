"""The results in the panel: the day shown, how density and surfaces look, views, tables."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from TumorTwinLib.mrml.layout import arrange_views
from TumorTwinLib.mrml.rendering import center_of_mass
from TumorTwinLib.mrml.shown_forecast import ShownForecast
from TumorTwinPanel.node_tables import showTable


class ResultsView:
    """Shows one forecast of the scene, also while it grows.

    Args:
        ui: widgets of the panel.
        anatomyOf: called with a day, returns the volume to show behind the density, or None.
    """

    def __init__(self, ui, anatomyOf) -> None:
        self.ui = ui
        self.anatomyOf = anatomyOf
        self.forecast: ShownForecast | None = None
        self._showing = False
        self._followed = None
        self._followTag = 0
        ui.daySlider.valueChanged.connect(self.onDayChosen)
        ui.layoutButton.clicked.connect(self.onLayout)
        ui.plotButton.clicked.connect(self.onPlot)
        self._tabs = {ui.forecastTab: ui.forecastTable, ui.parameterTab: ui.parameterTable}
        ui.tableTabs.setTabVisible(ui.tableTabs.indexOf(ui.comparisonTab), False)

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
        ui.layoutButton.setEnabled(forecast is not None)
        ui.plotButton.setEnabled(bool(forecast and forecast.volume_chart))
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
        ui, forecast = self.ui, self.forecast
        showTable(ui.forecastTable, forecast.table if forecast else None)
        showTable(ui.parameterTable, forecast.parameter_table if forecast else None)
        comparison = forecast.comparison_table if forecast else None
        showTable(ui.comparisonTable, comparison)
        ui.tableTabs.setTabVisible(ui.tableTabs.indexOf(ui.comparisonTab), comparison is not None)

    def _showLooks(self, parameters) -> None:
        density = self.forecast.density
        if density:
            for layers in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
                if parameters.densityVisible:
                    layers.SetForegroundVolumeID(density.GetID())
                    layers.SetForegroundOpacity(parameters.densityOpacity)
                elif layers.GetForegroundVolumeID() == density.GetID():
                    layers.SetForegroundVolumeID(None)
        legend = self.forecast.legend()
        if legend:
            legend.SetVisibility(parameters.legendVisible and parameters.densityVisible)
        if self.forecast.regions and self.forecast.regions.GetDisplayNode():
            self.forecast.regions.GetDisplayNode().SetVisibility3D(parameters.show3D)

    # What the user does

    def onDayChosen(self, number: int, *_args) -> None:
        if self._showing or not self.forecast:
            return
        self.forecast.select(number)
        self.ui.dayLabel.setText(self._dayText())

    def onLayout(self, *_args) -> None:
        """The one place where views are rearranged, since the user asked for it."""
        day = self.forecast.day(max(self.forecast.selected, 0))
        with slicer.util.WaitCursor():
            arrange_views(
                anatomy=self.anatomyOf(day),
                density=self.forecast.density if self.ui.densityCheckBox.isChecked() else None,
                chart=self.forecast.volume_chart,
                center_mm=center_of_mass(self.forecast.density),
                density_opacity=self.ui.densityOpacitySlider.value,
            )
        if slicer.app.layoutManager():
            slicer.app.layoutManager().resetThreeDViews()

    def onPlot(self, *_args) -> None:
        manager = slicer.app.layoutManager()
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpPlotView)
        manager.plotWidget(0).mrmlPlotViewNode().SetPlotChartNodeID(self.forecast.volume_chart.GetID())
