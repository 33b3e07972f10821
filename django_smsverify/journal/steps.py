"""One step of a timeline, and the order of several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import models

from django_smsverify.models import Message

from .words import elapsed

Fact = tuple[str, str]
"""A label, and what it is about a step."""
NOTICED = timedelta(seconds=0.05)
"""A shorter time between two steps is not told."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to an SMS or a code."""

    at: datetime
    title: str
    tone: str = "quiet"
    """`good`, `warn`, `bad` or `quiet`."""
    facts: tuple[Fact, ...] = ()
    row: models.Model | None = None
    """What has a page of its own that says more."""
    told_by: type[models.Model] = Message
    """The kind of row that holds it: who may not view these does not see the step."""
    after: str = ""
    """The time since the step before."""


def in_order(steps: Iterable[Step]) -> list[Step]:
    """Returns the steps in the order of their times, each with the time since the one before."""
    found = sorted(steps, key=lambda step: step.at)
    before = [None, *(step.at for step in found)]
    return [replace(step, after=_since(last, step.at)) for last, step in zip(before, found, strict=False)]


def _since(last: datetime | None, at: datetime) -> str:
    return elapsed(at - last) if last is not None and at - last >= NOTICED else ""


def facts(*named: tuple[object, object]) -> tuple[Fact, ...]:
    """Returns those of these facts that are known."""
    return tuple((str(label), str(value)) for label, value in named if value not in ("", None))
