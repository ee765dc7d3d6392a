"""The color table of tumor cell density: perceptually even, readable by the color-blind, clear where there is none."""

from __future__ import annotations

import numpy as np

# Points of matplotlib's "plasma" (Smith and van der Walt, CC0): lightness rises evenly from blue to yellow.
_PLASMA = np.array(
    [
        (13, 8, 135), (65, 4, 157), (106, 0, 168), (143, 13, 164), (177, 42, 144), (204, 71, 120),
        (225, 100, 98), (242, 132, 75), (252, 166, 54), (252, 206, 37), (240, 249, 33),
    ]
)  # fmt: skip
_SIZE = 256


def density_colors() -> np.ndarray:
    """(256, 4) red, green, blue, opacity from 0 to 1; no cells is transparent."""
    position = np.linspace(0, 1, _SIZE)
    channels = [np.interp(position, np.linspace(0, 1, len(_PLASMA)), channel / 255) for channel in _PLASMA.T]
    return np.stack([*channels, position > 0], axis=1)


def fill_color_table(node) -> None:
    """Make a vtkMRMLColorTableNode the density table."""
    modifying = node.StartModify()  # else views on a density are redrawn for every single color
    node.SetTypeToUser()
    node.SetNumberOfColors(_SIZE)
    for index, (red, green, blue, opacity) in enumerate(density_colors()):
        node.SetColor(index, f"{index / (_SIZE - 1):.3f}", red, green, blue, opacity)
    node.GetLookupTable().SetRange(0, _SIZE - 1)
    node.SetHideFromEditors(False)
    node.EndModify(modifying)
