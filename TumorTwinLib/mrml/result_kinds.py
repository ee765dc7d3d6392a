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
    ResultKind("intervals", "Intervals", "Predicted volumes (mL) with intervals, raw and, after a study, calibrated."),
    ResultKind("posterior", "Posterior", "Parameters with 95 % intervals, what the scans tell, and diagnostics."),
    ResultKind("comparison", "Comparison", "Regimens on the same draws of the posterior; research, not advice."),
    ResultKind("pairs", "Pairs of regimens", "Paired differences in time to progression, and which are told apart."),
]

# Plot chart nodes.
CHARTS = [
    ResultKind("volume_chart", "Tumor volume", "Tumor volume (mL) over time, forecast and measured."),
    ResultKind("cell_count_chart", "Tumor cells", "Number of tumor cells (10^9) over time."),
    ResultKind("prior_chart", "Before and after the scans", "Tumor volume (mL) as expected before the later scans."),
    ResultKind("comparison_chart", "Regimens", "Tumor volume (mL) under each regimen, median and 95 % band."),
    ResultKind("timeline_chart", "Treatment timeline", "What each regimen gives, and when."),
]

# Sequences of volumes on the days of the forecast, laid over the anatomy.
MAPS = [
    ResultKind("density", "Tumor cell density", "Tumor cells as a fraction of the carrying capacity, 0 to 1."),
    ResultKind("probability_whole_tumor", "Probability of whole tumor", "Share of futures with tumor there, 0 to 1."),
    ResultKind("probability_core", "Probability of tumor core", "Share of futures with tumor core there, 0 to 1."),
    ResultKind("density_50", "Density, median", "Median of the tumor cell density over futures, voxel by voxel."),
    ResultKind("density_05", "Density, 5 %", "Tumor cell density that 95 % of futures exceed, voxel by voxel."),
    ResultKind("density_95", "Density, 95 %", "Tumor cell density that 5 % of futures exceed, voxel by voxel."),
]
