"""Where queued messages are delivered: here and now, or by a worker."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import islice

from .conf import conf
from .delivering import batches, cancel, deliver, deliver_batch
from .models import Message, Verification

logger = logging.getLogger("django_smsverify")

BUNDLE = 100
"""Messages of which a worker takes care in one task."""


def dispatch_code(verification: Verification, message: Message) -> Message:
    """Has a code delivered, and returns its last attempt so far, `not_sent` when the queue cannot be reached."""
    if conf.DISPATCH == "inline":
        return deliver(verification, message)
    _enqueue_or_cancel([message])
    return message


def dispatch_many(messages: Iterable[Message]) -> None:
    """Has messages without a code delivered."""
    if conf.DISPATCH == "inline":
        for batch in batches(messages):
            deliver_batch(batch)
        return
    rest = iter(messages)
    while bundle := list(islice(rest, BUNDLE)):
        if not _enqueue_or_cancel(bundle):
            # The others would wait for the same.
            _cancel_all(rest)


def _enqueue_or_cancel(messages: Sequence[Message]) -> bool:
    """A queue that cannot be reached leaves nothing behind that somebody might send later."""
    try:
        _enqueue([str(message.pk) for message in messages])
    except Exception as error:
        logger.error("The task queue failed (%s): nothing is sent.", type(error).__name__)
        _cancel_all(messages)
        return False
    return True


def _cancel_all(messages: Iterable[Message]) -> None:
    for message in messages:
        cancel(message, "the task queue could not be reached")


def _enqueue(ids: list[str]) -> None:
    """Tells a worker which messages to deliver; only their ids leave, no number and no code."""
    # Imported late: neither library need be there where it is not used.
    if conf.DISPATCH == "celery":
        from .tasks import for_celery

        for_celery.publish(ids)
    else:
        from .tasks.for_django import deliver as by_django

        by_django.enqueue(ids)
