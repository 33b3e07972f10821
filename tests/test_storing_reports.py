"""Law 8: reports may come in any order, repeatedly and early; the final state is always the true one."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

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
    """A message that is being sent to the vendor."""
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
    """The values of one argument of a signal, as it is sent while the body runs."""
    values: list[Any] = []

    def receive(**fields: Any) -> None:
        values.append(fields[name])

    signal.connect(receive)
    try:
        yield values
    finally:
        signal.disconnect(receive)


def in_parallel(*functions: Callable[[], None]) -> None:
    """Runs each function in a thread with a connection of its own, all at once."""
    barrier = threading.Barrier(len(functions))
    errors: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        try:
            barrier.wait(60)
            function()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
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
def test_the_final_status_does_not_depend_on_order_or_repeats(memory: MakeProvider) -> None:
    provider, rng = memory(), random.Random(20261121)
    known = [("1", DELIVERED), ("-1", UNDELIVERED), ("-2", UNDELIVERED)]

    for _shuffle in range(100):
        chosen = rng.sample(known, rng.randint(1, len(known)))
        remote_id = str(next(_ids))
        message = sending(provider)
        events: list[Event | Acceptance] = [
            report(remote_id, outcome, code) for code, outcome in chosen for _copy in range(rng.randint(1, 5))
        ]
        events += [report(remote_id, UNDELIVERED, phone="+8613900139000"), Acceptance(remote_id=remote_id)]
        rng.shuffle(events)
        for event in events:
            record(message, event) if isinstance(event, Acceptance) else push(provider, event)

        message.refresh_from_db()
        delivered = ("1", DELIVERED) in chosen
        assert message.status == (MessageStatus.DELIVERED if delivered else MessageStatus.UNDELIVERED), events
        assert message.settled_at is not None
        assert message.sent_at is not None
        assert sorted(message.reports.values_list("code", flat=True)) == sorted(code for code, _ in chosen)


def test_each_message_of_a_push_has_its_own_time_to_delivery(memory: MakeProvider) -> None:
    provider = memory()
    created = timezone.now() - timedelta(minutes=5)
    taken = {str(next(_ids)): seconds for seconds in (3, 7, 7, 250, None)}
    for remote_id in taken:
        record(sending(provider), Acceptance(remote_id=remote_id))
    Message.objects.update(created_at=created, sent_at=created)
    ends = {key: None if some is None else created + timedelta(seconds=some) for key, some in taken.items()}

    push(
        provider,
        *(report(key, UNDELIVERED if end is None else DELIVERED, occurred_at=end) for key, end in ends.items()),
    )

    assert dict(Message.objects.values_list("remote_id", "delivery_seconds")) == taken


@pytest.mark.slow
def test_100_reports_before_the_acceptance_are_matched(memory: MakeProvider) -> None:
    provider = memory(price="0.05")

    for _run in range(100):
        message, remote_id = sending(provider), str(next(_ids))
        push(provider, report(remote_id))
        assert DeliveryReport.objects.get(remote_id=remote_id).message is None
        record(message, Acceptance(remote_id=remote_id))

    assert not DeliveryReport.objects.filter(message__isnull=True).exists()
    assert Message.objects.filter(status=MessageStatus.DELIVERED, sent_at__isnull=False, cost="0.05").count() == 100


@pytest.mark.slow
def test_a_report_and_an_acceptance_at_the_same_time_are_matched(memory: MakeProvider) -> None:
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


def test_ten_copies_of_a_report_at_once_send_each_signal_once(memory: MakeProvider) -> None:
    provider = memory()
    record(sending(provider), Acceptance(remote_id="42"))

    with values_sent(delivery_reported, "report") as reported, values_sent(message_settled, "message") as settled:
        in_parallel(*[lambda: push(provider, report("42"))] * 10)

    assert (DeliveryReport.objects.count(), len(reported), len(settled)) == (1, 1, 1)


@pytest.mark.parametrize("other", ["provider", "remote_id", "phone"])
def test_a_report_that_matches_no_message_is_stored_and_changes_nothing(memory: MakeProvider, other: str) -> None:
    provider = memory()
    message = sending(provider)
    record(message, Acceptance(remote_id="42"))
    reporting_provider = memory(slug="other") if other == "provider" else provider
    event = {"remote_id": report("43"), "phone": report("42", phone="+8613900139000")}.get(other, report("42"))

    with values_sent(delivery_reported, "report") as reported:
        push(reporting_provider, event)

    message.refresh_from_db()
    assert (message.status, reported) == (MessageStatus.ACCEPTED, [])
    assert DeliveryReport.objects.get().message is None


def test_a_message_without_an_id_matches_no_report(memory: MakeProvider) -> None:
    provider = memory()
    message = sending(provider)
    DeliveryReport.objects.create(
        provider=provider, phone=PHONE, outcome=DELIVERED, source="push", fingerprint=UUID(int=1)
    )

    record(message, Acceptance(remote_id=""))

    message.refresh_from_db()
    assert message.status == MessageStatus.ACCEPTED


def test_a_reused_id_matches_the_newest_message(memory: MakeProvider) -> None:
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
def test_a_report_overrides_the_outcome_of_the_send(
    memory: MakeProvider, outcome: GatewayRejected, status: MessageStatus
) -> None:
    provider = memory()
    message = sending(provider, remote_id="42")
    record(message, outcome)
    assert message.status == status

    push(provider, report("42"))

    message.refresh_from_db()
    assert message.status == MessageStatus.DELIVERED


def test_a_refusal_settles_the_message_and_sends_the_signal(memory: MakeProvider) -> None:
    message = sending(memory())

    with values_sent(message_settled, "message") as settled:
        record(message, GatewayRejected("no"))

    assert [m.status for m in settled] == [MessageStatus.NOT_SENT]


def test_an_accepted_message_is_not_settled(memory: MakeProvider) -> None:
    message = sending(memory())

    with values_sent(message_settled, "message") as settled:
        record(message, Acceptance(remote_id="42"))

    assert (settled, message.settled_at) == ([], None)


def test_a_late_acceptance_overrides_unknown(memory: MakeProvider) -> None:
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
    def test_a_reply_without_a_known_id_is_linked_to_the_last_message_to_the_phone(
        self, memory: MakeProvider, remote_id: str
    ) -> None:
        provider, elsewhere = memory(), memory(slug="elsewhere")
        received_before = sending(provider)
        record(received_before, Acceptance(remote_id="42"))
        record(sending(provider), GatewayRejected("no"))
        sending(provider, status=MessageStatus.QUEUED)
        sending(provider, phone="+8613900139000")
        sending(elsewhere)

        push(provider, reply(remote_id=remote_id))

        assert Reply.objects.get().message == received_before

    def test_a_reply_is_not_linked_to_a_later_message(self, memory: MakeProvider) -> None:
        provider = memory()
        earlier = sending(provider, created_at=timezone.now() - timedelta(days=2), status=MessageStatus.ACCEPTED)
        sending(provider, status=MessageStatus.ACCEPTED)

        push(provider, reply(occurred_at=timezone.now() - timedelta(days=1)))

        assert Reply.objects.get().message == earlier

    def test_a_reply_without_a_message_is_stored(self, memory: MakeProvider) -> None:
        push(memory(), reply())

        assert Reply.objects.get().message is None

    def test_a_repeated_push_is_one_reply_and_the_same_text_later_is_another(self, memory: MakeProvider) -> None:
        provider, noon = memory(), datetime(2026, 11, 21, 12, tzinfo=CHINA)

        with values_sent(reply_received, "reply") as received:
            for moment in (noon, noon, noon + timedelta(seconds=1)):
                push(provider, reply("好", remote_id="42", occurred_at=moment))

        assert (Reply.objects.count(), len(received)) == (2, 2)


def test_a_site_without_time_zones_stores_local_time(memory: MakeProvider) -> None:
    provider = memory()

    with override_settings(USE_TZ=False, TIME_ZONE="UTC"):
        push(provider, report("42", occurred_at=datetime(2026, 11, 21, 8, tzinfo=CHINA)))

        assert DeliveryReport.objects.get().occurred_at == datetime(2026, 11, 21, 0)


class TestLostId:
    """The answer with the vendor's id never arrived, but a report with the id does."""

    def test_the_only_possible_message_is_matched(self, memory: MakeProvider) -> None:
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
    def test_nothing_is_matched_when_two_messages_are_possible(
        self, memory: MakeProvider, other: dict[str, Any]
    ) -> None:
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
    def test_an_impossible_message_is_not_matched(self, memory: MakeProvider, fields: dict[str, Any]) -> None:
        provider = memory()
        row = sending(provider, **{"status": MessageStatus.UNKNOWN, **fields})

        push(provider, report("4711"))

        assert Message.objects.get(pk=row.pk).status == row.status
        assert DeliveryReport.objects.get().message is None

    def test_a_later_acceptance_with_the_id_gets_the_report(self, memory: MakeProvider) -> None:
        provider = memory()
        unknown, accepted = sending(provider, status=MessageStatus.UNKNOWN), sending(provider)
        push(provider, report("4711"))

        record(accepted, Acceptance(remote_id="4711"))

        unknown.refresh_from_db()
        assert (accepted.status, unknown.status) == ("delivered", "unknown")

    def test_the_poll_matches_a_message_that_became_unknown_later(self, memory: MakeProvider) -> None:
        provider = memory()
        message = sending(provider)
        push(provider, report("4711"))
        Message.objects.update(claimed_at=timezone.now() - timedelta(minutes=16))

        assert poll() == {"stuck": 1, "matched": 1}

        message.refresh_from_db()
        assert message.status == "delivered"

    def test_a_report_that_fits_two_messages_stays_unclear(self, memory: MakeProvider) -> None:
        provider = memory()
        for _ in range(2):
            sending(provider, status=MessageStatus.UNKNOWN)
        push(provider, report("4711"))

        assert poll() == {"unclear": 1}
