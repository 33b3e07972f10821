"""The vendors that run with the site, and the mood (working or a fault) that a visitor sets for each."""

from __future__ import annotations

from functools import partial

from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from sandbox.server import Fault, Sandbox, Travel

from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.enums import Carrier
from django_smsverify.models import Provider
from django_smsverify.sending import circuits

sandbox = Sandbox()


class Mood(TextChoices):
    WORKS = "works", _("works")
    REFUSES = "refuses", _("refuses")
    LOSES_ANSWER = "loses-answer", _("delivers, but its answer is lost")
    SLOW = "slow", _("answers after 3 seconds")
    FAILS = "fails", _("reports that nothing was delivered")
    LOSES_REPORTS = "loses-reports", _("delivers, but reports and replies are lost")
    DEAD_AT_MOBILE = "dead-at-mobile", _("dead at China Mobile: the signature is not filed there")
    DEAD_AT_UNICOM = "dead-at-unicom", _("dead at China Unicom: the signature is not filed there")
    DEAD_AT_TELECOM = "dead-at-telecom", _("dead at China Telecom: the signature is not filed there")


REFUSALS = {
    "topthink": "10003",
    "veesing": "余额不足",
    "apispace": "124",
    "ihuyi": "4051",
    "qixuntong": "10",
    "aliyun": "isv.AMOUNT_NOT_ENOUGH",
    "aliyun_pnvs": "isv.SMS_TEMPLATE_ILLEGAL",
    "tencent": "FailedOperation.InsufficientBalanceInSmsPackage",
    "twilio": "21606",
}
DEAD_AT = {
    Mood.DEAD_AT_MOBILE: Carrier.MOBILE,
    Mood.DEAD_AT_UNICOM: Carrier.UNICOM,
    Mood.DEAD_AT_TELECOM: Carrier.TELECOM,
}
UNFILED = {"ihuyi": "SIGNERR", "aliyun": "PORT_NOT_REGISTERED", "tencent": "SIGNERR"}
"""The code with which a vendor reports that a signature is not filed; the others pass on no codes."""
moods = dict.fromkeys(REFUSALS, Mood.WORKS)

PUSHING = ("topthink", "veesing", "ihuyi", "aliyun", "tencent", "twilio")
"""The vendors that push reports; APISpace must be polled, and the others have no reports."""
FORWARDING_REPLIES = ("veesing", "ihuyi", "aliyun", "tencent", "twilio")
DELAY = 1.5


def moods_of(vendor: str) -> list[Mood]:
    """The moods that have an effect at a vendor."""
    limited = {Mood.FAILS: (*PUSHING, "apispace"), Mood.LOSES_REPORTS: PUSHING, **dict.fromkeys(DEAD_AT, UNFILED)}
    return [mood for mood in Mood if vendor in limited.get(mood, REFUSALS)]


def set_mood(vendor: str, mood: Mood) -> None:
    """Sets a vendor's mood until the next call; raises ValueError if it has no effect at this vendor."""
    if mood not in moods_of(vendor):
        raise ValueError(mood)
    _travel(vendor, mood)
    match mood:
        case Mood.REFUSES:
            sandbox.misbehave(vendor, Fault.refuse(REFUSALS[vendor]))
        case Mood.LOSES_ANSWER:
            sandbox.misbehave(vendor, Fault.deliver_then_status(502))
        case Mood.SLOW:
            sandbox.misbehave(vendor, Fault.slow(3))
        case _:
            sandbox.behave(vendor)
    moods[vendor] = mood
    if mood == Mood.WORKS:  # what an operator does once the vendor says that it works again
        for provider in Provider.objects.filter(slug=vendor):
            circuits.close(provider)


def _travel(vendor: str, mood: Mood) -> None:
    copies = 0 if mood == Mood.LOSES_REPORTS else 1
    failure = partial(_unfiled, vendor, DEAD_AT.get(mood))
    sandbox.travel(vendor, Travel(delay=DELAY, copies=copies, arrives=mood != Mood.FAILS, failure=failure))


def _unfiled(vendor: str, carrier: Carrier | None, phone: str) -> str:
    """The code with which an SMS to a number of a carrier fails; empty if it arrives."""
    return UNFILED[vendor] if carrier and carrier_of(f"+86{phone}") == carrier else ""


def register_webhooks(url: str) -> None:
    """Registers the webhooks of the site at this URL with the vendors that push."""
    for provider in Provider.objects.filter(slug__in=PUSHING):
        path = reverse("smsverify:webhook", args=[provider.slug, provider.webhook_secret])
        sandbox.webhooks[provider.slug] = url.rstrip("/") + path
    for vendor, mood in moods.items():
        _travel(vendor, mood)
