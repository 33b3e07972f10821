"""The story of one message, or of one code: the sentence, what to do, and the steps with the time that each took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from django_smsverify.models import Message, Verification

from .advice import advice_on
from .code_steps import code_steps
from .conclusion import Conclusion, conclude_message, conclude_simulated
from .message_sentences import message_sentence
from .message_steps import message_steps, other_try
from .records import Records, code_of
from .steps import Step, in_order
from .test_numbers import ADVICE as SIMULATED_ADVICE
from .test_numbers import simulated_sentence

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is told of one message or one verification."""

    conclusion: Conclusion | None
    """How it ended with the code, by whichever SMS; None where there is no sentence."""
    sentence: str
    """The same as `smsverify_explain` says; blank for a verification of which no SMS is stored."""
    advice: StrOrPromise
    steps: Sequence[Step]


def of_message(message: Message) -> Timeline:
    """Returns the story of a message, with other tries with its code and what was entered."""
    now, code = timezone.now(), code_of(message)
    records = Records.of_notice(message, now) if code is None else Records.of_code(code, now)
    told = next((one for one in records.messages if one == message), message)
    return _told(told, records, in_order(_of_message(told, records)))


def of_verification(verification: Verification) -> Timeline:
    """Returns the story of a code, with all the SMS that carried it."""
    records = Records.of_code(verification.holder.pk, timezone.now())
    steps = in_order(_of_verification(verification, records))
    if verification.is_simulated:
        conclusion = conclude_simulated(verification, records)
        return Timeline(conclusion, simulated_sentence(verification, records), SIMULATED_ADVICE, steps)
    if not records.messages:
        return Timeline(None, "", "", steps)
    return _told(records.messages[0], records, steps)


def _told(message: Message, records: Records, steps: Sequence[Step]) -> Timeline:
    conclusion = conclude_message(message, records)
    return Timeline(conclusion, message_sentence(message, records), advice_on(message, records), steps)


def _of_message(message: Message, records: Records) -> Iterator[Step]:
    yield from message_steps(message, records)
    yield from (other_try(one) for one in records.messages if one != message)
    if message.verification is not None:
        yield from code_steps(message.verification, records)


def _of_verification(verification: Verification, records: Records) -> Iterator[Step]:
    if not any(one.verification_id == verification.pk for one in records.messages):
        words = _("A code for “%(purpose)s” was asked for") % {"purpose": verification.purpose}
        yield Step(verification.created_at, words, told_by=Verification)
    for message in reversed(records.messages):
        yield from message_steps(message, records)
    yield from code_steps(verification, records)
