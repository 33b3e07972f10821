from __future__ import annotations

import json
import locale
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.utils import translation

from django_smsverify.gateways.qixuntong import QixuntongGateway
from django_smsverify.testing import GatewayContract
from django_smsverify.types import Answer, OutgoingSMS
from tests.folding import folded

from .support import ACCEPTED, HONG_KONG, Harness, body_of, sms, verdict

URL = "https://service-4lwag7c4-1253285064.gz.apigw.tencentcs.com/release/qxt_yzm_sms/"
FIRST, SECOND = "+8613800000001", "+8613800000002"
VENDORS_SAMPLE = (
    '{"status":"0","balance":-153278040,"list":[\n {"mid":"5BCFD88382720003","mobile":"13800000001","result":0},\n'
    ' {"mid":"4C2CA88382720204","mobile":"13800000002","result":0}]}'
)
SMS = OutgoingSMS(
    content="腾讯接口调试测试,此短信为调试类测试短信,请注意查收。", signature="企讯通", recipients={FIRST: {}}
)
HARNESS = Harness(
    kind=QixuntongGateway, credentials={"secret_id": "AKIDEXAMPLE", "secret_key": "test-secret-key"}, sms=SMS
)
BATCH = sms("维护完成", FIRST, SECOND)
DOCUMENTED = datetime(2018, 3, 19, 12, 8, 40, tzinfo=UTC)


class TestContract(GatewayContract):
    gateway_class = QixuntongGateway
    accepted = ACCEPTED["qixuntong"].encode()
    refused = b'{"status":"1","balance":-153278040}'


def authorization(secret_id: str, signature: str) -> str:
    return f'hmac id="{secret_id}", algorithm="hmac-sha1", headers="x-date x-source", signature="{signature}"'


def answered(*items: dict[str, object], status: object = "0") -> str:
    return json.dumps({"status": status, "balance": -153278040, "list": items})


@time_machine.travel(DOCUMENTED, tick=False)
def test_the_text_is_posted_in_the_query_with_an_empty_body() -> None:
    request = HARNESS.request()

    assert request.method == "POST"
    assert request.url == (
        f"{URL}?content=%E3%80%90%E4%BC%81%E8%AE%AF%E9%80%9A%E3%80%91%E8%85%BE%E8%AE%AF%E6%8E%A5%E5%8F%A3%E8%B0%83"
        "%E8%AF%95%E6%B5%8B%E8%AF%95%2C%E6%AD%A4%E7%9F%AD%E4%BF%A1%E4%B8%BA%E8%B0%83%E8%AF%95%E7%B1%BB%E6%B5%8B%E8"
        "%AF%95%E7%9F%AD%E4%BF%A1%2C%E8%AF%B7%E6%B3%A8%E6%84%8F%E6%9F%A5%E6%94%B6%E3%80%82&mobile=13800000001"
    )
    assert body_of(request) == ""
    assert dict(request.headers) == {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": "0",
        "X-Source": "market",
        "X-Date": "Mon, 19 Mar 2018 12:08:40 GMT",
        "Authorization": authorization("AKIDEXAMPLE", "Ug4I5m9nAyqwW0iuNj9fiIEBHQE="),
    }


@time_machine.travel(datetime(2026, 11, 21, tzinfo=UTC), tick=False)
def test_the_signature_of_another_key_and_day() -> None:
    harness = Harness(kind=QixuntongGateway, credentials={"secret_id": "test-id", "secret_key": "test-key"}, sms=SMS)

    headers = harness.request().headers
    assert headers["X-Date"] == "Sat, 21 Nov 2026 00:00:00 GMT"
    assert headers["Authorization"] == authorization("test-id", "oYgZECjBnzoRr/VfJGMdJlp51f8=")


@pytest.fixture
def chinese_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sets the C library and Django to Chinese; the locale is made when none is installed."""
    before = locale.setlocale(locale.LC_ALL)
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "zh_CN.UTF-8")
    if datetime.now().strftime("%b").isascii():
        if shutil.which("localedef") is None:
            pytest.skip("there is no Chinese locale and nothing to make one")
        made = subprocess.run(["localedef", "-i", "zh_CN", "-f", "UTF-8", str(tmp_path / "zh_CN.UTF-8")], check=False)
        if made.returncode:
            pytest.skip("there is no Chinese locale and no source of one")
        monkeypatch.setenv("LOCPATH", str(tmp_path))
        locale.setlocale(locale.LC_ALL, "zh_CN.UTF-8")
    with translation.override("zh-hans"):
        yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.slow
@time_machine.travel(DOCUMENTED, tick=False)
def test_the_date_is_english_in_a_chinese_process(chinese_locale: None) -> None:
    assert not DOCUMENTED.strftime("%a %b").isascii()

    headers = HARNESS.request().headers
    assert headers["X-Date"] == "Mon, 19 Mar 2018 12:08:40 GMT"
    assert headers["Authorization"] == authorization("AKIDEXAMPLE", "Ug4I5m9nAyqwW0iuNj9fiIEBHQE=")


def test_several_numbers_are_joined_by_commas() -> None:
    assert str(HARNESS.request(BATCH).url).endswith("&mobile=13800000001%2C13800000002")


def test_each_number_gets_its_own_id() -> None:
    outcomes = HARNESS.outcomes(VENDORS_SAMPLE, BATCH)

    assert {phone: verdict(found) for phone, found in outcomes.items()} == {
        FIRST: ("accepted", "5BCFD88382720003"),
        SECOND: ("accepted", "4C2CA88382720204"),
    }


@folded("status", ["0", 0, "0 "])
@folded(
    "item",
    [
        {"mid": "5BCFD88382720003", "mobile": "13800000001", "result": 0},
        {"mid": "5BCFD88382720003", "mobile": 13800000001, "result": "0"},
        {"mid": "5BCFD88382720003 ", "mobile": " 13800000001", "result": "0 "},
    ],
    ids=["as documented", "types swapped", "spaces"],
)
@folded("mark", ["", "\ufeff"], ids=["", "BOM"])
def test_status_and_result_0_are_accepted_as_a_number_or_text(
    status: object, item: dict[str, object], mark: str
) -> None:
    assert verdict(HARNESS.outcome(mark + answered(item, status=status))) == ("accepted", "5BCFD88382720003")


@folded(
    "status, reason",
    [
        ("1", "other"),
        ("2", "account"),
        ("3", "account"),
        ("4", "other"),
        ("5", "other"),
        ("6", "account"),
        ("7", "account"),
        ("8", "other"),
        ("12", "other"),
        ("9", "content"),
        ("20", "content"),
        ("10", "account"),
        ("15", "account"),
        ("17", "content"),
        ("21", "rate"),
        ("30", "other"),
        ("31", "other"),
        ("34", "other"),
        ("100", "other"),
        ("102", "other"),
        ("777", "other"),
    ],
)
@folded("shape", ['{{"status":"{}","balance":-153278040}}', '{{"status":{}}}'], ids=["str", "int"])
def test_any_other_status_refuses_all_numbers(shape: str, status: str, reason: str) -> None:
    outcomes = HARNESS.outcomes(shape.format(status), BATCH)

    assert [verdict(found) for found in outcomes.values()] == [("rejected", reason, status)] * 2


@pytest.mark.parametrize(
    ("result", "reason"),
    [(12, "recipient"), (15, "account"), (10, "account"), (17, "content"), (99, "other"), ("12", "recipient")],
)
def test_a_result_refuses_only_its_number(result: object, reason: str) -> None:
    outcomes = HARNESS.outcomes(
        answered(
            {"mid": "", "mobile": "13800000001", "result": result},
            {"mid": "4C2CA88382720204", "mobile": "13800000002", "result": 0},
        ),
        BATCH,
    )

    assert verdict(outcomes[FIRST]) == ("rejected", reason, str(result))
    assert verdict(outcomes[SECOND]) == ("accepted", "4C2CA88382720204")


def test_only_a_number_that_is_missing_in_the_list_is_uncertain() -> None:
    outcomes = HARNESS.outcomes(answered({"mid": "4C2C", "mobile": "13800000002", "result": 0}), BATCH)

    assert verdict(outcomes[FIRST]) == ("uncertain",)
    assert verdict(outcomes[SECOND]) == ("accepted", "4C2C")


@pytest.mark.parametrize("item", [{}, {"result": None}, {"result": ""}], ids=["missing", "null", "blank"])
def test_a_number_without_a_result_is_uncertain(item: dict[str, object]) -> None:
    assert verdict(HARNESS.outcome(answered({"mid": "5BCF", "mobile": "13800000001", **item}))) == ("uncertain",)


@pytest.mark.parametrize(
    "answer",
    [
        '{"status":"0","balance":-153278040}',
        '{"status":"0","list":null}',
        '{"status":"0","list":[]}',
        '{"status":"0","list":{"mobile":"13800000001","result":0}}',
        '{"status":"0","list":[null]}',
        '{"status":"0","list":[{"mid":"5BCF","result":0}]}',
        '{"list":[{"mobile":"13800000001","result":0}]}',
        '{"status":null}',
        '{"status":"1","balance":-153278040,}',
        '[{"mobile":"13800000001","state":"0"}]',
        "OK",
    ],
    ids=[
        "no list",
        "null list",
        "empty list",
        "object for list",
        "null item",
        "item without number",
        "no status",
        "null status",
        "trailing comma",
        "array",
        "text",
    ],
)
def test_an_answer_of_another_shape_is_uncertain(answer: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("uncertain",)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "message",
    [
        "HMAC apikey is invalid for API",
        "HMAC signature cannot be verified, the x-date header is out of date for HMAC Authentication",
        "HMAC signature does not match",
    ],
)
def test_a_refusal_by_the_api_gateway_has_the_reason_account(status: int, message: str) -> None:
    outcome = HARNESS.outcome(Answer(status, json.dumps({"message": message}).encode()))

    assert verdict(outcome) == ("rejected", "account", str(status))
    assert message in str(outcome)


def test_only_a_number_outside_the_mainland_is_refused_unsent() -> None:
    assert HARNESS.refused_unsent(sms("x", HONG_KONG)) == ("rejected", "other", "not-mainland")
    assert "mobile=13800000001" in str(HARNESS.request(sms("x", FIRST, HONG_KONG)).url)
