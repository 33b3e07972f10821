"""The sentence about one message: who asked, what the vendor and the carrier said, what was tried next, and whether the
number was verified."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from django_smsverify.carriers.causes import Side
from django_smsverify.characters import listed
from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.models import Message, Verification
from django_smsverify.reports.causes import meaning_of

from .own_words import said_of
from .records import Records, asked_by_a_person, deciding_report, delivered_at, has_failed_too
from .words import counted_wrong, duration, quoted, sentence

ACCEPTED = (MessageStatus.ACCEPTED, MessageStatus.DELIVERED, MessageStatus.UNDELIVERED)
"""A vendor has taken it."""


def message_sentence(message: Message, records: Records) -> str:
    """Returns all that is told of a message."""
    return sentence(
        [
            asked(message, records),
            vendor_said(message),
            *_carrier_said(message, records),
            _tried_next(message, records),
            _entered_after(message, records),
        ]
    )


def asked(message: Message, records: Records) -> str:
    """Returns the clause about what a message was sent for."""
    if message.is_probe:
        words = _("A probe was sent")
    elif message.verification is not None and asked_by_a_person(message) is None:
        words = _("An operator tested the provider")
    elif asked_by_a_person(message) is None:
        words = _about_notice(message)
    elif message.follows:
        words = _("The code for “%(purpose)s” took another way, because the SMS before it was not delivered")
    elif message.attempt > 1:
        words = _("The code for “%(purpose)s” took another way, because the provider before had not taken it")
    elif records.is_repeated(message):
        words = _("The code for “%(purpose)s” was asked for again")
    else:
        words = _("A code for “%(purpose)s” was asked for")
    return words % {"purpose": message.purpose, "batch": message.batch}


def _about_notice(message: Message) -> str:
    """That it was sent is said only where a vendor has accepted it: else the next clause would contradict it."""
    if message.status in ACCEPTED:
        in_batch = _("A notice for “%(purpose)s” was sent in the batch “%(batch)s”")
        return in_batch if message.batch else _("A notice for “%(purpose)s” was sent")
    in_batch = _("A notice for “%(purpose)s” was to be sent in the batch “%(batch)s”")
    return in_batch if message.batch else _("A notice for “%(purpose)s” was to be sent")


def vendor_said(message: Message) -> str:
    """Returns the clause about the vendor's answer, or why there is none."""
    facts = {
        "provider": message.provider,
        "said": str(said_of(message)) or _("no words"),
        "reason": message.get_error_reason_display(),
    }
    if message.status == MessageStatus.NOT_SENT:
        if message.error_reason:
            return _("“%(provider)s” refused it: %(said)s (%(reason)s)") % facts
        if message.claimed_at is None:
            return _("it was not sent: %s") % said_of(message)
        return _("“%(provider)s” could not be reached (%(said)s)") % facts
    words = {
        MessageStatus.QUEUED: _("it still waits to be sent by “%(provider)s”"),
        MessageStatus.SENDING: _("“%(provider)s” was called, and the answer is not stored yet"),
        MessageStatus.UNKNOWN: _("the answer of “%(provider)s” was lost: it may have been sent or not (%(said)s)"),
    }
    return words.get(MessageStatus(message.status), _("“%(provider)s” accepted it")) % facts


def _carrier_said(message: Message, records: Records) -> list[str]:
    report = deciding_report(message)
    told_at = report.received_at if report else message.settled_at
    arrived = delivered_at(message)
    facts = {
        "carrier": message.get_carrier_display() or _("the carrier"),
        "duration": duration((arrived or told_at or records.now) - message.created_at),
        "code": quoted(report.code, report.detail) if report else _("no code"),
        "cause": message.get_cause_display() or _("not known"),
    }
    if message.status == MessageStatus.DELIVERED:
        reported = _("%(carrier)s reported after %(duration)s that it was delivered") % facts
        delivered = _("%(carrier)s delivered it after %(duration)s") % facts
        failed = _("a failure was reported, too") if has_failed_too(message) else ""
        return [delivered if arrived else reported, failed]
    if message.status == MessageStatus.UNDELIVERED:
        words = _("%(carrier)s reported after %(duration)s that it was not delivered (%(code)s): %(cause)s")
        return [words % facts]
    if message.status == MessageStatus.ACCEPTED:
        never = _("no report of its delivery ever came")
        return [never if message.settled_at else _("no report has come for %(duration)s") % facts]
    return []


def _tried_next(message: Message, records: Records) -> str:
    later = records.tried_next(message)
    if later:
        names = listed(f"“{one.provider}”" for one in later)
        words = _("then it was tried by %(providers)s: %(status)s")
        return words % {"providers": names, "status": later[-1].get_status_display()}
    verification = asked_by_a_person(message)
    if verification is None or verification.holder.verified_at or records.is_followed(message):
        return ""
    if message.status == MessageStatus.UNDELIVERED:
        report = deciding_report(message)
        is_of_phone = report is not None and meaning_of(message.provider, report).side == Side.PHONE
        phone = _("no other provider was tried, as the phone is the cause")
        return phone if is_of_phone else _("no other provider was tried")
    if message.status == MessageStatus.NOT_SENT and message.claimed_at:
        is_of_number = message.error_reason == Reason.RECIPIENT
        number = _("no other provider was tried, as the number is the cause")
        return number if is_of_number else _("no other provider was tried")
    return ""


def _entered_after(message: Message, records: Records) -> str:
    verification = asked_by_a_person(message)
    if verification is None or not (verification.holder.verified_at or records.was_carried(message)):
        return ""
    return entered(verification, message.created_at, records)


def entered(verification: Verification, asked_at: datetime, records: Records) -> str:
    """Returns the clause about the codes that were entered, for a verification that was asked for at a time."""
    code, wrong = verification.holder, counted_wrong(records.wrong_codes(verification))
    if code.verified_at:
        facts = {"wrong": wrong, "duration": duration(code.verified_at - asked_at)}
        words = _("%(wrong)s, then the right one, %(duration)s later")
        return (words if wrong else _("the right code was entered %(duration)s later")) % facts
    if verification.attempts >= verification.max_attempts:
        return _("all guesses were used up by wrong codes")
    if verification.is_live(records.now):
        left = _("the code is valid for another %s") % duration(code.expires_at - records.now)
        return ", ".join(filter(None, [wrong, left]))
    return wrong or _("no code was entered")
