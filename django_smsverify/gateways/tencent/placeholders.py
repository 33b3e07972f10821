"""Tencent's placeholders, which have numbers instead of names: {1}, {2} and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django_smsverify import texts
from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.types import OutgoingSMS

PLACEHOLDER = re.compile(r"\{(\w+)\}", re.ASCII)
NUMBER = re.compile("[1-9][0-9]?")


def parameters(sms: OutgoingSMS) -> list[str]:
    """The values of {1}, {2} and so on, which are the same for all numbers of a call."""
    values, names = next(iter(sms.recipients.values())), texts.placeholders(sms.content)
    by_number = dict(zip(positions(names, sms.variables), (values[name] for name in names), strict=True))
    return [by_number[number] for number in sorted(by_number)]


def numbered(text: str) -> str:
    """A draft's text with the vendor's placeholders."""
    numbers = iter(positions(names_in(text), {}))
    return PLACEHOLDER.sub(lambda found: f"{{{next(numbers)}}}", text)


def names_in(text: str) -> list[str]:
    """The placeholders of a draft's text, where a vendor's name may be a number."""
    return PLACEHOLDER.findall(text)


def positions(names: Sequence[str], theirs: Mapping[str, str]) -> list[int]:
    """The number of each placeholder: its name at the vendor where that is a number, else its place in the text.

    Raises GatewayRejected unless they are 1, 2 and so on, each for one placeholder.
    """
    named = [theirs.get(name, name) for name in names]
    found = [int(name) if NUMBER.fullmatch(name) else place for place, name in enumerate(named, 1)]
    if {*found} != {*range(1, len({*zip(found, names, strict=True)}) + 1)}:
        why = "this vendor's placeholders are {1}, {2} and so on: give the number of each one under “variables”"
        raise GatewayRejected(why, reason=Reason.CONTENT, error_code="variables")
    return found
