"""One picture of the tumor over time: the same axial slice on the days of a forecast."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from TumorTwinLib.forecast import Forecast
from TumorTwinLib.mrml.canvas import QUIET_TEXT, Canvas
from TumorTwinLib.mrml.forecast import ForecastNodes
from TumorTwinLib.mrml.graphics import require_graphics
from TumorTwinLib.mrml.rendering import DENSITY_OPACITY, center_of_mass, occupied_box
from TumorTwinLib.mrml.views import SliceView, only_visible
from TumorTwinLib.mrml.visits import PatientNodes
from TumorTwinLib.mrml.volumes import image_from_node
from TumorTwinLib.terminology import term_for

_COLUMNS = 5
_MOST_PANELS = 10
_PANEL = (300, 340)
_CAPTION = 72
_GAP = 8
_HEADER = 64


def render_timeline(path: str | Path, *, forecast: Forecast, nodes: ForecastNodes, visits: PatientNodes) -> Path:
    """Axial slices through the tumor, at most ten days from first to last, each over the anatomy known by then.

    Args:
        path: of the PNG.
        forecast, nodes: as given to and returned by ``show_forecast``. The browser's selection is put back.
        visits: the anatomy.

    Raises:
        TumorTwinError: pictures cannot be made on this machine.
    """
    require_graphics()
    count = min(len(forecast.days), _MOST_PANELS)
    shown = np.unique(np.linspace(0, len(forecast.days) - 1, count).round().astype(int))
    columns = min(len(shown), _COLUMNS)
    rows = -(-len(shown) // columns)
    width, height = _PANEL
    canvas = Canvas(columns * (width + _GAP) - _GAP, _HEADER + rows * (height + _CAPTION))
    canvas.text(f"{forecast.patient_id}: tumor cell density over time", 16, 16, size=22, bold=True)
    selected = nodes.browser.GetSelectedItemNumber()
    center_mm = center_of_mass(nodes.density)
    middle_mm, extent_mm = occupied_box(image_from_node(visits.anatomy(forecast.days[0])))
    view_center = (middle_mm[0], middle_mm[1], center_mm[2])
    width_mm = 1.06 * max(extent_mm[0], extent_mm[1] * width / height)
    with SliceView("Axial", _PANEL) as view, only_visible([nodes.regions]):
        for place, number in enumerate(shown):
            nodes.browser.SetSelectedItemNumber(int(number))
            anatomy = visits.anatomy(forecast.days[number])
            view.show(anatomy, nodes.density, opacity=DENSITY_OPACITY, center_mm=view_center, width_mm=width_mm)
            left = (place % columns) * (width + _GAP)
            top = _HEADER + (place // columns) * (height + _CAPTION)
            canvas.paste(view.render(), left, top)
            _caption(canvas, forecast, int(number), left, top + height + 6)
    nodes.browser.SetSelectedItemNumber(selected)
    return canvas.write(path)


def _caption(canvas: Canvas, forecast: Forecast, number: int, left: int, top: int) -> None:
    day = forecast.days[number]
    phase = "fit" if day <= forecast.forecast_from_day else "prediction"
    canvas.text(f"Day {day:.0f}", left + 8, top, size=17, bold=True)
    canvas.text(phase, left + _PANEL[0] - 8, top, size=15, color=QUIET_TEXT, anchor="right")
    x = left + 8
    for region in forecast.thresholds:
        text = f"{term_for(region).name} {forecast.volume_mm3[region][number] / 1000:.0f} mL"
        canvas.text(text, x, top + 26, size=14, color=term_for(region).color)
        x += Canvas.text_width(text, 14) + 14
