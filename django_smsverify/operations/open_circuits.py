"""The open circuits of providers, their own and those for single carriers, in words for an operator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from django_smsverify.enums import Carrier, Cause
from django_smsverify.models import Provider
from django_smsverify.phones import masked
from django_smsverify.sending.circuits import Circuit, Way, find_open


class OpenCircuit(NamedTuple):
    """A circuit, and the carrier whose numbers it is for; blank for the provider's own."""

    carrier: str
    circuit: Circuit

    @property
    def words(self) -> str:
        """Since when it is open, until when, and why."""
        line = _line(self.circuit)
        return f"{Carrier(self.carrier).label} · {line}" if self.carrier else line


def read_circuits(providers: Iterable[Provider]) -> Mapping[int, Sequence[OpenCircuit]]:
    """Returns the open circuits of each provider by primary key, its own first; by one trip to the cache."""
    pks = [provider.pk for provider in providers]
    ways = [Way(pk, carrier) for pk in pks for carrier in ("", *Carrier.values)]
    found: dict[int, list[OpenCircuit]] = defaultdict(list)
    open_ways = find_open(ways) if ways else {}
    for way in ways:
        if way in open_ways:
            found[way.provider].append(OpenCircuit(way.carrier, open_ways[way]))
    return found


def _line(found: Circuit) -> str:
    when = timezone.localtime(datetime.fromtimestamp(found.until, UTC)).strftime("%H:%M:%S")
    facts = {"count": found.trips, "when": when, "why": _why(found)}
    if found.is_resting:
        return _("open: left alone until %(when)s (pause %(count)d): %(why)s") % facts
    return _("open: the next SMS tries it (after pause %(count)d): %(why)s") % facts


def _why(found: Circuit) -> str:
    if not found.cause:
        return masked(found.why)
    if found.cause == Cause.UNKNOWN:
        return _("of the last numbers, %s got nothing: is the signature filed with this carrier?") % found.why
    return f"{Cause(found.cause).label} ({masked(found.why)})"
