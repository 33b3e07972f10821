"""What is stored of one number's last days, and which of it belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, prefetch_related_objects

from django_smsverify.enums import DeliveryOutcome, MessageStatus
from django_smsverify.models import DeliveryReport, Message, Refusal, Verification
from django_smsverify.reports.delays import delivered_at as told_delivery
from django_smsverify.verifying.context import is_of_test

MOST = 100
"""Messages, and refusals, that are told: the newest."""
MOST_OF_ALL = 20
"""Refusals of all numbers that are told beside them."""


TOLD = ("provider", "verification__root", "reports", "replies")
"""What is read beside a message whose steps are told."""


@dataclass(frozen=True, slots=True)
class Records:
    """The messages of a number with their reports, its verifications, and refusals of it or of all numbers."""

    now: datetime
    messages: Sequence[Message]
    """Newest first."""
    verifications: Sequence[Verification]
    """Those with the codes of these messages, and those for which nothing was sent, as it was a test number."""
    refusals: Sequence[Refusal]
    refusals_of_all: Sequence[Refusal]
    starts_at: datetime | None
    """Where older ones were left out: the time from which all are here."""

    @classmethod
    def read(cls, phone: str, since: datetime, now: datetime) -> Records:
        """Reads what was stored of a number since a moment, in eight statements."""
        of_number = Message.objects.filter(phone=phone, created_at__gte=since).order_by("-created_at", "-attempt")
        messages = list(of_number.prefetch_related("provider", "verification__root", "reports")[: MOST + 1])
        codes = {code for message in messages if (code := code_of(message))}
        verifications = Verification.objects.filter(Q(pk__in=codes) | Q(root__in=codes))
        lately = Refusal.objects.filter(first_at__gte=since).order_by("-first_at")
        refusals = list(lately.filter(phone=phone)[: MOST + 1])
        asked = Verification.objects.filter(recipient__phone=phone, created_at__gte=since, simulated_at__isnull=False)
        simulated = list(asked.order_by("-created_at")[: MOST + 1])
        left_out = [message.created_at for message in messages[MOST:]] + [one.first_at for one in refusals[MOST:]]
        left_out += [one.created_at for one in simulated[MOST:]]
        return cls(
            now=now,
            messages=messages[:MOST],
            verifications=[*verifications, *simulated[:MOST]],
            refusals=refusals[:MOST],
            refusals_of_all=list(lately.filter(phone="")[:MOST_OF_ALL]),
            starts_at=max(left_out) + timedelta.resolution if left_out else None,
        )

    @classmethod
    def of_code(cls, code: UUID, now: datetime) -> Records:
        """Reads the verifications that share a code, given by that which holds it, and the SMS that carried it."""
        sharing = Q(pk=code) | Q(root=code)
        verifications = list(Verification.objects.filter(sharing).order_by("created_at").select_related("root")[:MOST])
        messages = Message.objects.filter(verification__in=[one.pk for one in verifications])
        told = messages.order_by("-created_at", "-attempt").prefetch_related(*TOLD)[:MOST]
        return cls(now, list(told), verifications, refusals=(), refusals_of_all=(), starts_at=None)

    @classmethod
    def of_notice(cls, message: Message, now: datetime) -> Records:
        """A message without a code alone."""
        prefetch_related_objects([message], *TOLD)
        return cls(now, [message], verifications=(), refusals=(), refusals_of_all=(), starts_at=None)

    @property
    def simulated(self) -> list[Verification]:
        """The verifications for which nothing was sent."""
        return [one for one in self.verifications if one.is_simulated]

    def is_repeated(self, message: Message) -> bool:
        """Whether an earlier SMS had the same code."""
        return any(one.created_at < message.created_at and was_sent(one) for one in self.with_code_of(message))

    def is_followed(self, message: Message) -> bool:
        """Whether a later SMS had the same code."""
        return any(one.created_at > message.created_at for one in self.with_code_of(message))

    def tried_next(self, message: Message) -> list[Message]:
        """The later attempts with the same code that the failure of this one caused, in their order."""
        chain, is_same_request = [message], True
        for one in reversed(self.with_code_of(message)):
            if one.created_at < message.created_at or one == message:
                continue
            is_same_request = is_same_request and one.attempt > 1
            if one.follows == chain[-1].pk or (is_same_request and _is_next_attempt(chain[-1], one)):
                chain.append(one)
        return chain[1:]

    def was_carried(self, message: Message) -> bool:
        """Whether any SMS with the same code may have reached the phone; else nobody can have entered it."""
        return any(map(was_sent, self.with_code_of(message)))

    def wrong_codes(self, verification: Verification) -> int:
        """How many wrong codes were entered for the code of this verification."""
        code = verification.holder
        guesses = sum(one.attempts for one in self.verifications if code.pk in (one.pk, one.root_id))
        return max(0, guesses - (1 if code.verified_at else 0))

    def with_code_of(self, message: Message) -> list[Message]:
        """All SMS with the code of this one, newest first, itself among them."""
        code = code_of(message)
        return [one for one in self.messages if code is not None and code_of(one) == code]


def code_of(message: Message) -> UUID | None:
    """The verification that holds the code of an SMS; None for a notice."""
    return message.verification.holder.pk if message.verification else None


def asked_by_a_person(message: Message) -> Verification | None:
    """The verification of a code that a person asked for; None for a notice, a probe or an operator's test."""
    verification = message.verification
    if verification is None or is_of_test(verification.holder, message.provider.slug):
        return None
    return verification


def was_sent(message: Message) -> bool:
    """Whether the phone may have got it."""
    return message.status != MessageStatus.NOT_SENT


def _is_next_attempt(last: Message, one: Message) -> bool:
    same_request = (one.verification_id, one.follows) == (last.verification_id, last.follows)
    return same_request and one.attempt == last.attempt + 1


def deciding_report(message: Message) -> DeliveryReport | None:
    """The report that gave a message its status; None where there is none."""
    reports = [one for one in message.reports.all() if one.outcome == message.status]
    return min(reports, key=lambda one: one.received_at) if reports else None


def delivered_at(message: Message) -> datetime | None:
    """When an SMS was delivered, as its vendor says; None where it does not: a report may come long afterwards."""
    report = deciding_report(message)
    return told_delivery(message, report) if report else None


def has_failed_too(message: Message) -> bool:
    """Whether a failure was reported of an SMS, too, that arrived."""
    return any(one.outcome == DeliveryOutcome.UNDELIVERED for one in message.reports.all())
