"""Numbers that get no notices: their owners have opted out, or an operator has listed them."""

from __future__ import annotations

from collections.abc import Iterable

from django_smsverify.limits import lists
from django_smsverify.masked import PerNumber
from django_smsverify.numbers import opt_outs

WHYS = (opt_outs.WHY, lists.WHY)
"""What is stored with a notice that is not sent to such a number."""


def left_out(phones: Iterable[str]) -> PerNumber[str]:
    """Returns those of these numbers that get no notices, each with the reason."""
    every = list(phones)
    listed, opted_out = lists.blocked(every), opt_outs.opted_out(every)
    return PerNumber([*((phone, lists.WHY) for phone in listed), *((phone, opt_outs.WHY) for phone in opted_out)])
