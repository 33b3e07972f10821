"""Counts and sums of messages and requests, read from the rows themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Case, CharField, Count, Min, Q, Sum, Value, When

from django_smsverify.conf import conf
from django_smsverify.enums import Requested
from django_smsverify.models import Message, Refusal, Verification
from django_smsverify.models.days import Day

from .delays import Delays, kept

DETAILS = ("purpose", "carrier", "cause", "has_code")
"""By what messages can be told apart, beside provider, status, probe and time."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""The most that the clocks of a site's servers may differ."""
SPANS_AT_ONCE = 40
"""Spans of time in one statement."""


class Span(NamedTuple):
    """A time between two moments, of which the first is included, that belongs to a part of a period."""

    part: Day
    starts_at: datetime
    ends_at: datetime

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the part."""
        return (self.starts_at, self.ends_at) == self.part.moments


class Kind(NamedTuple):
    """What the messages of a sum have in common; what is not asked for is None."""

    provider: int
    status: str
    is_probe: bool = False
    purpose: str | None = None
    carrier: str | None = None
    cause: str | None = None
    has_code: bool | None = None
    part: Day | None = None


class Sums(NamedTuple):
    """The sums of messages of one kind."""

    messages: int
    segments: int
    cost: Decimal
    unpriced: int
    """Messages whose cost is not known."""
    converted: int = 0
    """Messages whose code was entered."""
    delays: Delays = Counter()


Counted = dict[Kind, Sums]
Requests = dict[tuple[Day | None, str, str], int]
"""How many requests of a part of the period, for a purpose, had a result: Requested, or why they were refused."""


def count_messages(spans: Sequence[Span], using: str, by: Collection[str] = (), *, detailed: bool = False) -> Counted:
    """The messages that were created in these spans of time, told apart by "part" and any of DETAILS.

    `detailed` adds how long they took.
    """
    found: list[tuple[Kind, Sums]] = []
    rest = list(spans) if "part" in by else _joined(spans)
    while some := rest[:SPANS_AT_ONCE]:
        rest = rest[SPANS_AT_ONCE:]
        messages = Message.objects.using(using).filter(_within(some)).order_by()
        groups = list(_groups(messages, some, by, detailed=detailed))
        if rest and not groups:  # those before the next message are not asked for
            first = first_message(rest[0].starts_at, rest[-1].ends_at, using)
            rest = [span for span in rest if first is not None and span.ends_at > first]
        found += groups
    return added(found)


def _groups(
    messages: Any, spans: Sequence[Span], by: Collection[str], *, detailed: bool
) -> Iterator[tuple[Kind, Sums]]:
    asked = [name for name in DETAILS if name in by]
    names = ["provider", "status", "is_probe", *asked, "cost", *(["delivery_seconds"] if detailed else [])]
    if "has_code" in asked:
        messages = messages.annotate(has_code=_truth(Q(verification__isnull=False)))
    if "part" in by:
        messages = messages.annotate(place=_place(spans))
        names.append("place")
    converted = Count("pk", filter=_is_converted(spans))
    for group in messages.values(*names).annotate(count=Count("pk"), parts=Sum("segments"), converted=converted):
        part = spans[group["place"]].part if "part" in by else None
        own = {name: group[name] for name in asked}
        if "has_code" in own:
            own["has_code"] = bool(own["has_code"])
        yield Kind(group["provider"], group["status"], group["is_probe"], **own, part=part), _sums(group)


def _sums(group: dict[str, Any]) -> Sums:
    """The sums of a group whose messages have the same cost. Amounts are multiplied here: SQLite would add floats."""
    count, cost, seconds = group["count"], group["cost"], group.get("delivery_seconds")
    delays = Counter() if seconds is None else Counter({kept(seconds): count})
    segments = int(group["parts"])  # MySQL returns the sum of integers as a Decimal
    amount, unpriced = (Decimal("0.0000"), count) if cost is None else (cost * count, 0)
    return Sums(count, segments, amount, unpriced, group["converted"], delays)


def count_requests(spans: Sequence[Span], using: str) -> Requests:
    """The requests for a code in these spans of time, by part and purpose; those for test numbers are left out."""
    found: Counter[tuple[Day | None, str, str]] = Counter()
    for start in range(0, len(spans), SPANS_AT_ONCE):
        some = spans[start : start + SPANS_AT_ONCE]
        both = _begun(some, using).union(_refused(some, using), all=True).order_by()  # Django 6.1 orders by the model
        for place, purpose, result, count, done in both:
            found[some[place].part, purpose, result] += int(count)
            found[some[place].part, purpose, Requested.VERIFIED.value] += int(done)
    return {key: count for key, count in found.items() if count}


def _begun(spans: Sequence[Span], using: str) -> Any:
    """How many verifications began in these spans, and how many of them were verified."""
    begun = Verification.objects.using(using).filter(_within(spans), simulated_at__isnull=True).order_by()
    result = Value(Requested.STARTED.value, output_field=CharField())
    grouped = begun.annotate(place=_place(spans), result=result).values("place", "purpose", "result")
    counted = grouped.annotate(times=Count("pk"), done=Count("pk", filter=Q(verified_at__isnull=False)))
    return counted.values_list("place", "purpose", "result", "times", "done")


def _refused(spans: Sequence[Span], using: str) -> Any:
    """How many requests were refused in these spans, and why."""
    refused = Refusal.objects.using(using).filter(_within(spans, "first_at")).order_by()
    grouped = refused.annotate(place=_place(spans, "first_at")).values("place", "purpose", "reason")
    counted = grouped.annotate(times=Sum("count"), done=Value(0))
    return counted.values_list("place", "purpose", "reason", "times", "done")


def first_message(since: datetime | None, until: datetime, using: str) -> datetime | None:
    """When the first message was created between two moments, or before the second."""
    messages = Message.objects.using(using).filter(created_at__lt=until)
    messages = messages if since is None else messages.filter(created_at__gte=since)
    first: datetime | None = messages.aggregate(first=Min("created_at"))["first"]
    return first


def is_empty(span: Span, using: str) -> bool:
    """Whether there is neither a message nor a request: to learn that takes far less than to count none."""
    rows = ((Message, "created_at"), (Verification, "created_at"), (Refusal, "first_at"))
    return not any(model.objects.using(using).filter(_within([span], column)).exists() for model, column in rows)


def added(counted: Iterable[tuple[Kind, Sums]]) -> Counted:
    """Adds the sums of the same kind."""
    lists: dict[Kind, list[Sums]] = defaultdict(list)
    for kind, sums in counted:
        lists[kind].append(sums)
    return {kind: found[0] if len(found) == 1 else total(found) for kind, found in lists.items()}


def total(found: Iterable[Sums]) -> Sums:
    """The sum of sums."""
    delays: Delays = Counter()
    figures = [Sums(0, 0, Decimal("0.0000"), 0)[:-1]]
    for one in found:
        figures.append(one[:-1])
        if one.delays:
            delays.update(one.delays)
    messages, segments, cost, unpriced, converted = map(sum, zip(*figures, strict=True))
    return Sums(int(messages), int(segments), Decimal(cost), int(unpriced), int(converted), delays)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """The spans, those that follow each other as one."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].ends_at == span.starts_at:
            joined[-1] = joined[-1]._replace(ends_at=span.ends_at)
        else:
            joined.append(span)
    return joined


def _within(spans: Sequence[Span], column: str = "created_at") -> Q:
    """Whether a moment lies in one of these spans; those that follow each other are one range of an index."""
    ranges = [Q((f"{column}__gte", one.starts_at), (f"{column}__lt", one.ends_at)) for one in _joined(spans)]
    return Q(*ranges, _connector=Q.OR)


def _place(spans: Sequence[Span], column: str = "created_at") -> Case:
    """The number of the span in which a moment lies."""
    return Case(
        *(When(Q((f"{column}__lt", span.ends_at)), then=Value(number)) for number, span in enumerate(spans)),
        default=Value(len(spans) - 1),
    )


def _is_converted(spans: Sequence[Span]) -> Q:
    """Whether the code of a message was entered.

    Only codes are looked at that may be those of messages of these spans: a join would read the whole table.
    """
    begun = Q(created_at__gte=spans[0].starts_at - 2 * longest_life(), created_at__lt=spans[-1].ends_at)
    verified = Verification.objects.filter(begun, verified_at__isnull=False).order_by().values("pk")
    joined = Verification.objects.filter(begun, root__in=verified).order_by().values("pk")
    return Q(verification__in=verified) | Q(verification__in=joined)


def longest_life() -> timedelta:
    """Within which time after its request a code has ended: a resend prolongs it once."""
    purposes = (conf, *(conf.of(purpose) for purpose in conf.PURPOSES))
    return timedelta(seconds=2 * max(one.CODE_LIFETIME for one in purposes)) + CLOCKS_DIFFER


def _truth(condition: Q) -> Case:
    return Case(When(condition, then=Value(1)), default=Value(0))
