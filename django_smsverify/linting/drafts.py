"""A content with the facts that its checks share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from django_smsverify import texts

from .addresses import VALUE
from .characters import folded
from .findings import Finding, Level, at
from .origins import place_of_origin
from .rules import TextRules

SHORTEST = {"code": "0000", "minutes": "0"}
"""The shortest possible values; a value that is not here may be empty."""
HAN = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Draft:
    """A content, its vendor's rules, and the text as a filter of a carrier reads it."""

    content: str
    rules: TextRules
    signature: str
    variables: Mapping[str, str]
    code_length: int | None = None
    """The digits of the codes that are sent with it; None where that is not known."""
    names: tuple[str, ...] = field(init=False)
    plain: str = field(init=False)
    """The folded text with VALUE for its placeholders."""
    raw: str = field(init=False)
    """For each character of `plain` the one of the content that it comes from."""
    origin: tuple[int, int] | None = field(init=False)
    """The place in the content of a line `@example.com #{code}`, right or wrong."""
    _places: list[int] = field(init=False)

    def __post_init__(self) -> None:
        masked = texts.PLACEHOLDER.sub(lambda found: VALUE * len(found.group()), self.content)
        plain, places = folded(masked)
        raw = "".join(masked[place] for place in places)
        names = texts.placeholders(self.content)
        origin = place_of_origin(self.content, carries_code="code" in names)
        facts = {"names": names, "plain": plain, "raw": raw, "origin": origin, "_places": places}
        for name, value in facts.items():
            object.__setattr__(self, name, value)

    @property
    def carries_code(self) -> bool:
        return "code" in self.names

    @property
    def is_chinese(self) -> bool:
        return bool(HAN.search(self.plain))

    @property
    def shortest(self) -> str:
        """The content with the shortest possible values."""
        return texts.translate(self.content, lambda name: SHORTEST.get(name, ""))

    def span(self, place: tuple[int, int]) -> tuple[int, int]:
        """The place in the content of a place in `plain`."""
        return self._places[place[0]], self._places[place[1] - 1] + 1

    def at(self, place: tuple[int, int] | None, level: Level, rule: str, message: str) -> Finding:
        """A finding at a place in `plain`; None for the whole text."""
        return at(place and self.span(place), level, rule, message)

    def in_origin(self, place: tuple[int, int]) -> bool:
        """Whether a place in `plain` touches the line that browsers read, which has a finding of its own."""
        start, end = self.span(place)
        return self.origin is not None and start < self.origin[1] and end > self.origin[0]
