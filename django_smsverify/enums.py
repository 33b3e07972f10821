"""The fixed sets of values that are stored, shown and compared."""

from __future__ import annotations

from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Reason(TextChoices):
    """The cause of a refusal; it decides whether another provider may be tried."""

    ACCOUNT = "account", _("account: key, balance, address or contract")
    CONTENT = "content", _("content: template, signature or text")
    RECIPIENT = "recipient", _("recipient: the number cannot be served")
    FREQUENCY = "frequency", _("frequency: the vendor sends no more to this number for now")
    RATE = "rate", _("rate: the vendor asks for a slower pace")
    OTHER = "other", _("other: the vendor gave no known reason")


class MessageStatus(TextChoices):
    """The known state of a message, in rank order: events only raise it."""

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("sending")
    UNKNOWN = "unknown", _("unknown")
    NOT_SENT = "not_sent", _("not sent")
    ACCEPTED = "accepted", _("accepted")
    UNDELIVERED = "undelivered", _("undelivered")
    DELIVERED = "delivered", _("delivered")

    def below(self) -> tuple[MessageStatus, ...]:
        """Returns the statuses that this one replaces."""
        return _BELOW[self]

    @property
    def is_taken(self) -> bool:
        """Whether the vendor certainly accepted the message."""
        return self not in self.ACCEPTED.below()


_BELOW = {status: tuple(MessageStatus)[:rank] for rank, status in enumerate(MessageStatus)}


class Billing(TextChoices):
    """Which messages a vendor charges for."""

    SUBMITTED = "submitted", _("what was submitted")
    DELIVERED = "delivered", _("what was delivered")

    def charges(self, status: MessageStatus) -> bool:
        """Whether the vendor bills an accepted message with this status."""
        return self == self.SUBMITTED or status != MessageStatus.UNDELIVERED

    def may_still_waive(self, status: MessageStatus) -> bool:
        """Whether the charge is provisional, because no report of the delivery has come yet."""
        return self == self.DELIVERED and status == MessageStatus.ACCEPTED


class ReviewStatus(TextChoices):
    """The state of the vendor's review of a signature or a template."""

    DRAFT = "draft", _("draft")
    PENDING = "pending", _("in review")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")


class Submission(TextChoices):
    """What is submitted to a vendor and reviewed there."""

    SIGNATURE = "signature", _("signature")
    TEMPLATE = "template", _("template")


class DeliveryOutcome(TextChoices):
    """The result of a message in a delivery report."""

    DELIVERED = "delivered", _("delivered")
    UNDELIVERED = "undelivered", _("undelivered")


class Cause(TextChoices):
    """Why an SMS was not delivered, as far as the code of its report tells."""

    DELIVERED = "delivered", _("delivered")
    PHONE_OFF = "phone_off", _("the phone is off or out of reach")
    PHONE_INVALID = "phone_invalid", _("the number is not in use, suspended or in arrears")
    INBOX_FULL = "inbox_full", _("the phone's memory is full")
    RECIPIENT_BLACKLIST = "recipient_blacklist", _("the number is on a blacklist")
    FREQUENCY = "frequency", _("too many SMS to this number")
    SIGNATURE_UNFILED = "signature_unfiled", _("the signature is not filed with the carrier")
    TEMPLATE_UNFILED = "template_unfiled", _("the text is not filed with the carrier")
    CONTENT_BLOCKED = "content_blocked", _("the text is blocked")
    ROUTE_FAULT = "route_fault", _("the route failed")
    ACCOUNT = "account", _("the account at the vendor")
    EXPIRED = "expired", _("no end within the time")
    PORTED = "ported", _("the number was ported to another carrier")
    UNKNOWN = "unknown", _("not known")


class Carrier(TextChoices):
    """A carrier of mainland China."""

    MOBILE = "mobile", _("China Mobile")
    UNICOM = "unicom", _("China Unicom")
    TELECOM = "telecom", _("China Telecom")
    BROADNET = "broadnet", _("China Broadnet")


class FilingStatus(TextChoices):
    """The state of a signature or a template at a carrier (报备), which is not that of the vendor's review."""

    FILED = "filed", _("filed")
    PENDING = "pending", _("being filed")
    SUSPECTED = "suspected", _("suspected not to be filed")
    UNFILED = "unfiled", _("not filed")
    REFUSED = "refused", _("refused by the carrier")
    EXPIRED = "expired", _("expired, because it was not used")

    @property
    def stops_sms(self) -> bool:
        """Whether the carrier holds back, or may hold back, what is sent."""
        return self not in (self.FILED, self.PENDING)


class FilingSource(TextChoices):
    """Who said in which state a filing is."""

    HAND = "hand", _("entered by hand")
    VENDOR = "vendor", _("told by the vendor")
    REPORTS = "reports", _("seen in delivery reports")


class ReportSource(TextChoices):
    """How a delivery report was received."""

    PUSH = "push", _("pushed by the vendor")
    POLL = "poll", _("asked from the vendor")


class Alarm(TextChoices):
    """Which alarms were sent after a provider's balance fell below its alert, or its probes began to fail; blank for
    none."""

    RAISED = "raised", _("the signal was sent, the mail was not")
    MAILED = "mailed", _("mailed")


class AlertKind(TextChoices):
    """What operators are told of at once; with its subject it is the cause of an alert."""

    BALANCE = "balance", _("a balance is low")
    BUDGET = "budget", _("a budget is spent")
    GUARD = "guard", _("the guard has closed something")
    ROUTE = "route", _("probes do not arrive")
    CIRCUIT = "circuit", _("a circuit is open")
    FAILING = "failing", _("a provider sends nothing")
    WEBHOOK = "webhook", _("nothing is pushed")
    POLL = "poll", _("the poll does not run")
    TEST = "test", _("a test")


class Period(TextChoices):
    """The time for which a budget is, in TIME_ZONE."""

    DAY = "day", pgettext_lazy("period", "day")
    MONTH = "month", pgettext_lazy("period", "month")


class BudgetAlarm(TextChoices):
    """How much of a budget is spent, as far as somebody must know; blank for less."""

    NEAR = "near", _("80 % are spent")
    SPENT = "spent", _("spent")


class ProbeState(TextChoices):
    """What became of a probe; `smsverify_probe` prints these values."""

    UNDER_WAY = "under way", _("under way")
    DELIVERED = "delivered", _("delivered")
    ACCEPTED = "accepted", _("accepted; this vendor tells no more")
    SILENT = "silent", _("no report came")
    FAILED = "failed", _("failed")

    @property
    def is_bad(self) -> bool:
        """Whether the route is silent, as far as this probe tells."""
        return self in (self.SILENT, self.FAILED)


class BalanceState(StrEnum):
    """The result of asking a vendor for the balance; `smsverify_balance` prints these values."""

    OK = "ok"
    LOW = "low"
    """Below the provider's alert."""
    EMPTY = "empty"
    """Nothing is left."""
    UNASKABLE = "cannot be asked"
    """The vendor's gateway cannot ask for it, or the account has none, as it pays afterwards."""
    ERROR = "error"
    """The vendor did not return it this time, or the provider is misconfigured."""


class Scope(TextChoices):
    """What is counted of a send; a limit that refused it is the `scope` of a 429 answer."""

    RESEND = "resend", _("pause between two SMS")
    PHONE = "phone", _("SMS to one number")
    IP = "ip", _("sends from one address")
    PREFIX = "prefix", _("sends to one number block")
    GLOBAL = "global", _("sends of the whole site")
    TICKET = "ticket", _("sends with one page ticket")
    """No limit for a person, and never in an answer: a used ticket counts as absent."""

    @classmethod
    def limits(cls) -> list[Scope]:
        """Returns those that a 429 answer may name."""
        return [scope for scope in cls if scope != cls.TICKET]


class ListKind(TextChoices):
    """What an entry of a list is about, the most specific first, which wins."""

    NUMBER = "number", _("phone")
    BLOCK = "block", _("number block")
    NETWORK = "network", _("network")
    REGION = "region", _("region")


class ListAction(TextChoices):
    """What happens to a request that an entry of a list is about."""

    BLOCK = "block", _("refuse")
    CHALLENGE = "challenge", _("ask for a captcha")
    ALLOW = "allow", _("allow")


class Guarded(TextChoices):
    """What the guard closes to numbers that are new here."""

    BLOCK = "block", _("number block")
    NETWORK = "network", _("network")
    SIGNATURE = "sender", _("signature")
    SITE = "site", _("the whole site")

    @property
    def scope(self) -> Scope:
        """The limit that a refusal is told as."""
        return {Guarded.BLOCK: Scope.PREFIX, Guarded.NETWORK: Scope.IP}.get(self, Scope.GLOBAL)

    @property
    def refusal(self) -> Refused:
        """Why a request is refused."""
        return Refused(f"guard_{self.value}")


class Refused(TextChoices):
    """Why a request for a code was refused, of which there is no message."""

    RESEND = "resend", Scope.RESEND.label
    PHONE = "phone", Scope.PHONE.label
    IP = "ip", Scope.IP.label
    PREFIX = "prefix", Scope.PREFIX.label
    GLOBAL = "global", Scope.GLOBAL.label
    CAPTCHA = "captcha", _("no captcha was solved")
    NO_ROUTE = "no_route", _("no way for this purpose")
    NOT_SUPPORTED = "not_supported", _("no way to this region")
    UNKNOWN_PURPOSE = "unknown_purpose", _("no such purpose")
    BUDGET = "budget", _("a budget is spent")
    LISTED = "listed", _("on a list of the site")
    GUARD_BLOCK = "guard_block", _("the guard has closed its block")
    GUARD_NETWORK = "guard_network", _("the guard has closed that network")
    GUARD_SIGNATURE = "guard_sender", _("the guard has closed its signature to new numbers")
    GUARD_SITE = "guard_site", _("the guard has closed the site to new numbers")
    ASKED_LISTED = "captcha_listed", _("asked for a captcha: on a list of the site")
    ASKED_IP = "captcha_ip", _("asked for a captcha: the third from one address")
    ASKED_PREFIX = "captcha_prefix", _("asked for a captcha: many to one block")
    ASKED_GLOBAL = "captcha_global", _("asked for a captcha: many on the site")
    ASKED_GUARD = "captcha_guard", _("asked for a captcha: the guard")
    NO_CACHE = "no_cache", _("the cache of the limits did not answer")
    OTHERS = "others", _("more numbers than are stored one by one")


class Requested(TextChoices):
    """What became of a request for a code that was not refused, in the sums of requests."""

    STARTED = "started", _("a verification began")
    VERIFIED = "verified", _("verified")


class Accessed(TextChoices):
    """What a person did with personal data."""

    VIEWED_NUMBER = "viewed_number", _("looked at a whole number")
    EXPORTED_LIST = "exported_list", _("exported a list")
    EXPORTED_NUMBERS = "exported_numbers", _("exported a list with full numbers")
    EXPORTED_PERSON = "exported_person", _("exported all about a number")
    FORGOT_PERSON = "forgot_person", _("had a number forgotten")
