"""`send_bulk`: numbers are read while earlier ones are sent, and neither they nor their messages are kept."""

from __future__ import annotations

import gc
import logging
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from django_smsverify.enums import ReviewStatus
from django_smsverify.exceptions import InsideTransaction, InvalidGateway, InvalidPhone, PhoneNotSupported
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import KnownNumber, Message, Provider, Template
from django_smsverify.sending import BulkResult, bulk_result, bulk_run, send_bulk, send_message
from django_smsverify.sending.bulk_run import CHUNK_OF_CALLS
from django_smsverify.types import Acceptance, OutgoingSMS

from .conftest import MakeProvider, add_template

pytestmark = pytest.mark.django_db(transaction=True)

SITE = {"GATEWAYS": {"counting": f"{__name__}.CountingGateway", "local": f"{__name__}.LocalGateway"}}
Pairs = Iterator[tuple[str, dict[str, str]]]
CHUNK = 60
"""Numbers whose rows are created at once, here."""


class CountingGateway(MemoryGateway):
    """Counts its calls, with one number each, and keeps nothing else."""

    max_recipients = 1
    local = False
    calls: ClassVar[list[None]] = []
    """An element for each: several threads can append."""

    def transmit(self, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        self.calls.append(None)
        return {phone: Acceptance(remote_id="1") for phone in sms.recipients}


class LocalGateway(CountingGateway):
    max_recipients = 25
    local = True


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_run, "CHUNK", CHUNK)


@pytest.fixture
def plain(memory: MakeProvider) -> Template:
    return add_template(memory(options={"pace": "999"}), "notice", "系统维护已完成。", "")


def use_gateway(template: Template, gateway: str) -> None:
    Provider.objects.update(gateway=gateway)
    template.provider.refresh_from_db()


def pairs(count: int, start: int = 0) -> Pairs:
    return ((f"138{number:08}", {}) for number in range(start, start + count))


def statuses() -> Counter[str]:
    return Counter(Message.objects.values_list("status", flat=True))


# ------------------------------------------------------------------------------------------ the result


def test_the_result_counts_the_batch_and_says_how_many_were_reached(plain: Template) -> None:
    result = send_bulk(plain, pairs(CHUNK + 5), name="b")

    assert result == BulkResult("b", CHUNK + 5, "")
    assert result.counts == {"accepted": CHUNK + 5}
    assert (list(result.troubles), len(result.troubles), bool(result.troubles)) == ([], 0, False)


def test_a_batch_without_numbers_has_no_messages(plain: Template) -> None:
    result = send_bulk(plain, [], name="b")
    assert (result.reached, result.counts, result.why_over) == (0, {}, "")


def test_troubles_are_read_some_at_a_time_as_they_are_now(plain: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_result, "PORTION", 2)
    send_bulk(plain, pairs(3, start=100), name="another")
    troubles = send_bulk(plain, pairs(9), name="b").troubles
    doubtful = ["unknown", "not_sent", "undelivered", "unknown", "not_sent"]
    for message, status in zip(Message.objects.filter(batch="b").order_by("phone")[2:], doubtful, strict=False):
        Message.objects.filter(pk=message.pk).update(status=status)
    Message.objects.filter(batch="another").update(status="unknown")

    assert [(message.phone[-1], message.status) for message in troubles] == list(zip("23456", doubtful, strict=True))
    assert {message.template for message in troubles} == {plain}
    assert (len(troubles), bool(troubles)) == (5, True)


def test_progress_has_the_total_where_the_numbers_have_a_length(plain: Template) -> None:
    with_length, without = list[Any](), list[Any]()

    send_bulk(plain, dict(pairs(3)).items(), name="a", progress=lambda *seen: with_length.append(seen))
    send_bulk(plain, pairs(3), name="b", progress=lambda *seen: without.append(seen))

    assert (with_length[-1], without[-1]) == ((3, 3), (3, None))


# --------------------------------------------------------------------------------- reading the numbers


@pytest.mark.slow
@override_settings(SMSVERIFY=SITE)
@pytest.mark.parametrize(
    ("gateway", "count", "most"),
    [
        ("memory", 2 * CHUNK, CHUNK - 1),
        # Beside the chunk that is read: calls under way, one that waits for a thread, and one that is put there.
        ("counting", 6 * CHUNK_OF_CALLS, CHUNK_OF_CALLS - 1 + bulk_run.THREADS + 2),
    ],
)
def test_numbers_are_read_only_when_those_before_are_sent(gateway: str, count: int, most: int, plain: Template) -> None:
    use_gateway(plain, gateway)
    CountingGateway.calls.clear()
    ahead: list[int] = []

    def numbers() -> Pairs:
        for read, pair in enumerate(pairs(count)):
            sent = (
                len(CountingGateway.calls)
                if gateway == "counting"
                else Message.objects.filter(status="accepted").count()
            )
            ahead.append(read - sent)
            yield pair

    assert send_bulk(plain, numbers(), name="b").counts == {"accepted": count}
    assert max(ahead) <= most


def test_the_numbers_may_come_from_a_table_of_the_same_database(plain: Template) -> None:
    now = timezone.now()
    KnownNumber.objects.bulk_create(
        [KnownNumber(digest=f"{number:064}", verified_at=now, devices_from=now) for number in range(2 * CHUNK + 1)]
    )
    rows = KnownNumber.objects.order_by("digest").iterator(chunk_size=100)

    result = send_bulk(plain, ((f"138{row.digest[-8:]}", {}) for row in rows), name="b")

    assert result.counts == {"accepted": 2 * CHUNK + 1}


@pytest.mark.any_database
@pytest.mark.slow
@override_settings(SMSVERIFY=SITE)
def test_memory_does_not_grow_with_the_numbers(plain: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_run, "CHUNK", 50)
    use_gateway(plain, "local")
    few, many = peak_memory(plain, 200), peak_memory(plain, 2000)
    assert many < 1.2 * few


def peak_memory(template: Template, count: int) -> int:
    """Of a bulk send, without what the suite keeps of the log, and without garbage."""
    gc.collect()
    gc.freeze()  # what there is already need not be searched for garbage
    logging.disable(logging.INFO)
    tracemalloc.start()
    try:
        send_bulk(template, pairs(count), name=str(count), progress=lambda *seen: gc.collect())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        logging.disable(logging.NOTSET)
        gc.unfreeze()


@pytest.mark.parametrize("first_again", [1, CHUNK - 1, 2 * CHUNK], ids=["same chunk", "its end", "another chunk"])
def test_a_number_that_is_given_twice_gets_the_first_message(first_again: int, memory: MakeProvider) -> None:
    template = add_template(memory(), "notice", "{name}，您好。", "")

    def numbers() -> Iterator[tuple[str, dict[str, str]]]:
        for position, (phone, _) in enumerate(pairs(2 * CHUNK + 1)):
            yield phone, {"name": "王"}
            if position == first_again:
                yield "+86 138 0000 0000", {"name": "李"}

    result = send_bulk(template, numbers(), name="b")

    assert (result.reached, result.counts) == (2 * CHUNK + 2, {"accepted": 2 * CHUNK + 1})
    assert not any("李" in sms.text for sms in MemoryGateway.outbox)


@pytest.mark.parametrize(
    ("phone", "values", "error", "words"),
    [
        ("1380013800", {}, InvalidPhone, "Number 128, 138****00: This is not a phone number"),
        ("+447911123456", {}, PhoneNotSupported, r"Number 128, \+44\*\*\*\*3456: SMS cannot be sent to this number"),
        (
            "13900139000",
            {"name": "王"},
            ValueError,
            r"Give number 128 \(139\*\*\*\*9000\) a text for each of: nothing",
        ),
        ("13900139000", {}, OSError, "the table is gone"),
    ],
)
def test_a_bad_number_in_the_third_chunk_stops_there_and_the_corrected_ones_go_on(
    phone: str, values: dict[str, str], error: type[Exception], words: str, plain: Template
) -> None:
    def numbers() -> Pairs:
        yield from pairs(2 * CHUNK + 7)
        if error is OSError:
            raise OSError("the table is gone")
        yield phone, values
        yield from pairs(10, start=9000)

    with pytest.raises(error, match=words.replace("138****00", r"138\*\*\*\*00")) as caught:
        send_bulk(plain, numbers(), name="b")

    assert phone not in str(caught.value)
    assert statuses() == {"accepted": 2 * CHUNK}
    assert send_bulk(plain, pairs(2 * CHUNK + 17), name="b").counts == {"accepted": 2 * CHUNK + 17}


# ---------------------------------------------------------------------------------------- the checks


def gone(template: Template) -> None:
    template.provider.gateway = "gone"


def draft(template: Template) -> None:
    Template.objects.update(status=ReviewStatus.DRAFT)


def nothing(template: Template) -> None:
    pass


@pytest.mark.parametrize(
    ("name", "content", "change", "error", "words"),
    [
        ("", "您好。", nothing, ValueError, "1 to 64 characters, not 0"),
        ("x" * 65, "您好。", nothing, ValueError, "1 to 64 characters, not 65"),
        ("taken", "您好。", nothing, ValueError, "The batch taken is of the template memory other"),
        ("b", "您的验证码是{code}。", nothing, ValueError, "has {code}"),
        ("b", "您好。", draft, ValueError, "not approved"),
        ("b", "您好。", gone, InvalidGateway, "gone"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_a_number_is_read(
    name: str,
    content: str,
    change: Callable[[Template], None],
    error: type[Exception],
    words: str,
    memory: MakeProvider,
) -> None:
    provider = memory()
    send_message(add_template(provider, "other", "您好。", ""), {"13800138000": {}}, batch="taken")
    template, numbers = add_template(provider, "notice", content, ""), pairs(3)
    change(template)

    with pytest.raises(error, match=words):
        send_bulk(template, numbers, name=name)

    assert len(list(numbers)) == 3
    assert Message.objects.count() == 1


def test_inside_a_transaction_no_number_is_read(plain: Template) -> None:
    numbers = pairs(3)
    with transaction.atomic(), pytest.raises(InsideTransaction):
        send_bulk(plain, numbers, name="b")
    assert len(list(numbers)) == 3


def test_a_stopped_run_has_read_nothing_of_the_next_chunk(plain: Template) -> None:
    numbers, done = pairs(3 * CHUNK), list[Any]()

    result = send_bulk(plain, numbers, name="b", progress=lambda *seen: done.append(seen), stopped=lambda: bool(done))

    assert result == BulkResult("b", CHUNK, "it was stopped")
    assert len(list(numbers)) == 2 * CHUNK
    assert statuses() == {"accepted": CHUNK}
