"""The five vendors that run beside the site, and the mood that a visitor puts each of them in."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from sandbox.server import Fault, Sandbox

sandbox = Sandbox()


class Mood(TextChoices):
    WORKS = "works", _("works")
    REFUSES = "refuses", _("refuses")
    LOSES_ANSWER = "loses-answer", _("delivers, but its answer is lost")
    SLOW = "slow", _("answers after 3 seconds")


REFUSALS = {
    "topthink": "10003",
    "veesing": "余额不足",
    "apispace": "124",
    "ihuyi": "4051",
    "qixuntong": "10",
}
moods = dict.fromkeys(REFUSALS, Mood.WORKS)


def put(vendor: str, mood: Mood) -> None:
    """Lets a vendor behave in a way until it is told otherwise; raises KeyError for one that is not there."""
    refusal = Fault.refuse(REFUSALS[vendor])
    match mood:
        case Mood.WORKS:
            sandbox.behave(vendor)
        case Mood.REFUSES:
            sandbox.misbehave(vendor, refusal)
        case Mood.LOSES_ANSWER:
            sandbox.misbehave(vendor, Fault.deliver_then_status(502))
        case Mood.SLOW:
            sandbox.misbehave(vendor, Fault.slow(3))
    moods[vendor] = mood
