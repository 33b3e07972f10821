"""What an operator can do about one message."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.carriers.causes import Advice, Side
from django_smsverify.enums import MessageStatus, Reason, Refused
from django_smsverify.limits import budget, lists
from django_smsverify.models import Message, Verification
from django_smsverify.numbers import opt_outs
from django_smsverify.reports.causes import meaning_of

from .records import Records, asked_by_a_person, deciding_report, delivered_at
from .refusal_sentences import ADVICE

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

SOON = timedelta(minutes=1)
"""A queued message is usually sent within this time, and a report has usually come."""
REFUSED: dict[str, StrOrPromise] = {
    Reason.ACCOUNT: _(
        "Look at key, balance and allowed addresses of the account: press “Test” on the page of the provider."
    ),
    Reason.CONTENT: _(
        "Compare template and signature with the vendor's console: “Test” on the page of the provider names what "
        "differs."
    ),
    Reason.RECIPIENT: _("Ask the person whether the number is right, and for another one if it is."),
    Reason.FREQUENCY: _("The number's limit at the vendor is used up: wait, or add another provider."),
    Reason.RATE: _("The vendor takes fewer SMS a second than were sent: have it raised, or add another provider."),
    Reason.OTHER: _("Ask the vendor what its words mean; meanwhile another provider helps."),
}
NOT_REACHED = _("Look whether this server reaches the vendor: press “Test” on the page of the provider.")
WITHDRAWN = _("Ask the person to ask again; if it happens often, start more workers.")
WAITING = _("Look whether the worker runs, and smsverify_poll every minute.")
WAIT = _("Wait for a minute and look again.")
LOST = _(
    "Ask the person to look at the phone, and to ask again if nothing came: the next SMS takes another way, if there "
    "is one."
)
ASK_THE_VENDOR = _("Only the vendor knows whether it was sent: look into its console.")
NO_REPORT = _(
    "Ask the person to look at the phone. Look whether the vendor pushes reports to this site: the page of the "
    "provider shows the address and has “Send a test push”; the poll asks for what was not pushed."
)
OPTED_OUT = _("Leave it so. If the owner wants notices again, delete the number under “opt-outs of notices”.")
LISTED = _(
    "Leave it so. If the number is to get codes and notices again, delete the entry in the block and allow list."
)
ON_THE_PHONE = _(
    "The SMS is on the phone: ask the person to look among the blocked messages, and whether the number is the one of "
    "that phone."
)
LATE = _("It came after the code had expired, so the person needs a new one. Find out from the vendor why it was late.")
WRONG = _("Ask the person to enter the code of the newest SMS.")
USED_UP = _("Ask the person to ask for a new code. If somebody else guessed, the limit did its work.")
EXPIRED = _("By now the code has expired: the person needs a new one.")
FORGOTTEN = _("Nothing: the number was forgotten, so there is nobody to ask.")
NOTHING = Advice.NOTHING.label


def advice_on(message: Message, records: Records) -> StrOrPromise:
    """Returns what to do; that nothing needs to be done where the number was verified and no provider failed."""
    status = MessageStatus(message.status)
    if phones.is_forgotten(message.phone) and _is_for_the_person(message):
        return FORGOTTEN
    if status == MessageStatus.NOT_SENT:
        return _on_refused(message)
    if status == MessageStatus.UNDELIVERED:
        report = deciding_report(message)
        return meaning_of(message.provider, report).advice.label if report else Advice.READ_OUT.label
    verification = asked_by_a_person(message)
    is_done = verification.holder.verified_at if verification else status == MessageStatus.DELIVERED
    return NOTHING if is_done else _on_sent(message, status, verification, records)


def _is_for_the_person(message: Message) -> bool:
    """Whether the advice would speak of the number's owner, and not of the provider."""
    if message.status == MessageStatus.NOT_SENT:
        return message.error_reason in ("", Reason.RECIPIENT)
    if message.status == MessageStatus.UNDELIVERED:
        report = deciding_report(message)
        return report is None or meaning_of(message.provider, report).side == Side.PHONE
    return not (message.verification.holder.verified_at if message.verification else message.settled_at)


def _on_refused(message: Message) -> str:
    if message.error_reason:
        return str(REFUSED[message.error_reason])
    if message.error_message == budget.SPENT:
        return str(ADVICE[Refused.BUDGET])
    if message.error_message == opt_outs.WHY:
        return str(OPTED_OUT)
    if message.error_message == lists.WHY:
        return str(LISTED)
    return str(WITHDRAWN if message.claimed_at is None else NOT_REACHED)


def _on_sent(
    message: Message, status: MessageStatus, verification: Verification | None, records: Records
) -> StrOrPromise:
    is_recent = records.now - message.created_at < SOON
    if verification is None:
        by_status = {MessageStatus.UNKNOWN: ASK_THE_VENDOR, MessageStatus.ACCEPTED: NO_REPORT}
        return WAIT if is_recent else by_status.get(status, WAITING)
    if verification.attempts >= verification.max_attempts:
        return USED_UP
    is_over = not verification.seconds_left(records.now)
    advice = _on_code(message, status, verification, records, is_recent=is_recent)
    if not is_over or advice is LATE:
        return advice
    return EXPIRED if advice in (WAIT, WRONG) else f"{advice} {EXPIRED}"


def _on_code(
    message: Message, status: MessageStatus, verification: Verification, records: Records, *, is_recent: bool
) -> StrOrPromise:
    if status in (MessageStatus.QUEUED, MessageStatus.SENDING):
        return WAIT if is_recent else WAITING
    if status == MessageStatus.UNKNOWN:
        return LOST
    if records.wrong_codes(verification):
        return WRONG
    if status == MessageStatus.ACCEPTED:
        return WAIT if is_recent else NO_REPORT
    arrived = delivered_at(message)
    if arrived and arrived > verification.holder.expires_at:
        return LATE
    return WAIT if is_recent else ON_THE_PHONE
