"""Where queued messages are delivered: here and now, or by a worker."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import islice

from django_smsverify.conf import conf
from django_smsverify.models import Message, Verification

from .attempt import cancel, send_queued

logger = logging.getLogger("django_smsverify")

MESSAGES_A_TASK = 100
"""Messages of which a worker takes care in one task."""


def dispatch_code(verification: Verification, message: Message) -> Message:
    """Has a code delivered, and returns its last attempt so far, `not_sent` when the queue cannot be reached."""
    if conf.DISPATCH == "inline":
        return send_queued(verification, message)
    _enqueue_or_cancel([message])
    return message


def enqueue_many(messages: Iterable[Message], *, keep: bool) -> bool:
    """Has workers deliver messages without a code; whether the queue could be reached.

    If not, those that no worker was told of stay queued, for the poll, or are withdrawn, as `keep` says.
    """
    rest = iter(messages)
    while some := list(islice(rest, MESSAGES_A_TASK)):
        if not _try_to_enqueue(some):
            if not keep:
                _cancel_all([*some, *rest])
            return False  # the others would wait for the same
    return True


def _enqueue_or_cancel(messages: Sequence[Message]) -> None:
    """A queue that cannot be reached leaves nothing behind that somebody might send later."""
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
        cancel(message, "the task queue could not be reached")


def _enqueue(ids: list[str]) -> None:
    """Tells a worker which messages to deliver; only their ids leave, no number and no code."""
    # Imported late: neither library need be there where it is not used.
    if conf.DISPATCH == "celery":
        from .queues import celery

        celery.publish(ids)
    else:
        from .queues import django_tasks

        django_tasks.deliver.enqueue(ids)
