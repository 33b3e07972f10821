"""What a vendor's answer to the harmless question tells: of the address, of this machine's clock and of the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from django_smsverify.enums import Reason
from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUnavailable, GatewayUncertain
from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.parsing import UNREADABLE
from django_smsverify.gateways.recording import Recorded

from .findings import Finding, Judgement, State

MOST_OFF = timedelta(minutes=2)
"""Vendors that sign requests refuse a clock that is off by 5 or 15 minutes."""
PROOFS = (Reason.CONTENT, Reason.RECIPIENT, Reason.FREQUENCY)
"""Reasons that a vendor has for an account that it knows. The others may be words for a wrong key."""
NEVER_LEFT = {
    "SSLError": gettext_noop(
        'TLS fails: look at SMSVERIFY["CA_BUNDLE"], at this machine\'s clock, and whether a proxy decrypts.'
    ),
    "ProxyError": gettext_noop("Look at the option HTTP proxy: it does not answer, or it does not let this through."),
    "ConnectTimeout": gettext_noop("Nothing answers there: look at the firewall; may this machine call out?"),
    "ConnectionError": gettext_noop(
        "The name cannot be resolved, or nothing listens there: look at the base URL, DNS and the firewall."
    ),
}
"""What to do, by the word for the failure in the error."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How the question ended; without an error the vendor has answered it."""

    error: GatewayError | None
    recorded: Recorded | None

    @property
    def status(self) -> int:
        """The HTTP status; 0 without an answer."""
        answer = self.recorded and self.recorded.answer
        return answer.status if answer else 0

    @property
    def is_page(self) -> bool:
        """Whether a web page answered, which no vendor's interface sends."""
        answer = self.recorded and self.recorded.answer
        if not answer:
            return False
        return "html" in answer.content_type.lower() or answer.text.lstrip()[:14].lower().startswith(("<!doc", "<html"))

    @property
    def is_by_status(self) -> bool:
        """Whether the HTTP status alone says no; then it is not certain that the vendor does."""
        return self.error is not None and self.status >= 300 and self.error.error_code == str(self.status)

    @property
    def is_refused(self) -> bool:
        """Whether the vendor refuses the account, for its keys or another cause."""
        return isinstance(self.error, GatewayRejected) and self.error.reason == Reason.ACCOUNT

    @property
    def words(self) -> str:
        """The vendor's code and words, or what the error says."""
        return described(self.error) if self.error else ""


def described(error: GatewayError) -> str:
    """An error's code and words; both are free of keys and numbers."""
    return f"{error.error_code} {error}".strip()


def ask(gateway: Gateway, recorded: Sequence[Recorded]) -> Reply:
    """Asks the vendor the harmless question; `recorded` is a recording that is going on."""
    error: GatewayError | None = None
    try:
        gateway.ask_question()
    except GatewayError as raised:
        error = raised
    return Reply(error, recorded[-1] if recorded else None)


def address(gateway: Gateway, reply: Reply) -> Finding:
    """Whether the vendor's interface was reached."""
    host = urlsplit(reply.recorded.url if reply.recorded else gateway.account.base_url).netloc
    if problem := _no_answer(reply) or _strange_answer(reply):
        return Finding(_("address"), *problem)
    return Finding(
        _("address"), State.OK, _("%(host)s answers (HTTP %(status)d).") % {"host": host, "status": reply.status}
    )


def _no_answer(reply: Reply) -> Judgement | None:
    error = reply.error
    if reply.status or error is None:
        return None
    if isinstance(error, GatewayUnavailable):
        hint = next((words for name, words in NEVER_LEFT.items() if name in str(error)), None)
        return State.WRONG, str(error), _(hint) if hint else _("Look at the base URL and at the option HTTP proxy.")
    if isinstance(error, GatewayUncertain):
        advice = _("The connection stands, and no whole answer comes: try again; look at TIMEOUT, firewall and proxy.")
        return State.WRONG, str(error), advice
    return State.UNKNOWN, reply.words, _("The question was not asked.")


def _strange_answer(reply: Reply) -> Judgement | None:
    """Why an answer is not one of the vendor's interface."""
    status = reply.status
    look = _("Look at the base URL, and at proxies and firewalls in between.")
    if status >= 500:
        return (
            State.WRONG,
            _("The server fails (HTTP %d).") % status,
            _("Try again later; if it stays, ask the vendor."),
        )
    if reply.is_page:
        return State.WRONG, _("A web page answers (HTTP %d), not the vendor's interface.") % status, look
    if 300 <= status < 400:
        return State.WRONG, _("The address leads elsewhere (HTTP %d).") % status, look
    if reply.is_by_status and status in (404, 405):
        return State.WRONG, _("There is no such interface at this address (HTTP %d).") % status, look
    if isinstance(reply.error, GatewayUncertain) and reply.error.error_code == UNREADABLE:
        return State.WRONG, _("The answer is not one that this vendor is known to give (HTTP %d).") % status, look
    return None


def clock(reply: Reply) -> Finding:
    """Whether this machine's clock is that of the vendor."""
    recorded, subject = reply.recorded, _("clock")
    try:
        theirs = parsedate_to_datetime(recorded.answer_headers["date"]) if recorded else None
    except (KeyError, ValueError):
        theirs = None
    if recorded is None or recorded.answered_at is None or theirs is None:
        return Finding(subject, State.UNKNOWN, _("No answer told the vendor's time."))
    off = recorded.answered_at - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))
    facts = {"seconds": round(abs(off.total_seconds()))}
    if abs(off) <= MOST_OFF:
        return Finding(subject, State.OK, _("It differs from the vendor's by %(seconds)d s.") % facts)
    words = _("It is %(seconds)d seconds fast.") if off > timedelta() else _("It is %(seconds)d seconds slow.")
    advice = _("Let NTP set it: vendors refuse signatures of another time.")
    return Finding(subject, State.WRONG, words % facts, advice, lets_codes_out=not reply.is_refused)


def keys(reply: Reply, *, is_reached: bool, is_late: bool, is_proved: bool) -> Finding:
    """Whether the vendor takes the keys; `is_proved` by another answer."""
    error, subject, facts = reply.error, _("keys"), {"words": reply.words}
    if not is_reached:
        unanswered = _("Without an answer nothing is known of them.")
        return Finding(subject, State.UNKNOWN, _("The vendor did not judge them.") if reply.status else unanswered)
    if error is None or is_proved:
        return Finding(subject, State.OK, _("The vendor takes them."))
    if reply.is_refused:
        refusal = _("The vendor refuses the account: %(words)s") % facts
        if is_late:
            return Finding(subject, State.UNKNOWN, refusal, _("Correct the clock first."))
        advice = _("Enter the keys again; look in the vendor's console at the account, its addresses and its balance.")
        return Finding(subject, State.WRONG, refusal, advice)
    if isinstance(error, GatewayRejected) and error.reason in PROOFS:
        return Finding(subject, State.OK, _("The vendor takes them; it refuses only the question: %(words)s") % facts)
    advice = _(
        "This does not tell whether the keys are right. A real SMS does: “Send a test SMS” on the page of the provider."
    )
    return Finding(subject, State.UNKNOWN, _("The vendor says: %(words)s") % facts, advice)
