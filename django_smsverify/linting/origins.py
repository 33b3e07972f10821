"""Checks the last line that lets browsers fill in a code: `@example.com #{code}`.

Grammar, see https://wicg.github.io/sms-one-time-codes/: `@` and a host, one space, `#` and the code; for a page in a
frame then one space, `@` and the frame's host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from .findings import Finding, Level, at

LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{LABEL}\.)+(?=[a-z]){LABEL}")
ANYWHERE = re.compile(r"[@＠][^\s@＠#＃]{1,253}\s{0,9}[#＃]\s{0,9}\{code\}")
LINE = re.compile(r"(@)([^\s#]*)(\s*)([^\s@]*)(.*)", re.DOTALL)


def place_of_origin(content: str, *, carries_code: bool) -> tuple[int, int] | None:
    """The place of such a line, right or wrong; None if there is none."""
    begin = max(content.rfind("\n"), content.rfind("\r")) + 1
    line = content[begin:]
    if line.startswith("@") and (carries_code or "#" in line):
        return begin, len(content)
    misplaced = ANYWHERE.search(content)
    return misplaced.span() if misplaced else None


def lint_origin(
    content: str, place: tuple[int, int] | None, *, carries_code: bool, once: bool = False
) -> Iterator[Finding]:
    """Finds errors that prevent browsers from using the last line; without such a line yields a hint to add it.

    `place` is what `place_of_origin` found. `once`: {code} may stand only once in the content.
    """
    if place is None:
        if carries_code:
            yield at(None, Level.HINT, "origin", _advice(once))
        return
    begin, end = place
    if end < len(content) or content[begin - 1 : begin] not in ("", "\n", "\r") or content[begin] != "@":
        message = _(
            "Browsers read “@host #{code}” in plain characters only, alone in the last line and ending the text."
        )
        yield at(place, Level.WARNING, "origin", message)
        return
    level = Level.ERROR if carries_code else Level.WARNING
    for message, start, stop, unusable in _line_problems(content[begin:], alone=begin == 0):
        found = level if unusable else Level.WARNING
        yield at((begin + start, begin + stop), found, "origin", message)
        return


def _advice(once: bool) -> str:
    if once:
        return _(
            "Browsers can fill in the code when the text ends with the line “@example.com #{code}” (your site's host). "
            "At this vendor {code} can stand once only, so it would have to stand there alone. The line is submitted "
            "as well."
        )
    return _(
        "Browsers can fill in the code when the text ends with the line “@example.com #{code}” (your site's host). "
        "The line is part of the text that is submitted to the vendor."
    )


def _line_problems(line: str, *, alone: bool) -> Iterator[tuple[str, int, int, bool]]:
    """The problems of a line that begins with @: message, start, end, and whether browsers cannot use the line."""
    found = LINE.fullmatch(line)
    assert found is not None  # noqa: S101 - it matches whatever begins with @
    _at, host, gap, code, rest = found.groups()
    if alone:
        yield _("The sender name stands in front of the text: begin with a sentence and a line break."), 0, 1, True
    if not HOST.fullmatch(host):
        why = _("Write the host in small letters, such as @example.com: no https://, no port, no path, no space.")
        yield why, *(found.span(2) if host else found.span(1)), True
    if gap != " " or not code:
        place = found.span(3) if gap else (found.end(2) - 1, found.end(2) + len(code[:1]))
        yield _("Write exactly one space and #{code} behind the host."), *place, True
    if code != "#{code}":
        yield _("Write #{code} and nothing else behind the host: browsers fill in all of it."), *found.span(4), True
    yield from _rest_problems(rest, found.start(5))


def _rest_problems(rest: str, start: int) -> Iterator[tuple[str, int, int, bool]]:
    """The problems of the text after the code, where only the host of a frame may stand."""
    end = start + len(rest)
    if rest.startswith(" %") and HOST.fullmatch(rest[2:]):
        why = _("Write @ before the host of a frame: Apple's percent sign is not in the standard.")
        yield why, start + 1, end, False
    elif rest and not (rest.startswith(" @") and HOST.fullmatch(rest[2:])):
        why = _("Browsers ignore this: behind the code only “ @host” may stand, for a frame.")
        yield why, start, end, False
