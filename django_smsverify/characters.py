"""Plain characters in place of those that people type or copy, and what stands between the names of a list."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from django.utils.translation import pgettext

OTHER_DASHES = {"\u2212", "\u30fc", "\u2043", "\u02d7"}
"""Characters used as dashes that Unicode does not class as dashes: minus sign, long vowel, bullet, modifier letter."""
OTHER_INVISIBLE = {"\u034f", *map(chr, range(0xFE00, 0xFE10))}
"""Marks without width outside Unicode's category Cf: a joiner, variation selectors."""


def listed(words: Iterable[object]) -> str:
    """Names or numbers one after the other, in the active language."""
    return pgettext("between the names of a list", ", ").join(map(str, words))


def plain(text: str) -> str:
    """Returns the text with full-width characters as ASCII, every dash as `-`, every space as one kind, and without
    invisible marks, such as a zero-width space or a change of direction."""
    return text if text.isascii() else "".join(map(_plain, unicodedata.normalize("NFKC", text)))


def _plain(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cf" or character in OTHER_INVISIBLE:
        return ""
    return "-" if kind == "Pd" or character in OTHER_DASHES else character


def as_shown(text: str, stream: object) -> str:
    """Returns the text with only characters that the stream's encoding has.

    Another character, such as an emoji in GBK, becomes an escape such as \\U0001f511, as in Python's own output to
    standard error.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
