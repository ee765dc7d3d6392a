"""Curves of compared regimens as SVG: sharp on paper, and part of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from TumorTwinLib.recommend.comparison import Comparison
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.report.tables import words
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent, days_between

# Told apart by the color-blind (Okabe & Ito); gray is the untreated control.
COLORS = ("#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#e69f00", "#0072b2", "#a89f00")
UNTREATED_COLOR = "#888888"
_WIDTH, _LEFT, _RIGHT, _BOTTOM = 900, 60, 12, 44
_HEIGHT, _ROW, _LEGEND = 360, 26, 20


def band_chart(comparison: Comparison) -> str:
    """Volume over time with a 95 % band a regimen."""
    outcomes = [*comparison.outcomes, comparison.untreated]
    days = comparison.untreated.days
    bands = [outcome.volume[comparison.region] for outcome in outcomes]
    # The untreated tumor would flatten all others; where it leaves the chart, the reader sees so.
    treated = max(float(band.upper.max()) for band in bands[:-1])
    top = min(max(float(band.upper.max()) for band in bands), 1.5 * max(treated, float(bands[-1].median[0]))) / 1000
    legend_height = _LEGEND * len(outcomes)
    axes = _Axes(float(days[-1]), top or 1.0, _HEIGHT, legend_height + 8)
    parts = [axes.drawn("Days since the decision", f"{words(comparison.region)} volume, mL")]
    lines, names = [], []
    for number, (outcome, band) in enumerate(zip(outcomes, bands, strict=True)):
        color = _color(number, len(outcomes))
        there, back = axes.points(days, band.upper / 1000), axes.points(days[::-1], band.lower[::-1] / 1000)
        lines.append(f'<polygon points="{there} {back}" fill="{color}" fill-opacity="0.15"/>')
        line = axes.points(days, band.median / 1000)
        lines.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        names.append(_legend_line(number, color, outcome.title))
    return _svg(
        [*parts, *axes.window(lines), *names],
        _HEIGHT + legend_height + 8,
        "Volume under each regimen, median and 95 % band",
    )


def timeline_chart(record: ComparisonRecord) -> str:
    """What every regimen gives, a row each: fractions as bars, doses of drugs as dots, a resection as a square."""
    outcomes = record.comparison.outcomes
    decision = record.comparison.decision
    last = max((days_between(decision, e.time) for events in record.courses.values() for e in events), default=1.0)
    height = 2 * _ROW * len(outcomes) + _BOTTOM
    axes = _Axes(max(last, 1.0), float(len(outcomes)), height, 8, levels=False)
    parts = [axes.drawn("Days since the decision; bars are fractions, dots drugs, squares resections", "")]
    for number, outcome in enumerate(outcomes):
        color, y = _color(number, len(outcomes) + 1), axes.y(len(outcomes) - number - 0.6)
        parts.append(f'<text x="{_LEFT + 4}" y="{y - 12:.0f}" class="small">{escape(outcome.title)}</text>')
        parts += [_mark(event, axes.x(days_between(decision, event.time)), y, color)
                  for event in record.courses[outcome.name]]  # fmt: skip
    return _svg(parts, height + 8, "What is given when")


def _mark(event: TreatmentEvent, x: float, y: float, color: str) -> str:
    if isinstance(event, RadiotherapyFraction):
        return f'<rect x="{x - 0.8:.1f}" y="{y - 8:.1f}" width="1.6" height="10" fill="{color}"/>'
    if isinstance(event, DrugDose):
        return f'<circle cx="{x:.1f}" cy="{y + 8:.1f}" r="2" fill="{color}"/>'
    return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{color}"/>'


class _Axes:
    """Days and values to places in the picture."""

    def __init__(self, last_day: float, top: float, height: int, above: int, levels: bool = True) -> None:
        self._last, self._top, self._height, self._above, self._levels = last_day, top, height, above, levels

    def x(self, day: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * day / self._last

    def y(self, value: float) -> float:
        return self._above + (self._height - _BOTTOM) * (1.0 - value / self._top)

    def points(self, days: np.ndarray, values: np.ndarray) -> str:
        return " ".join(f"{self.x(day):.1f},{self.y(value):.1f}" for day, value in zip(days, values, strict=True))

    def window(self, lines: Sequence[str]) -> Sequence[str]:
        """The lines, cut off where they leave the axes."""
        width, height = _WIDTH - _LEFT - _RIGHT, self._height - _BOTTOM
        place = f'x="{_LEFT}" y="{self._above}" width="{width}" height="{height}"'
        return [f'<svg {place} viewBox="{_LEFT} {self._above} {width} {height}">', *lines, "</svg>"]

    def drawn(self, x_title: str, y_title: str) -> str:
        bottom, right = self.y(0.0), self.x(self._last)
        parts = []
        for day in _ticks(self._last):
            x = self.x(day)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self._above}" y2="{bottom:.1f}" class="grid"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{day:g}</text>')
        for value in _ticks(self._top) if self._levels else ():
            y = self.y(value)
            parts.append(f'<line x1="{_LEFT}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        middle = (self._above + bottom) / 2
        parts.append(f'<text x="{(_LEFT + right) / 2:.0f}" y="{bottom + 36:.1f}" text-anchor="middle">{x_title}</text>')
        turned = f'transform="rotate(-90 14 {middle:.0f})"'
        parts.append(f'<text x="14" y="{middle:.0f}" text-anchor="middle" {turned}>{escape(y_title)}</text>')
        return "\n".join(parts)


def _ticks(top: float) -> Sequence[float]:
    """Round values from zero to the top, about six."""
    rough = top / 6
    step = 10.0 ** math.floor(math.log10(rough))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= rough)
    return [round(number * step, 10) for number in range(int(top / step + 1e-9) + 1)]


def _legend_line(number: int, color: str, title: str) -> str:
    y = 4 + _LEGEND * number
    return (
        f'<rect x="{_LEFT}" y="{y + 4}" width="22" height="6" fill="{color}"/>'
        f'<text x="{_LEFT + 30}" y="{y + 11}">{escape(title)}</text>'
    )


def _color(number: int, count: int) -> str:
    return UNTREATED_COLOR if number == count - 1 else COLORS[number % len(COLORS)]


def _svg(parts: Sequence[str], height: int, title: str) -> str:
    body = "\n".join(parts)
    return (
        f'<figure class="curves"><svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">\n{body}\n</svg>'
        f"<figcaption>{title}</figcaption></figure>"
    )
