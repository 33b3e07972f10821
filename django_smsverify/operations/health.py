"""Whether this process can send: for load balancers, so it is quick even when a part of the site hangs.

Each part is tried in a thread, for which nobody waits longer than SECONDS. While a trial hangs no other one of the same
part begins: a load balancer asks every few seconds, and would fill the process with threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from uuid import uuid4

from django.core.cache import BaseCache
from django.db import connections
from django.utils import timezone

from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus
from django_smsverify.limits.cache import call_cache, time_limit
from django_smsverify.models import Message, Provider
from django_smsverify.sending.dispatch import reach_queue

from .watching import poll_is_late
from .webhook_silence import silent_webhooks

logger = logging.getLogger("django_smsverify")

SECONDS = 1.5
WAITS_LONG = timedelta(minutes=1)
"""After this time the poll sends a queued code, so a worker should have taken it before."""
LATELY = timedelta(hours=1)
TRIAL_SECONDS = 10
"""How long a trial's key stays in the cache if the trial breaks off."""


class State(StrEnum):
    """How a part is; the strings stand in the answer."""

    OK = "ok"
    WARN = "warn"
    """Something is worse than it should be; codes are sent all the same."""
    FAIL = "fail"
    """Nothing can be sent."""


Found = Iterator[tuple[str, State]]


def health() -> dict[str, State]:
    """Returns the state of each part; one that did not answer in time is as bad as it can be."""
    answers: dict[str, State] = {}
    deadline = time.monotonic() + SECONDS
    for thread in [_start(name, trial, answers) for name, trial in TRIALS.items()]:
        if thread is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
    found = {part: answers.get(part, worst) for part, worst in _worst().items()}
    if found.pop("broker") != State.OK:
        found["queue"] = State.WARN
    return found


def overall(parts: Mapping[str, State]) -> State:
    """Returns the worst state of these."""
    return next((state for state in (State.FAIL, State.WARN) if state in parts.values()), State.OK)


def _worst() -> dict[str, State]:
    """What it means that a part does not answer. A load balancer must not take all servers out because of a warning."""
    cache = State.WARN if conf.ON_CACHE_FAILURE == "degrade" else State.FAIL
    others = dict.fromkeys(("queue", "broker", "poll", "webhooks"), State.WARN)
    return {"database": State.FAIL, "cache": cache, **others}


def _start(name: str, trial: Callable[[], Found], answers: dict[str, State]) -> threading.Thread | None:
    """A thread that tries these parts; None while an earlier one hangs."""
    earlier = _running.get(name)
    if earlier is not None and earlier.is_alive():
        return None
    thread = threading.Thread(target=_run, args=(name, trial, answers), daemon=True)
    _running[name] = thread
    thread.start()
    return thread


def _run(name: str, trial: Callable[[], Found], answers: dict[str, State]) -> None:
    try:
        for part, state in trial():
            answers[part] = state
    except Exception as error:  # only its name: its message may hold a password
        logger.error("The health view finds that the %s fails: %s", name, type(error).__name__)
    finally:
        connections.close_all()


def _of_database() -> Found:
    now = timezone.now()
    Provider.objects.exists()
    yield "database", State.OK
    yield "poll", State.WARN if poll_is_late(now) else State.OK
    waiting = Message.objects.filter(status=MessageStatus.QUEUED, verification__isnull=False)
    late = waiting.filter(created_at__gt=now - LATELY, created_at__lt=now - WAITS_LONG)
    yield "queue", State.WARN if late.exists() else State.OK
    yield "webhooks", State.WARN if silent_webhooks(now) else State.OK


def _of_cache() -> Found:
    with time_limit(SECONDS):
        if call_cache(_counts):
            yield "cache", State.OK


def _counts(cache: BaseCache) -> bool:
    key = f"smsverify:health:{uuid4().hex}"
    cache.add(key, 1, TRIAL_SECONDS)
    return bool(cache.incr(key) == 2 and cache.delete(key))


def _of_broker() -> Found:
    reach_queue()
    yield "broker", State.OK


TRIALS: dict[str, Callable[[], Found]] = {"database": _of_database, "cache": _of_cache, "queue": _of_broker}
_running: dict[str, threading.Thread] = {}
