"""The story of one number: a sentence for each attempt of the last days, newest first, and what holds now."""

from __future__ import annotations

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
from django_smsverify.enums import Carrier
from django_smsverify.exceptions import Throttled
from django_smsverify.limits.per_number import NumberHistory
from django_smsverify.models import Template
from django_smsverify.numbers import requester_of

from .advice import advice_on
from .records import Records
from .told_messages import ToldMessage
from .told_refusals import ADVICE, told_refusal
from .words import duration, sentence

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


def tell(phone: str, days: int = DAYS) -> Story:
    """Returns the story of a number in E.164, in the active language, without any code."""
    now = timezone.now()
    records = Records.read(phone, now - timedelta(days=days), now)
    entries = [Entry(one.first_at, told_refusal(one), ADVICE[one.reason]) for one in records.refusals]
    entries += [
        Entry(one.created_at, ToldMessage(one, records).sentence, advice_on(one, records), one.pk)
        for one in records.messages
    ]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    present = [*([] if entries else [_nothing()]), *_present(phone, now)]
    return Story(phones.mask(phone), days, present, entries, records.is_cut)


def _nothing() -> str:
    words = _(
        "No code was asked for: ask the person which number was entered, and look whether the page reaches this site"
    )
    return sentence([words])


def _present(phone: str, now: datetime) -> Iterator[str]:
    carrier = carrier_of(phone)
    if carrier:
        words = _("By its first digits it is a number of %s, unless it was ported")
        yield sentence([words % Carrier(carrier).label])
    yield _limits(phone, now)
    if missing := sorted(_purposes_without_route(phone)):
        yield sentence([_("No provider can send it a code for: %s") % ", ".join(missing)])


def _limits(phone: str, now: datetime) -> str:
    is_stranger = requester_of(phone).is_stranger
    try:
        NumberHistory.read(phone, now).require_allowance(by_stranger=is_stranger)
    except Throttled as error:
        facts = {"duration": duration(timedelta(seconds=error.retry_after)), "limit": error.scope.label}
        return sentence([_("It can get the next SMS in %(duration)s (%(limit)s)") % facts])
    return sentence([_("It has not used up its own limits")])


def _purposes_without_route(phone: str) -> set[str]:
    """The purposes of codes for which no usable template of a provider that serves the number is there."""
    codes = {one.purpose for one in Template.objects.only("purpose", "content") if one.carries_code}
    usable = Template.objects.routable()
    return codes - {one.purpose for one in usable if one.carries_code and one.provider.serves(phone)}
