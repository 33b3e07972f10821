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


def segments(text: str) -> int:
    """Returns how many SMS the carriers bill for a whole text, including the signature and its brackets.

    The vendors' documents count every character as one, and mention letters, symbols, spaces and Han. Characters beyond
    U+FFFF, such as emoji and rare Han, are transmitted as two units and counted as two: the upper bound.
    """
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if length <= WHOLE_SEGMENT:
        return min(length, 1)
    return -(-length // JOINED_SEGMENT)
