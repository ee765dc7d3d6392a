"""Posterior draws as one picture: every parameter alone, and every pair."""

from __future__ import annotations

import numpy as np
import slicer

from TumorTwinLib.mrml.canvas import QUIET_TEXT, TEXT, Canvas
from TumorTwinLib.mrml.volumes import matrix_from_affine
from TumorTwinLib.report.numbers import significant
from TumorTwinLib.uncertainty import ParameterRow, PosteriorSummary

_CELL, _GAP = 190, 14
_LEFT, _TOP, _BOTTOM = 124, 84, 74
_BINS = 20
_CELL_COLOR = (32, 35, 41)
_DRAW, _BAR, _WEAK, _PRIOR = (86, 180, 233), (70, 140, 185), (120, 124, 130), (230, 159, 0)


def corner_picture(posterior: PosteriorSummary, title: str) -> Canvas:
    """Histograms on the diagonal, draws of pairs below it; logarithmic axes over the draws' own range.

    Under each histogram lies a line from 2.5 to 97.5 % of its prior, cut off at the axis; a parameter that the data
    did not inform is gray.
    """
    rows = posterior.rows
    side = len(rows) * (_CELL + _GAP)
    canvas = Canvas(_LEFT + max(side, 560) + _GAP, _TOP + side + _BOTTOM)
    canvas.text(f"{title}: posterior draws", 16, 14, size=22, bold=True)
    canvas.text("orange: 95 % of the prior; gray: dominated by the prior", 16, 46, size=15, color=QUIET_TEXT)
    axes = [_Axis(row, posterior.draws[row.name]) for row in rows]
    for down, vertical in enumerate(axes):
        top = _TOP + down * (_CELL + _GAP)
        for along, horizontal in enumerate(axes[: down + 1]):
            left = _LEFT + along * (_CELL + _GAP)
            canvas.fill(left, top, _CELL, _CELL, _CELL_COLOR)
            if along == down:
                _histogram(canvas, horizontal, left, top)
            else:
                _pairs(canvas, horizontal, vertical, left, top)
        canvas.text(vertical.row.symbol, 16, top + _CELL // 2 - 10, size=17, bold=True)
    for along, axis in enumerate(axes):
        left, bottom = _LEFT + along * (_CELL + _GAP), _TOP + side - _GAP
        for value, anchor, x in ((axis.least, "left", left), (axis.greatest, "right", left + _CELL)):
            canvas.text(significant(value, 2), x, bottom + 8, size=14, color=QUIET_TEXT, anchor=anchor)
        canvas.text(f"{axis.row.symbol}, {axis.row.unit}", left + _CELL // 2, bottom + 32, size=15, anchor="center")
    return canvas


def fill_picture(node, pixels: np.ndarray) -> None:
    """An (h, w, 3) picture in a color volume node, upright in axial slices, one pixel a millimeter."""
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(pixels[None]))
    node.SetIJKToRASMatrix(matrix_from_affine(np.diag([-1.0, -1.0, 1.0, 1.0])))
    node.CreateDefaultDisplayNodes()


class _Axis:
    """Where values lie between the least and the greatest draw, 0 to 1; logarithmic where all are positive."""

    def __init__(self, row: ParameterRow, draws: np.ndarray) -> None:
        self.row = row
        self.least, self.greatest = float(draws.min()), float(draws.max())
        self._scale = np.log if (draws > 0).all() else np.asarray
        scaled = self._scale(draws)
        self._low, self._span = float(scaled.min()), float(np.ptp(scaled)) or 1.0
        self.draws = self.place(draws)

    def place(self, values) -> np.ndarray:
        positive = np.maximum(values, 1e-300) if self._scale is np.log else values
        return (self._scale(positive) - self._low) / self._span


def _histogram(canvas: Canvas, axis: _Axis, left: int, top: int) -> None:
    counts, edges = np.histogram(axis.draws, _BINS, (0.0, 1.0))
    room = _CELL - 30
    color = _BAR if axis.row.informed else _WEAK
    for count, start, end in zip(counts, edges, edges[1:], strict=False):
        height, x = round(room * count / counts.max()), left + round(start * _CELL)
        canvas.fill(x, top + _CELL - 8 - height, left + round(end * _CELL) - x - 1, height, color)
    low, high = np.clip(axis.place(np.array([axis.row.prior_lower, axis.row.prior_upper])), 0, 1)
    start, end = left + round(low * _CELL), left + round(high * _CELL)
    canvas.fill(start, top + _CELL - 5, max(end - start, 1), 3, _PRIOR)
    canvas.text(axis.row.mark, left + 8, top + 6, size=13, color=TEXT if axis.row.informed else QUIET_TEXT)


def _pairs(canvas: Canvas, horizontal: _Axis, vertical: _Axis, left: int, top: int) -> None:
    room = _CELL - 8
    for x, y in zip(horizontal.draws, vertical.draws, strict=True):
        canvas.disk(left + 4 + round(x * room), top + 4 + round((1 - y) * room), 2, _DRAW)
