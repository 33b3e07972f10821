"""The sentence about one message: who asked, what the vendor and the carrier said, what was tried next, and whether the
number was verified."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from django_smsverify.carriers.causes import Side
from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.models import Message
from django_smsverify.reports.causes import meaning_of

from .records import Records, asked_by_a_person, deciding_report, failed_before
from .words import counted_wrong, duration, own_words, quoted, sentence


@dataclass(frozen=True, slots=True)
class ToldMessage:
    """A message, and what is stored beside it."""

    message: Message
    records: Records

    @property
    def sentence(self) -> str:
        """All of it."""
        return sentence([self._asked(), self._vendor_said(), self._carrier_said(), self._tried_next(), self._entered()])

    def _asked(self) -> str:
        message = self.message
        if message.is_probe:
            words = _("A probe was sent")
        elif message.verification is not None and asked_by_a_person(message) is None:
            words = _("An operator tested the provider")
        elif asked_by_a_person(message) is None:
            in_batch = _("A notice for “%(purpose)s” was sent in the batch “%(batch)s”")
            words = in_batch if message.batch else _("A notice for “%(purpose)s” was sent")
        elif message.follows:
            words = _("The code for “%(purpose)s” took another way, because the SMS before it was not delivered")
        elif message.attempt > 1:
            words = _("The code for “%(purpose)s” took another way, because the provider before had not taken it")
        elif self.records.is_repeated(message):
            words = _("The code for “%(purpose)s” was asked for again")
        else:
            words = _("A code for “%(purpose)s” was asked for")
        return words % {"purpose": message.purpose, "batch": message.batch}

    def _vendor_said(self) -> str:
        message = self.message
        facts = {
            "provider": message.provider,
            "said": quoted(message.error_code, own_words(message.error_message)) or _("no words"),
            "reason": message.get_error_reason_display(),
        }
        if message.status == MessageStatus.NOT_SENT:
            return self._not_sent(facts)
        words = {
            MessageStatus.QUEUED: _("it still waits to be sent by “%(provider)s”"),
            MessageStatus.SENDING: _("“%(provider)s” was called, and the answer is not stored yet"),
            MessageStatus.UNKNOWN: _("the answer of “%(provider)s” was lost: it may have been sent or not (%(said)s)"),
        }
        return words.get(MessageStatus(message.status), _("“%(provider)s” accepted it")) % facts

    def _not_sent(self, facts: dict[str, object]) -> str:
        if self.message.error_reason:
            return _("“%(provider)s” refused it: %(said)s (%(reason)s)") % facts
        if self.message.claimed_at is None:
            return _("it was not sent: %s") % own_words(self.message.error_message)
        return _("“%(provider)s” could not be reached (%(said)s)") % facts

    def _carrier_said(self) -> str:
        message, report = self.message, deciding_report(self.message)
        end = message.settled_at or (report.received_at if report else self.records.now)
        facts = {
            "carrier": message.get_carrier_display() or _("the carrier"),
            "duration": duration(end - message.created_at),
            "code": quoted(report.code, report.detail) if report else _("no code"),
            "cause": message.get_cause_display() or _("not known"),
        }
        if message.status == MessageStatus.DELIVERED:
            late = _("%(carrier)s delivered it after %(duration)s, although a failure had been reported")
            return (late if failed_before(message) else _("%(carrier)s delivered it after %(duration)s")) % facts
        if message.status == MessageStatus.UNDELIVERED:
            return _("%(carrier)s did not deliver it (%(code)s, after %(duration)s): %(cause)s") % facts
        if message.status == MessageStatus.ACCEPTED:
            never = _("no report of its delivery ever came")
            return never if message.settled_at else _("no report has come for %(duration)s") % facts
        return ""

    def _tried_next(self) -> str:
        message, later = self.message, self.records.tried_next(self.message)
        if later:
            names = ", ".join(f"“{one.provider}”" for one in later)
            words = _("then it was tried by %(providers)s: %(status)s")
            return words % {"providers": names, "status": later[-1].get_status_display()}
        if asked_by_a_person(message) is None:
            return ""
        if message.status == MessageStatus.UNDELIVERED:
            report = deciding_report(message)
            is_of_phone = report is not None and meaning_of(message.provider, report).side == Side.PHONE
            phone = _("no other provider was tried, as the phone is the cause")
            return phone if is_of_phone else _("nothing was sent after it")
        if message.status == MessageStatus.NOT_SENT and message.claimed_at:
            is_of_number = message.error_reason == Reason.RECIPIENT
            number = _("no other provider was tried, as the number is the cause")
            return number if is_of_number else _("no other provider was left to try")
        return ""

    def _entered(self) -> str:
        verification, now = asked_by_a_person(self.message), self.records.now
        if verification is None:
            return ""
        code, count = verification.holder, self.records.wrong_codes(verification)
        wrong = counted_wrong(count)
        if code.verified_at:
            facts = {"wrong": wrong, "duration": duration(code.verified_at - code.created_at)}
            words = _("%(wrong)s, then the right one, %(duration)s after the request")
            return (words if wrong else _("the right code was entered %(duration)s after the request")) % facts
        if verification.attempts >= verification.max_attempts:
            return _("all guesses were used up by wrong codes")
        if verification.is_live(now):
            left = _("the code is valid for another %s") % duration(code.expires_at - now)
            return ", ".join(filter(None, [wrong, left]))
        return wrong or _("no code was entered")
