"""Characters as people type them and as pages and address books copy them along, in plain ones."""

from __future__ import annotations

import unicodedata

OTHER_DASHES = {"\u2212", "\u30fc", "\u2043", "\u02d7"}
"""What Unicode calls no dash though it is used as one: a minus sign, a long vowel, a bullet, a modifier."""
OTHER_INVISIBLE = {"\u034f", *map(chr, range(0xFE00, 0xFE10))}
"""Marks without a width of their own beside those of Unicode's category Cf: a joiner, variation selectors."""


def plain(text: str) -> str:
    """Full-width characters as ASCII, dashes of all kinds as `-`, spaces of all widths as one kind, and nothing for
    invisible marks, such as a zero-width space or a change of direction."""
    return "".join(map(_plain, unicodedata.normalize("NFKC", text)))


def _plain(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cf" or character in OTHER_INVISIBLE:
        return ""
    return "-" if kind == "Pd" or character in OTHER_DASHES else character


def as_shown(text: str, stream: object) -> str:
    """The text as a stream can take it.

    A character that its encoding lacks, such as an emoji in GBK, becomes an escape such as \\U0001f511, as Python
    itself writes it to standard error.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
