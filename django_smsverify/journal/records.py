"""What is stored of one number's last days, and which of it belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from django_smsverify.enums import DeliveryOutcome, MessageStatus
from django_smsverify.models import DeliveryReport, Message, Refusal, Verification
from django_smsverify.verifying.context import is_of_test

MOST = 100
"""Messages and refusals that are told, the newest."""


@dataclass(frozen=True, slots=True)
class Records:
    """The messages of a number with their reports, its verifications, and refusals of it or of all numbers."""

    now: datetime
    messages: Sequence[Message]
    """Newest first."""
    verifications: Sequence[Verification]
    refusals: Sequence[Refusal]
    is_cut: bool
    """Whether older ones were left out."""

    @classmethod
    def read(cls, phone: str, since: datetime, now: datetime) -> Records:
        """Reads what was stored of a number since a moment, in five statements."""
        messages = Message.objects.filter(phone=phone, created_at__gte=since).order_by("-created_at", "-attempt")
        own = Refusal.objects.filter(Q(phone=phone) | Q(phone=""), first_at__gte=since)
        found = list(messages.prefetch_related("provider", "verification__root", "reports")[: MOST + 1])
        refusals = list(own.order_by("-first_at")[: MOST + 1])
        verifications = Verification.objects.filter(recipient__phone=phone, created_at__gte=since)
        return cls(
            now,
            found[:MOST],
            list(verifications),
            refusals[:MOST],
            is_cut=max(len(found), len(refusals)) > MOST,
        )

    def is_repeated(self, message: Message) -> bool:
        """Whether an earlier SMS had the same code."""
        return any(one.created_at < message.created_at for one in self._with_code_of(message) if was_handed_over(one))

    def tried_next(self, message: Message) -> list[Message]:
        """The later attempts with the same code that the failure of this one caused, in their order."""
        chain = [message]
        with_code = self._with_code_of(message)
        for one in reversed(with_code[: with_code.index(message)] if message in with_code else []):
            if one.attempt == 1:  # the code was asked for again
                break
            if one.follows == chain[-1].pk or is_next_attempt(chain[-1], one):
                chain.append(one)
        return chain[1:]

    def wrong_codes(self, verification: Verification) -> int:
        """How many wrong codes were entered while this verification's code was asked for."""
        code = verification.holder
        guesses = sum(one.attempts for one in self.verifications if code.pk in (one.pk, one.root_id))
        return max(0, guesses - (1 if code.verified_at else 0))

    def _with_code_of(self, message: Message) -> list[Message]:
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


def was_handed_over(message: Message) -> bool:
    """Whether the phone may have got it."""
    return message.status != MessageStatus.NOT_SENT


def is_next_attempt(last: Message, one: Message) -> bool:
    """Whether it is the next attempt of the same request."""
    same_request = (one.verification_id, one.follows) == (last.verification_id, last.follows)
    return same_request and one.attempt == last.attempt + 1


def deciding_report(message: Message) -> DeliveryReport | None:
    """The report that gave a message its status; None where the vendor has not told, or it came as an answer."""
    outcome = message.status
    reports = [one for one in message.reports.all() if one.outcome == outcome]
    return min(reports, key=lambda one: one.received_at) if reports else None


def failed_before(message: Message) -> bool:
    """Whether a failure was reported of an SMS that arrived after all."""
    reports = message.reports.all()
    return any(one.outcome == DeliveryOutcome.UNDELIVERED for one in reports)
