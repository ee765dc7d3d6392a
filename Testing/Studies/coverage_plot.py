"""Observed against nominal coverage with its uncertainty, a panel a horizon, as an SVG document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SIDE, _GAP, _LEFT, _TOP = 230, 40, 62, 62
_LOW, _HIGH = 0.2, 1.0
_COLORS = {"raw": "#c8553d", "calibrated": "#1f6fb4"}
_APART = 5  # pixels between marks of the same level


@dataclass(frozen=True)
class Bar:
    """A share inside with its bounds, of intervals of one level, and their mean width."""

    level: float
    share: float
    lower: float
    upper: float
    width: float


def coverage_svg(panels: Mapping[str, Mapping[str, Sequence[Bar]]]) -> str:
    """The document as text.

    Args:
        panels: by title, by kind of interval, its bars.
    """
    width = _LEFT + len(panels) * (_SIDE + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_TOP + _SIDE + 60}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{width}" height="{_TOP + _SIDE + 60}" fill="white"/>',
        _text(_LEFT, 22, "Share of later whole-tumor volumes inside the interval", size=16),
    ]
    for number, (kind, color) in enumerate(_COLORS.items()):
        parts.append(_text(width - 220 + 90 * number, 22, f"● {kind}", color=color))
    for number, (title, kinds) in enumerate(panels.items()):
        left = _LEFT + number * (_SIDE + _GAP)
        parts += _panel(left, title, kinds)
    parts.append(f'<g transform="rotate(-90)">{_text(-(_TOP + _SIDE / 2), 18, "observed share", anchor="middle")}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(left: float, title: str, kinds: Mapping[str, Sequence[Bar]]) -> list[str]:
    def across(level: float) -> float:
        return left + (level - 0.4) / 0.6 * _SIDE

    def down(share: float) -> float:
        return _TOP + (_HIGH - max(share, _LOW)) / (_HIGH - _LOW) * _SIDE

    parts = [
        f'<rect x="{left}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#888"/>',
        _text(left + _SIDE / 2, _TOP - 10, title, anchor="middle"),
        _text(left + _SIDE / 2, _TOP + _SIDE + 42, "nominal", anchor="middle"),
        f'<path d="M{across(0.4):.1f} {down(0.4):.1f}L{across(1.0):.1f} {down(1.0):.1f}" stroke="#888"/>',
    ]
    for tick in (0.2, 0.4, 0.6, 0.8, 1.0):
        parts.append(f'<path d="M{left} {down(tick):.1f}H{left + _SIDE}" stroke="#eee"/>')
        parts.append(_text(left - 6, down(tick) + 4, f"{tick:.1f}", anchor="end", size=11))
    for offset, (kind, bars) in zip((-_APART, _APART), kinds.items(), strict=False):
        for bar in bars:
            x, color = across(bar.level) + offset, _COLORS[kind]
            parts.append(
                f'<path d="M{x:.1f} {down(bar.lower):.1f}V{down(bar.upper):.1f}" stroke="{color}" stroke-width="2"/>'
            )
            parts.append(f'<circle cx="{x:.1f}" cy="{down(bar.share):.1f}" r="4" fill="{color}"/>')
    for number, bar in enumerate(next(iter(kinds.values()))):
        shifted = 6 * (number == 3)  # 90 % and 95 % are close
        parts.append(
            _text(across(bar.level) + shifted, _TOP + _SIDE + 18, f"{bar.level:.0%}", anchor="middle", size=11)
        )
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, color: str = "#222") -> str:
    style = f'font-size="{size}" fill="{color}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{text}</text>'
