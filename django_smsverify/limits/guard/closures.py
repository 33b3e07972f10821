"""The closures: which hold now, and a new one, of which sites and operators are told."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from django_smsverify import events
from django_smsverify.conf import conf
from django_smsverify.enums import Guarded
from django_smsverify.models import Closure
from django_smsverify.models.kept import Kept
from django_smsverify.models.statements import find_late_closures
from django_smsverify.signals import abuse_detected

from . import rules
from .rules import FORGIVEN_AFTER, Figures

logger = logging.getLogger("django_smsverify")

Subject = tuple[Guarded, str]


def _load() -> dict[tuple[str, str], Closure]:
    """The last closure of each subject, if it holds or is not forgotten yet."""
    found = find_late_closures(until=timezone.now() - FORGIVEN_AFTER)
    return {(closure.kind, closure.subject): closure for closure in found}


kept = Kept(Closure, _load)


def are_there() -> bool:
    """Whether anything holds, or held within a day."""
    return bool(kept.get())


def lately(subjects: Iterable[Subject]) -> dict[Subject, Closure]:
    """Returns the closures of these that hold, or held within a day."""
    known = kept.get()
    found = {subject: known.get((subject[0].value, subject[1])) for subject in subjects} if known else {}
    return {subject: closure for subject, closure in found.items() if closure and not closure.lifted_at}


def lifted_at(kind: Guarded, subject: str) -> datetime | None:
    """Returns when the last closure was lifted, if it was, within a day."""
    last = kept.get().get((kind.value, subject))
    return last.lifted_at if last else None


def holds(closure: Closure) -> bool:
    """Whether it is closed now."""
    return bool(closure.until > timezone.now())


def seconds_left(closure: Closure) -> int:
    """Returns for how many seconds it holds; at least one."""
    return max(1, math.ceil((closure.until - timezone.now()).total_seconds()))


def close(kind: Guarded, subject: str, figures: Figures) -> Closure | None:
    """Closes it for longer than the last time, and returns the closure; of concurrent calls one makes it.

    Does nothing, and returns None, if what the figures show was lifted meanwhile.
    """
    now = timezone.now()
    last = Closure.objects.filter(kind=kind, subject=subject).order_by("-since", "-pk").first()
    if last and last.lifted_at and figures.since and last.lifted_at > figures.since:
        kept.forget()  # another process has lifted it, and this one did not know
        return None
    again = last if last and _is_remembered(last) else None
    if again and (holds(again) or not _is_after(figures, again)):
        return _go_on(again, rules.is_hopeless(kind, figures))
    closure, is_new = Closure.objects.get_or_create(
        kind=kind,
        subject=subject,
        follows=last.pk if last else 0,
        defaults={
            "level": again.level + 1 if again else 0,
            "sent": figures.sent,
            "verified": figures.verified,
            "is_watched": conf.GUARD == "watch",
            "binds_solvers": rules.is_hopeless(kind, figures),
            "since": now,
            "until": now + rules.duration(again.level + 1 if again else 0),
        },
    )
    if is_new:
        transaction.on_commit(partial(_tell, closure), using=Closure.objects.db, robust=True)
    return closure


def _is_remembered(last: Closure) -> bool:
    """Whether the next closure goes on where this one ended: not if it was lifted, is old, or refused nobody while the
    guard only watched."""
    only_watched = last.is_watched and conf.GUARD == "on"
    return last.lifted_at is None and not only_watched and timezone.now() - last.until < FORGIVEN_AFTER


def _is_after(figures: Figures, closure: Closure) -> bool:
    """Whether anything was sent since a closure was over: only that makes the next one longer."""
    return figures.newest is not None and figures.newest > closure.until


def _go_on(closure: Closure, binds_solvers: bool) -> Closure:
    """A closure that holds, or goes on for as long as the last time, because the figures are as bad as they were."""
    changed: dict[str, Any] = {} if holds(closure) else {"until": timezone.now() + rules.duration(closure.level)}
    if binds_solvers and not closure.binds_solvers:
        changed["binds_solvers"] = True
    for name, value in changed.items():
        setattr(closure, name, value)
    if changed:
        Closure.objects.filter(pk=closure.pk).update(**changed)
    return closure


def _tell(closure: Closure) -> None:
    what = f"{closure.kind} {closure.subject}".rstrip()
    then = "The guard would close" if closure.is_watched else "The guard closes"
    facts = then, what, closure.until - closure.since, closure.verified, closure.sent
    logger.warning("%s the %s to new numbers for %s: %d of %d were verified.", *facts)
    events.emit(
        "guard.closed",
        kind=closure.kind,
        subject=closure.subject or None,
        sent=closure.sent,
        verified=closure.verified,
        seconds=round((closure.until - closure.since).total_seconds()),
        is_watched=closure.is_watched,
    )
    abuse_detected.send_robust(Closure, closure=closure)
