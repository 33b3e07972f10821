"""The result of a check, and how its place in the text is shown."""

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
"""The most characters of a place that are shown."""
MOST = 10
"""The most findings of one rule that are returned."""


class Level(TextChoices):
    """The level of a finding, the most severe first.

    Error: refused for certain, by a documented rule or by the syntax. Warning: a reviewer or a carrier may refuse
    it. Hint: advice.
    """

    ERROR = "error", _("error")
    WARNING = "warning", _("warning")
    HINT = "hint", _("hint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem of a text, or one way to improve it."""

    level: Level
    rule: str
    """A stable identifier, such as `brackets`."""
    message: str
    """A sentence for the operator in the active language: the problem and how to solve it."""
    start: int | None = None
    end: int | None = None
    """The place in the text as a Python slice; None is the whole text."""


def at(place: tuple[int, int] | None, level: Level, rule: str, message: str) -> Finding:
    """A finding at a place, start and end; None for the whole text."""
    start, end = place or (None, None)
    return Finding(level=level, rule=rule, message=message, start=start, end=end)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The most severe first, those of one level in the order of the text; at most MOST of one rule."""
    order, seen = list(Level), Counter[str]()
    kept = []
    for found in sorted(findings, key=lambda found: (order.index(found.level), found.start or 0)):
        seen[found.rule] += 1
        kept += [found] if seen[found.rule] <= MOST else []
    return kept


def marked(text: str, finding: Finding) -> str:
    """The place between »…« with the text around it in one line, for a terminal; empty for the whole text."""
    before, place, after = excerpt(text, finding)
    return f"{before}»{place}«{after}" if finding.start is not None else ""


def marked_html(text: str, finding: Finding) -> SafeString:
    """The same as escaped HTML with <mark>."""
    before, place, after = excerpt(text, finding)
    return format_html("{}<mark>{}</mark>{}", before, place, after) if finding.start is not None else SafeString()


def excerpt(text: str, finding: Finding) -> tuple[str, str, str]:
    """The text before the place, the place, and the text after it, in printable characters."""
    start, end = finding.start or 0, finding.end or 0
    before, place, after = text[max(0, start - AROUND) : start], text[start:end], text[end : end + AROUND]
    return (
        ("…" if start > AROUND else "") + printable(before),
        printable(place if len(place) <= WIDEST else place[:WIDEST] + "…"),
        printable(after) + ("…" if end + AROUND < len(text) else ""),
    )


def printable(text: str) -> str:
    """The text with escapes for characters that are invisible or that a terminal cannot encode."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
