"""The expert's section: priors of the model, the device of this computer, packages."""

from __future__ import annotations

import math

import qt
import slicer
from slicer.i18n import tr as _

from TumorTwinLib.models.registry import find_cancer
from TumorTwinPanel.packages import packagesText

_DEVICE_KEY = "TumorTwin/Device"
_DEVICES = ("cpu", "cuda")
_Z95 = 1.96


class AdvancedView:
    """Shows the priors of the chosen cancer and keeps the device in the application settings.

    Args:
        ui: widgets of the panel.
    """

    def __init__(self, ui) -> None:
        self.ui = ui
        self._cancer = ""
        ui.deviceCombo.addItems(list(_DEVICES))
        ui.deviceCombo.setCurrentIndex(_DEVICES.index(device()))
        ui.deviceCombo.currentIndexChanged.connect(self.onDeviceChosen)
        headings = [_("Parameter"), _("Median"), _("95 %"), _("Unit")]
        ui.priorTable.setColumnCount(len(headings))
        ui.priorTable.setHorizontalHeaderLabels(headings)
        ui.priorTable.verticalHeader().setVisible(False)
        header = ui.priorTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)

    def show(self, cancer: str) -> None:
        """Bring priors and package versions in line."""
        self.ui.packagesLabelText.setText(packagesText())
        if cancer == self._cancer:
            return
        self._cancer = cancer
        parameters = find_cancer(cancer).model_class().parameters
        self.ui.priorTable.setRowCount(len(parameters))
        for row, parameter in enumerate(parameters):
            low, high = (parameter.median * math.exp(sign * _Z95 * parameter.log_sd) for sign in (-1, 1))
            cells = (parameter.description, f"{parameter.median:g}", f"{low:.2g} - {high:.2g}", parameter.unit)
            for column, text in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(f"{parameter.name} ({parameter.symbol}): {parameter.description}. {parameter.source}.")
                self.ui.priorTable.setItem(row, column, item)

    def onDeviceChosen(self, index: int, *_args) -> None:
        qt.QSettings().setValue(_DEVICE_KEY, _DEVICES[index])


def device() -> str:
    """The processor to solve on, as chosen on this computer."""
    chosen = slicer.util.settingsValue(_DEVICE_KEY, _DEVICES[0])
    return chosen if chosen in _DEVICES else _DEVICES[0]
