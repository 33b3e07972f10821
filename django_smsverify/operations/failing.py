"""Providers that have sent nothing for an hour, for whatever reason, though they were asked to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, QuerySet, Subquery

from django_smsverify.enums import MessageStatus
from django_smsverify.models import Message, Provider

from .questions import ask_at_once

WITHIN = timedelta(hours=1)
SMS, NUMBERS = 5, 3
"""So many SMS, to so many numbers, say something of the provider: a number may be refused for itself."""
TAKEN = [status for status in MessageStatus if status.is_taken]
FAILED = (MessageStatus.NOT_SENT, MessageStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class FailingProvider:
    """A provider none of whose last SMS was taken."""

    provider: Provider
    last: Message
    """The newest SMS, with the vendor's words."""


def failing_providers(now: datetime, providers: Iterable[Provider] | None = None) -> list[FailingProvider]:
    """Returns the active providers that were asked to send within the hour, and took nothing.

    This is a query, and one more for each that is found. A caller that has just read all `providers` gives them.
    """
    every = Provider.objects.all() if providers is None else providers
    active = {one.pk: one for one in every if one.is_active}
    taken = {("taken", pk): Exists(_asked(pk, now).filter(status__in=TAKEN)) for pk in active}
    enough = {("asked", pk): Subquery(_failed(pk, now)[SMS - 1 : SMS].values("pk")) for pk in active}
    answers = ask_at_once({**taken, **enough})
    suspected = [pk for pk in active if answers["asked", pk] and not answers["taken", pk]]
    failed = {pk: list(_failed(pk, now)[: 4 * SMS]) for pk in suspected}
    return [
        FailingProvider(active[pk], messages[0])
        for pk, messages in failed.items()
        if len({message.phone for message in messages}) >= NUMBERS
    ]


def _asked(provider: int, now: datetime) -> QuerySet[Message]:
    return Message.objects.filter(provider=provider, created_at__gt=now - WITHIN)


def _failed(provider: int, now: datetime) -> QuerySet[Message]:
    """The SMS that the vendor was asked to send, and did not take, newest first; not those that were withdrawn."""
    failed = _asked(provider, now).filter(status__in=FAILED, claimed_at__isnull=False)
    return failed.order_by("-created_at")
