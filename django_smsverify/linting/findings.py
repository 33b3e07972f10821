"""What was found in a text, and how its place is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

AROUND = 12
"""Characters that are shown on each side of a place."""
WIDEST = 60
"""Characters of a place that are shown."""
MOST = 10
"""Findings of one rule."""


class Level(TextChoices):
    """What follows, the gravest first.

    An error is refused for certain, by a documented rule or by the syntax; a warning a reviewer or a carrier may hold
    back; a hint is advice.
    """

    ERROR = "error", _("error")
    WARNING = "warning", _("warning")
    HINT = "hint", _("hint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or could be better."""

    level: Level
    rule: str
    """A stable word, such as `brackets`."""
    message: str
    """A sentence for the operator in the active language: what is wrong, and what to do."""
    start: int | None = None
    end: int | None = None
    """The place in the text, as Python slices it; None is the whole text."""


def at(place: tuple[int, int] | None, level: Level, rule: str, message: str) -> Finding:
    """A finding at a place, from and to; None for the whole text."""
    start, end = place or (None, None)
    return Finding(level=level, rule=rule, message=message, start=start, end=end)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The gravest first, and of one level in the order of the text; of one rule no more than a person reads."""
    order, seen = list(Level), Counter[str]()
    kept = []
    for found in sorted(findings, key=lambda found: (order.index(found.level), found.start or 0)):
        seen[found.rule] += 1
        kept += [found] if seen[found.rule] <= MOST else []
    return kept


def marked(text: str, finding: Finding) -> str:
    """The place between »…« in a line of its neighbours, for a terminal; empty when it is the whole text."""
    before, place, after = excerpt(text, finding)
    return f"{before}»{place}«{after}" if finding.start is not None else ""


def marked_html(text: str, finding: Finding) -> SafeString:
    """The same with <mark>, escaped."""
    before, place, after = excerpt(text, finding)
    return format_html("{}<mark>{}</mark>{}", before, place, after) if finding.start is not None else SafeString()


def excerpt(text: str, finding: Finding) -> tuple[str, str, str]:
    """What stands before the place, the place, and what stands behind it, in one printable line."""
    start, end = finding.start or 0, finding.end or 0
    before, place, after = text[max(0, start - AROUND) : start], text[start:end], text[end : end + AROUND]
    return (
        ("…" if start > AROUND else "") + printable(before),
        printable(place if len(place) <= WIDEST else place[:WIDEST] + "…"),
        printable(after) + ("…" if end + AROUND < len(text) else ""),
    )


def printable(text: str) -> str:
    """The text with what nobody can see, and no terminal can encode, spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
