from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from sandbox.catalogue import CREDENTIALS, OPTIONS, TWILIO_CREDITS, TWILIO_SERVICE
from sandbox.server import Fault, Sandbox, Travel
from sandbox.vendors.twilio import signature

from .conftest import LATER, App

SID, TOKEN = CREDENTIALS["twilio"]["account_sid"], CREDENTIALS["twilio"]["auth_token"]
SENDER = OPTIONS["twilio"]["from"]
PHONE, TEXT = "+8613800138000", "【示例站】您的验证码是012345，5分钟内有效。"
FIELDS = {"To": PHONE, "From": SENDER, "Body": TEXT}


def call(
    sandbox: Sandbox, path: str, fields: Mapping[str, str] | None = None, *, sid: str = SID, **more: Any
) -> requests.Response:
    url = f"{sandbox.base_urls['twilio']}/2010-04-01/Accounts/{sid}/{path}.json"
    method = "GET" if fields is None else "POST"
    return requests.request(method, url, data=fields, timeout=5, **{"auth": (SID, TOKEN), **more})


def post(sandbox: Sandbox, **changes: str) -> requests.Response:
    fields = {**FIELDS, **changes}
    return call(sandbox, "Messages", {name: value for name, value in fields.items() if value != "-"})


def code_of(answer: requests.Response) -> int:
    found = answer.json()
    assert found["status"] == answer.status_code
    assert found["more_info"].endswith(f"/{found['code']}")
    return int(found["code"])


def test_sends_a_text_to_a_number(sandbox: Sandbox) -> None:
    answer = post(sandbox)

    found = answer.json()
    assert answer.status_code == 201
    assert (found["status"], found["to"], found["from"], found["body"]) == ("queued", PHONE, SENDER, TEXT)
    assert (found["error_code"], found["price"], found["num_segments"]) == (None, None, "1")
    (sms,) = sandbox.inbox.all()
    assert (sms.phone, sms.text, sms.remote_id) == ("13800138000", TEXT, found["sid"])
    assert found["sid"].startswith("SM")
    assert len(found["sid"]) == 34


def test_a_number_of_another_country_is_a_number(sandbox: Sandbox) -> None:
    assert post(sandbox, To="+85261234567").status_code == 201
    assert [sms.phone for sms in sandbox.inbox.all()] == ["+85261234567"]


def test_a_messaging_service_accepts(sandbox: Sandbox) -> None:
    answer = post(sandbox, From="-", MessagingServiceSid=TWILIO_SERVICE)

    assert (answer.status_code, answer.json()["status"]) == (201, "accepted")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": "-"}, 21604),
        ({"To": "13800138000"}, 21211),
        ({"To": "+86138001380001"}, 21211),
        ({"To": "+8602112345678"}, 21211),
        ({"To": "+86 13800138000"}, 21211),
        ({"From": "-"}, 21603),
        ({"From": "+15017122662"}, 21606),
        ({"From": "-", "MessagingServiceSid": "MG1"}, 21705),
        ({"MessagingServiceSid": TWILIO_SERVICE}, 20001),
        ({"Body": "-"}, 21602),
        ({"Body": "a" * 1601}, 21617),
        ({"StatusCallback": "example.com/sms/"}, 21609),
        ({"Text": "a"}, 20001),
    ],
)
def test_refuses_what_is_not_a_message(sandbox: Sandbox, changes: dict[str, str], code: int) -> None:
    answer = post(sandbox, **changes)

    assert (answer.status_code, code_of(answer)) == (400, code)
    assert sandbox.inbox.all() == ()


@pytest.mark.parametrize("auth", [None, (SID, "wrong"), ("AC0", TOKEN), (TOKEN, SID)])
@pytest.mark.parametrize(("path", "fields"), [("Messages", FIELDS), ("Messages/SM1", None), ("Balance", None)])
def test_wants_basic_authentication(
    sandbox: Sandbox, path: str, fields: Mapping[str, str] | None, auth: tuple[str, str] | None
) -> None:
    answer = call(sandbox, path, fields, auth=auth)

    assert (answer.status_code, code_of(answer)) == (401, 20003)


def test_another_account_is_refused(sandbox: Sandbox) -> None:
    assert call(sandbox, "Messages", FIELDS, sid="AC1").status_code == 401


@pytest.mark.parametrize(
    "more", [{"headers": {"Content-Type": "application/json"}}, {"params": {"a": "b"}}, {"data": json.dumps(FIELDS)}]
)
def test_wants_a_form_in_the_body(sandbox: Sandbox, more: dict[str, Any]) -> None:
    url = f"{sandbox.base_urls['twilio']}/2010-04-01/Accounts/{SID}/Messages.json"

    answer = requests.post(url, **{"data": FIELDS, "timeout": 5, "auth": (SID, TOKEN), **more})

    assert answer.status_code == 400
    assert sandbox.inbox.all() == ()


@pytest.mark.parametrize(
    ("text", "count"), [("码" * 70, 1), ("码" * 71, 2), ("a" * 160, 1), ("a" * 161, 2), ("a" * 307, 3), ("é" * 71, 2)]
)
def test_each_segment_costs_a_cent(sandbox: Sandbox, text: str, count: int) -> None:
    assert post(sandbox, Body=text).json()["num_segments"] == str(count)

    answer = call(sandbox, "Balance").json()
    assert answer == {"account_sid": SID, "balance": f"{(TWILIO_CREDITS - count) / 100:.5f}", "currency": "USD"}


def test_without_money_nothing_is_sent(sandbox: Sandbox) -> None:
    sandbox.set_credits("twilio", 1)

    assert code_of(post(sandbox, Body="码" * 71)) == 20005
    assert sandbox.inbox.all() == ()
    assert post(sandbox).status_code == 201


@pytest.mark.parametrize(
    ("code", "status"), [("21211", 400), ("20003", 401), ("20404", 404), ("20429", 429), ("30007", 400)]
)
def test_refuses_with_any_code(sandbox: Sandbox, code: str, status: int) -> None:
    sandbox.misbehave("twilio", Fault.refuse(code))

    answer = post(sandbox)
    assert (answer.status_code, code_of(answer)) == (status, int(code))


@pytest.mark.parametrize(("arrives", "status", "error"), [(True, "delivered", None), (False, "undelivered", 30003)])
def test_a_message_is_found_by_its_id(
    site: App, sandbox: Sandbox, arrives: bool, status: str, error: int | None
) -> None:
    sandbox.travel("twilio", Travel(delay=3600, arrives=arrives))
    sid = post(sandbox).json()["sid"]

    before = call(sandbox, f"Messages/{sid}").json()
    sandbox.flush()
    after = call(sandbox, f"Messages/{sid}").json()

    assert (before["status"], before["error_code"], before["price"]) == ("sent", None, None)
    assert (after["sid"], after["status"], after["error_code"], after["price"]) == (sid, status, error, "-0.00750")
    unknown = call(sandbox, "Messages/SM1")
    assert (unknown.status_code, code_of(unknown)) == (404, 20404)


def read(app: App) -> list[dict[str, str]]:
    """The fields of the calls, each of which must be signed over its URL."""
    found = []
    for one in app.all():
        fields = dict(parse_qsl(one.body, keep_blank_values=True))
        assert one.headers["x-twilio-signature"] == signature(app.url + one.path, fields)
        assert one.headers["content-type"] == "application/x-www-form-urlencoded;charset=UTF-8"
        assert fields["AccountSid"] == SID
        found.append(fields)
    return found


@pytest.mark.parametrize("backwards", [False, True])
def test_each_status_is_a_call_of_its_own(site: App, sandbox: Sandbox, backwards: bool) -> None:
    sandbox.travel("twilio", Travel(delay=3600, backwards=backwards))
    sid = post(sandbox).json()["sid"]

    assert sandbox.flush() == 3

    calls = read(site)
    assert [one["MessageStatus"] for one in calls][:: -1 if backwards else 1] == ["queued", "sent", "delivered"]
    for one in calls:
        assert (one["MessageSid"], one["SmsStatus"], one["To"]) == (sid, one["MessageStatus"], PHONE)
        assert "ErrorCode" not in one


def test_a_failure_has_its_code(site: App, sandbox: Sandbox) -> None:
    sandbox.travel("twilio", Travel(delay=3600, arrives=False))
    post(sandbox)
    sandbox.flush()

    assert [one.get("ErrorCode") for one in read(site)] == [None, None, "30003"]


def test_a_number_that_sends_stop_gets_nothing_until_it_sends_start(site: App, sandbox: Sandbox) -> None:
    sandbox.travel("twilio", LATER)
    sid = post(sandbox).json()["sid"]
    sandbox.flush()
    site.all()

    assert sandbox.reply("13800138000", "stop ")
    assert code_of(post(sandbox)) == 21610
    assert post(sandbox, To="+85261234567").status_code == 201
    assert sandbox.reply("13800138000", "START")
    assert post(sandbox).status_code == 201
    sandbox.flush()

    replies = [one for one in read(site) if "MessageStatus" not in one]
    assert [(one["Body"], one["From"], one["To"], one["SmsStatus"]) for one in replies] == [
        ("stop ", PHONE, SENDER, "received"),
        ("START", PHONE, SENDER, "received"),
    ]
    assert len({sid, *(one["MessageSid"] for one in replies)}) == 3


def test_a_reset_forgets_messages_and_stops(site: App, sandbox: Sandbox) -> None:
    sid = post(sandbox).json()["sid"]
    sandbox.reply("13800138000", "STOP")

    sandbox.reset()

    assert call(sandbox, f"Messages/{sid}").status_code == 404
    assert post(sandbox).status_code == 201


def test_the_signature_of_a_known_call() -> None:
    """The token is the sandbox's own, so the text is checked by the vendor's SDK, if it is installed."""
    validator = pytest.importorskip("twilio.request_validator", reason="pip install twilio").RequestValidator(TOKEN)

    url, fields = "https://example.com/?a=1", {"b": "é 你", "B": "", "a": "1"}
    assert signature(url, fields) == validator.compute_signature(url, fields)
