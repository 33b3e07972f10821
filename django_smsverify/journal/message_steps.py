"""The steps of one message: asked for, queued, handed over, answered, reported, replied to and settled."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from django_smsverify.enums import DeliveryOutcome, MessageStatus
from django_smsverify.limits import lists
from django_smsverify.models import DeliveryReport, Message, Reply
from django_smsverify.numbers import opt_outs
from django_smsverify.reports.causes import meaning_of

from .message_sentences import asked
from .own_words import said_of
from .records import Records
from .steps import Fact, Step, facts
from .words import elapsed, moment, quoted

TONES = {
    MessageStatus.NOT_SENT: "bad",
    MessageStatus.UNDELIVERED: "bad",
    MessageStatus.UNKNOWN: "warn",
    MessageStatus.DELIVERED: "good",
}
"""Of the end of a try; every other state leaves the end open."""


def message_steps(message: Message, records: Records) -> Iterator[Step]:
    """Yields what happened to one message, in no order."""
    yield Step(message.created_at, asked(message, records), row=message)
    if _was_queued(message):
        yield Step(message.created_at, _("Put into the queue"))
    if message.claimed_at is not None:
        words = _("Handed over to “%(provider)s”") % {"provider": message.provider}
        attempt = message.attempt if message.attempt > 1 else None
        yield Step(message.claimed_at, words, facts=facts((_("attempt"), attempt)))
    yield from _answered(message)
    yield from (_reported(message, report) for report in message.reports.all())
    yield from (_replied(reply) for reply in message.replies.all())
    if message.settled_at is not None and message.status != MessageStatus.NOT_SENT:
        ends = {"status": message.get_status_display()}
        yield Step(message.settled_at, _("Settled as “%(status)s”: no more news is expected") % ends)


def _was_queued(message: Message) -> bool:
    """Whether it waited; not if it was sent at once, or stored only to tell that its number gets no notices."""
    if message.claimed_at is not None:
        return message.claimed_at > message.created_at
    was_left_out = message.error_message in (opt_outs.WHY, lists.WHY)
    return not (was_left_out and message.settled_at is not None and message.settled_at <= message.created_at)


def other_try(message: Message) -> Step:
    """Returns the whole of another message with the same code, in one step."""
    words = _("Another try, by “%(provider)s”: %(status)s")
    title = words % {"provider": message.provider, "status": message.get_status_display()}
    tone = TONES.get(MessageStatus(message.status), "quiet")
    return Step(message.created_at, title, tone, facts((_("cause"), message.get_cause_display())), message)


def _answered(message: Message) -> Iterator[Step]:
    """What the vendor's call ended with; nothing before the call."""
    name, status = {"provider": message.provider}, MessageStatus(message.status)
    if message.sent_at is not None:
        known_as = facts((_("id at the vendor"), message.remote_id))
        yield Step(message.sent_at, _("“%(provider)s” accepted it") % name, facts=known_as, row=message)
    elif status == MessageStatus.NOT_SENT:
        # Rows of an earlier version were settled some microseconds before they were made.
        at = max(message.settled_at or message.created_at, message.created_at)
        yield Step(at, _why_not_sent(message) % name, "bad", _reasons(message), message)
    elif message.claimed_at and status == MessageStatus.UNKNOWN:
        lost = _("The answer of “%(provider)s” was lost: it may have been sent or not")
        yield Step(message.claimed_at, lost % name, "warn", _reasons(message), message)
    elif message.claimed_at and status == MessageStatus.SENDING:
        yield Step(message.claimed_at, _("The answer of “%(provider)s” is not stored yet") % name)


def _why_not_sent(message: Message) -> str:
    if message.error_reason:
        return _("“%(provider)s” refused it") if not said_of(message).is_ours else _("It was not sent")
    return _("It was not sent") if message.claimed_at is None else _("“%(provider)s” could not be reached")


def _reasons(message: Message) -> tuple[Fact, ...]:
    """Whose words they are stands before them."""
    said = said_of(message)
    return facts(
        (_("reason"), message.get_error_reason_display()),
        (_("vendor's code"), said.code),
        (_("why, as this site says") if said.is_ours else _("vendor's words"), said.words),
    )


def _reported(message: Message, report: DeliveryReport) -> Step:
    is_delivered = report.outcome == DeliveryOutcome.DELIVERED
    title = _("Delivery report: %(outcome)s") % {"outcome": report.get_outcome_display()}
    at = report.occurred_at
    known = facts(
        (_("time by the vendor's clock"), moment(at) if at else ""),
        (_("after it was asked for"), elapsed(at - message.created_at) if at and at >= message.created_at else ""),
        (_("cause"), "" if is_delivered else report.get_cause_display()),
        (_("vendor's code"), quoted(report.code)),
        (_("vendor's words"), quoted(report.detail)),
        (_("what to do"), "" if is_delivered else meaning_of(message.provider, report).advice.label),
        (_("how it came"), report.get_source_display()),
    )
    return Step(report.received_at, title, "good" if is_delivered else "bad", known, report, DeliveryReport)


def _replied(reply: Reply) -> Step:
    known = facts(
        (_("time by the vendor's clock"), moment(reply.occurred_at) if reply.occurred_at else ""),
        (_("content"), quoted(reply.content)),
    )
    return Step(reply.received_at, _("A reply came from the phone"), facts=known, row=reply, told_by=Reply)
