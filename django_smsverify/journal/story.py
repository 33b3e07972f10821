"""The story of one number: how it ended, a sentence for each attempt of the last days, and what holds now."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_smsverify import phones
from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.characters import listed
from django_smsverify.enums import Carrier
from django_smsverify.exceptions import Throttled
from django_smsverify.limits.budget import seen_over_budget
from django_smsverify.limits.failures import failures_of
from django_smsverify.limits.lists import blocked
from django_smsverify.limits.per_number import LOCKED_AFTER, NumberHistory
from django_smsverify.models import OptOut, Provider, Recipient, Template
from django_smsverify.numbers import Requester, requester_of

from .advice import advice_on
from .conclusion import Conclusion, conclude_number
from .message_sentences import message_sentence
from .records import Records
from .refusal_sentences import ADVICE, refusal_sentence
from .test_numbers import ADVICE as SIMULATED_ADVICE
from .test_numbers import present_sentences, simulated_sentence
from .words import duration, moment, sentence

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

DAYS, MOST_DAYS = 7, 190


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt."""

    at: datetime
    sentence: str
    advice: StrOrPromise
    message: UUID | None = None
    """The message that it is about; None for refused requests."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is told of one number."""

    phone: str
    """Masked."""
    days: int
    conclusion: Conclusion
    """How the last request ended."""
    present: Sequence[str]
    """What holds now, in sentences."""
    entries: Sequence[Entry]
    is_cut: bool
    """Whether older entries were left out."""

    @property
    def title(self) -> str:
        """Of whom and of which time it is."""
        words = ngettext("%(phone)s in the last %(days)d day", "%(phone)s in the last %(days)d days", self.days)
        return words % {"phone": self.phone, "days": self.days}


def days_back(last_at: datetime | None, days: int) -> int:
    """Returns as many days, or more, so that what happened at this time is told."""
    return days if last_at is None else max(days, math.ceil((timezone.now() - last_at) / timedelta(days=1)))


def tell(phone: str, days: int = DAYS) -> Story:
    """Returns the story of a number in E.164, in the active language, without any code."""
    now = timezone.now()
    records = Records.read(phone, now - timedelta(days=days), now)
    own = [Entry(one.first_at, refusal_sentence(one), ADVICE[one.reason]) for one in records.refusals]
    own += [
        Entry(one.created_at, message_sentence(one, records), advice_on(one, records), one.pk)
        for one in records.messages
    ]
    own += [Entry(one.created_at, simulated_sentence(one, records), SIMULATED_ADVICE) for one in records.simulated]
    of_all = [Entry(one.first_at, refusal_sentence(one), ADVICE[one.reason]) for one in records.refusals_of_all]
    entries = sorted([*of_all, *own], key=lambda entry: entry.at, reverse=True)
    start = records.starts_at
    told = [entry for entry in entries if start is None or entry.at >= start]
    conclusion, present = conclude_number(phone, records), list(_present(phone, now))
    return Story(phones.mask(phone), days, conclusion, present, told, is_cut=start is not None)


def _present(phone: str, now: datetime) -> Iterator[str]:
    if phones.is_forgotten(phone):
        yield sentence([_("Its number was forgotten, so that what holds for it now cannot be told")])
        return
    carrier = carrier_of(phone)
    if carrier:
        words = _("By its first digits it is a number of %s, unless it was ported")
        yield sentence([words % Carrier(carrier).label])
    if out := OptOut.objects.filter(phone=phone).first():
        words = _("It has opted out of notices at %s; it gets codes all the same")
        yield sentence([words % moment(out.created_at)])
    if entry := blocked([phone]).get(phone):
        words = _("It has been on the block list since %s: it gets neither codes nor notices")
        yield sentence([words % moment(entry.created_at)])
    yield from present_sentences(phone, now)
    history, requester = NumberHistory.read(phone, now), requester_of(phone)
    yield from _locked(phone, history, requester)
    yield sentence(_limits(history, requester))
    yield from _purposes(phone)


def _purposes(phone: str) -> Iterator[str]:
    """For which purposes it can be sent no code now: without a usable template, or without a budget left."""
    codes = {one.purpose for one in Template.objects.only("purpose", "content") if one.carries_code}
    ways: dict[str, set[Provider]] = defaultdict(set)
    for template in Template.objects.routable():
        if template.carries_code and template.provider.serves(phone):
            ways[template.purpose].add(template.provider)
    if missing := sorted(codes - ways.keys()):
        yield sentence([_("No provider can send it a code for: %s") % listed(missing)])
    if spent := sorted(one for one, some in ways.items() if len(seen_over_budget(some, one)) == len(some)):
        words = _("A budget is spent, or a provider has no price, so that no code is sent for: %s")
        yield sentence([words % listed(spent)])


def _locked(phone: str, history: NumberHistory, requester: Requester) -> Iterator[str]:
    recipient = Recipient.objects.filter(phone=phone).first()
    count = failures_of(recipient, history, requester.verified_at) if recipient else 0
    if count >= LOCKED_AFTER:
        words = _(
            "%d wrong codes in a row were entered, so each code has one guess until the right one is entered, or the "
            "action on the list of recipients in the admin lifts this"
        )
        yield sentence([words % count])


def _limits(history: NumberHistory, requester: Requester) -> Iterator[str]:
    if waiting := _waiting(history, by_stranger=False):
        yield _("It can get the next SMS in %(duration)s (%(limit)s)") % waiting
    else:
        yield _("It has not used up its own limits")
    strangers = _waiting(history, by_stranger=True) if requester.is_known else None
    if strangers and strangers != waiting:
        yield _("without captcha and device token in %(duration)s (%(limit)s)") % strangers


def _waiting(history: NumberHistory, *, by_stranger: bool) -> dict[str, StrOrPromise]:
    """How long the number must wait, and for which limit; empty if it need not."""
    try:
        history.require_allowance(by_stranger=by_stranger)
    except Throttled as error:
        return {"duration": duration(timedelta(seconds=error.retry_after)), "limit": error.scope.label}
    return {}
