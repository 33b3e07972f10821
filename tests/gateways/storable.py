"""Checks that the events of a gateway can be stored and logged."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import timedelta

from django_smsverify.enums import DeliveryOutcome, ReviewStatus, Submission
from django_smsverify.types import DeliveryEvent, Event, News, ReplyEvent, ReviewEvent


def assert_storable(news: News) -> None:
    """Every database can store these events, and every log these problems."""
    for problem in news.problems:
        assert_text(problem, 500)
    for event in news.events:
        _assert_event(event)


def assert_text(text: object, longest: int, *, lines: bool = False) -> None:
    assert type(text) is str
    assert len(text) <= longest
    text.encode()
    controls = {c for c in text if unicodedata.category(c) in {"Cc", "Cs"}}
    assert controls <= ({"\n"} if lines else set())


def shown(news: News) -> str:
    """The events as a log or a traceback shows them; without the ids, which may be shown."""
    return repr([*news.problems, *(replace(event, remote_id="-") for event in news.events)])


def _assert_event(event: Event) -> None:
    assert_text(event.remote_id, 64)
    assert event.remote_id or isinstance(event, ReplyEvent)
    match event:
        case DeliveryEvent():
            assert type(event.outcome) is DeliveryOutcome
            assert_text(event.code, 64)
            assert_text(event.detail, 500)
        case ReplyEvent():
            assert_text(event.content, 2000, lines=True)
        case ReviewEvent():
            assert (type(event.submission), type(event.status)) == (Submission, ReviewStatus)
            assert_text(event.reason, 500)
            assert_text(event.text, 2000, lines=True)
            assert_text(event.name, 100)
            assert_text(event.remark, 255)
    if not isinstance(event, ReviewEvent):
        _assert_message(event)


def _assert_message(event: DeliveryEvent | ReplyEvent) -> None:
    assert event.phone.startswith("+861")
    assert len(event.phone) == 14
    assert event.phone[1:].isdecimal()
    assert event.phone.isascii()
    assert len(event.payload) <= 50
    for name, value in event.payload.items():
        assert_text(name, 64)
        assert_text(value, 500)
    if event.occurred_at is not None:
        assert 2000 <= event.occurred_at.year < 2100
        _assert_offset(event.occurred_at.utcoffset())


def _assert_offset(offset: timedelta | None) -> None:
    """PostgreSQL stores whole seconds of less than 16 hours."""
    assert offset is not None
    assert abs(offset) < timedelta(hours=16)
    assert offset.microseconds == 0
