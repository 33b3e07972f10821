"""The check of all limits before an SMS is sent.

A number's own limits are exact: they are judged in the database, while the number's Recipient row is locked. Address,
number block and site are counted in the cache, in rolling windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.utils import timezone

from django_smsverify.enums import Scope
from django_smsverify.exceptions import CaptchaRequired, Throttled

from .per_number import NumberHistory
from .refusals import refund_and_record, tally_of
from .shared import SHARED, Charge, address_windows, shared_windows, ticket_windows


@contextmanager
def admission(
    phone: str,
    purpose: str,
    ip: str | None,
    *,
    is_known: bool = False,
    by_stranger: bool = False,
    beside: Sequence[str] = (),
    ticket: str = "",
    recorded: bool = True,
) -> Iterator[Charge]:
    """Counts a send for its address, block and site, and yields the Charge.

    When the body fails, all is given back, and the refusal is stored where it is to be `recorded`.

    The same trip to the cache reads the keys `beside`, and counts the use of a page `ticket`, given as its digest. The
    body must check the number's own limits, with the number locked. The block of a known number has no limit for it.
    Raises CaptchaRequired for a used ticket, Throttled, in the order address, number, block, site, or
    ThrottleUnavailable.
    """
    charge = Charge(tally_of(phone) if recorded else None)
    try:
        windows = [*address_windows(ip), *ticket_windows(ticket), *shared_windows(phone, is_known=is_known)]
        waits = charge.count(windows, beside)
        if waits:
            _refuse_in_order(waits, phone, by_stranger=by_stranger)
        yield charge
    except BaseException as error:
        refund_and_record(phone, purpose, charge, error)
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


def _refuse_in_order(waits: Mapping[Scope, int], phone: str, *, by_stranger: bool) -> None:
    if Scope.TICKET in waits:
        raise CaptchaRequired
    _refuse(waits, Scope.IP)
    NumberHistory.read(phone, timezone.now()).require_allowance(by_stranger=by_stranger)
    _refuse(waits, *SHARED)


def _refuse(waits: Mapping[Scope, int], *scopes: Scope) -> None:
    """Raises Throttled for the first of these scopes that is used up."""
    for scope in scopes:
        if scope in waits:
            raise Throttled(scope, waits[scope])
