"""The database connection of a thread, which others can use while the thread waits for a vendor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from django.db import Error, connections

from django_smsverify.models import Message

_is_worker: ContextVar[bool] = ContextVar("smsverify_is_worker", default=False)


@contextmanager
def in_worker() -> Iterator[None]:
    """In the body a connection is closed during each call to a vendor, and opened again to store the outcome.

    A worker has many threads that wait. A request waits for little else, and would pay for the new connection.
    """
    token = _is_worker.set(True)
    try:
        yield
    finally:
        _is_worker.reset(token)


def release_connection() -> None:
    """Closes this thread's connection in a worker; in a request only if Django's pool keeps it for others.

    Leaves alone what is in a transaction, as in a test case, what threads share, and SQLite, which has no server.
    """
    connection = connections[Message.objects.db]
    if connection.connection is None or not (_is_worker.get() or connection.settings_dict["OPTIONS"].get("pool")):
        return
    is_ours = connection.autocommit and not connection.in_atomic_block and not connection.allow_thread_sharing
    if is_ours and connection.vendor != "sqlite":
        with suppress(Error):  # it was lost already
            connection.close()
