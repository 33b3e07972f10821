"""Template texts: the neutral placeholder syntax, rendering, and the carriers' segments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")

WHOLE_SEGMENT = 70
JOINED_SEGMENT = 67
"""A long SMS spends three characters of each segment on joining them (gateways' billing rule).

A segment is 140 octets of UCS-2 (3GPP TS 23.038, 23.040), so a character here is a unit of UTF-16.
"""


def placeholders(content: str) -> tuple[str, ...]:
    """The names in order of appearance, repeated where the text repeats them."""
    return tuple(PLACEHOLDER.findall(content))


def translate(content: str, spell: Callable[[str], str]) -> str:
    """Each placeholder replaced by what `spell` makes of its name, in one pass."""
    return PLACEHOLDER.sub(lambda match: spell(match.group(1)), content)


def render(content: str, values: Mapping[str, str]) -> str:
    """The text as it is read on the phone; raises KeyError for a name without a value."""
    return translate(content, values.__getitem__)


def renamed(content: str, names: Mapping[str, str]) -> str:
    """The same text with other names in its placeholders; what `names` leaves out keeps its own."""
    return translate(content, lambda name: f"{{{names.get(name, name)}}}")


def is_text(value: object) -> bool:
    """Whether a value can be sent: a string, and one that has bytes in UTF-8 (half a surrogate pair has none)."""
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def stray_braces(content: str) -> bool:
    """Whether a brace stands in the text that belongs to no placeholder."""
    return bool(re.search(r"[{}]", PLACEHOLDER.sub("", content)))


def signed(signature: str, text: str) -> str:
    """The text behind its sender name: `【示例站】…`; unchanged without one."""
    return f"【{signature}】{text}" if signature else text


def segments(text: str) -> int:
    """How many SMS the carriers bill for a whole text, signature and brackets included.

    The vendors say that every character counts one, and speak of letters, symbols, spaces and Han. What lies
    beyond U+FFFF, such as emoji and rare Han, takes two units on air and is counted as two: the upper bound.
    """
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if length <= WHOLE_SEGMENT:
        return min(length, 1)
    return -(-length // JOINED_SEGMENT)
