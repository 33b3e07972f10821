"""Sending one code: check the limits, create the rows, then send, so that no SMS is lost or sent twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.utils import timezone

from django_smsverify import events, phones
from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus, Reason, Refused, Scope
from django_smsverify.exceptions import CaptchaRequired, NoRoute, PhoneRejected, Throttled, UnknownPurpose
from django_smsverify.idempotency import KeyedRequest
from django_smsverify.limits import guard, lists
from django_smsverify.limits.admission import address_charged, admission
from django_smsverify.limits.cache import time_limit
from django_smsverify.limits.failures import with_failures
from django_smsverify.limits.per_number import NumberHistory
from django_smsverify.limits.refusals import record
from django_smsverify.limits.shared import SHARED, Charge
from django_smsverify.models import PURPOSE, Message, Recipient, RememberedRequest, Verification
from django_smsverify.models.history import PastSMS
from django_smsverify.numbers import Requester, requester_of
from django_smsverify.numbers.test_numbers import is_test_number
from django_smsverify.tracing import span
from django_smsverify.transactions import run_committed
from django_smsverify.verifying.context import canonical

from . import route_cache
from .attempt import queue
from .choosing import Chosen, RouteChoice
from .dispatch import dispatch_code
from .earlier_tries import by_what_became
from .joining import extend, extend_or_refuse, join, join_without_sms, live_code, reserve_guesses
from .new_code import create_code
from .request import CodeRequest
from .routing import is_known_purpose
from .simulated import simulate_code, simulate_resend

T = TypeVar("T")


def send_code(
    phone: str,
    purpose: str,
    *,
    ip: str | None = None,
    context: Mapping[str, Any] | None = None,
    device: str = "",
    trusted: bool = False,
) -> Verification:
    """Sends a code to a number and returns its Verification, whose id `verify_code` takes.

    `phone` may be written as people write it. `ip` is the client's address; with None the limits per address are
    skipped. `context` is what the code is for, such as an amount and a payee; `verify_code` and `redeem_proof` must get
    the same. It also returns when the vendor's answer was lost, because the SMS may still arrive.

    While a code for the same number, purpose and context is live, the SMS has that code. A request is trusted with a
    `device` token of the number, or where the site knows that its user asks (`trusted`): then a verification of the
    live code is also returned when the number may get no SMS now (its `sms_sent` is False). Strangers may use half of
    the limits of a number that was verified here lately.

    Raises InvalidPhone, PhoneNotSupported, InvalidContext, UnknownPurpose, Throttled, ThrottleUnavailable,
    PhoneRejected, NoRoute (nothing was sent), and InsideTransaction.
    """
    number = phone = phones.parse(phone)  # its repr is masked from here on, in an error report too
    require_purpose(number, purpose)
    is_simulated = is_test_number(number)
    listed = None if is_simulated else lists.judge(number, purpose, ip)
    requester = requester_of(number, device=device, trusted=trusted, listed=listed)
    request = CodeRequest(phone=number, purpose=purpose, context=canonical(context), requester=requester, ip=ip)
    return send_code_to(request, is_simulated=is_simulated)


def require_purpose(phone: str, purpose: str) -> None:
    """Raises UnknownPurpose unless a template with a code has the purpose, in whatever state that is.

    It comes before all that depends on the number: by a purpose that does not exist nobody must learn of a number, for
    nothing.
    """
    if not PURPOSE.fullmatch(purpose):
        raise UnknownPurpose
    if not route_cache.kept_providers(purpose) and not is_known_purpose(purpose):
        record(phone, purpose, Refused.UNKNOWN_PURPOSE)
        raise UnknownPurpose


def send_code_to(request: CodeRequest, *, is_simulated: bool = False) -> Verification:
    """Does what `send_code` does, for a purpose that exists; `is_simulated` where it is a test number, to which nothing
    is sent."""
    with span("send_code", purpose=request.purpose):
        if not is_simulated:
            return _send_code(request)
        verification = simulate_code(request)
        _emit(verification, "simulated")
        return verification


def _send_code(request: CodeRequest) -> Verification:
    choice = RouteChoice(request.purpose, request.phone)
    with time_limit():
        try:
            with _admission(request.phone, request.ip, request.requester, choice) as charge:
                verification, first = choice.first_affordable(
                    lambda chosen: in_turn(
                        request.phone, request.requester, partial(create_rows, request, chosen, choice.another_way)
                    )
                )
        except Throttled as error:
            is_of_number = error.scope in (Scope.RESEND, Scope.PHONE)
            may_join = is_of_number and error is not request.requester.refusal and request.requester.is_trusted
            joined = _join(request) if may_join else None
            if joined is None:
                raise
            return joined
        _dispatch_or_raise(verification, first, charge, choice)
        guard.look(request.phone, request.ip, request.requester)
    return verification


@contextmanager
def _admission(phone: str, ip: str | None, requester: Requester, choice: RouteChoice) -> Iterator[Charge]:
    with admission(phone, choice.purpose, ip, requester, beside=choice.keys, signatures=choice.signatures) as charge:
        choice.found = charge.beside
        try:
            yield charge
        except BaseException:
            choice.withdraw()
            raise


def _join(request: CodeRequest) -> Verification | None:
    """A verification of the live code without an SMS; the client's address pays for it as for an SMS."""
    with address_charged(request.ip):
        verification = run_committed(Verification, partial(join_without_sms, request))
    if verification is not None:
        verification.sms_sent = False
        _emit(verification, "joined")
    return verification


def resend_code(
    verification_id: UUID,
    *,
    ip: str | None = None,
    device: str = "",
    trusted: bool = False,
) -> Verification:
    """Sends the same code again and returns its Verification.

    The lifetime is extended, to at most twice CODE_LIFETIME after the code was created.

    Raises VerificationNotFound, AlreadyUsed, CodeExpired, TooManyAttempts, and what `send_code` raises.
    """
    verification = Verification.objects.find(verification_id)
    listed = None if verification.is_simulated else lists.judge(verification.phone, verification.purpose, ip)
    requester = requester_of(verification.phone, device=device, trusted=trusted, listed=listed)
    return resend_to(verification, requester, ip=ip)


def resend_to(
    verification: Verification,
    requester: Requester,
    *,
    ip: str | None,
    keyed: KeyedRequest | None = None,
) -> Verification:
    """Does what `resend_code` does, and remembers the request."""
    verification.require_live(timezone.now())
    with span("resend_code", purpose=verification.purpose):
        if not verification.is_simulated:
            return _resend(verification, requester, ip, keyed)
        simulate_resend(verification, ip, keyed)
        _emit(verification, "simulated")
        return verification


def _resend(
    verification: Verification, requester: Requester, ip: str | None, keyed: KeyedRequest | None
) -> Verification:
    choice = RouteChoice(verification.purpose, verification.phone)
    with time_limit():
        with _admission(verification.phone, ip, requester, choice) as charge:
            # Not asked in the transaction, which may be repeated: what it has changed here is not undone.
            needs_guesses = not verification.is_reserved
            first = choice.first_affordable(
                lambda chosen: in_turn(
                    verification.phone,
                    requester,
                    partial(_create_resend, verification, requester, chosen, keyed, needs_guesses),
                ),
                order=partial(by_what_became, verification),
            )
        _dispatch_or_raise(verification, first, charge, choice)
        guard.look(verification.phone, ip, requester)
    return verification


def _dispatch_or_raise(verification: Verification, message: Message, charge: Charge, choice: RouteChoice) -> None:
    """Dispatches a code; raises PhoneRejected when the number is the cause of a refusal, NoRoute when no provider took
    it."""
    last = dispatch_code(verification, message, choice.without_failures)
    _emit(verification, "not_sent" if last.status == MessageStatus.NOT_SENT else "sent", last)
    if last.status != MessageStatus.NOT_SENT:
        verification.last_sent_at = last.created_at
        return
    if last.error_reason == Reason.RECIPIENT:
        raise PhoneRejected
    charge.refund(*SHARED, Scope.TICKET)
    raise NoRoute


def _emit(verification: Verification, result: str, last: Message | None = None) -> None:
    if events.is_wanted():
        events.emit(
            "code.asked",
            result=result,
            purpose=verification.purpose,
            phone=verification.phone,
            verification=verification.pk,
            provider=last and last.provider.slug,
            status=last and last.status,
        )


def in_turn(phone: str, requester: Requester, create: Callable[[Recipient, NumberHistory], T]) -> T:
    """Calls `create` in its own transaction, with the number locked and its limits checked.

    Raises Throttled or CaptchaRequired.
    """

    def work() -> T | CaptchaRequired | Throttled:
        recipient = Recipient.objects.lock(phone)
        history = NumberHistory.read(phone, timezone.now())
        try:
            history.require_allowance(by_stranger=requester.is_stranger, can_be_asked=requester.can_be_asked)
        except (CaptchaRequired, Throttled) as refusal:
            if history.was_moved:
                return refusal  # and not raised: else the next request would move them again
            raise
        return create(recipient, with_failures(history, recipient, requester.verified_at))

    result = run_committed(Message, work)
    if isinstance(result, (CaptchaRequired, Throttled)):
        raise result
    return result


def create_rows(
    request: CodeRequest,
    chosen: Chosen,
    another_way: Callable[[Chosen, Sequence[PastSMS]], Chosen],
    recipient: Recipient,
    history: NumberHistory,
    **of_message: Any,
) -> tuple[Verification, Message]:
    """Creates the verification of a request, and its first message, by the chosen route.

    `another_way` may choose another one for a code that was sent before. `of_message` is what `queue` takes.
    """
    by_stranger = request.requester.is_stranger
    code = live_code(request, history)
    if code is not None and extend(code, history.now):
        verification = join(request, code, recipient, history)
        chosen = another_way(chosen, history.sms_with(code.pk))
    else:
        allowed = history.allowed_guesses(request.purpose, by_stranger=by_stranger)
        verification = create_code(recipient, request, history.now, max_attempts=allowed, **request.origin)
    RememberedRequest.objects.remember(request.keyed, verification, history.now)
    return verification, _queue(chosen, verification, by_stranger=by_stranger, **of_message)


def _create_resend(
    verification: Verification,
    requester: Requester,
    chosen: Chosen,
    keyed: KeyedRequest | None,
    needs_guesses: bool,
    recipient: Recipient,
    history: NumberHistory,
) -> Message:
    extend_or_refuse(verification.holder, history.now)
    if requester.has_solved and not verification.by_solver:
        Verification.objects.filter(pk=verification.pk).update(by_solver=True)
    if needs_guesses:
        reserve_guesses(verification, history)
    RememberedRequest.objects.remember(keyed, verification, history.now)
    return _queue(chosen, verification, by_stranger=requester.is_stranger)


def _queue(chosen: Chosen, verification: Verification, **of_message: Any) -> Message:
    """Creates the first attempt; inline it is claimed at once, and a crash from here on leaves its outcome unknown."""
    return queue(chosen, verification, **{"is_claimed": conf.DISPATCH == "inline", **of_message})
