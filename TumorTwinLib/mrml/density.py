"""Tumor cell density as a volume: how it is stored and how it looks."""

from __future__ import annotations

import numpy as np
import slicer

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.mrml.volumes import coded_entry, fill_volume

_VISIBLE = 0.02  # below this fraction of capacity a voxel is not drawn
_STEP = 2.0**-13  # densities are stored in steps of 0.00012, which makes scene files ten times smaller


def fill_density(node, field: np.ndarray, grid: Grid) -> None:
    """Put a field, (ni, nj, nk) fraction of capacity, into a volume node, which need not be in a scene."""
    steps = np.round(np.asarray(field, dtype=np.float32) / np.float32(_STEP))
    fill_volume(node, Image(steps * np.float32(_STEP), grid, "density"))


def style_density(
    volume, color_table, quantity: str = "Tumor cell density", scale: str = "fraction of capacity"
) -> None:
    """Quantity, unit, colors and legend of a volume in the scene; the frames of a sequence do not hand these on.

    Args:
        quantity: what the volume shows, from 0 to 1. scale: what 1 is.
    """
    code = "cell-density" if quantity.startswith("Tumor cell density") else "tumor-probability"
    volume.SetVoxelValueQuantity(coded_entry(code, "99TUMORTWIN", quantity))
    volume.SetVoxelValueUnits(coded_entry("1", "UCUM", "no units"))
    display = volume.GetDisplayNode()
    display.SetAndObserveColorNodeID(color_table.GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.SetThreshold(_VISIBLE, 10.0)
    display.ApplyThresholdOn()
    display.InterpolateOn()
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(volume)
    legend.SetTitleText(f"{quantity}\n({scale})")
    legend.SetLabelFormat("%.2f")
    legend.SetNumberOfLabels(5)
    legend.SetPosition(0.95, 0.5)
    legend.SetSize(0.12, 0.5)
