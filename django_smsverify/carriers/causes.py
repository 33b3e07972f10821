"""What a delivery code means: the cause, on whose side it lies, what to do, and whether another vendor may help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Cause


class Side(StrEnum):
    """On whose side a cause lies; blank where nobody knows."""

    PHONE = "phone"
    NETWORK = "network"
    """The core network of the phone's own carrier: it is the same for every vendor."""
    CARRIER = "carrier"
    """The carrier's gateways and rules."""
    VENDOR = "vendor"
    SENDER = "sender"
    """The account or its settings."""
    UNKNOWN = ""


class Certainty(StrEnum):
    """How sure a meaning is."""

    AGREED = "A"
    """Two independent sources agree, or a vendor speaks of its own word."""
    LIKELY = "B"
    """One good list, or several that overlap."""
    WEAK = "C"
    """One weak source, or a mixed meaning."""
    DISPUTED = "D"
    """The sources disagree."""


class Advice(TextChoices):
    """What an operator can do."""

    NOTHING = "nothing", _("Nothing needs to be done.")
    ASK_AGAIN = (
        "ask_again",
        _("The phone was off or out of reach: ask the person to find a signal and to try again in a minute."),
    )
    ANOTHER_NUMBER = (
        "another_number",
        _("The number is not in use, suspended or in arrears: ask the person for another one."),
    )
    FREE_MEMORY = (
        "free_memory",
        _("The phone cannot take more messages: ask the person to delete old ones, to restart it and to try again."),
    )
    CARRIER_LIST = (
        "carrier_list",
        _(
            "The carrier bars SMS to this number: its owner must call the carrier (Mobile 10086, Unicom 10010, Telecom "
            "10000, Broadnet 10099)."
        ),
    )
    VENDOR_LIST = (
        "vendor_list",
        _("The number is on the vendor's blacklist: with the owner's consent, have the vendor remove it."),
    )
    WAIT = "wait", _("The number's limit at vendor or carrier is used up: wait, and look whether somebody attacks it.")
    FILE_SIGNATURE = (
        "file_signature",
        _("Have the vendor file the signature with this carrier; until then send by another vendor."),
    )
    FILE_TEMPLATE = (
        "file_template",
        _("Have the vendor file the template with this carrier; until then send by another vendor."),
    )
    CHANGE_TEXT = "change_text", _("Take links, contacts and marked words out of the text, and have it reviewed anew.")
    TICKET = "ticket", _("Write to the vendor, with message id, time and carrier; meanwhile send by another vendor.")
    PAY = "pay", _("The account at the vendor is stopped: pay, renew the contract, or have its limit raised.")
    PORTED = "ported", _("The number was ported to another carrier: tell the vendor, whose data are old.")
    READ_OUT = "read_out", _("Nobody has published what this means: ask the vendor, with code and message id.")
    SETTINGS = (
        "settings",
        _("A setting is wrong: look at signature, template values and extension number at the vendor."),
    )
    CAPTCHA = (
        "captcha",
        _("The carrier paused the signature for abuse of the form: switch a captcha on, then ask by the vendor."),
    )


ANOTHER_VENDOR_HELPS = {
    Cause.SIGNATURE_UNFILED: frozenset(Side),
    Cause.TEMPLATE_UNFILED: frozenset(Side),
    Cause.ACCOUNT: frozenset(Side),
    Cause.PORTED: frozenset(Side),
    Cause.ROUTE_FAULT: frozenset(Side) - {Side.NETWORK},
    Cause.CONTENT_BLOCKED: frozenset({Side.VENDOR}),
}
"""The causes, by side, for which the same code may reach the phone by another vendor."""


BLAMES_THE_ROUTE = {
    Cause.SIGNATURE_UNFILED: frozenset(Side),
    Cause.TEMPLATE_UNFILED: frozenset(Side),
    Cause.CONTENT_BLOCKED: frozenset(Side),
    Cause.ACCOUNT: frozenset(Side),
    Cause.ROUTE_FAULT: frozenset(Side) - {Side.NETWORK},
}
"""The causes, by side, that the next SMS to the same carrier would meet too.

Neither blacklists nor ported numbers: they say something of one number, which a stranger can choose.
"""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is known of a delivery code."""

    cause: Cause
    side: Side
    advice: Advice
    certainty: Certainty
    sources: str = ""
    words: str = ""
    """As the source has it, in English; blank for a code that is not known."""

    @property
    def blames_the_route(self) -> bool:
        """Whether the next SMS to the same carrier would not arrive either."""
        return self.side in BLAMES_THE_ROUTE.get(self.cause, ())

    @property
    def another_vendor_helps(self) -> bool:
        """Whether the same code may be sent once more, by another vendor; only where the meaning is certain enough."""
        is_certain = self.certainty in (Certainty.AGREED, Certainty.LIKELY)
        return is_certain and self.side in ANOTHER_VENDOR_HELPS.get(self.cause, ())


UNKNOWN = Meaning(Cause.UNKNOWN, Side.UNKNOWN, Advice.READ_OUT, Certainty.DISPUTED)
