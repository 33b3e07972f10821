"""Transactions that are committed when they end, whoever calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import models, router, transaction

from .exceptions import InsideTransaction


@contextmanager
def committed(model: type[models.Model]) -> Iterator[None]:
    """A transaction of our own on the database of `model`.

    Raises InsideTransaction inside a caller's transaction, whose rollback would undo what must last.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(transaction.atomic(using=router.db_for_write(model), durable=True))
        except RuntimeError:
            raise InsideTransaction(
                "send_code(), send_message(), verify_code() and poll() must not run inside a transaction: rolling it "
                "back would forget an SMS that was sent or give back a guess. Call them before the atomic block, or, "
                "under ATOMIC_REQUESTS, from a view decorated with django.db.transaction.non_atomic_requests."
            ) from None
        yield
