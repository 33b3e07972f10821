"""Finds characters that do not belong in an SMS, and normalizes a text as a censorship filter does."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from django.utils.translation import gettext as _

from .findings import Finding, Level, at

_PICTURES = (
    "\U0001f000-\U0001faff\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1"
    "\u26aa\u26ab\u26bd\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c"
    "\u274e\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55"
)
EMOJI = re.compile(
    rf"(?:[{_PICTURES}]|[\u00a9-\u3299]\ufe0f|[0-9#*]\ufe0f?\u20e3)"
    rf"(?:[{_PICTURES}\ufe0f\u200d\U000e0020-\U000e007f]|(?<=\u200d)[\u2600-\u27bf])*"
)
"""Characters that phones draw as a picture (Unicode's Emoji_Presentation), and their sequences; ★ and ☎ are text."""

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
LINE = "\r\n\t"
NOISE = "*._·~^|"
"""Characters put inside a word to hide it from filters; the vendors forbid that (各类干扰符号)."""

LONGEST_FORM = 4
"""The most characters that one character is read as: ㍿ is 株式会社, ℡ is TEL."""


def emoji(text: str, refused: bool) -> Iterator[Finding]:
    """Yields a finding for the first emoji; an error if the vendor refuses emoji (`refused`), else a warning."""
    if found := EMOJI.search(text):
        if refused:
            level, message = Level.ERROR, _("This vendor refuses emoji. Remove it.")
        else:
            level, message = Level.WARNING, _("Emoji do not reach every phone and make reviewers refuse. Remove it.")
        yield at(found.span(), level, "emoji", message)


def hidden(text: str, allowed: str = LINE) -> Iterator[Finding]:
    """Yields a finding for each run of invisible characters that are not part of an emoji."""
    pictures = {place for found in EMOJI.finditer(text) for place in range(*found.span())}
    shown = {place for place, char in enumerate(text) if char in allowed or place in pictures}
    kinds = ["" if place in shown else unicodedata.category(char) for place, char in enumerate(text)]
    for kind, run in groupby(range(len(text)), key=lambda place: kinds[place]):
        places = list(run)
        if kind in HIDDEN:
            char = text[places[0]]
            named = f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip()
            message = _("There is a character that nobody sees (%s). Delete it, or type the text anew.") % named
            level = Level.WARNING if kind == "Cf" else Level.ERROR
            yield at((places[0], places[-1] + 1), level, "hidden", message)


def folded(text: str) -> tuple[str, list[int]]:
    """The text as a filter reads it, and for each of its characters the position in the original.

    Full-width forms become plain, letters become lower case, hidden characters are removed, and so is a NOISE
    character between two Han characters.
    """
    plain = [
        (char, place) for place, raw in enumerate(text) if unicodedata.category(raw) != "Cf" for char in _normal(raw)
    ]
    around = zip([("", 0), *plain], plain, [*plain[1:], ("", 0)], strict=False)
    kept = [own for before, own, after in around if not (own[0] in NOISE and _is_han(before[0]) and _is_han(after[0]))]
    return "".join(char for char, _place in kept), [place for _char, place in kept]


def _normal(char: str) -> str:
    """The plain form in lower case, unless it is a whole phrase, such as the eighteen characters of ﷺ."""
    normal = unicodedata.normalize("NFKC", char)
    return (normal if len(normal) <= LONGEST_FORM else char).lower()


def _is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"
