"""What a delivery code means, by the tables of `delivery_codes.csv` and of the site.

A vendor's own table goes before the carriers'; an exact code before an expression, and that before a prefix.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django_smsverify.enums import Carrier, Cause

from .causes import UNKNOWN, Advice, Certainty, Meaning, Side

PUBLISHED = Path(__file__).with_name("delivery_codes.csv")
HEADER = "patterns,spoken_by,cause,side,advice,certainty,sources,meaning"
CARRIERS = "carriers"
"""The table of all rows whose speaker is no vendor."""
NO_VENDORS = frozenset({"any", "CMCC", "CUCC", "CTCC", "CBN"})

SUFFIX = re.compile(r"_00[06]$")
"""Tencent adds it."""
FOUR_DIGITS = re.compile(r"([A-Z]{2}):?0?([0-9]{4})")
SGIP = re.compile(r"(?:(?:SGIP:)?2[:_]|SGIP:|CU|LT:0)(-?)0*([0-9]+)")
"""Unicom's protocol; its 2 says that this is a report of a failure."""
SMGP = re.compile(r"(UNDELIV|EXPIRED|REJECTD)_([0-9]{3})")
"""Telecom's protocol."""
BARE = re.compile(r"-?[0-9]{1,3}")


class DeliveryCodes:
    """Tables of delivery codes; where several files have a pattern, the first file counts."""

    def __init__(self, files: Iterable[Path] = (PUBLISHED,)) -> None:
        """Raises OSError for a file that cannot be read, and ValueError, with the line, for a row that is wrong."""
        self._tables: dict[str, _Table] = {}
        for file in files:
            for pattern, speaker, meaning in read_rows(file):
                name = CARRIERS if speaker in NO_VENDORS else speaker
                self._tables.setdefault(name, _Table()).add(pattern, meaning)

    def meaning(self, code: str, *, tables: Sequence[str] = (), carrier: Carrier | None = None) -> Meaning:
        """What a code means that a vendor with these tables reports about a number of this carrier's blocks."""
        own = [self._tables[name] for name in tables if name in self._tables]
        spellings = list(dict.fromkeys(_spellings(code, carrier, has_own_table=bool(own))))
        for table in (*own, self._tables.get(CARRIERS, _Table())):
            if found := table.find(spellings):
                return found
        return UNKNOWN


def read_rows(file: Path) -> Iterator[tuple[str, str, Meaning]]:
    """Yields each pattern of a file with its speaker and its meaning; raises OSError and ValueError.

    Blank lines, and those that begin with `#`, say nothing.
    """
    lines = enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1)
    rows = ((number, line) for number, line in lines if line.strip() and not line.startswith("#"))
    if next(rows, (0, ""))[1] != HEADER:
        raise ValueError(f"{file}: the first line must be {HEADER}")
    for number, line in rows:
        try:
            yield from _read_row(line)
        except (ValueError, re.error, csv.Error) as error:
            raise ValueError(f"{file}, line {number}: {error}") from None


def _read_row(line: str) -> Iterator[tuple[str, str, Meaning]]:
    ((patterns, speaker, *known, sources, words),) = csv.reader([line])
    cause, side, advice, certainty = known
    meaning = Meaning(Cause(cause), Side(side), Advice(advice), Certainty(certainty), sources, words)
    for pattern in patterns.split():
        if _is_expression(pattern):
            re.compile(pattern)
        yield pattern, speaker, meaning


@dataclass(slots=True)
class _Table:
    exact: dict[str, Meaning] = field(default_factory=dict)
    expressions: list[tuple[re.Pattern[str], Meaning]] = field(default_factory=list)
    prefixes: dict[str, Meaning] = field(default_factory=dict)

    def add(self, pattern: str, meaning: Meaning) -> None:
        if _is_expression(pattern):
            self.expressions.append((re.compile(pattern[1:-1], re.ASCII), meaning))
        elif pattern.endswith("*"):
            self.prefixes.setdefault(pattern[:-1], meaning)
        else:
            self.exact.setdefault(pattern, meaning)

    def find(self, spellings: Sequence[str]) -> Meaning | None:
        for one in spellings:
            if found := self.exact.get(one):
                return found
        for expression, meaning in self.expressions:
            if any(map(expression.fullmatch, spellings)):
                return meaning
        fitting = [prefix for prefix in self.prefixes if any(one.startswith(prefix) for one in spellings)]
        return self.prefixes[max(fitting, key=len)] if fitting else None


def _is_expression(pattern: str) -> bool:
    return len(pattern) > 2 and pattern[0] == pattern[-1] == "/"


def _spellings(code: str, carrier: Carrier | None, *, has_own_table: bool) -> Iterator[str]:
    """The code as it came, then as the tables may write it."""
    plain = "".join(unicodedata.normalize("NFKC", code).upper().split())
    for one in (plain, SUFFIX.sub("", plain)):
        yield one
        if match := FOUR_DIGITS.fullmatch(one):
            yield f"{match[1]}:{match[2]}"
        if match := SGIP.fullmatch(one):
            yield f"SGIP:{match[1]}{match[2]}"
        if match := SMGP.fullmatch(one):
            yield from (f"SMGP:{match[2]}", match[1])
        if BARE.fullmatch(one):
            yield from _as_carriers(int(one), carrier, has_own_table=has_own_table)


def _as_carriers(number: int, carrier: Carrier | None, *, has_own_table: bool) -> Iterator[str]:
    """A bare number as the code of the carrier; without knowing the carrier it says nothing."""
    if carrier == Carrier.UNICOM and -99 <= number <= 255 and not has_own_table:
        yield f"SGIP:{number}"
    if carrier == Carrier.TELECOM and 600 <= number <= 999:
        yield f"SMGP:{number}"
