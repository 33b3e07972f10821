from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
from sandbox.catalogue import CREDENTIALS, QIXUNTONG_PLAIN, SIGNED
from sandbox.server import Sandbox
from sandbox.vendors.qixuntong import signature

SECRET_ID, SECRET_KEY = CREDENTIALS["qixuntong"]["secret_id"], CREDENTIALS["qixuntong"]["secret_key"]
PHONE, OTHER = "13800000001", "13800000002"
TEXT = f"{SIGNED}您的验证码是012345，5分钟内有效。"


def now(shift: float = 0) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=shift), usegmt=True)


def authorization(date: str, secret_id: str = SECRET_ID, secret_key: str = SECRET_KEY, source: str = "market") -> str:
    signed = signature(secret_key, date, source)
    return f'hmac id="{secret_id}", algorithm="hmac-sha1", headers="x-date x-source", signature="{signed}"'


def headers(date: str = "", source: str = "market", **account: str) -> dict[str, str]:
    date = date or now()
    return {
        "X-Source": source,
        "X-Date": date,
        "Authorization": authorization(date, source=source, **account),
        "Content-Type": "application/x-www-form-urlencoded",
    }


def post(
    sandbox: Sandbox,
    content: str = TEXT,
    mobile: str = PHONE,
    given: dict[str, str] | None = None,
    body: str = "",
) -> requests.Response:
    params = {"content": content, "mobile": mobile}
    return requests.post(
        sandbox.base_urls["qixuntong"],
        body,
        params={name: value for name, value in params.items() if value},
        headers=headers() if given is None else given,
        timeout=5,
    )


@pytest.mark.parametrize(
    ("key", "date", "expected"),
    [
        ("test-secret-key", "Mon, 19 Mar 2018 12:08:40 GMT", "Ug4I5m9nAyqwW0iuNj9fiIEBHQE="),
        ("test-key", "Sat, 21 Nov 2026 00:00:00 GMT", "oYgZECjBnzoRr/VfJGMdJlp51f8="),
    ],
)
def test_signature_vectors(key: str, date: str, expected: str) -> None:
    assert signature(key, date, "market") == expected


@pytest.mark.parametrize("as_int", [False, True])
def test_sends_with_a_result_per_number(sandbox: Sandbox, as_int: bool) -> None:
    sandbox.qixuntong_int_status = as_int
    answer = post(sandbox, mobile=f"{PHONE},{OTHER},123").json()
    assert answer["status"] == (0 if as_int else "0")
    assert answer["balance"] == -153278040
    assert [(item["mobile"], item["result"]) for item in answer["list"]] == [
        (PHONE, 0),
        (OTHER, 0),
        ("123", 12),
    ]
    first, second = sandbox.inbox.all()
    assert [first.remote_id, second.remote_id] == [item["mid"] for item in answer["list"][:2]]
    assert len(first.remote_id) == 16
    assert (first.phone, first.text, second.phone) == (PHONE, TEXT, OTHER)


@pytest.mark.parametrize(
    ("content", "mobile", "status"),
    [
        (TEXT, "", "8"),
        ("", PHONE, "9"),
        (TEXT.removeprefix(SIGNED), PHONE, "17"),
        (TEXT.replace("，", ","), PHONE, "5"),
        (f"{SIGNED}随便说说", PHONE, "5"),
        (TEXT, ",".join([PHONE] * 201), "102"),
    ],
)
def test_refuses_by_status(sandbox: Sandbox, content: str, mobile: str, status: str) -> None:
    answer = post(sandbox, content, mobile).json()
    assert answer == {"status": status, "balance": -153278040}
    assert sandbox.inbox.all() == ()


def test_accepts_the_other_texts_and_200_numbers(sandbox: Sandbox) -> None:
    for text in ("李雷，您的订单已发货，请注意查收。", QIXUNTONG_PLAIN.text):
        assert post(sandbox, SIGNED + text, ",".join([PHONE] * 200)).json()["status"] == "0"
    assert len(sandbox.inbox.of(PHONE)) == 400


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: headers() | {"Authorization": "hmac id=x"}, "HMAC authorization format error"),
        (lambda: headers(secret_id="other"), "HMAC apikey is invalid for API"),
        (lambda: headers(secret_key="other"), "HMAC signature does not match"),
        (lambda: headers() | {"X-Date": now(-60)}, "HMAC signature does not match"),
        (lambda: headers(source="elsewhere"), "HMAC signature cannot be verified"),
        (lambda: headers(datetime.now(UTC).isoformat()), "a valid x-date header is required"),
        (lambda: headers(now().replace("GMT", "+0000")), "a valid x-date header is required"),
        (lambda: headers("Sun, 21 Nov 2026 00:00:00 GMT"), "a valid x-date header is required"),
        (lambda: headers("周六, 21 11月 2026 00:00:00 GMT".encode().decode("latin-1")), "a valid x-date header"),
        (lambda: headers(now(-910)), "out of date"),
        (lambda: headers(now(960)), "out of date"),
    ],
)
def test_gateway_refuses_wrong_headers(sandbox: Sandbox, make: Callable[[], dict[str, str]], message: str) -> None:
    response = post(sandbox, given=make())
    assert response.status_code == 401
    assert message in response.json()["message"]
    assert sandbox.inbox.all() == ()


def test_gateway_requires_an_authorization(sandbox: Sandbox) -> None:
    response = post(sandbox, given={})
    assert (response.status_code, response.json()) == (401, {"message": "HMAC id or signature missing"})


def test_dates_within_900_seconds_are_accepted(sandbox: Sandbox) -> None:
    answers = [post(sandbox, given=headers(now(shift))) for shift in (-840, 840)]
    assert [response.json()["status"] for response in answers] == ["0", "0"]


def test_parameters_are_read_from_the_query_only(sandbox: Sandbox) -> None:
    url = sandbox.base_urls["qixuntong"]
    assert post(sandbox, body="mobile=13800000001").json()["status"] == "1"
    assert post(sandbox, given=headers() | {"Content-Type": "application/json"}).json()["status"] == "1"
    assert requests.post(url, {"content": TEXT, "mobile": PHONE}, headers=headers(), timeout=5).json() == {
        "status": "1",
        "balance": -153278040,
    }
    assert requests.get(url, headers=headers(), timeout=5).status_code == 405
    assert sandbox.inbox.all() == ()
