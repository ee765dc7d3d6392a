"""A log-log plot as an SVG document: no plotting library is needed to measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 760, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 56, 64  # margins
_COLORS = ("#1f6fb4", "#c8553d", "#4f8a5b", "#8a6fb4")


@dataclass(frozen=True)
class Series:
    """Points of one kind: ``(x, y, label)``, both positive."""

    name: str
    points: Sequence[tuple[float, float, str]]


def log_log_svg(title: str, x_title: str, y_title: str, series: Sequence[Series]) -> str:
    """The document as text; axes run over whole decades."""
    (x_low, x_high), (y_low, y_high) = (
        _decades([point[axis] for one in series for point in one.points]) for axis in (0, 1)
    )

    def across(x: float) -> float:
        return _LEFT + (math.log10(x) - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return _TOP + (y_high - math.log10(y)) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="14">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 26, title, size=17),
    ]
    for power in range(x_low, x_high + 1):
        x = across(10.0**power)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#ddd"/>')
        parts.append(_text(x, _HEIGHT - _BOTTOM + 22, _power_of_ten(power), anchor="middle"))
    for power in range(y_low, y_high + 1):
        y = down(10.0**power)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(_text(_LEFT - 8, y + 5, _power_of_ten(power), anchor="end"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 14, x_title, anchor="middle"))
    parts.append(f'<g transform="rotate(-90)">{_text(-_HEIGHT / 2, 22, y_title, anchor="middle")}</g>')
    for number, one in enumerate(series):
        color = _COLORS[number % len(_COLORS)]
        at = [(across(x), down(y), label) for x, y, label in one.points]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in at)
        parts.append(f'<path d="M{line}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        for place, (x, y, label) in enumerate(at):
            below = place % 2  # in turn, so that labels of near points do not cover each other
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{color}"/>')
            parts.append(_text(x + 8, y + (18 if below else -8), label, size=12, color=color))
        parts.append(_text(_LEFT + 14 + 330 * number, _TOP - 8, one.name, color=color))
    return "\n".join([*parts, "</svg>", ""])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _power_of_ten(power: int) -> str:
    return f"{10.0**power:g}"


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 14, color: str = "#222") -> str:
    style = f'font-size="{size}" fill="{color}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
