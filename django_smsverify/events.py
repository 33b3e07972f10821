"""One log event for each decision, for machines: `logger.info(name, …, extra={"smsverify": {…}})`.

Numbers are masked, and no code or key is among the fields. Where nobody listens to the logger, an event costs a look at
its level; it never asks the database.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from . import phones

logger = logging.getLogger("django_smsverify.events")

EVENTS: dict[str, tuple[str, ...]] = {
    "code.asked": ("result", "reason", "purpose", "phone", "verification", "provider", "status"),
    "code.checked": ("result", "verification", "attempts_left"),
    "sms.sent": ("status", "provider", "carrier", "purpose", "message", "attempt", "reason", "error_code", "ms"),
    "sms.settled": ("status", "provider", "carrier", "message", "cause", "ms"),
    "webhook.received": ("status", "provider", "reports", "replies", "reviews", "new"),
    "circuit.changed": ("state", "provider", "carrier", "cause"),
    "review.changed": ("status", "provider", "kind"),
    "guard.closed": ("kind", "subject", "sent", "verified", "seconds", "is_watched"),
    "alert.told": ("kind", "subject"),
}
"""The events, each with all of its fields, which it always has: what is not known or does not apply is None."""


def is_wanted() -> bool:
    """Whether anybody listens: ask this before a field is worth reading."""
    return logger.isEnabledFor(logging.INFO)


def emit(event: str, *, phone: str | None = None, **fields: Any) -> None:
    """Logs an event; `phone` is masked here."""
    if not is_wanted():
        return
    if phone:
        fields["phone"] = phones.mask(phone)
    values = {name: fields.get(name) for name in EVENTS[event]}
    line = " ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    logger.info("%s %s", event, line, extra={"smsverify": {"event": event, **values}})


def milliseconds(since: Any, until: Any) -> int | None:
    """Returns the time between two moments; None where one is not known."""
    return None if since is None or until is None else round((until - since).total_seconds() * 1000)


def counted(found: Iterable[object], kind: type) -> int:
    """Returns how many are of a kind."""
    return sum(isinstance(one, kind) for one in found)
