"""What the page of a provider tells of its circuits, its own and those for single carriers."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from django_smsverify.enums import Carrier, Cause
from django_smsverify.sending import circuits
from django_smsverify.sending.circuits import Circuit

from .masking import masked


def told_circuits(provider: int) -> SafeString:
    """Returns a line for each open circuit: until when the provider is left alone, by which SMS, and why."""
    own = circuits.open_circuits([provider]).get(provider)
    lines = [_line(own)] if own else []
    lines += [f"{Carrier(name).label} · {_line(found)}" for name, found in circuits.open_by_carrier(provider).items()]
    return format_html_join("\n", "<div>{}</div>", [(line,) for line in lines or [gettext("closed: in use")]])


def _line(found: Circuit) -> str:
    when = timezone.localtime(datetime.fromtimestamp(found.until, UTC)).strftime("%H:%M:%S")
    facts = {"count": found.trips, "when": when, "why": _why(found)}
    if found.is_resting:
        return gettext("open: left alone until %(when)s (pause %(count)d): %(why)s") % facts
    return gettext("open: the next SMS tries it (after pause %(count)d): %(why)s") % facts


def _why(found: Circuit) -> str:
    if not found.cause:
        return masked(found.why)
    if found.cause == Cause.UNKNOWN:
        return gettext("of the last numbers, %s got nothing: is the signature filed with this carrier?") % found.why
    return f"{Cause(found.cause).label} ({masked(found.why)})"
