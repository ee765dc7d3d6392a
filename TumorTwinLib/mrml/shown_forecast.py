"""The forecast in the scene: found again after a scene was opened, while it grows, and when parts were deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import slicer

from TumorTwinLib.mrml.comparison import RUN, regimen_maps
from TumorTwinLib.mrml.result_kinds import CHARTS, MAPS, TABLES, ResultKind
from TumorTwinLib.mrml.run_nodes import RunNodes


@dataclass(frozen=True)
class ShownForecast:
    """Nodes of a forecast.

    Args:
        browser: through its days.
        regions: their outlines, or None.
        maps, charts, tables: those that are in the scene, by role (``result_kinds``).
        map_kinds: what the maps are, those of compared regimens last.
        verdict: of the comparison and what the reader must know, a sentence each; none without a comparison.
    """

    browser: Any
    regions: Any
    maps: Mapping[str, Any]
    charts: Mapping[str, Any]
    tables: Mapping[str, Any]
    map_kinds: tuple[ResultKind, ...] = ()
    verdict: tuple[str, ...] = ()

    @property
    def density(self):
        """The volume of tumor cell density, or None."""
        return self.maps.get("density")

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
        table = self.tables.get("table")
        if table is None or table.GetNumberOfRows() != self.day_count:
            return ""
        return table.GetTable().GetColumnByName(column).GetValue(number)

    def legend(self, role: str):
        """The display node of a map's color legend, or None."""
        volume = self.maps.get(role)
        return slicer.modules.colors.logic().GetColorLegendDisplayNode(volume) if volume else None


def find_forecast(patient_id: str, run: str = "TumorTwin") -> ShownForecast | None:
    """The forecast of that patient and run, or None when there is none."""
    nodes, compared = RunNodes(patient_id, run), RunNodes(patient_id, RUN)
    browser = nodes.find("browser")
    if browser is None:
        return None

    def shown(sequence_role: str):
        sequence = nodes.find(sequence_role)
        return browser.GetProxyNode(sequence) if sequence else None

    def found(role: str):
        return nodes.find(role) or compared.find(role)

    regimens = regimen_maps(compared)
    verdict = compared.find("verdict")
    return ShownForecast(
        browser,
        shown("regions_sequence"),
        _present({kind.role: shown(f"{kind.role}_sequence") for kind in MAPS})
        | {kind.role: volume for kind, volume in regimens},
        _present({kind.role: found(kind.role) for kind in CHARTS}),
        _present({kind.role: found(kind.role) for kind in TABLES}),
        (*MAPS, *(kind for kind, _ in regimens)),
        tuple(verdict.GetText().splitlines()) if verdict else (),
    )


def _present(nodes: Mapping[str, Any]) -> dict[str, Any]:
    return {role: node for role, node in nodes.items() if node is not None}
