"""What a vendor takes, as data that its gateway declares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django_smsverify import texts

from .characters import EMOJI
from .topics import CARRIERS

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

BRACKETS = "【】"
"""They mark the sender name, at every vendor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """A vendor's rules for sender names, texts and values; the defaults hold where a vendor says nothing."""

    signature_length: tuple[int, int] = (1, 30)
    """Characters, from and to."""
    signature_refuses: str = ""
    """Characters that the vendor names; a space stands for all white space. Other symbols only warn."""
    refuses_neutral: bool = False
    """Whether the vendor refuses a sender name that says nothing, such as 测试 or 客服通知."""
    unwelcome: tuple[str, ...] = ()
    """Words that the vendor wants in no sender name, and rather not in a text."""

    longest: int | None = None
    """Characters of a text."""
    safe_length: int | None = None
    """Characters that every account may send."""
    counts_signature: bool = False
    """Whether these counts include the sender name with its brackets."""
    variable_name: str = ""
    """The expression that the vendor's names of variables match."""
    variable_names_are: StrOrPromise = ""
    """The same in words."""
    reserved_names: frozenset[str] = frozenset()
    most_variables: int | None = None
    """Different variables in one text."""
    exact_variables: int | None = None
    """Placeholders in one text, no more and no fewer."""
    refuses_emoji: bool = False
    spaced_urls: bool = False
    """Whether the vendor asks for a space before and after a URL."""
    topics: frozenset[str] = CARRIERS
    """What texts must not be about: words of `topics.TOPICS`."""

    longest_value: int | None = None
    """Characters of one value."""
    value_refuses: str = ""
    """Characters that the vendor's syntax cannot carry in a value."""
    value_pattern: str = ""
    """The expression that every value matches."""
    values_are: str = ""
    """The same in English."""


def value_problem(rules: TextRules, value: str) -> str | None:
    """Why a vendor with these rules would refuse a value, in English and without the value; None when it would not."""
    if not texts.is_text(value):
        return "a value must be text that has bytes in UTF-8"
    if rules.value_pattern and not re.fullmatch(rules.value_pattern, value):
        return f"this vendor takes {rules.values_are} as a value"
    found = sorted(set(rules.value_refuses + BRACKETS) & set(value))
    if found:
        return f"a value may not contain {' or '.join(found)} at this vendor"
    if rules.longest_value is not None and len(value) > rules.longest_value:
        return f"a value may have at most {rules.longest_value} characters at this vendor; this one has {len(value)}"
    if rules.refuses_emoji and EMOJI.search(value):
        return "a value may not contain emoji at this vendor"
    return None
