"""The results of all scenarios as a table in reStructuredText."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .scenarios import SCENARIOS, Result, simulate

PAUSE = 3.0
"""Seconds between two people of one carrier."""
HEADER = ("the first vendor", "Telecom", "others", "lost at first", "lost later", "back after", "SMS")


def print_table(people: int) -> None:
    """Prints the table; on a terminal also which scenario is under way."""
    rows: list[Sequence[str]] = [HEADER]
    for scenario in SCENARIOS:
        if sys.stderr.isatty():
            print(scenario.name, file=sys.stderr)
        result = simulate(scenario, people if scenario.is_large else people // 5, PAUSE)
        rows.append((scenario.name, *figures(result)))
    print(as_rst(rows))


def figures(result: Result) -> tuple[str, ...]:
    under_way = f" + {result.under_way}" if result.under_way else ""
    return (
        f"{result.soon(result.affected):.1%}",
        f"{result.soon(result.others):.1%}",
        f"{result.lost_at_first}{under_way}",
        str(result.lost_later),
        "–" if result.back_after is None else f"{result.back_after:.0f} s",
        f"{result.sms / (len(result.affected) + len(result.others)):.3f}",
    )


def as_rst(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    line = "  ".join("=" * width for width in widths)
    body = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([line, body[0], line, *body[1:], line])
