from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import requests
import time_machine
from sandbox.catalogue import APISPACE_CODE, APISPACE_NOTICE, APISPACE_PLAIN, CREDENTIALS, SIGNED
from sandbox.faults import Fault
from sandbox.server import Sandbox, Travel

from .conftest import pull

PHONE, OTHER = "13800138000", "15800000000"
HEADERS = {"X-APISpace-Token": CREDENTIALS["apispace"]["token"], "Authorization-Type": "apikey"}
BODY = {
    "msg": SIGNED + APISPACE_CODE.text,
    "params": f"{PHONE},1234,5",
    "sendtime": "",
    "extend": "",
    "uid": "42",
}


def post(
    sandbox: Sandbox, body: object, headers: dict[str, str] = HEADERS, ensure_ascii: bool = True
) -> requests.Response:
    return requests.post(
        f"{sandbox.base_urls['apispace']}/sms-code/verifycode",
        json.dumps(body, ensure_ascii=ensure_ascii).encode(),
        headers={"Content-Type": "application/json"} | headers,
        timeout=5,
    )


@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_sends_to_one(sandbox: Sandbox, ensure_ascii: bool) -> None:
    answer = post(sandbox, BODY, ensure_ascii=ensure_ascii).json()
    (sms,) = sandbox.inbox.of(PHONE)
    assert sms.text == f"{SIGNED}您的验证码是1234，5分钟内有效。"
    assert len(answer.pop("time")) == 14
    assert answer == {
        "code": "0",
        "failNum": "0",
        "successNum": "1",
        "msgId": sms.remote_id,
        "errorMsg": "",
    }


@pytest.mark.parametrize(
    ("text", "params", "texts"),
    [
        (APISPACE_NOTICE.text, f"{PHONE},李雷;{OTHER},韩梅梅", ["李雷", "韩梅梅"]),
        (APISPACE_PLAIN.text, f"{PHONE};{OTHER}", ["", ""]),
    ],
)
def test_sends_to_many(sandbox: Sandbox, text: str, params: str, texts: list[str]) -> None:
    answer = post(sandbox, {"msg": SIGNED + text, "params": params}).json()
    assert answer["successNum"] == "2"
    assert [sms.phone for sms in sandbox.inbox.all()] == [PHONE, OTHER]
    assert [sms.text for sms in sandbox.inbox.all()] == [SIGNED + text.replace("{$var}", v) for v in texts]


def test_the_envelope_can_be_switched_on(sandbox: Sandbox) -> None:
    sandbox.apispace_envelope = True
    answer = post(sandbox, BODY, {"X-APISpace-Token": HEADERS["X-APISpace-Token"]}).json()
    data = {"code": "0", "msgId": sandbox.inbox.all()[0].remote_id}
    assert answer == {"code": 200000, "msg": "success", "data": data}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"msg": APISPACE_CODE.text}, "116"),
        ({"msg": f"【别的站】{APISPACE_CODE.text}"}, "116"),
        ({"msg": f"{SIGNED}您的验证码是1234，5分钟内有效。"}, "124"),
        ({"msg": SIGNED + APISPACE_CODE.text.replace("，", ",")}, "124"),
        ({"msg": SIGNED + "长" * 536}, "106"),
        ({"params": PHONE}, "114"),
        ({"params": f"{PHONE},1234"}, "114"),
        ({"params": f"{PHONE},1234,5,6"}, "114"),
        ({"params": f"{PHONE},,5"}, "114"),
        ({"params": f"{PHONE},1234,5;"}, "107"),
        ({"params": "+8613800138000,1234,5"}, "107"),
        ({"params": ""}, "130"),
        ({"params": 1}, "130"),
        ({"uid": 42}, "130"),
        ({"unknown": ""}, "130"),
        ({"sendtime": "tomorrow"}, "127"),
        ({"extend": "1234"}, "113"),
    ],
)
def test_refuses_wrong_parameters(sandbox: Sandbox, changes: dict[str, object], code: str) -> None:
    response = post(sandbox, BODY | changes)
    answer = response.json()
    assert (response.status_code, answer["code"], answer["msgId"]) == (200, code, "")
    assert answer["errorMsg"]
    assert sandbox.inbox.all() == ()


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X-APISpace-Token": ""}, 401, "401"),
        ({"X-APISpace-Token": "wrong"}, 401, "401"),
        (HEADERS | {"Authorization-Type": "basic"}, 401, "401"),
        (HEADERS | {"Content-Type": "text/plain"}, 200, "130"),
        (HEADERS | {"Content-Type": "application/json; charset=gbk"}, 200, "130"),
    ],
)
def test_refuses_wrong_headers(sandbox: Sandbox, headers: dict[str, str], status: int, code: str) -> None:
    response = post(sandbox, BODY, headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["errorMsg"]
    assert sandbox.inbox.all() == ()


@pytest.mark.parametrize("body", [[BODY], "text", None])
def test_refuses_other_json(sandbox: Sandbox, body: object) -> None:
    assert post(sandbox, body).json()["code"] == "130"


def test_final_reports_are_returned_once(sandbox: Sandbox) -> None:
    with time_machine.travel(datetime(2026, 11, 20, 16, 30, 9, tzinfo=UTC), tick=False):
        for arrives, phone in ((True, PHONE), (False, OTHER)):
            sandbox.travel("apispace", Travel(delay=3600, arrives=arrives))
            post(sandbox, BODY | {"params": f"{phone},1234,5"})
        assert pull(sandbox).json() == {"code": "0", "data": []}
        assert sandbox.flush() == 0
    moment = {"reportTime": "2611210030", "notifyTime": "261121003009", "length": "1"}
    ids = [sms.remote_id for sms in sandbox.inbox.all()]
    delivered = {"mobile": PHONE, "status": "DELIVRD", "statusDesc": "短信发送成功"}
    failed = {"mobile": OTHER, "status": "UNDELIV", "statusDesc": "短信发送失败"}
    reports = [{"uid": "", "msgId": ids[0]} | delivered | moment, {"uid": "", "msgId": ids[1]} | failed | moment]
    assert pull(sandbox).json() == {"code": "0", "data": reports}
    assert pull(sandbox).json() == {"code": "0", "data": []}


def test_every_number_of_a_batch_has_its_report(sandbox: Sandbox) -> None:
    sandbox.travel("apispace", Travel(early=True))
    sent = post(sandbox, BODY | {"params": f"{PHONE},1,5;{OTHER},2,5"}).json()
    reports = pull(sandbox).json()["data"]
    assert [(report["msgId"], report["mobile"]) for report in reports] == [
        (sent["msgId"], PHONE),
        (sent["msgId"], OTHER),
    ]


def test_count_limits_the_reports(sandbox: Sandbox) -> None:
    sandbox.travel("apispace", Travel(early=True))
    post(sandbox, BODY | {"params": ";".join([f"{PHONE},1234,5"] * 25)})
    assert [len(pull(sandbox, **params).json()["data"]) for params in ({"count": "2"}, {})] == [2, 10]
    assert len(pull(sandbox, count="1000").json()["data"]) == 13


@pytest.mark.parametrize(
    "params", [{"count": "0"}, {"count": "1001"}, {"count": "-1"}, {"count": "ten"}, {"count": "１"}, {"page": "1"}]
)
def test_a_wrong_report_query_is_refused(sandbox: Sandbox, params: dict[str, str]) -> None:
    assert pull(sandbox, **params).json()["code"] == "130"


def test_a_report_query_requires_the_token_and_has_no_body(sandbox: Sandbox) -> None:
    sandbox.travel("apispace", Travel(early=True))
    post(sandbox, BODY)
    url = f"{sandbox.base_urls['apispace']}/api/sms/report"
    for wrong in ({}, {"X-APISpace-Token": "wrong"}, HEADERS | {"Authorization-Type": "basic"}):
        answer = requests.get(url, headers=wrong, timeout=5)
        assert (answer.status_code, answer.json()["code"]) == (401, "401")
    assert requests.get(url, data=b"count=1", headers=HEADERS, timeout=5).json()["code"] == "130"
    assert requests.post(url, headers=HEADERS, timeout=5).status_code == 405
    token = {"X-APISpace-Token": HEADERS["X-APISpace-Token"]}
    assert len(requests.get(url, headers=token, timeout=5).json()["data"]) == 1


def test_the_reports_of_a_lost_answer_are_not_returned_again(sandbox: Sandbox) -> None:
    sandbox.travel("apispace", Travel(early=True))
    post(sandbox, BODY)
    sandbox.misbehave("apispace", Fault.refuse("130"), times=1)
    assert pull(sandbox).json()["code"] == "130"
    sandbox.misbehave("apispace", Fault.deliver_then_status(502), times=1)
    assert pull(sandbox).status_code == 502
    assert pull(sandbox).json()["data"] == []
