"""What a run can leave in the scene for the panel to show.

A new capability adds its line here and makes the node with ``RunNodes.get(class, role, name)``; the panel then has a
tab, a chart or a map of it whenever the node is in the scene. docs/panel.md has an example.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ResultKind:
    """One thing to look at.

    Args:
        role: of its node in ``RunNodes``; of a map, the role of its sequence without the ending ``_sequence``.
        title: what the panel calls it.
        description: one sentence for the tooltip.
    """

    role: str
    title: str
    description: str


# Table nodes, each a tab.
TABLES = [
    ResultKind("table", "Forecast", "Predicted volumes (mL) and cell count (10^9 cells) on the days shown."),
    ResultKind("parameters", "Parameters", "Calibrated parameters, their standard errors, and what the scans tell."),
    ResultKind("comparison", "Comparison", "Regimens compared on the same patient."),
]

# Plot chart nodes.
CHARTS = [
    ResultKind("volume_chart", "Tumor volume", "Tumor volume (mL) over time, forecast and measured."),
    ResultKind("cell_count_chart", "Tumor cells", "Number of tumor cells (10^9) over time."),
]

# Sequences of volumes on the days of the forecast, laid over the anatomy.
MAPS = [
    ResultKind("density", "Tumor cell density", "Tumor cells as a fraction of the carrying capacity, 0 to 1."),
]
