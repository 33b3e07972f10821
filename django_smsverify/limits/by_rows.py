"""The shared limits counted from rows, while the cache does not answer and ON_CACHE_FAILURE is "degrade".

Each request for a code counts, a resend of the same one does not. Addresses are counted by their network, of which a
verification keeps a digest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from django_smsverify import phones
from django_smsverify.addresses import network_of
from django_smsverify.conf import conf
from django_smsverify.enums import Scope
from django_smsverify.models import Verification
from django_smsverify.models.querysets import VerificationQuerySet

from .shared import NO_BOUND, address_windows, network_digest, shared_windows
from .standing import Standing
from .windows import Window

OF_NETWORK = 10
"""How many times the limit of one address an IPv4 network of 256 has; an IPv6 /48 has a limit of its own."""

Counted = tuple[Window, VerificationQuerySet, int]


def waits(phone: str | None, ip: str | None, standing: Standing) -> dict[Scope, int]:
    """Returns the seconds to wait for each scope that is used up."""
    found: dict[Scope, int] = {}
    now = timezone.now()
    for window, rows, room in _windows(phone, ip, standing):
        if room >= NO_BOUND:
            continue
        since = now - timedelta(seconds=window.seconds)
        last = rows.filter(created_at__gt=since).order_by("-created_at").values_list("created_at", flat=True)
        if decisive := list(last[room - 1 : room]):
            found[window.scope] = max(found.get(window.scope, 0), _wait(decisive[0], window, now))
    return found


def _wait(created_at: datetime, window: Window, now: datetime) -> int:
    """Whole seconds until a row is outside its window; at most its length, also after the clock was set back."""
    left = (created_at - now).total_seconds() + window.seconds
    return min(window.seconds, max(1, math.ceil(left)))


def _windows(phone: str | None, ip: str | None, standing: Standing) -> Iterator[Counted]:
    """The windows, the rows that they count, and how many of these leave no room for this request."""
    every = Verification.objects.filter(simulated_at__isnull=True)
    if ip is not None:
        # The widest network of an IPv6 address comes last, and an IPv4 address has one only.
        windows = address_windows(ip, standing)[-len(conf.IP_LIMITS) :] if conf.IP_LIMITS else []
        of_network, factor = every.filter(network=network_digest(ip)), 1 if ":" in network_of(ip) else OF_NETWORK
        yield from ((window, of_network, window.room * factor) for window in windows)
    for window in shared_windows(phone, standing) if phone else ():
        of_block = every.filter(block=phones.block(phone or ""))
        yield window, of_block if window.scope == Scope.PREFIX else every, window.room
