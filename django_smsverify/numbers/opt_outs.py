"""Opting out: who answers an SMS with one of these words gets no notices any more. Codes are sent all the same, as
their owners ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.utils.translation import gettext_noop as _

from django_smsverify.characters import plain
from django_smsverify.masked import PerNumber
from django_smsverify.models import OptOut, Reply

WORDS = frozenset({"TD", "T", "N", "R", "退订", "STOP"})
"""What texts name as the answer that ends them; R is what Chinese carriers want since 2025."""
WHY = _("the number has opted out of notices")
"""Stored with a notice that is not sent."""
AROUND = re.compile(r"[\W_]+")
CHUNK_SIZE = 1000
"""Numbers in one statement."""


def says_so(content: str) -> bool:
    """Whether a reply is nothing but one of these words."""
    return AROUND.sub("", plain(content)).upper() in WORDS


def note_reply(reply: Reply) -> None:
    """Opts the number of a reply out, once, if it says so."""
    if says_so(reply.content):
        OptOut.objects.get_or_create(phone=reply.phone, defaults={"reply": reply})


def opted_out(phones: Iterable[str]) -> PerNumber[bool]:
    """Returns those of these numbers that get no notices, each with True."""
    every = list(dict.fromkeys(phones))
    found: PerNumber[bool] = PerNumber()
    for start in range(0, len(every), CHUNK_SIZE):
        for row in OptOut.objects.filter(phone__in=every[start : start + CHUNK_SIZE]).only("phone"):
            found[row.phone] = True
    return found
