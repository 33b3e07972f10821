from __future__ import annotations

import json

import pytest
import requests
from sandbox.catalogue import APISPACE_CODE, APISPACE_NOTICE, APISPACE_PLAIN, CREDENTIALS, SIGNED
from sandbox.server import Sandbox

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


def test_can_use_the_envelope(sandbox: Sandbox) -> None:
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
