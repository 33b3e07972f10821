"""manage.py smsverify_costs: prints the costs of a period."""

from __future__ import annotations

import json
import unicodedata
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from django_smsverify.characters import as_shown
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.money.costs import (
    BY,
    FIGURES,
    CostRow,
    as_csv,
    columns,
    costs,
    in_fen,
    record_of,
    today,
    total,
)
from django_smsverify.spreadsheets import BYTE_ORDER_MARK


def a_day(written: str) -> date:
    """Parses an ISO date; raises ArgumentTypeError."""
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ArgumentTypeError(f"{written!r} is no day: write it like 2026-01-31") from None


def words(written: str) -> list[str]:
    """The words between commas, each once, in the given order."""
    return list(dict.fromkeys(word.strip() for word in written.split(",")))


def spreadsheet(rows: Sequence[CostRow], start: date, end: date, by: Sequence[str]) -> str:
    """The rows as CSV."""
    return as_csv(rows, by)


def as_json(rows: Sequence[CostRow], start: date, end: date, by: Sequence[str]) -> str:
    """The report as JSON; money is text, because a number in JSON may become a float."""
    names = columns(by)
    report = {
        "from": str(start),
        "to": str(end),
        "by": by,
        "rows": [record_of(row, names) for row in rows],
        "total": record_of(total(rows), FIGURES),
    }
    return json.dumps(report, indent=2) + "\n"


def as_table(rows: Sequence[CostRow], start: date, end: date, by: Sequence[str]) -> str:
    """The report as a table for a terminal."""
    names = columns(by)
    last: dict[str, object] = {**dict.fromkeys(names, ""), names[0]: "total", **record_of(total(rows), FIGURES)}
    lines = [names, *(record_of(row, names).values() for row in rows), last.values()]
    cells = [[str(cell) for cell in line] for line in lines]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    table = [_line(line, widths, left=len(names) - len(FIGURES)) for line in cells]
    return "\n".join([*table, f"{start} to {end}: {in_yuan(total(rows))}", ""])


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    padding = [" " * (most - width(cell)) for cell, most in zip(cells, widths, strict=True)]
    shown = [cell + pad if n < left else pad + cell for n, (cell, pad) in enumerate(zip(cells, padding, strict=True))]
    return "  ".join(shown).rstrip()


def width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def in_yuan(whole: CostRow) -> str:
    """The total, rounded to the fen, and how much of it is uncertain."""
    parts = [f"{in_fen(whole.cost)} yuan"]
    if whole.provisional:
        parts.append(f"{in_fen(whole.provisional)} of it provisional")
    if whole.unknown:
        parts.append(f"{whole.unknown} messages unknown")
    if whole.unpriced:
        parts.append(f"{whole.unpriced} without a price")
    if whole.probes:
        parts.append(f"{in_fen(whole.probes)} of it for probes")
    return ", ".join(parts)


FORMATS = {"table": as_table, "csv": spreadsheet, "json": as_json}


class Command(TerminalCommand):
    help = (
        "Tells what the SMS of a period cost, exactly. unknown: messages that may have been sent and charged, not in "
        "the sum; provisional: the part of the cost that the vendor waives for what does not arrive; unpriced: "
        "messages of providers that had no price, not in the sum; probes: the part of the cost that is of probes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", type=a_day, dest="start", metavar="DAY", help="default: the 1st of --to's month")
        parser.add_argument("--to", type=a_day, dest="end", metavar="DAY", help="included; default: today")
        parser.add_argument(
            "--by", type=words, default=["provider"], help=f"any of {','.join(BY)}, with commas; default: provider"
        )
        parser.add_argument("--format", choices=tuple(FORMATS), default="table")
        parser.add_argument("--output", metavar="FILE", help="written as UTF-8; default: standard output")

    def handle(self, *args: Any, start: date | None, end: date | None, by: list[str], **options: Any) -> None:
        end = end or today()
        start = start or end.replace(day=1)
        try:
            text = FORMATS[options["format"]](costs(start, end, by), start, end, by)
            if options["output"] is None:
                if as_shown(BYTE_ORDER_MARK, self.stdout) != BYTE_ORDER_MARK:
                    text = text.removeprefix(BYTE_ORDER_MARK)  # GBK: Excel expects it without a mark
                self.stdout.write(text, ending="")
            else:
                Path(options["output"]).write_text(text, encoding="utf-8", newline="")
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from None
