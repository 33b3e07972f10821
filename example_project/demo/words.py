"""The texts that the page's scripts show; most have {names}, which the scripts fill in."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _

from django_smsverify.journal.words import elapsed


def words() -> dict[str, str]:
    return {
        "offline": _("The demo does not answer. Is it still running?"),
        "live": _("Live"),
        "stopped": _("Stopped"),
        "onItsWay": _("Sent"),
        "delivered": _("Delivered"),
        "undelivered": _("Not delivered"),
        "received": _("Received by the site"),
        "fillIn": _("Fill in the code {code}"),
    }


def took(span: timedelta) -> str:
    """How long a vendor took: in milliseconds up to a second; an SMS that waited in a queue takes longer."""
    milliseconds = round(span.total_seconds() * 1000)
    return _("{milliseconds} ms").format(milliseconds=milliseconds) if milliseconds < 1000 else elapsed(span)
