"""The guard beside one request: whether what it is about is closed, and whether it must be closed after it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from itertools import chain
from threading import Lock

from django_smsverify import phones
from django_smsverify.addresses import network_of
from django_smsverify.conf import conf
from django_smsverify.enums import Guarded, Refused
from django_smsverify.exceptions import CaptchaRequired, Throttled, describe
from django_smsverify.limits.shared import network_digest
from django_smsverify.limits.standing import Standing
from django_smsverify.models import Closure

from . import closures, figures, rules
from .closures import Subject

logger = logging.getLogger("django_smsverify")

FIRST_LOOK = 3
"""The send of a process with which it first looks at the figures of a block, a network or the site."""
SHARE = {Guarded.BLOCK: 4, Guarded.NETWORK: 4, Guarded.SIGNATURE: 16, Guarded.SITE: 16}
"""Of the sends that there is room for, the part after which a process looks again: others send too."""
LOOK_AFTER = 60.0
"""Seconds after which a process looks at the site again in any case."""
FORGET_AFTER = 3600.0
"""Seconds after which a process begins anew with a block or a network."""
PAUSES = {Guarded.BLOCK: 5.0, Guarded.NETWORK: 5.0, Guarded.SIGNATURE: 0.0, Guarded.SITE: 0.0}
"""Seconds in which a process looks once at most: in a rush of people nothing is old enough to be judged anyway."""
CLOSED_PAUSE = 5.0
MOST_SUBJECTS = 10_000


class Pace:
    """How many sends of this process there may be until the figures of something are read again."""

    def __init__(self) -> None:
        self._left: dict[tuple[object, Subject], tuple[int, float, float]] = {}
        """By database and schema, and subject: how many sends, since when, and how many seconds at least."""
        self._lock = Lock()

    def is_due(self, subject: Subject) -> bool:
        """Counts a send; whether the figures are to be read now."""
        now, kind, key = time.time(), subject[0], (Closure.objects.place, subject)
        with self._lock:
            new = FIRST_LOOK, now, PAUSES[kind]
            left, since, pause = self._left.get(key, new)
            passed = abs(now - since)  # the clock may have been set back
            if kind != Guarded.SITE and passed >= FORGET_AFTER:
                (left, since, pause), passed = new, 0.0
            if len(self._left) >= MOST_SUBJECTS:
                self._left.clear()
            self._left[key] = left - 1, since, pause
        return passed >= pause if left <= 1 else kind == Guarded.SITE and passed >= LOOK_AFTER

    def is_next(self, subject: Subject) -> bool:
        """Whether the next send has the figures read, or nothing is known of them."""
        left, *_ = self._left.get((Closure.objects.place, subject), (0, 0.0, 0.0))
        return left <= 1

    def set(self, subject: Subject, room: int) -> None:
        """Stores that the figures were read, and had room for so many sends."""
        kind = subject[0]
        # What is closed is looked at now and then only, however many solve captchas.
        pause = PAUSES[kind] if room > 0 else CLOSED_PAUSE
        self._left[Closure.objects.place, subject] = max(1, room // SHARE[kind]), time.time(), pause

    def forget(self) -> None:
        """Has each process begin anew."""
        self._left.clear()


pace = Pace()


Signatures = Callable[[], Collection[str]]
"""Returns those that the SMS may have; blank for none."""


def require_open(phone: str, ip: str | None, standing: Standing, signatures: Signatures) -> None:
    """Checks that a number's block, the client's network, the site and one of the signatures are open to the request.

    Numbers that are known here are not refused. Raises CaptchaRequired where a captcha can be shown, else Throttled.
    """
    if conf.GUARD != "on" or not is_judged(standing) or not closures.are_there():
        return
    own = [(Guarded.SIGNATURE, text) for text in signatures()]
    groups = [*([subject] for subject in _subjects(phone, ip)), own]
    lately = closures.lately(chain.from_iterable(groups))
    for group in groups:
        binding = [_binding(subject, lately.get(subject), ip, standing) for subject in group]
        if found := next(iter(binding), None) if all(binding) else None:
            raise _refusal(found, standing)


def _binding(subject: Subject, last: Closure | None, ip: str | None, standing: Standing) -> Closure | None:
    """The closure that binds the request; the next one, if the figures of what was closed lately are still bad."""
    found = last if last is None or closures.holds(last) else _judge_if_due(subject, ip)
    return found if found and not found.is_watched and (found.binds_solvers or not standing.has_solved) else None


def _refusal(closure: Closure, standing: Standing) -> CaptchaRequired | Throttled:
    if standing.can_be_asked:
        return CaptchaRequired(Refused.ASKED_GUARD)
    kind = Guarded(closure.kind)
    return Throttled(kind.scope, closures.seconds_left(closure), because=kind.refusal)


def _judge_if_due(subject: Subject, ip: str | None) -> Closure | None:
    """The next closure of something that was closed lately, if its figures are still bad."""
    return _judge(subject, ip) if pace.is_next(subject) else None


def look(phone: str, ip: str | None, standing: Standing) -> None:
    """Counts a send, and now and then closes what it is about if the figures of the last hour or day are bad.

    It must not fail: the SMS is on its way.
    """
    if conf.GUARD == "off" or not is_judged(standing):
        return
    for subject in _subjects(phone, ip):
        if pace.is_due(subject):
            try:
                _judge(subject, ip)
                continue
            except Exception as error:
                bug = describe(error)
            logger.error("The guard could not judge the %s: %s", subject[0], bug)


def is_judged(standing: Standing) -> bool:
    """Whether the guard judges what becomes of the SMS, and may refuse it."""
    return not (standing.is_known or standing.is_free)


def _subjects(phone: str, ip: str | None) -> list[Subject]:
    network = [(Guarded.NETWORK, network_of(ip))] if ip is not None else []
    return [(Guarded.BLOCK, phones.block(phone)), *network, (Guarded.SITE, "")]


def _judge(subject: Subject, ip: str | None) -> Closure | None:
    """Reads the figures, and closes what is abused; returns the closure of the subject."""
    kind, name = subject
    found = figures.read(subject, network_digest(ip) if kind == Guarded.NETWORK and ip else name)
    rooms = {one: rules.room(one[0], own) for one, own in found.items()}
    # A signature that is closed makes the site no more urgent.
    pace.set(subject, min(room for one, room in rooms.items() if room > 0 or one == subject))
    closed = {one: closures.close(*one, found[one]) for one, room in rooms.items() if room <= 0}
    return closed.get(subject)
