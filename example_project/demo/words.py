"""The texts that the page's scripts show; the scripts fill in the {names}."""

from __future__ import annotations

from django.utils.translation import gettext as _


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
        "milliseconds": _("{milliseconds} ms"),
    }
