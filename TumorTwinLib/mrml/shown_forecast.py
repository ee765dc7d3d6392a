"""The forecast in the scene: found again after a scene was opened, while it grows, and when parts were deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer

from TumorTwinLib.mrml.run_nodes import RunNodes


@dataclass(frozen=True)
class ShownForecast:
    """Nodes of a forecast; any may be None."""

    browser: Any
    density: Any
    regions: Any
    table: Any
    parameter_table: Any
    comparison_table: Any
    volume_chart: Any

    @property
    def day_count(self) -> int:
        return self.browser.GetNumberOfItems() if self.browser else 0

    @property
    def selected(self) -> int:
        """Number of the day that is shown."""
        return self.browser.GetSelectedItemNumber() if self.browser else -1

    def day(self, number: int) -> float:
        """Days since the first visit."""
        return float(self.browser.GetMasterSequenceNode().GetNthIndexValue(number))

    def select(self, number: int) -> None:
        """Show another day."""
        self.browser.SetSelectedItemNumber(number)

    def phase(self, number: int) -> str:
        """``"fit"``, ``"prediction"``, or nothing before the tables are made."""
        return self._text("phase", number)

    def date(self, number: int) -> str:
        """Date and time of a day, or nothing before the tables are made."""
        return self._text("date", number)

    def _text(self, column: str, number: int) -> str:
        if self.table is None or self.table.GetNumberOfRows() != self.day_count:
            return ""
        return self.table.GetTable().GetColumnByName(column).GetValue(number)

    def legend(self):
        """The color legend's display node, or None."""
        return slicer.modules.colors.logic().GetColorLegendDisplayNode(self.density) if self.density else None


def find_forecast(patient_id: str, run: str = "TumorTwin") -> ShownForecast | None:
    """The forecast of that patient and run, or None when there is none."""
    nodes = RunNodes(patient_id, run)
    browser = nodes.find("browser")
    if browser is None:
        return None
    sequences = (nodes.find("density_sequence"), nodes.find("regions_sequence"))
    density, regions = (browser.GetProxyNode(sequence) if sequence else None for sequence in sequences)
    return ShownForecast(
        browser, density, regions,
        nodes.find("table"), nodes.find("parameters"), nodes.find("comparison"), nodes.find("volume_chart"),
    )  # fmt: skip
