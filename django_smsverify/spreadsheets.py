"""CSV that spreadsheets open as it was meant: with its characters, and without formulas."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable

BYTE_ORDER_MARK = "\ufeff"
"""Excel in China reads a file as GBK without it."""
MOST_DIGITS = 15
"""Of a number, a spreadsheet keeps these."""


def csv_lines(rows: Iterable[Iterable[str | int]]) -> str:
    """Returns rows as lines of CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([as_cell(value) for value in row] for row in rows)
    return text.getvalue()


def as_cell(value: str | int) -> str | int:
    """Returns a value on one line, with a quote before what would be read as a formula, or rounded as a number."""
    if isinstance(value, int):
        return value
    line = " ".join(value.split())
    # NFKC: Chinese and Japanese editions of Excel accept full-width signs.
    is_formula = unicodedata.normalize("NFKC", line[:1]) in {"=", "+", "-", "@"}
    is_rounded = line.isdecimal() and len(line) > MOST_DIGITS
    return f"'{line}" if is_formula or is_rounded else line
