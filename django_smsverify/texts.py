"""Contents of templates: the neutral placeholder syntax, rendering, and counting the carriers' segments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")

WHOLE_SEGMENT = 70
JOINED_SEGMENT = 67
"""A long SMS uses three characters of each segment for joining them (gateways' billing rule).

A segment is 140 octets of UCS-2 (3GPP TS 23.038, 23.040), so a character here is a unit of UTF-16.
"""
GSM7_WHOLE_SEGMENT = 160
GSM7_JOINED_SEGMENT = 153
"""The same for a text in the GSM 7-bit alphabet, where the vendor uses that."""
GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Characters of two units: they are written after an escape."""
GSM7 = GSM7_EXTENSION | frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The GSM 7-bit default alphabet and its extension (3GPP TS 23.038)."""


def placeholders(content: str) -> tuple[str, ...]:
    """Returns the names in order of appearance, repeated where the content repeats them."""
    return tuple(PLACEHOLDER.findall(content))


def translate(content: str, spell: Callable[[str], str]) -> str:
    """Returns the content with each placeholder replaced by `spell(name)`, in one pass."""
    return PLACEHOLDER.sub(lambda match: spell(match.group(1)), content)


def render(content: str, values: Mapping[str, str]) -> str:
    """Returns the text as the phone shows it; raises KeyError for a name without a value."""
    return translate(content, values.__getitem__)


def renamed(content: str, names: Mapping[str, str]) -> str:
    """Returns the content with other placeholder names; names that are not in `names` stay."""
    return translate(content, lambda name: f"{{{names.get(name, name)}}}")


def is_text(value: object) -> bool:
    """Whether a value can be sent: a string that can be encoded in UTF-8 (half a surrogate pair cannot)."""
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def stray_braces(content: str) -> bool:
    """Whether the content has a brace that belongs to no placeholder."""
    return bool(re.search(r"[{}]", PLACEHOLDER.sub("", content)))


def signed(signature: str, text: str) -> str:
    """Returns the text after its signature: `【示例站】…`; unchanged without a signature."""
    return f"【{signature}】{text}" if signature else text


def segments(text: str, *, gsm7: bool = False) -> int:
    """Returns how many SMS the carriers bill for a whole text, including the signature and its brackets.

    The vendors' documents count every character as one, and mention letters, symbols, spaces and Han. Characters beyond
    U+FFFF, such as emoji and rare Han, are transmitted as two units and counted as two: the upper bound. With `gsm7`, a
    text whose characters are all in the GSM 7-bit alphabet is sent in it.
    """
    if gsm7 and in_gsm7(text):
        length = len(text) + sum(map(text.count, GSM7_EXTENSION))
        return _parts(length, GSM7_WHOLE_SEGMENT, GSM7_JOINED_SEGMENT)
    return _parts(len(text.encode("utf-16-le", "surrogatepass")) // 2, WHOLE_SEGMENT, JOINED_SEGMENT)


def in_gsm7(text: str) -> bool:
    """Whether all characters are in the GSM 7-bit alphabet."""
    return GSM7.issuperset(text)


def _parts(length: int, whole: int, joined: int) -> int:
    return min(length, 1) if length <= whole else -(-length // joined)
