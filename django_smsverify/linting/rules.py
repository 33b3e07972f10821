"""A vendor's rules for signatures, contents and values, as data that its gateway declares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django_smsverify import texts

from .addresses import addresses
from .characters import EMOJI, folded
from .topics import CARRIERS

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

BRACKETS = "【】"
"""They mark the sender name for every vendor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """A vendor's rules for signatures, contents and values; the defaults apply where a vendor documents nothing."""

    signature_length: tuple[int, int] = (1, 30)
    """The least and the most characters."""
    signature_refuses: str = ""
    """Characters that the vendor forbids; a space means all white space. Other symbols are only warnings."""
    refuses_neutral: bool = False
    """Whether the vendor refuses a sender name without a meaning, such as 测试 or 客服通知."""
    unwelcome: tuple[str, ...] = ()
    """Words that the vendor forbids in a sender name and discourages in a content."""

    longest: int | None = None
    """The most characters of a content."""
    safe_length: int | None = None
    """The number of characters that every account may send."""
    counts_signature: bool = False
    """Whether these limits include the sender name with its brackets."""
    counts_gsm7: bool = False
    """Whether a text in the GSM 7-bit alphabet is sent and billed in its longer segments."""
    variable_name: str = ""
    """A regular expression that the vendor's variable names must match."""
    variable_names_are: StrOrPromise = ""
    """The same in words."""
    reserved_names: frozenset[str] = frozenset()
    """Variable names that the vendor reserves."""
    most_variables: int | None = None
    """The most different variables in one content."""
    exact_variables: int | None = None
    """The exact number of placeholders in one content."""
    refuses_emoji: bool = False
    spaced_urls: bool = False
    """Whether the vendor requires a space before and after a URL."""
    topics: frozenset[str] = CARRIERS
    """Forbidden topics: values of `Topic.word` in `topics.TOPICS`."""

    for_mainland: bool = True
    """Whether SMS go through the carriers of mainland China, so that their rules of 2025 apply (`carrier_rules`)."""
    refuses_links: bool = False
    """Whether the vendor refuses a link in a text with a code, and an address as a value of any text."""
    refuses_contacts: bool = False
    """Whether the vendor refuses a telephone number or another contact in a text with a code."""
    refuses_unsubscribe: bool = False
    """Whether the vendor refuses words for unsubscribing in codes and notices."""
    wants_context: bool = False
    """Whether the vendor wants a code's platform, use or lifetime to be said."""

    longest_code: int | None = None
    """The most digits of a code."""
    longest_value: int | None = None
    """The most characters of one value."""
    value_refuses: str = ""
    """Characters that the vendor's syntax does not allow in a value."""
    value_pattern: str = ""
    """A regular expression that every value must match."""
    values_are: str = ""
    """The same in English."""


def value_problem(rules: TextRules, value: str) -> str | None:
    """Why a vendor with these rules would refuse a value, in English and without the value; None if it would not."""
    if not texts.is_text(value):
        return "a value must be text that has bytes in UTF-8"
    if rules.value_pattern and not re.fullmatch(rules.value_pattern, value):
        return f"this vendor takes {rules.values_are} as a value"
    found = sorted(set(rules.value_refuses + BRACKETS) & set(value))
    if found:
        return f"a value may not contain {' '.join(found)} at this vendor"
    if rules.longest_value is not None and len(value) > rules.longest_value:
        return f"a value may have at most {rules.longest_value} characters at this vendor; this one has {len(value)}"
    if rules.refuses_emoji and EMOJI.search(value):
        return "a value may not contain emoji at this vendor"
    if rules.refuses_links and _holds_address(value):
        return "a value may not contain an address at this vendor: write it in the text that is reviewed"
    return None


def _holds_address(value: str) -> bool:
    plain, places = folded(value)
    return any(one.is_certain for one in addresses(plain, "".join(value[place] for place in places)))
