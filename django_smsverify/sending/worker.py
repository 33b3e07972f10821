"""Sending by a worker or the poll, some time after a message was queued, when conditions may have changed."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import (
    CodeRejected,
    NoRoute,
    OverBudget,
    PhoneNotSupported,
    Throttled,
    UndecryptableValue,
    UnknownPurpose,
    describe,
)
from django_smsverify.limits import budget
from django_smsverify.limits.cache import time_limit
from django_smsverify.limits.per_number import NumberHistory, lock_number
from django_smsverify.limits.shared import SHARED, Charge
from django_smsverify.messages import mark_claimed, withdraw
from django_smsverify.models import Message, Template, Verification
from django_smsverify.models.late_changes import late_moments, mark_late
from django_smsverify.models.statements import OF_ROUTE, claim_message, find_queued_code
from django_smsverify.numbers import requester_of
from django_smsverify.transactions import run_committed

from . import circuits, route_cache, routing
from .attempt import cancel, release_guesses, send_queued
from .batching import batches, send_what_fits
from .choosing import Chosen, choose, whatever_is_open
from .connection import in_worker
from .content import least_life, segments_of_code
from .earlier_tries import other_ways, why_not_to_follow
from .left_out import left_out

logger = logging.getLogger("django_smsverify")

NOTICES_EXPIRE_AFTER = timedelta(hours=24)
"""A notice that was queued for longer is out of date and is not sent."""
DELIVERY_FAILED = _("its delivery failed, see the log")
NO_LONGER_OF_USE = _("while it was queued the code was no longer of use")
TOO_OLD = _("it was queued until the code had too few seconds left")
"""Stored with a detail after a colon; the story translates what stands before it."""


def run_task(ids: Sequence[str]) -> int:
    """Does what `send_waiting` does, for a task: no connection to the database is held while a vendor is waited for."""
    with in_worker():
        return send_waiting(ids)


def send_waiting(ids: Iterable[UUID | str]) -> int:
    """Sends messages that are still queued and returns how many were handled; others are left to the process that has
    them.

    A message whose sending fails with a bug is withdrawn and does not stop the others. A notice whose provider's
    circuit is open stays queued, for the poll.
    """
    messages = _queued(list(ids))
    notices = without_void([message for message in messages if message.verification_id is None])
    codes = [[message] for message in messages if message.verification_id is not None]
    left = 0
    for batch in [*codes, *batches(notices)]:
        try:
            with time_limit():
                left += 0 if _send_or_skip(batch) else len(batch)
            continue
        except Exception as error:
            name, bug = type(error).__name__, describe(error)
        logger.error("The delivery by %s failed with %s", batch[0].provider.slug, bug)
        for message in batch:
            cancel(message, f"{DELIVERY_FAILED}: {name}")
    return len(messages) - left


def _queued(ids: Sequence[UUID | str]) -> Sequence[Message]:
    """Those that are still queued. What a code needs besides is read when its number is locked, or kept."""
    if len(ids) == 1 and (codes := find_queued_code(pk=ids[0])):
        return codes
    queued = Message.objects.filter(pk__in=ids, status=MessageStatus.QUEUED).order_by("created_at")
    return list(queued.select_related("provider", "template__provider", "template__signature"))


def without_void(notices: Sequence[Message]) -> list[Message]:
    """Returns the notices that can and should still be sent; the others are withdrawn."""
    refused, left = left_out(message.phone for message in notices), []
    for message in notices:
        if why := refused.get(message.phone) or _why_void(message):
            cancel(message, why)
        else:
            left.append(message)
    return left


def _why_void(message: Message) -> str:
    """Why a notice can or should no longer be sent; empty when it can."""
    if timezone.now() - message.created_at > NOTICES_EXPIRE_AFTER:
        return _("it was queued for too long")
    if not _is_usable(message):
        return _("while it was queued its template could no longer be used")
    try:
        message.values  # noqa: B018 - decrypts
    except UndecryptableValue:
        return _("its values were encrypted with a key that is no longer configured")
    return ""


def _is_usable(message: Message) -> bool:
    usable = Template.objects.routable()
    return usable.filter(pk=message.template_id, provider=message.provider_id).exists()


def _send_or_skip(batch: Sequence[Message]) -> bool:
    """False when the provider's circuit is open; only a code can be sent through another provider."""
    message, queued_at = batch[0], batch[0].created_at
    if message.verification_id is None:
        if choose([message.template]) is None:
            return False
        _, refused = send_what_fits(batch)
        if refused:
            logger.warning("Notices by %s stay queued: %s.", message.provider.slug, refused.why)
            return False
    elif _send_code(message) and message.follows is None:  # what follows was not counted
        _refund_shared(message.phone, queued_at)
    return True


def _refund_shared(phone: str, queued_at: datetime) -> None:
    """Gives the shared limits back: no request waits for the result that could do it."""
    # A number that is known only since then was counted for its block: that is not given back, which allows less.
    Charge.of(phone, queued_at, requester_of(phone)).refund(*SHARED)


def _send_code(message: Message) -> bool:
    """Sends a code through the best route now, if it is still worth an SMS; returns whether no provider took it."""
    try:
        return _send_by_best_route(message)
    except OverBudget as error:
        logger.warning("A code by %s is not sent: %s.", message.provider.slug, error.why)
    return cancel(message, budget.SPENT)


def _send_by_best_route(message: Message) -> bool:
    templates, without_failures = _usable_routes(message)
    if not templates:
        return cancel(message, _("while it was queued all templates for it became unusable"))
    verification, is_withdrawn = _claim_by_first_affordable(message, templates, without_failures)
    if verification is None:
        return is_withdrawn
    last = send_queued(verification, message, without_failures)
    return last.status == MessageStatus.NOT_SENT and last.error_reason != Reason.RECIPIENT


def _claim_by_first_affordable(
    message: Message, templates: Sequence[Template], without_failures: Container[int]
) -> tuple[Verification | None, bool]:
    """Does what `_claim_or_withdraw` does, by the first route that fits into the budgets; raises OverBudget."""
    queued_at, verification = message.created_at, None
    chosen = choose(templates, message.phone, without_failures) or whatever_is_open(templates[0], message.phone)
    try:
        claim = partial(_claim_or_withdraw, message, chosen, queued_at)
        verification, is_withdrawn = run_committed(Message, claim)
        return verification, is_withdrawn
    except OverBudget as error:
        message.is_claimed, message.created_at = False, queued_at  # it was rolled back
        left = [template for template in templates if template.provider_id != error.provider]
        if not left:
            raise
    finally:
        if verification is None:
            circuits.release_trial(chosen.trial)
    return _claim_by_first_affordable(message, left, without_failures)


def _usable_routes(message: Message) -> tuple[list[Template], frozenset[int]]:
    """The routes for a queued code, its own first; and the providers that are known to have no failure lately.

    Raises OverBudget.
    """
    providers = route_cache.kept_providers(message.purpose)
    found = circuits.read([route_cache.VERSION_KEY, *circuits.marks_of(providers)])
    version = found.get(route_cache.VERSION_KEY)
    try:
        if version is None:  # the cache has failed, or is not shared
            templates = routing.routes(message.purpose, message.phone)
            return _own_first(message, budget.affordable(templates, message.purpose)), frozenset()
        templates = routing.kept_routes(message.purpose, message.phone, version)
        left = budget.affordable(templates, message.purpose)
        return _own_first(message, left), circuits.without_failures(providers, found)
    except OverBudget:
        raise
    except (NoRoute, PhoneNotSupported, UnknownPurpose):
        return [], frozenset()


def _own_first(message: Message, templates: Sequence[Template]) -> list[Template]:
    """Its own template, and those of other providers: none was tried by a first attempt, which a queued code is unless
    it follows another."""
    own = [one for one in templates if one.pk == message.template_id and one.provider_id == message.provider_id]
    routes = [*own, *(one for one in templates if one.provider_id != message.provider_id)]
    if message.follows is None:
        return routes
    left = other_ways(Verification.objects.find(message.verification_id), routes, but=message)
    return [route for route in routes if route in left]


def _claim_or_withdraw(message: Message, chosen: Chosen, queued_at: datetime) -> tuple[Verification | None, bool]:
    """The verification of a code that this process is to send now, if it is; and whether the code was withdrawn here.

    A withdrawn code stays valid: it can be resent.
    """
    message.is_claimed, message.created_at = False, queued_at  # they may be of a transaction that was rolled back
    lock_number(message.phone)
    verification = message.verification = Verification.objects.find(message.verification_id)
    if why := _why_not_worth_sending(verification, message):
        is_withdrawn = withdraw(message, why)
        release_guesses(verification)
        return None, is_withdrawn
    return (verification if _claim(verification, message, chosen) else None), False


def _claim(verification: Verification, message: Message, chosen: Chosen) -> bool:
    """Claims a queued code and stores its route; the number's limits count it as an SMS sent now."""
    late = late_moments([message.created_at])
    template, message.is_trial = chosen.template, chosen.is_trial
    message.created_at, message.provider, message.template = timezone.now(), template.provider, template
    message.segments = segments_of_code(template, verification)
    mark_claimed(message)
    message.is_claimed = claim_message(pk=message.pk, **{name: getattr(message, name) for name in OF_ROUTE}) == 1
    if message.is_claimed and late:
        mark_late(late, Message.objects.db)
    if message.is_claimed:
        budget.reserve([message])
    return message.is_claimed


def _why_not_worth_sending(verification: Verification, message: Message) -> str:
    """Why a queued code is no longer worth an SMS; empty when it is."""
    now = timezone.now()
    try:
        verification.require_live(now)
    except CodeRejected as error:
        return f"{NO_LONGER_OF_USE}: {error.code}"
    if verification.holder.expires_at - now < least_life(message.purpose):
        return f"{TOO_OLD}: {verification.seconds_left(now)}"
    try:
        history = NumberHistory.read(message.phone, now)
        pauses = message.follows is None
        history.require_allowance(by_stranger=message.by_stranger, but=message.pk, pauses=pauses)
    except Throttled:
        return _("while it was queued the number got as many other codes as it may")
    return why_not_to_follow(verification, message)
