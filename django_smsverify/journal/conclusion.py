"""The conclusion of a story in one sentence: what happened in the end and why, and what to do next, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus, Refused
from django_smsverify.models import Forgetting, Message, Refusal, Verification

from .advice import NOTHING, WAIT, advice_on
from .message_sentences import entered, vendor_said
from .own_words import said_of
from .places import TEST_NUMBERS, Place, place_of_message, place_of_refusal
from .records import Records, asked_by_a_person
from .refusal_sentences import ADVICE, why_refused
from .test_numbers import ADVICE as SIMULATED_ADVICE
from .test_numbers import simulated_sentence
from .words import duration, moment, sentence

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

BELONGS = timedelta(hours=1)
"""A refusal this long after an SMS may be of somebody who waits for that SMS."""
FAILED = (MessageStatus.UNDELIVERED, MessageStatus.NOT_SENT)
BEST_FIRST = (
    MessageStatus.DELIVERED,
    MessageStatus.ACCEPTED,
    MessageStatus.SENDING,
    MessageStatus.QUEUED,
    MessageStatus.UNKNOWN,
    *FAILED,
)
"""What became of a code is told by the SMS of it that came furthest."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """One thing to do."""

    words: StrOrPromise
    place: Place | None = None
    """Where in the admin it is done; None where it is done elsewhere."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How it ended."""

    words: str
    """One sentence."""
    steps: Sequence[NextStep] = ()
    """What to do, the first thing first."""


def conclude_number(phone: str, records: Records) -> Conclusion:
    """Returns how the last request of a number ended; that of a notice or a probe only where no code was asked for."""
    message = next(filter(asked_by_a_person, records.messages), next(iter(records.messages), None))
    simulated = next(iter(records.simulated), None)
    at = max((one.created_at for one in (message, simulated) if one), default=None)
    refused = max(records.refusals, key=lambda one: one.last_at, default=None)
    if refused is not None and (at is None or refused.last_at >= at):
        return _refused(refused, message, records)
    if simulated is not None and simulated.created_at == at:
        return conclude_simulated(simulated, records)
    return _nothing(phone, records) if message is None else conclude_message(message, records)


def conclude_message(message: Message, records: Records) -> Conclusion:
    """Returns how it ended with the code of a message, by whichever SMS, or with a notice."""
    best, every = _tries(message, records)
    return Conclusion(capfirst(sentence(_ended(best, every, records))), _steps(best, every, records))


def conclude_simulated(verification: Verification, records: Records) -> Conclusion:
    """Returns how a request of a test number ended."""
    step = NextStep(SIMULATED_ADVICE, TEST_NUMBERS)
    return Conclusion(simulated_sentence(verification, records), [step])


def _nothing(phone: str, records: Records) -> Conclusion:
    """Nothing is stored of the number itself, but it was forgotten, or an outage or an attack may have hidden its
    requests."""
    if forgotten := Forgetting.objects.filter(phone=phone).first():
        words = _("The number was forgotten at %s, as its owner asked: what was asked for before is kept without it")
        return Conclusion(sentence([words % moment(forgotten.asked_at)]), [NextStep(NOTHING)])
    if refused := next(iter(records.refusals_of_all), None):
        words = _(
            "Nothing is stored of this number, but requests of any number were refused, last at %(when)s: %(why)s"
        )
        step = NextStep(ADVICE[refused.reason], place_of_refusal(refused))
        return Conclusion(sentence([words % {"when": moment(refused.last_at), "why": _why(refused)}]), [step])
    step = NextStep(_("Ask the person which number was entered, and look whether the page reaches this site."))
    return Conclusion(sentence([_("No code was asked for in this time")]), [step])


def _refused(refused: Refusal, message: Message | None, records: Records) -> Conclusion:
    words = _("The last request, at %(when)s, was refused, and no SMS was sent for it: %(why)s")
    facts = {"when": moment(refused.last_at), "why": _why(refused)}
    clauses, steps = [words % facts], [NextStep(ADVICE[refused.reason], place_of_refusal(refused))]
    if refused.reason == Refused.RESEND:
        clauses.append(_pause_left(message.created_at if message else refused.last_at, records.now))
    if message is None:
        clauses.append(_("no SMS was sent to this number in this time"))
    elif refused.last_at - message.created_at < BELONGS:
        best, every = _tries(message, records)
        first, *others = _ended(best, every, records)
        clauses += [_("of the SMS before it: %s") % first, *others]
        steps += [step for step in _steps(best, every, records) if step.words is not NOTHING]
    return Conclusion(sentence(clauses), steps)


def _why(refused: Refusal) -> StrOrPromise:
    return why_refused(Refused(refused.reason)) or refused.get_reason_display()


def _pause_left(began_at: datetime, now: datetime) -> str:
    """Whether the pause after an SMS is over by now."""
    left = began_at + timedelta(seconds=conf.RESEND_INTERVAL) - now
    if left <= timedelta(0):
        return _("that pause is over by now, so a new code can be asked for as far as it goes")
    return _("a new code can be asked for in %s") % duration(left)


def _tries(message: Message, records: Records) -> tuple[Message, Sequence[Message]]:
    """The SMS with the code of this one that came furthest, and all of them, newest first."""
    every = records.with_code_of(message) or [message]
    return min(every, key=lambda one: BEST_FIRST.index(MessageStatus(one.status))), every


def _ended(best: Message, every: Sequence[Message], records: Records) -> Iterator[str]:
    """The clauses about what became of it, and what failed before."""
    yield _outcome(best) % {"what": _named(best), "provider": best.provider, "why": said_of(best)}
    failed = [one for one in reversed(every) if one.status in FAILED and not (one == best and _is_withheld(one))]
    yield from dict.fromkeys(map(_failure, failed))
    verification = asked_by_a_person(best)
    if verification is not None and best.status not in FAILED and not verification.holder.verified_at:
        yield entered(verification, best.created_at, records)


def _is_withheld(message: Message) -> bool:
    """Whether this site did not send it, without asking a vendor."""
    return message.status == MessageStatus.NOT_SENT and not message.error_reason and message.claimed_at is None


def _outcome(best: Message) -> str:
    verification = asked_by_a_person(best)
    if verification is not None and verification.holder.verified_at:
        return _("%(what)s was entered in the end, sent by “%(provider)s”")
    if _is_withheld(best):
        return _("%(what)s was not sent: %(why)s")
    return {
        MessageStatus.DELIVERED: _("%(what)s arrived, sent by “%(provider)s”"),
        MessageStatus.ACCEPTED: _("Whether it arrived is not known: %(what)s was accepted by “%(provider)s”"),
        MessageStatus.UNKNOWN: _("Whether it was sent is not known: %(what)s was handed to “%(provider)s”"),
        MessageStatus.UNDELIVERED: _("%(what)s did not arrive"),
        MessageStatus.NOT_SENT: _("%(what)s was not sent"),
    }.get(MessageStatus(best.status), _("%(what)s still waits to be sent by “%(provider)s”"))


def _named(message: Message) -> str:
    if message.is_probe:
        return _("the probe")
    if message.verification is None:
        return _("the notice for “%(purpose)s”") % {"purpose": message.purpose}
    if asked_by_a_person(message) is None:
        return _("the test by an operator")
    return _("the code for “%(purpose)s”") % {"purpose": message.purpose}


def _failure(message: Message) -> str:
    if message.status == MessageStatus.NOT_SENT:
        return vendor_said(message)
    words = _("what “%(provider)s” sent was not delivered: %(cause)s")
    return words % {"provider": message.provider, "cause": message.get_cause_display() or _("not known")}


def _steps(best: Message, every: Sequence[Message], records: Records) -> list[NextStep]:
    """What to do for the person, and about what failed before, each once; that there is nothing, if so."""
    failed = [one for one in every if one.status in FAILED and one != best]
    advised: dict[tuple[int, str], Message] = {}
    for one in (best, *failed):
        advised.setdefault((one.provider_id, str(advice_on(one, records))), one)
    steps = [
        NextStep(words, None if words == str(WAIT) else place_of_message(one))
        for (_provider, words), one in advised.items()
        if words != str(NOTHING)
    ]
    return steps or [NextStep(NOTHING)]
