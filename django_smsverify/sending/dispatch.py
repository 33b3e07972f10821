"""Dispatch of queued messages: inline, or by a worker through a task queue."""

from __future__ import annotations

import logging
import time
from collections.abc import Container, Iterable, Sequence
from itertools import islice

from django.utils.translation import gettext_noop as _

from django_smsverify.conf import conf
from django_smsverify.models import Message, Verification

from .attempt import cancel, send_queued
from .later import send_later

logger = logging.getLogger("django_smsverify")

MESSAGES_A_TASK = 100
"""Messages in one task."""
PAUSE_AFTER_FAILURE = 30.0
"""Seconds."""
_failed_at = float("-inf")


def dispatch_code(verification: Verification, message: Message, without_failures: Container[int]) -> Message:
    """Sends a code inline, or enqueues it for a worker.

    `without_failures` are the providers that are known to have no failure lately. Returns the last attempt so far; its
    status is `not_sent` when no provider took it or the queue could not be reached.
    """
    if conf.DISPATCH == "inline":
        return send_queued(verification, message, without_failures)
    _enqueue_or_cancel([message])
    return message


def reach_queue() -> None:
    """Raises what the task queue's client raises when it cannot be reached; does nothing where none is used."""
    # Imported here: neither library must be installed where it is not used.
    if conf.DISPATCH == "celery":
        from .queues import celery

        celery.ping()
    elif conf.DISPATCH == "tasks":
        from .queues import django_tasks

        django_tasks.deliver.get_backend()


def dispatch_later(message: Message) -> None:
    """Has a queued code sent by a thread or a worker; it stays queued for the poll if none can be told.

    After a failure of the queue it is left alone for a while: a batch of reports would wait for it each time.
    """
    global _failed_at
    if conf.DISPATCH == "inline":
        send_later([message.pk])
    elif time.monotonic() - _failed_at > PAUSE_AFTER_FAILURE and not _try_to_enqueue([message]):
        _failed_at = time.monotonic()


def enqueue_many(messages: Iterable[Message], *, keep: bool) -> bool:
    """Enqueues notices for workers; returns whether the queue could be reached.

    If not, messages that are not enqueued yet stay queued for the poll with `keep`, and are withdrawn without it.
    """
    rest = iter(messages)
    while chunk := list(islice(rest, MESSAGES_A_TASK)):
        if not _try_to_enqueue(chunk):
            if not keep:
                _cancel_all([*chunk, *rest])
            return False  # the next messages would only wait for the same failure
    return True


def _enqueue_or_cancel(messages: Sequence[Message]) -> None:
    """Withdraws the messages if the queue cannot be reached, so that no process sends them later."""
    if not _try_to_enqueue(messages):
        _cancel_all(messages)


def _try_to_enqueue(messages: Sequence[Message]) -> bool:
    try:
        _enqueue([str(message.pk) for message in messages])
    except Exception as error:
        logger.error("The task queue failed (%s): no worker is told.", type(error).__name__)
        return False
    return True


def _cancel_all(messages: Iterable[Message]) -> None:
    for message in messages:
        cancel(message, _("the task queue could not be reached"))


def _enqueue(ids: list[str]) -> None:
    """Enqueues the messages for a worker; only their ids leave this process, no number and no code."""
    # Imported here: neither library must be installed where it is not used.
    if conf.DISPATCH == "celery":
        from .queues import celery

        celery.publish(ids)
    else:
        from .queues import django_tasks

        django_tasks.deliver.enqueue(ids)
