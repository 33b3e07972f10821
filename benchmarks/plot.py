"""A bar chart as SVG, without a library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

COLOURS = ("#8d99ae", "#1d70b8", "#d1603d", "#5b8e3e", "#7d5ba6", "#c8963e")
WIDTH, LABELS, BAR, GAP = 760, 190, 16, 14
SCALE = WIDTH - LABELS - 110
STYLE = "text{font:13px sans-serif;fill:#222}.title{font-weight:bold;font-size:15px}@media (prefers-color-scheme:dark)"

Groups = Mapping[str, Mapping[str, float]]
"""Values by group and series."""


def bars(title: str, unit: str, groups: Groups) -> str:
    """Horizontal bars from 0: a group for each action, in it a bar for each series."""
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    most = max(value for group in groups.values() for value in group.values())
    shapes = [f'<text class="title" x="0" y="16">{escape(title)}</text>', *_legend(series)]
    top = 60
    for name, group in groups.items():
        shapes.append(f'<text x="0" y="{top + 13}">{escape(name)}</text>')
        for one, value in group.items():
            shapes += _bar(top, value / most * SCALE, COLOURS[series.index(one) % len(COLOURS)], _number(value, unit))
            top += BAR
        top += GAP
    style = f"<style>{STYLE}{{text{{fill:#ddd}}}}</style>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", style, *shapes, "</svg>", ""])


def _legend(series: list[str]) -> Iterator[str]:
    left = 0
    for place, name in enumerate(series):
        yield f'<rect x="{left}" y="30" width="12" height="12" fill="{COLOURS[place % len(COLOURS)]}"/>'
        yield f'<text x="{left + 17}" y="41">{escape(name)}</text>'
        left += 34 + 7 * len(name)


def _bar(top: int, length: float, colour: str, label: str) -> Iterator[str]:
    yield f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR - 2}" fill="{colour}"/>'
    yield f'<text x="{LABELS + length + 6:.1f}" y="{top + 12}">{escape(label)}</text>'


def _number(value: float, unit: str) -> str:
    return f"{value:,.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"
