"""The five vendors that run beside the site, and the mood that a visitor puts each of them in."""

from __future__ import annotations

from django.db.models import TextChoices
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from sandbox.server import Fault, Sandbox, Travel

from django_smsverify.models import Provider

sandbox = Sandbox()


class Mood(TextChoices):
    WORKS = "works", _("works")
    REFUSES = "refuses", _("refuses")
    LOSES_ANSWER = "loses-answer", _("delivers, but its answer is lost")
    SLOW = "slow", _("answers after 3 seconds")
    FAILS = "fails", _("reports that nothing was delivered")
    LOSES_REPORTS = "loses-reports", _("delivers, but reports and replies are lost")


REFUSALS = {
    "topthink": "10003",
    "veesing": "余额不足",
    "apispace": "124",
    "ihuyi": "4051",
    "qixuntong": "10",
}
moods = dict.fromkeys(REFUSALS, Mood.WORKS)

PUSHING = ("topthink", "veesing", "ihuyi")
"""They push their reports; APISpace wants to be asked, and Qixuntong never tells."""
PASSING_ON_REPLIES = ("veesing", "ihuyi")
DELAY = 1.5


def choices(vendor: str) -> list[Mood]:
    """The moods that make a difference at a vendor."""
    tells = {Mood.FAILS: (*PUSHING, "apispace"), Mood.LOSES_REPORTS: PUSHING}
    return [mood for mood in Mood if vendor in tells.get(mood, REFUSALS)]


def put(vendor: str, mood: Mood) -> None:
    """Lets a vendor behave in a way until it is told otherwise; raises ValueError where that makes no difference."""
    if mood not in choices(vendor):
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


def _travel(vendor: str, mood: Mood) -> None:
    copies = 0 if mood == Mood.LOSES_REPORTS else 1
    sandbox.travel(vendor, Travel(delay=DELAY, copies=copies, arrives=mood != Mood.FAILS))


def register_webhooks(url: str) -> None:
    """Tells the vendors where the site, which has this URL, wants to hear what became of its SMS."""
    for provider in Provider.objects.filter(slug__in=PUSHING):
        path = reverse("smsverify:webhook", args=[provider.slug, provider.webhook_secret])
        sandbox.webhooks[provider.slug] = url.rstrip("/") + path
    for vendor, mood in moods.items():
        _travel(vendor, mood)
