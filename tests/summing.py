"""What tests of the daily sums share: an independent sum, and every change of a message that the sums depend on."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.utils import timezone

from django_smsverify.enums import DeliveryOutcome, MessageStatus, ReportSource
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain
from django_smsverify.messages import claim, claim_all, record_all, record_one_acceptance, withdraw
from django_smsverify.models import Message, Provider, Refusal, Verification
from django_smsverify.models.days import Day
from django_smsverify.money.costs import BY, CostRow, costs
from django_smsverify.polling.recovery import give_up_stuck
from django_smsverify.reports.storing import store_events
from django_smsverify.sending.choosing import Chosen
from django_smsverify.sending.worker import _claim
from django_smsverify.statistics.counting import Kind, Sums
from django_smsverify.statistics.delays import kept
from django_smsverify.statistics.questions import count_parts
from django_smsverify.types import Acceptance, DeliveryEvent, News

SHANGHAI = ZoneInfo("Asia/Shanghai")
PURPOSES = ("login", "register")
Rows = dict[tuple[Any, ...], tuple[Any, ...]]
"""The sums in the order of `money.costs.SUMMED`."""
_numbers = count(1)


def direct(first: date, last: date, by: Sequence[str], zone: ZoneInfo = SHANGHAI) -> Rows:
    """The sums of all messages of these days, added one by one."""
    nothing = [0, 0, Decimal(0), Decimal(0), 0, 0, Decimal(0), Decimal(0), 0]
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(nothing.copy)
    for one in Message.objects.select_related("provider", "verification__root"):
        day = (one.created_at.astimezone(zone) if timezone.is_aware(one.created_at) else one.created_at).date()
        if not first <= day <= last or one.status in ("queued", "not_sent"):
            continue
        own = sums[tuple({"provider": one.provider.slug, "purpose": one.purpose, "day": day}[word] for word in by)]
        if one.status in ("sending", "unknown"):
            own[4] += 1
            continue
        cost, code = one.cost or Decimal(0), None if one.is_probe else one.verification
        is_provisional = one.provider.gateway == "topthink" and one.status == "accepted"
        values = (1, one.segments, cost, cost * is_provisional, 0, one.cost is None, cost * one.is_probe)
        for place, value in enumerate((*values, cost * bool(code), bool(code and code.holder.verified_at))):
            own[place] += value
    return {key: tuple(values) for key, values in sums.items()}


def told(first: date, last: date, by: Sequence[str]) -> Rows:
    """What `costs` tells, in the same form."""
    return {_key(row, by): tuple(row.figures().values()) for row in costs(first, last, by)}


def require_exact_details(parts: Sequence[Day]) -> None:
    """Compares what the overview tells of parts of a period with what is added one by one from the rows."""
    counted, requests = count_parts(parts)
    messages = {kind: sums._replace(delays=Counter(sums.delays)) for kind, sums in counted.items()}
    assert messages == _direct_details(parts)
    assert requests == _direct_requests(parts)


def _part_of(moment: datetime, parts: Sequence[Day]) -> Day | None:
    return next((part for part in parts if part.starts_at <= moment < part.ends_at), None)


def _direct_details(parts: Sequence[Day]) -> dict[Kind, Sums]:
    found: dict[Kind, list[Message]] = defaultdict(list)
    for one in Message.objects.select_related("verification__root"):
        if part := _part_of(one.created_at, parts):
            own = (one.purpose, one.carrier, one.cause, one.verification_id is not None, part)
            found[Kind(one.provider_id, one.status, one.is_probe, *own)].append(one)
    return {
        kind: Sums(
            messages=len(some),
            segments=sum(one.segments for one in some),
            cost=sum((one.cost for one in some if one.cost is not None), Decimal("0.0000")),
            unpriced=sum(one.cost is None for one in some),
            converted=sum(one.verification is not None and bool(one.verification.holder.verified_at) for one in some),
            delays=Counter(kept(one.delivery_seconds) for one in some if one.delivery_seconds is not None),
        )
        for kind, some in found.items()
    }


def _direct_requests(parts: Sequence[Day]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for one in Verification.objects.filter(simulated_at=None):
        if part := _part_of(one.created_at, parts):
            found[part, one.purpose, "started"] += 1
            found[part, one.purpose, "verified"] += one.verified_at is not None
    for refusal in Refusal.objects.all():
        if part := _part_of(refusal.first_at, parts):
            found[part, refusal.purpose, refusal.reason] += refusal.count
    return Counter({key: count for key, count in found.items() if count})


def _key(row: CostRow, by: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, word) for word in by)


def require_exact(rng: random.Random) -> None:
    """Compares both over some of the last days, in one of the groupings."""
    by = rng.sample(BY, rng.randint(0, len(BY)))
    today = timezone.now().astimezone(SHANGHAI).date()
    first, last = sorted(today - timedelta(days=rng.randint(-2, 12)) for _ in range(2))
    assert told(first, last, by) == direct(first, last, by)


def add_message(provider: Provider, **fields: Any) -> Message:
    """A message of its own number, queued now."""
    number = next(_numbers)
    fields = {"purpose": PURPOSES[number % 2], "segments": 1 + number % 3, "phone": f"+86138{number:08}", **fields}
    fields.setdefault("is_probe", number % 5 == 0)
    template = provider.templates.filter(purpose=PURPOSES[0])[0]
    return Message.objects.create(provider=provider, template=template, **fields)


def add_sending(provider: Provider, **fields: Any) -> Message:
    """One that was given to the vendor."""
    fields = {"price": provider.price, "claimed_at": timezone.now(), **fields}
    return add_message(provider, status=MessageStatus.SENDING, **fields)


def add_accepted(provider: Provider, **fields: Any) -> Message:
    """One that the vendor took."""
    message = add_sending(provider, **fields)
    record_all([(message, Acceptance(remote_id=uuid4().hex))])
    return message


def report(messages: Sequence[Message], outcome: DeliveryOutcome = DeliveryOutcome.DELIVERED) -> None:
    """The vendor reports on messages that it took, in one push."""
    events = tuple(
        DeliveryEvent(remote_id=message.remote_id, phone=message.phone, outcome=outcome) for message in messages
    )
    store_events(messages[0].provider, News(events=events), ReportSource.PUSH)


def _reroute(messages: Sequence[Message]) -> None:
    """A worker takes queued codes, and sends them by another provider."""
    other = Provider.objects.exclude(pk=messages[0].provider_id)[0]
    for message in messages:
        verification = Verification(code_length=6, purpose=PURPOSES[0], expires_at=timezone.now())
        assert _claim(verification, message, Chosen(other.templates.filter(purpose=PURPOSES[0])[0]))


def _accept(messages: Sequence[Message]) -> None:
    """As a code is recorded: at best by a statement of its own."""
    for message in messages:
        acceptance = Acceptance(remote_id=uuid4().hex)
        if not record_one_acceptance(message, acceptance):
            record_all([(message, acceptance)])


def _report_one_by_one(messages: Sequence[Message]) -> None:
    for message in messages:
        report([message], DeliveryOutcome.UNDELIVERED)


def _record(outcome: Any, messages: Sequence[Message]) -> None:
    record_all([(message, outcome) for message in messages])


Change = tuple[Callable[..., Message], Callable[[list[Message]], object]]
CHANGES: dict[str, Change] = {
    "claim": (add_message, lambda messages: [claim(message) for message in messages]),
    "claim all": (add_message, lambda messages: claim_all(messages)),
    "withdraw": (add_message, lambda messages: [withdraw(message, "old") for message in messages]),
    "another route": (add_message, _reroute),
    "acceptance": (add_sending, _accept),
    "acceptances": (add_sending, partial(_record, Acceptance(remote_id="1"))),
    "refusals": (add_sending, partial(_record, GatewayRejected("no"))),
    "lost answers": (add_sending, partial(_record, GatewayUncertain("?"))),
    "stuck": (add_sending, lambda messages: list(give_up_stuck(100))),
    "one report": (add_accepted, _report_one_by_one),
    "many reports": (add_accepted, report),
    "a site's own price": (add_accepted, lambda messages: Message.objects.update(cost=Decimal(9))),
    "a site's own moment": (
        add_accepted,
        lambda messages: Message.objects.filter(pk=messages[0].pk).update(
            created_at=messages[0].created_at - timedelta(days=1)
        ),
    ),
    "a site's own purpose": (add_accepted, lambda messages: Message.objects.all().update(purpose="another")),
    "a clock that was set back": (
        add_accepted,
        lambda messages: Message.objects.move_back(
            messages[0].phone, timedelta(days=2), messages[0].created_at - timedelta(hours=1)
        ),
    ),
}
"""By its name: what makes a message, and what changes it later."""
