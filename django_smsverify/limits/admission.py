"""The check of all limits before an SMS is sent.

A number's own limits are exact: they are read from the messages in the database, while the number's Recipient row is
locked. Address, number block and site are counted in the cache, in rolling windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.utils import timezone

from django_smsverify.enums import Scope
from django_smsverify.exceptions import Throttled

from .lock import number_lock
from .per_number import check_number
from .shared import SHARED, Charge, address_windows, counts_in_one_trip, shared_windows


@contextmanager
def admission(phone: str, ip: str | None, *, is_known: bool = False, by_stranger: bool = False) -> Iterator[Charge]:
    """Checks the limits in order (address, number, block, site), locks the number for the body, and yields the Charge.

    The block of a known number has no limit for it.

    When a limit or the body fails, everything counted before is given back. If the cache can count all windows in one
    trip, they are counted at once, and a refusal by block or site is raised in its turn.

    Raises Throttled or ThrottleUnavailable.
    """
    charge, address, shared = Charge(), address_windows(ip), shared_windows(phone, is_known=is_known)
    at_once = counts_in_one_trip()
    try:
        waits = charge.count([*address, *shared] if at_once else address)
        _refuse(waits, Scope.IP)
        with number_lock(phone):
            check_number(phone, timezone.now(), by_stranger=by_stranger)
            _refuse(waits if at_once else charge.count(shared), *SHARED)
            yield charge
    except BaseException:
        charge.refund(*Scope)
        raise


@contextmanager
def address_charged(ip: str | None) -> Iterator[None]:
    """Counts a send for the client's address alone; it is given back when the body fails.

    Raises Throttled or ThrottleUnavailable.
    """
    charge = Charge()
    try:
        _refuse(charge.count(address_windows(ip)), Scope.IP)
        yield
    except BaseException:
        charge.refund(*Scope)
        raise


def _refuse(waits: Mapping[Scope, int], *scopes: Scope) -> None:
    """Raises Throttled for the first of these scopes that is used up."""
    for scope in scopes:
        if scope in waits:
            raise Throttled(scope, waits[scope])
