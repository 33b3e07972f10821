"""Sending by a worker or the poll, some time after a message was queued, when conditions may have changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.utils import timezone

from django_smsverify.enums import MessageStatus, Reason
from django_smsverify.exceptions import CodeRejected, Throttled, UndecryptableValue, describe
from django_smsverify.limits.cache import time_limit
from django_smsverify.limits.per_number import NumberHistory, lock_number
from django_smsverify.limits.shared import SHARED, Charge
from django_smsverify.messages import withdraw
from django_smsverify.models import Message, Template, Verification
from django_smsverify.numbers import requester_of
from django_smsverify.transactions import run_committed

from . import circuits, routing
from .attempt import cancel, release_guesses, send_queued, untried
from .batching import batches, send_batch
from .content import least_life, segments_of_code

logger = logging.getLogger("django_smsverify")

NOTICES_EXPIRE_AFTER = timedelta(hours=24)
"""A notice that was queued for longer is out of date and is not sent."""


def send_waiting(ids: Iterable[UUID | str]) -> int:
    """Sends messages that are still queued and returns how many were handled; others are left to the process that has
    them.

    A message whose sending fails with a bug is withdrawn and does not stop the others. A notice whose provider's
    circuit is open stays queued, for the poll.
    """
    queued = Message.objects.filter(pk__in=list(ids), status=MessageStatus.QUEUED).order_by("created_at")
    related = ("provider", "template__provider", "template__signature", "verification__recipient", "verification__root")
    messages = list(queued.select_related(*related))
    notices = [message for message in messages if message.verification is None and not is_void(message)]
    codes = [[message] for message in messages if message.verification is not None]
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
            cancel(message, f"its delivery failed with {name}: see the log")
    return len(messages) - left


def is_void(message: Message) -> bool:
    """Whether a notice can or should no longer be sent; if so, it is withdrawn."""
    why = ""
    if timezone.now() - message.created_at > NOTICES_EXPIRE_AFTER:
        why = "it was queued for too long"
    elif not _is_usable(message):
        why = "while it was queued its template could no longer be used"
    else:
        try:
            message.values  # noqa: B018 - decrypts
        except UndecryptableValue:
            why = "its values were encrypted with a key that is no longer configured"
    if why:
        cancel(message, why)
    return bool(why)


def _is_usable(message: Message) -> bool:
    usable = Template.objects.routable()
    return usable.filter(pk=message.template_id, provider=message.provider_id).exists()


def _send_or_skip(batch: Sequence[Message]) -> bool:
    """False when the provider's circuit is open; only a code can be sent through another provider."""
    message, verification = batch[0], batch[0].verification
    if verification is None:
        if circuits.choose([message.template]) is None:
            return False
        send_batch(batch)
        return True
    # A number that is known only since then was counted for its block: that is not given back, which allows less.
    is_known = requester_of(message.phone).is_known
    charge = Charge.of(message.phone, message.created_at, is_known=is_known)
    if _send_code(verification, message):
        # No request waits for the result, so the shared limits are given back here.
        charge.refund(*SHARED)
    return True


def _send_code(verification: Verification, message: Message) -> bool:
    """Sends a code through the best route now, if it is still worth an SMS; returns whether no provider took it."""
    own = [message.template] if _is_usable(message) else []
    templates = routing.funded([*own, *untried(verification, message)])
    if not templates:
        return cancel(message, "while it was queued all templates for it became unusable")
    template = circuits.choose(templates) or templates[0]
    withdrawn = run_committed(Message, partial(_withdraw_or_reroute, verification, message, template))
    if withdrawn is not None:
        return withdrawn
    last = send_queued(verification, message)
    return last.status == MessageStatus.NOT_SENT and last.error_reason != Reason.RECIPIENT


def _withdraw_or_reroute(verification: Verification, message: Message, template: Template) -> bool | None:
    """None when a code is to be sent now, else whether it was withdrawn here. A withdrawn code stays valid: it can be
    resent."""
    lock_number(verification.recipient)
    verification.reload()
    if why := _why_not_worth_sending(verification, message):
        withdrawn = withdraw(message, why)
        release_guesses(verification)
        return withdrawn
    return None if _store_route(verification, message, template) else False


def _store_route(verification: Verification, message: Message, template: Template) -> bool:
    """Stores the route of a queued code; the number's limits count it as an SMS sent now."""
    changes = {
        "created_at": timezone.now(),
        "provider": template.provider,
        "template": template,
        "segments": segments_of_code(template, verification),
    }
    queued = Message.objects.filter(pk=message.pk, status=MessageStatus.QUEUED)
    for name, value in changes.items():
        setattr(message, name, value)
    return queued.update(**changes) == 1


def _why_not_worth_sending(verification: Verification, message: Message) -> str:
    """Why a queued code is no longer worth an SMS; empty when it is."""
    now = timezone.now()
    try:
        verification.require_live(now)
    except CodeRejected as error:
        return f"while it was queued the code was no longer of use: {error.code}"
    if verification.holder.expires_at - now < least_life(message.purpose):
        return f"it was queued until the code had only {verification.seconds_left(now)} seconds left"
    try:
        history = NumberHistory.read(message.phone, now)
        history.require_allowance(by_stranger=message.by_stranger, but=message.pk)
    except Throttled:
        return "while it was queued the number got as many other codes as it may"
    return ""
