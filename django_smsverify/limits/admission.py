"""The check of all limits before an SMS is sent.

A number's own limits are exact: they are judged in the database, while the number's Recipient row is locked. Address,
number block and site are counted in the cache, in rolling windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.enums import Refused, Scope
from django_smsverify.exceptions import CaptchaRequired, Throttled, ThrottleUnavailable

from . import by_rows, guard
from .lists import plausible_wait
from .per_number import NumberHistory
from .refusals import refund_and_record, tally_of
from .shared import SHARED, Charge, address_windows, shared_windows, ticket_windows
from .standing import Anybody, Standing

SOLVER = Anybody(has_solved=True)


@contextmanager
def admission(
    phone: str,
    purpose: str,
    ip: str | None,
    standing: Standing,
    *,
    beside: Sequence[str] = (),
    signatures: guard.Signatures = tuple,
    by_operator: bool = False,
) -> Iterator[Charge]:
    """Counts a send for its address, block and site, asks the guard, and yields the Charge.

    When the body fails, all is given back, and the refusal is stored. A test `by_operator` is not stored, nor judged by
    the guard, which asks for the `signatures` that the SMS may have.

    The same trip to the cache reads the keys `beside`, and counts the use of a page ticket. The body must check the
    number's own limits, with the number locked. Raises Throttled or CaptchaRequired, in the order ticket, address,
    number, block, site, guard, or ThrottleUnavailable.
    """
    charge = Charge(None if by_operator else tally_of(phone))
    try:
        waits = _count(charge, phone, ip, standing, beside)
        _admit(phone, ip, standing, waits, None if by_operator else signatures)
        yield charge
    except BaseException as error:
        refund_and_record(phone, purpose, charge, error)
        raise


def _count(
    charge: Charge, phone: str | None, ip: str | None, standing: Standing, beside: Sequence[str] = ()
) -> Mapping[Scope, int]:
    """Counts a send in the cache, for None as the phone for the address alone; where the cache fails, rows tell
    whether there is room, if the site wants so."""
    shared = shared_windows(phone, standing) if phone else []
    try:
        return charge.count([*address_windows(ip, standing), *ticket_windows(standing.ticket), *shared], beside)
    except ThrottleUnavailable:
        if conf.ON_CACHE_FAILURE == "refuse":
            raise
    if standing.ticket:
        raise CaptchaRequired  # nobody knows whether it was used before
    return by_rows.waits(phone, ip, standing)


def _admit(
    phone: str, ip: str | None, standing: Standing, waits: Mapping[Scope, int], signatures: guard.Signatures | None
) -> None:
    """Raises the refusal that comes first; that of the number's own limits before those of what it shares."""
    if standing.refusal:
        raise standing.refusal
    if standing.must_solve:
        raise _challenge(phone, standing)
    if Scope.TICKET in waits:
        raise CaptchaRequired
    _refuse(waits, standing, Scope.IP)
    try:
        _refuse(waits, standing, *SHARED)
        if signatures is not None:
            guard.require_open(phone, ip, standing, signatures)
    except (CaptchaRequired, Throttled):
        history = NumberHistory.read(phone, timezone.now())
        history.require_allowance(by_stranger=standing.is_stranger, can_be_asked=standing.can_be_asked)
        raise


@contextmanager
def address_charged(ip: str | None) -> Iterator[None]:
    """Counts a join without an SMS for the client's address alone; it is given back when the body fails. Only who is
    trusted joins, so the address has the room of a solved captcha.

    Raises Throttled or ThrottleUnavailable.
    """
    charge = Charge()
    try:
        _refuse(_count(charge, None, ip, SOLVER), SOLVER, Scope.IP)
        yield
    except BaseException:
        charge.refund(*Scope)
        raise


def _challenge(phone: str, standing: Standing) -> CaptchaRequired | Throttled:
    """The refusal of who is challenged by a list; without a captcha, as that of a number whose limit is used up."""
    if standing.can_be_asked:
        return CaptchaRequired(Refused.ASKED_LISTED)
    return Throttled(Scope.PHONE, plausible_wait(phone, conf.PHONE_LIMITS), because=Refused.LISTED)


def _refuse(waits: Mapping[Scope, int], standing: Standing, *scopes: Scope) -> None:
    """Raises Throttled, or CaptchaRequired, for the first of these scopes that is used up."""
    for scope in scopes:
        if scope in waits and standing.can_be_asked:
            raise CaptchaRequired(Refused(f"captcha_{scope}"))
        if scope in waits:
            raise Throttled(scope, waits[scope])
