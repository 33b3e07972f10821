"""The closed word lists that are stored, shown and compared."""

from __future__ import annotations

from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Reason(TextChoices):
    """Whose fault a refusal is; it decides whether another provider may be tried."""

    ACCOUNT = "account", _("account: key, balance, address or contract")
    CONTENT = "content", _("content: template, signature or text")
    RECIPIENT = "recipient", _("recipient: the number cannot be served")
    RATE = "rate", _("rate: the vendor asks for a slower pace")
    OTHER = "other", _("other: the vendor gave no known reason")


class MessageStatus(TextChoices):
    """What is known of one message, in rank: news only ever raises it."""

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("sending")
    UNKNOWN = "unknown", _("unknown")
    NOT_SENT = "not_sent", _("not sent")
    ACCEPTED = "accepted", _("accepted")
    UNDELIVERED = "undelivered", _("undelivered")
    DELIVERED = "delivered", _("delivered")

    def below(self) -> list[MessageStatus]:
        """The statuses that this one overrules."""
        ranked = list(MessageStatus)
        return ranked[: ranked.index(self)]

    @property
    def is_taken(self) -> bool:
        """Whether the vendor certainly took the message."""
        return self not in self.ACCEPTED.below()


class Billing(TextChoices):
    """Which messages a vendor charges for."""

    SUBMITTED = "submitted", _("what was submitted")
    DELIVERED = "delivered", _("what was delivered")

    def charges(self, status: MessageStatus) -> bool:
        """Whether a message that the vendor took is on its bill, as far as its status tells."""
        return self == self.SUBMITTED or status != MessageStatus.UNDELIVERED

    def may_still_waive(self, status: MessageStatus) -> bool:
        """Whether a charge is provisional: nobody has told yet that the message arrived."""
        return self == self.DELIVERED and status == MessageStatus.ACCEPTED


class ReviewStatus(TextChoices):
    """Where the vendor's review of a signature or a template stands."""

    DRAFT = "draft", _("draft")
    PENDING = "pending", _("in review")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")


class Submission(TextChoices):
    """What is submitted to a vendor and reviewed there."""

    SIGNATURE = "signature", _("signature")
    TEMPLATE = "template", _("template")


class DeliveryOutcome(TextChoices):
    """What a delivery report says became of the message."""

    DELIVERED = "delivered", _("delivered")
    UNDELIVERED = "undelivered", _("undelivered")


class ReportSource(TextChoices):
    """How a delivery report came to us."""

    PUSH = "push", _("pushed by the vendor")
    POLL = "poll", _("asked from the vendor")


class Alarm(TextChoices):
    """Who knows that a provider's balance has fallen below its alert; blank when it has not."""

    RAISED = "raised", _("the signal was sent, the mail was not")
    MAILED = "mailed", _("mailed")


class BalanceState(StrEnum):
    """What came of asking a vendor for the balance; the words that `smsverify_balance` prints."""

    OK = "ok"
    LOW = "low"
    """Below its alert."""
    EMPTY = "empty"
    """Nothing is left."""
    UNASKABLE = "cannot be asked"
    """The vendor tells nobody."""
    ERROR = "error"
    """The vendor did not tell this time, or the provider is not configured right."""


class Scope(TextChoices):
    """Which limit refused a send; the `scope` of a 429 answer."""

    RESEND = "resend", _("pause between two SMS")
    PHONE = "phone", _("SMS to one number")
    IP = "ip", _("sends from one address")
    PREFIX = "prefix", _("sends to one number block")
    GLOBAL = "global", _("sends of the whole site")
