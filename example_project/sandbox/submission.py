"""Parsing of submitted texts: find and fill placeholders, match a full text; and the segments of a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

_SINGLE_SEGMENT, _SEGMENT = 70, 67


@dataclass(frozen=True, slots=True)
class Syntax:
    """The placeholder syntax of a vendor, and the pattern of an allowed value."""

    placeholder: str
    value: str

    def placeholders(self, text: str) -> list[str]:
        return re.findall(self.placeholder, text)

    def fill(self, text: str, values: Sequence[str]) -> str:
        left = iter(values)
        return re.sub(self.placeholder, lambda _: next(left), text)

    def accepts(self, value: str) -> bool:
        return re.fullmatch(self.value, value) is not None

    def matches(self, text: str, candidate: str) -> bool:
        fixed = (re.escape(piece) for piece in re.split(self.placeholder, text))
        return re.fullmatch(f"(?:{self.value})".join(fixed), candidate) is not None


def segments(text: str) -> int:
    """How many SMS a text with its signature is billed as."""
    return 1 if len(text) <= _SINGLE_SEGMENT else ceil(len(text) / _SEGMENT)
