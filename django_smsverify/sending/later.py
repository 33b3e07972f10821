"""Sending by a thread of this process, which nobody waits for."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connections

from django_smsverify.exceptions import describe

from .worker import run_task

THREADS = 4
"""More would help a vendor that is slow to be asked faster; what waits for too long is sent by the poll."""
logger = logging.getLogger("django_smsverify")


def _new_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="smsverify-later")


def _forget_threads() -> None:
    """A forked process has none of its parent's threads."""
    global _threads
    _threads = _new_threads()


_threads = _new_threads()
if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_forget_threads)


def send_later(ids: Sequence[UUID]) -> None:
    """Has a thread send these queued messages; the process waits for it when it ends.

    What it does not come to, as after a crash, stays queued for the poll.
    """
    try:
        _threads.submit(_send, [str(pk) for pk in ids])
    except RuntimeError as error:  # the process is about to end
        logger.warning("No thread can send a queued message (%s): the poll will.", error)


def _send(ids: Sequence[str]) -> None:
    try:
        run_task(ids)
    except Exception as error:
        logger.error("A queued message could not be sent; the poll will: %s", describe(error))
    finally:
        connections.close_all()
