"""Transactions that are really committed when they end, and that are repeated after a conflict with others or, where
the caller cannot repeat the work, after a lost connection."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from django.db import InterfaceError, OperationalError, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from .exceptions import InsideTransaction

T = TypeVar("T")
logger = logging.getLogger("django_smsverify")
CLASHES = {"40001", "40P01", 1213, 1020}
"""Serialization failures and deadlocks: SQLSTATEs of PostgreSQL, error numbers of MySQL and MariaDB."""
ATTEMPTS, PAUSE = 50, 0.005
"""How often a change is tried, and the seconds by which the longest pause grows with each attempt."""

PAUSES_BEFORE_CONNECTING = (0, 0.5, 1, 2, 4, 4)
"""Seconds before each new attempt to do something with another connection."""


def run_committed(model: type[models.Model], work: Callable[[], T]) -> T:
    """Runs `work` in its own transaction on the database of `model` and returns its result.

    It is run again when the database rolled it back because of another transaction.

    Raises InsideTransaction inside a caller's transaction, whose rollback would undo what must be kept.
    """
    using = router.db_for_write(model)

    def once() -> T:
        if transaction.get_connection(using).in_atomic_block:
            return _run_in_test_case(using, work)
        with transaction.atomic(using=using):
            return work()

    return retry_on_conflict(once, using)


def _run_in_test_case(using: str, work: Callable[[], T]) -> T:
    """Runs `work` in a transaction inside that of a Django test case; raises InsideTransaction inside any other."""
    with ExitStack() as stack:
        try:
            stack.enter_context(transaction.atomic(using=using, durable=True))
        except RuntimeError:
            raise InsideTransaction(
                "send_code(), send_message(), verify_code(), poll(), check_balances() and what submits a text must "
                "not run inside a transaction: rolling it back would forget an SMS or a text that a vendor has, "
                "give back a guess, or lose what a vendor said. Call them before the atomic block, or, under "
                "ATOMIC_REQUESTS, from a view decorated with django.db.transaction.non_atomic_requests."
            ) from None
        return work()


def require_autocommit(model: type[models.Model]) -> None:
    """Raises InsideTransaction inside a caller's transaction; what follows will be committed."""
    connection = transaction.get_connection(router.db_for_write(model))
    # `atomic(durable=True)` knows the transaction of a test case, which may be around everything.
    if connection.in_atomic_block or not connection.get_autocommit():
        run_committed(model, lambda: None)


def retry_on_conflict(work: Callable[[], T], using: str) -> T:
    """Runs `work`, again while other transactions conflict with it, and returns its result.

    Inside a transaction it runs once: the outer transaction was rolled back as a whole.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return work()
        except OperationalError as error:
            if transaction.get_connection(using).in_atomic_block or not _is_clash(error):
                raise
        time.sleep(random.uniform(0, PAUSE * attempt))  # noqa: S311 - a pause, no secret
    return work()


def retry_on_lost_connection(model: type[models.Model], work: Callable[[], T]) -> T:
    """Runs `work`, again on a new connection when the connection was lost, and returns its result.

    Connections are often lost while a vendor answers, and the answer cannot be requested again. So it is tried for some
    seconds, as the server may restart or have no connection left. `work` must be safe to run twice: a commit may have
    succeeded before the connection was lost. Inside a transaction it runs once.
    """
    connection = transaction.get_connection(router.db_for_write(model))
    for pause in PAUSES_BEFORE_CONNECTING:
        before = connection.connection
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or not _is_lost(connection, before):
                raise
            # Without the error's message, which may contain the host.
            name = type(error).__name__
            logger.warning("The database connection was lost (%s): what happened is stored by a new one.", name)
            connection.close()
        time.sleep(pause)
    return work()


def _is_lost(connection: BaseDatabaseWrapper, before: object) -> bool:
    """Whether the connection was lost; after a failed rollback Django has closed it, and perhaps opened another."""
    is_another = before is not None and connection.connection is not before
    return connection.connection is None or is_another or not connection.is_usable()


def _is_clash(error: OperationalError) -> bool:
    driver = error.__cause__
    error_codes = {getattr(driver, name, None) for name in ("sqlstate", "pgcode")} | set(error.args[:1])
    return bool(error_codes & CLASHES)
