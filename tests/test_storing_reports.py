"""Law 8: in whatever order, however often and however early news comes, it ends in the state that the truth gives."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.dispatch import Signal
from django.test import override_settings
from django.utils import timezone

from django_smsverify.enums import DeliveryOutcome, MessageStatus, ReportSource
from django_smsverify.exceptions import GatewayRejected, GatewayUncertain
from django_smsverify.gateways.parsing import CHINA
from django_smsverify.models import DeliveryReport, Message, Provider, Reply
from django_smsverify.polling.poll import poll
from django_smsverify.reports.storing import store_events
from django_smsverify.signals import delivery_reported, message_settled, reply_received
from django_smsverify.types import Acceptance, DeliveryEvent, Event, News, ReplyEvent
from tests.conftest import record

from .conftest import PHONE, MakeProvider

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERED, UNDELIVERED = DeliveryOutcome.DELIVERED, DeliveryOutcome.UNDELIVERED
_ids = count(1)


def sending(provider: Provider, **fields: Any) -> Message:
    """A message that is being handed over."""
    fields = {"phone": PHONE, "purpose": "login", "status": MessageStatus.SENDING, "price": provider.price, **fields}
    return Message.objects.create(provider=provider, template=provider.templates.all()[0], **fields)


def report(remote_id: str, outcome: DeliveryOutcome = DELIVERED, code: str = "1", **fields: Any) -> DeliveryEvent:
    return DeliveryEvent(**{"remote_id": remote_id, "phone": PHONE, "outcome": outcome, "code": code, **fields})


def reply(content: str = "退订", **fields: Any) -> ReplyEvent:
    return ReplyEvent(**{"phone": PHONE, "content": content, **fields})


def push(provider: Provider, *events: Event) -> None:
    store_events(provider, News(events=events), ReportSource.PUSH)


@contextmanager
def values_sent(signal: Signal, name: str) -> Iterator[list[Any]]:
    """What a signal brings while the body runs."""
    brought: list[Any] = []

    def receive(**fields: Any) -> None:
        brought.append(fields[name])

    signal.connect(receive)
    try:
        yield brought
    finally:
        signal.disconnect(receive)


def in_parallel(*acts: Callable[[], None]) -> None:
    """Runs each in a thread with a connection of its own, all from one moment on."""
    barrier = threading.Barrier(len(acts))
    errors: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            barrier.wait(60)
            act()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_report_raises_its_message(memory: MakeProvider) -> None:
    provider = memory()
    message = sending(provider)
    record(message, Acceptance(remote_id="42"))

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        push(provider, report("42", detail="DELIVRD", occurred_at=datetime(2026, 11, 21, 8, tzinfo=CHINA)))

    message.refresh_from_db()
    stored = DeliveryReport.objects.get()
    assert (message.status, stored.message, stored.source) == (MessageStatus.DELIVERED, message, ReportSource.PUSH)
    assert message.settled_at is not None
    assert (stored.detail, stored.occurred_at) == ("DELIVRD", datetime(2026, 11, 21, 0, tzinfo=UTC))
    assert (reported, [m.status for m in settled]) == ([stored], [MessageStatus.DELIVERED])
    assert reported[0].message == message


@pytest.mark.slow
def test_of_any_reports_in_any_order_the_end_is_the_same(memory: MakeProvider) -> None:
    provider, chance = memory(), random.Random(20261121)
    known = [("1", DELIVERED), ("-1", UNDELIVERED), ("-2", UNDELIVERED)]

    for _shuffle in range(100):
        told = chance.sample(known, chance.randint(1, len(known)))
        remote_id = str(next(_ids))
        message = sending(provider)
        acts: list[Event | Acceptance] = [
            report(remote_id, outcome, code) for code, outcome in told for _copy in range(chance.randint(1, 5))
        ]
        acts += [report(remote_id, UNDELIVERED, phone="+8613900139000"), Acceptance(remote_id=remote_id)]
        chance.shuffle(acts)
        for act in acts:
            record(message, act) if isinstance(act, Acceptance) else push(provider, act)

        message.refresh_from_db()
        delivered = ("1", DELIVERED) in told
        assert message.status == (MessageStatus.DELIVERED if delivered else MessageStatus.UNDELIVERED), acts
        assert message.settled_at is not None
        assert message.sent_at is not None
        assert sorted(message.reports.values_list("code", flat=True)) == sorted(code for code, _ in told)


@pytest.mark.slow
def test_1000_reports_that_are_faster_than_the_acceptance_are_adopted(memory: MakeProvider) -> None:
    provider = memory(price="0.05")

    for _run in range(1000):
        message, remote_id = sending(provider), str(next(_ids))
        push(provider, report(remote_id))
        assert DeliveryReport.objects.get(remote_id=remote_id).message is None
        record(message, Acceptance(remote_id=remote_id))

    assert not DeliveryReport.objects.filter(message__isnull=True).exists()
    assert Message.objects.filter(status=MessageStatus.DELIVERED, sent_at__isnull=False, cost="0.05").count() == 1000


@pytest.mark.slow
def test_report_and_acceptance_at_once_find_each_other(memory: MakeProvider) -> None:
    provider = memory()

    for _run in range(200):
        message, remote_id = sending(provider), str(next(_ids))
        in_parallel(
            lambda message=message, remote_id=remote_id: record(message, Acceptance(remote_id=remote_id)),  # type: ignore[misc]
            lambda remote_id=remote_id: push(provider, report(remote_id)),  # type: ignore[misc]
            lambda remote_id=remote_id: push(provider, report(remote_id)),  # type: ignore[misc]
        )

    assert not DeliveryReport.objects.filter(message__isnull=True).exists()
    assert DeliveryReport.objects.count() == Message.objects.filter(status=MessageStatus.DELIVERED).count() == 200


def test_a_report_at_once_in_ten_copies_is_told_once(memory: MakeProvider) -> None:
    provider = memory()
    record(sending(provider), Acceptance(remote_id="42"))

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        in_parallel(*[lambda: push(provider, report("42"))] * 10)

    assert (DeliveryReport.objects.count(), len(reported), len(settled)) == (1, 1, 1)


@pytest.mark.parametrize("other", ["provider", "remote_id", "phone"])
def test_a_report_on_something_else_is_kept_and_changes_nothing(memory: MakeProvider, other: str) -> None:
    provider = memory()
    message = sending(provider)
    record(message, Acceptance(remote_id="42"))
    teller = memory(slug="other") if other == "provider" else provider
    event = {"remote_id": report("43"), "phone": report("42", phone="+8613900139000")}.get(other, report("42"))

    with values_sent(delivery_reported, "report") as reported:
        push(teller, event)

    message.refresh_from_db()
    assert (message.status, reported) == (MessageStatus.ACCEPTED, [])
    assert DeliveryReport.objects.get().message is None


def test_a_message_without_an_id_adopts_nothing(memory: MakeProvider) -> None:
    provider = memory()
    message = sending(provider)
    DeliveryReport.objects.create(provider=provider, phone=PHONE, outcome=DELIVERED, source="push", fingerprint="x")

    record(message, Acceptance(remote_id=""))

    message.refresh_from_db()
    assert message.status == MessageStatus.ACCEPTED


def test_a_vendor_that_counts_anew_means_the_newest_message(memory: MakeProvider) -> None:
    provider = memory()
    older, newer = sending(provider), sending(provider)
    record(older, Acceptance(remote_id="42"))
    record(newer, Acceptance(remote_id="42"))

    push(provider, report("42"))

    assert DeliveryReport.objects.get().message == newer
    assert [*Message.objects.order_by("created_at").values_list("status", flat=True)] == ["accepted", "delivered"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (GatewayRejected("no"), MessageStatus.NOT_SENT),
        (GatewayUncertain("lost", remote_id="42"), MessageStatus.UNKNOWN),
    ],
)
def test_a_report_is_right_against_what_the_handing_over_said(
    memory: MakeProvider, outcome: GatewayRejected, status: MessageStatus
) -> None:
    provider = memory()
    message = sending(provider, remote_id="42")
    record(message, outcome)
    assert message.status == status

    push(provider, report("42"))

    message.refresh_from_db()
    assert message.status == MessageStatus.DELIVERED


def test_a_refusal_settles_and_says_so_after_the_commit(memory: MakeProvider) -> None:
    message = sending(memory())

    with values_sent(message_settled, "message") as settled:
        record(message, GatewayRejected("no"))

    assert [m.status for m in settled] == [MessageStatus.NOT_SENT]


def test_what_is_only_accepted_is_not_settled(memory: MakeProvider) -> None:
    message = sending(memory())

    with values_sent(message_settled, "message") as settled:
        record(message, Acceptance(remote_id="42"))

    assert (settled, message.settled_at) == ([], None)


def test_an_acceptance_takes_back_that_the_process_was_given_up(memory: MakeProvider) -> None:
    message = sending(memory(), status=MessageStatus.UNKNOWN, error_message="the process ended")

    record(message, Acceptance(remote_id="42"))

    assert (message.status, message.error_message) == (MessageStatus.ACCEPTED, "")


def test_a_receiver_that_fails_breaks_nothing(memory: MakeProvider) -> None:
    provider = memory()
    message = sending(provider)

    def fail(**fields: Any) -> None:
        raise RuntimeError("a bug of the site")

    signals = (delivery_reported, message_settled, reply_received)
    for signal in signals:
        signal.connect(fail)
    try:
        record(message, Acceptance(remote_id="42"))
        push(provider, report("42"), reply())
    finally:
        for signal in signals:
            signal.disconnect(fail)

    message.refresh_from_db()
    assert (message.status, Reply.objects.count()) == (MessageStatus.DELIVERED, 1)


class TestReplies:
    def test_a_reply_is_linked_to_the_message_that_the_vendor_names(self, memory: MakeProvider) -> None:
        provider = memory()
        named, newest = sending(provider), sending(provider)
        record(named, Acceptance(remote_id="42"))
        record(newest, Acceptance(remote_id="43"))

        with values_sent(reply_received, "reply") as received:
            push(provider, reply("好的", remote_id="42"))

        stored = Reply.objects.get()
        assert (stored.message, stored.content, received) == (named, "好的", [stored])

    @pytest.mark.parametrize("remote_id", ["", "for reference only"])
    def test_else_to_the_last_that_the_phone_got(self, memory: MakeProvider, remote_id: str) -> None:
        provider, elsewhere = memory(), memory(slug="elsewhere")
        got = sending(provider)
        record(got, Acceptance(remote_id="42"))
        record(sending(provider), GatewayRejected("no"))
        sending(provider, status=MessageStatus.QUEUED)
        sending(provider, phone="+8613900139000")
        sending(elsewhere)

        push(provider, reply(remote_id=remote_id))

        assert Reply.objects.get().message == got

    def test_not_to_one_that_was_sent_after_the_reply(self, memory: MakeProvider) -> None:
        provider = memory()
        earlier = sending(provider, created_at=timezone.now() - timedelta(days=2), status=MessageStatus.ACCEPTED)
        sending(provider, status=MessageStatus.ACCEPTED)

        push(provider, reply(occurred_at=timezone.now() - timedelta(days=1)))

        assert Reply.objects.get().message == earlier

    def test_a_reply_to_nothing_is_kept(self, memory: MakeProvider) -> None:
        push(memory(), reply())

        assert Reply.objects.get().message is None

    def test_a_repeated_push_is_one_reply_and_the_same_words_later_are_another(self, memory: MakeProvider) -> None:
        provider, noon = memory(), datetime(2026, 11, 21, 12, tzinfo=CHINA)

        with values_sent(reply_received, "reply") as received:
            for moment in (noon, noon, noon + timedelta(seconds=1)):
                push(provider, reply("好", remote_id="42", occurred_at=moment))

        assert (Reply.objects.count(), len(received)) == (2, 2)


def test_a_site_without_time_zones_stores_its_own_time(memory: MakeProvider) -> None:
    provider = memory()

    with override_settings(USE_TZ=False, TIME_ZONE="UTC"):
        push(provider, report("42", occurred_at=datetime(2026, 11, 21, 8, tzinfo=CHINA)))

        assert DeliveryReport.objects.get().occurred_at == datetime(2026, 11, 21, 0)


class TestAnIdThatWasLost:
    """The answer with the vendor's id never came, but the report with it does."""

    def test_names_the_message_that_it_must_be_about(self, memory: MakeProvider) -> None:
        provider = memory()
        unknown = sending(provider, status=MessageStatus.UNKNOWN)

        push(provider, report("4711"))

        unknown.refresh_from_db()
        assert (unknown.status, unknown.remote_id, unknown.settled_at is None) == ("delivered", "4711", False)
        assert DeliveryReport.objects.get().message == unknown

    @pytest.mark.parametrize(
        "other",
        [
            {"status": MessageStatus.UNKNOWN},
            {"status": MessageStatus.SENDING},
        ],
        ids=["two-unknown", "one-under-way"],
    )
    def test_names_none_when_it_may_be_another(self, memory: MakeProvider, other: dict[str, Any]) -> None:
        provider = memory()
        rows = [sending(provider, status=MessageStatus.UNKNOWN), sending(provider, **other)]

        push(provider, report("4711"))

        assert {Message.objects.get(pk=row.pk).remote_id for row in rows} == {""}
        assert DeliveryReport.objects.get().message is None

    @pytest.mark.parametrize(
        "fields",
        [
            {"phone": "+8613900139000"},
            {"remote_id": "4712"},
            {"status": MessageStatus.NOT_SENT},
            {"status": MessageStatus.QUEUED},
            {"created_at": timezone.now() - timedelta(hours=73)},
            {"created_at": timezone.now() + timedelta(hours=1)},
        ],
        ids=["phone", "id", "not-sent", "queued", "too-old", "later"],
    )
    def test_is_of_no_message_that_it_cannot_be_about(self, memory: MakeProvider, fields: dict[str, Any]) -> None:
        provider = memory()
        row = sending(provider, **{"status": MessageStatus.UNKNOWN, **fields})

        push(provider, report("4711"))

        assert Message.objects.get(pk=row.pk).status == row.status
        assert DeliveryReport.objects.get().message is None

    def test_is_left_to_the_acceptance_that_comes_after_it(self, memory: MakeProvider) -> None:
        provider = memory()
        unknown, accepted = sending(provider, status=MessageStatus.UNKNOWN), sending(provider)
        push(provider, report("4711"))

        record(accepted, Acceptance(remote_id="4711"))

        unknown.refresh_from_db()
        assert (accepted.status, unknown.status) == ("delivered", "unknown")

    def test_is_found_by_the_poll_when_its_message_became_unknown_later(self, memory: MakeProvider) -> None:
        provider = memory()
        message = sending(provider)
        push(provider, report("4711"))
        Message.objects.update(claimed_at=timezone.now() - timedelta(minutes=16))

        assert poll() == {"stuck": 1, "matched": 1}

        message.refresh_from_db()
        assert message.status == "delivered"

    def test_that_may_be_of_two_stays_unclear(self, memory: MakeProvider) -> None:
        provider = memory()
        for _ in range(2):
            sending(provider, status=MessageStatus.UNKNOWN)
        push(provider, report("4711"))

        assert poll() == {"unclear": 1}
