"""The shared limits by address, number block and site: a send is counted, and can be given back."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from django_smsverify import phones
from django_smsverify.addresses import network_of, unwrapped
from django_smsverify.conf import Limit, conf
from django_smsverify.enums import Refused, Scope

from .cache import ask_or_refuse, call_cache, digest
from .standing import Anybody, Standing
from .tally import Tallied, Tally
from .windows import Counting, Window, give_back

SHARED = (Scope.PREFIX, Scope.GLOBAL)
"""The limits that get an SMS back if no provider took it. Not the address: it could call the vendors without end."""
NETWORKS = ((64, 1), (56, 10), (48, 100))
"""The networks of an IPv6 address that are counted: prefix length, and the factor to the limit of one address."""
OF_KNOWN = 2
"""How many times the site's limit the numbers have that were verified here: what strangers spend refuses them later."""
SOLVED = {Scope.IP: 100, Scope.PREFIX: 10, Scope.GLOBAL: 1}
"""How many times the limit a request has that solved a captcha; the limit of the site is its owner's last word."""
ASKED_AT = {Scope.IP: 1, Scope.PREFIX: 1, Scope.GLOBAL: 2}
"""The part of a limit, one half and so on, from which a captcha is asked for."""
NO_BOUND = 10**9
ANYBODY = Anybody()
TICKET_LIFETIME = 1800
"""Seconds for which a page ticket is valid, and for which its use is counted."""
DELAY = 10
"""Seconds that may pass between the counting of a send and the time of its message."""


class Charge:
    """What one send has counted in the shared limits; it is given back if the send is refused later."""

    def __init__(self, tally: Tally | None = None) -> None:
        self.tally = tally
        """Where a refusal of this send is counted; None where it is not."""
        self.tallied: Tallied | None = None
        """The refusal, once it is counted."""
        self._counted: list[tuple[Scope, str]] = []
        self.beside: dict[str, int] = {}
        """What `count` read beside: those of the keys that exist, with their number, or 1 for what is none."""

    def count(self, windows: Sequence[Window], beside: Sequence[str] = ()) -> dict[Scope, int]:
        """Counts one send in all windows or in none; returns the seconds to wait for each scope that is used up.

        Raises ThrottleUnavailable.
        """
        counting = Counting(windows, time.time(), beside, self.tally)
        waits = ask_or_refuse(counting.count, counting.undo) if windows or beside else []
        self._counted += counting.counted
        self.beside, self.tallied = counting.beside, counting.tallied
        by_scope: dict[Scope, int] = {}
        for window, wait in zip(windows, waits, strict=True):
            if wait:
                by_scope[window.scope] = max(wait, by_scope.get(window.scope, 0))
        return by_scope

    @classmethod
    def of(cls, phone: str, sent_at: datetime, standing: Standing = ANYBODY) -> Charge:
        """Returns the Charge of an earlier send to a number, for the limits of its block and the site.

        Leaves out windows where the previous bucket may have counted it: taking it off this one would allow one send
        too many.
        """
        charge, at = cls(), sent_at.timestamp()
        windows = shared_windows(phone, standing)
        surely = [window for window in windows if window.bucket(at) == window.bucket(at - DELAY)]
        charge._counted = [(window.scope, window.current_key(at)) for window in surely]
        return charge

    def refund(self, *scopes: Scope, because: str = "") -> None:
        """Gives back what was counted for these scopes, and counts a refusal for this reason, if there is one.

        A missing bucket or a cache failure is ignored.
        """
        keys = [key for scope, key in self._counted if scope in scopes]
        tallies = self.tally.keys([because]) if self.tally and because else []
        if keys or tallies:
            with suppress(Exception):
                counts = call_cache(lambda cache: give_back(cache, keys, tallies))
                self.tallied = Tallied(because, *counts) if tallies else self.tallied
        self._counted = [counted for counted in self._counted if counted[0] not in scopes]


def address_windows(ip: str | None, standing: Standing = ANYBODY) -> list[Window]:
    """Returns the windows of a client's address; none for None.

    Who can be asked for a captcha is asked from the third send on, and has a hundred times the limit when it is solved:
    thousands of people may share an address.
    """
    if ip is None:
        return []
    shortest = min((limit.seconds for limit in conf.IP_LIMITS), default=0)
    return [
        _window(Scope.IP, network, limit, standing, factor, asked_from=3 if limit.seconds == shortest else 0)
        for network, factor in networks(ip)
        for limit in conf.IP_LIMITS
    ]


def ticket_windows(ticket: str) -> list[Window]:
    """Returns the window in which a page ticket is used once, given its digest; none for an empty one."""
    return [Window(Scope.TICKET, ticket, 1, TICKET_LIFETIME)] if ticket else []


def shared_windows(phone: str, standing: Standing = ANYBODY) -> list[Window]:
    """Returns the windows of a number's block, unless the number is known, and of the site."""
    block = [] if standing.is_known else _windows(Scope.PREFIX, phones.block(phone), conf.PREFIX_LIMITS, standing)
    return [*block, *_windows(Scope.GLOBAL, "site", conf.GLOBAL_LIMITS, standing)]


def _windows(scope: Scope, subject: str, limits: Sequence[Limit], standing: Standing) -> list[Window]:
    return [_window(scope, subject, limit, standing) for limit in limits]


def _window(
    scope: Scope, subject: str, limit: Limit, standing: Standing, factor: int = 1, asked_from: int = 0
) -> Window:
    """A window with the room that it has for this request."""
    times, bound, refusal = limit.times * factor, None, ""
    if standing.is_free or (standing.is_known and scope == Scope.PREFIX):
        bound = NO_BOUND
    elif standing.is_known and scope == Scope.GLOBAL:
        bound = times * OF_KNOWN
    elif standing.has_solved:
        bound = times * SOLVED[scope]
    elif standing.can_be_asked:
        refusal = Refused(f"captcha_{scope}")
        bound = min(times, asked_from - 1) if asked_from and factor == 1 else math.ceil(times / ASKED_AT[scope])
    return Window(scope, digest(scope, subject), times, limit.seconds, bound, refusal)


def network_digest(ip: str) -> str:
    """Returns what is stored of a client's network: a keyed digest."""
    return digest(Scope.IP, network_of(ip))


def networks(ip: str) -> Iterator[tuple[str, int]]:
    """Yields what is counted for an address, with the factor to the limit: an IPv4 address, or the networks of an IPv6.

    An IPv6 address that stands for an IPv4 address is counted as that one: one IPv4 address owns 65,536 networks of
    6to4, and behind NAT64 all IPv4 addresses are in one network.
    """
    address = unwrapped(ipaddress.ip_address(ip))
    if isinstance(address, ipaddress.IPv4Address):
        yield str(address), 1
        return
    for bits, factor in NETWORKS:
        yield str(ipaddress.IPv6Network((int(address), bits), strict=False)), factor
