"""What smsverify_check prints of the exchanges with a vendor can be pasted into a bug report."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import time_machine
from sandbox import catalogue

from django_smsverify.diagnosis.exchanges import LONGEST, shown
from django_smsverify.gateways.recording import Recorded, record, recording
from django_smsverify.types import Answer

from .conftest import FEW_QUICKLY, MakeProvider
from .folding import folded
from .test_check_command import Report, assert_pasteable

pytestmark = pytest.mark.django_db(transaction=True)


def recorded(**fields: Any) -> Recorded:
    return Recorded(**{"method": "POST", "url": "https://sms.acme.example/", "headers": {}, "body": "", **fields})


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_no_secret(gateway: str, vendor: MakeProvider) -> None:
    provider = vendor(gateway, previous_webhook_secret="PREVIOUS-WEBHOOK-SECRET")

    assert_pasteable(Report(gateway).output, provider.webhook_secret, "PREVIOUS-WEBHOOK-SECRET")


@pytest.mark.parametrize("options", [{"auth": "query", "http_method": "GET"}, {"auth": "query"}])
def test_no_key_in_a_query(options: dict[str, str], vendor: MakeProvider) -> None:
    vendor("topthink", options=options)

    output = Report("topthink").output

    assert "appCode=***&id=0" in output
    assert_pasteable(output)


def test_no_signature(vendor: MakeProvider) -> None:
    vendor("ihuyi")

    with time_machine.travel(datetime(2026, 11, 21, tzinfo=UTC), tick=False):
        output = Report("ihuyi").output
        keys, now = catalogue.CREDENTIALS["ihuyi"], int(datetime.now(UTC).timestamp())

    digest = hashlib.md5(f"{keys['account']}{keys['api_key']}{now}".encode(), usedforsecurity=False).hexdigest()
    assert "&password=***" in output
    assert_pasteable(output, digest)


@folded(
    "line, expected",
    [
        ("key=k3y.of+test&x=1", "key=***&x=1"),
        ("key=k3y.of%2Btest&x=1", "key=***&x=1"),
        ('{"phone":"+8613800138000"}', '{"phone":"+138****8000"}'),
        ("mobile=138-0013-8000", "mobile=138****8000"),
        ("sign=0a1b2c&signId=78", "sign=***&signId=78"),
        ('{"accessToken": "abc", "n": 1}', '{"accessToken": "***", "n": 1}'),
        ("d=9e107d9d372bb6826bd81d3542a419d6", "d=***"),
        ("SMS_15495; 2026-11-21; 10.0.0.1", "SMS_15495; 2026-11-21; 10.0.0.1"),
        ("no\x00\x1b[31m control", "no  [31m control"),
        ("x " * 2000, ("x " * (LONGEST // 2)).strip()),
    ],
)
def test_a_body_is_masked(line: str, expected: str) -> None:
    found = shown(recorded(body=line), ["k3y.of+test"])

    assert found.splitlines()[-2] == f"> {expected}"


@folded(
    "name, value, expected",
    [
        ("Authorization", "Basic QUJDRA==", "Basic ***"),
        ("authorization", "QUJDRA==", "***"),
        ("X-Api-Key", "short", "***"),
        ("X-Token", "short", "***"),
        ("User-Agent", "django-smsverify", "django-smsverify"),
        (
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-8",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
    ],
)
def test_a_header_is_masked(name: str, value: str, expected: str) -> None:
    assert f"> {name}: {expected}" in shown(recorded(headers={name: value}), []).splitlines()


def test_an_answer_shows_no_cookie() -> None:
    one = recorded()
    one.note_headers({"Set-Cookie": "session=1", "Server": "nginx"})
    one.answer = Answer(200, b'{"ok":1}')

    assert shown(one, []).splitlines()[-2:] == ['< HTTP 200: {"ok":1}', "< server: nginx"]


def test_an_answer_that_was_not_read() -> None:
    one = recorded()
    one.note_headers({})

    assert shown(one, []).splitlines()[-1] == "< not read"


def test_nothing_is_recorded_at_other_times() -> None:
    request = requests.Request("GET", "https://sms.acme.example").prepare()

    assert record(request) is None
    with recording() as found:
        assert record(request) is found[0]
    assert record(request) is None
    assert "acme" not in repr(found)
