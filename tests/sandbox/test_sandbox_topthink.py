from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
import requests
from sandbox import catalogue
from sandbox.catalogue import CREDENTIALS, SIGNED
from sandbox.server import Sandbox

APP_CODE = CREDENTIALS["topthink"]["app_code"]
PHONE = "15687902345"
Call = Callable[[Sandbox, dict[str, str], dict[str, str]], requests.Response]
HEADER = {"Authorization": f"AppCode {APP_CODE}"}
FIELDS = {
    "signId": catalogue.TOPTHINK_SIGN.id,
    "templateId": catalogue.TOPTHINK_CODE.id,
    "phone": PHONE,
    "params": '{"code":"7865","minutes":"5"}',
}


def changed(**changes: str | None) -> dict[str, str]:
    return {name: value for name, value in (FIELDS | changes).items() if value is not None}


def post(sandbox: Sandbox, data: dict[str, str], headers: dict[str, str] = HEADER) -> requests.Response:
    return requests.post(f"{sandbox.base_urls['topthink']}/sms/send", data, headers=headers, timeout=5)


def get(sandbox: Sandbox, params: dict[str, str], headers: dict[str, str] | None = None) -> requests.Response:
    return requests.get(f"{sandbox.base_urls['topthink']}/sms/send", params, headers=headers, timeout=5)


@pytest.mark.parametrize("call", [post, get])
@pytest.mark.parametrize(("fields", "headers"), [(FIELDS, HEADER), (changed(appCode=APP_CODE), {})])
def test_sends_by_every_documented_way(
    sandbox: Sandbox, call: Call, fields: dict[str, str], headers: dict[str, str]
) -> None:
    response = call(sandbox, fields, headers)
    answer = response.json()
    assert (answer["code"], answer["message"]) == (0, "发送成功")
    assert re.fullmatch("[0-9a-f]{13}", answer["data"]["id"])
    (sms,) = sandbox.inbox.of(PHONE)
    assert (sms.vendor, sms.remote_id) == ("topthink", answer["data"]["id"])
    assert sms.text == f"{SIGNED}您的验证码是7865，5分钟内有效。"


@pytest.mark.parametrize(
    ("template", "params", "text"),
    [
        (catalogue.TOPTHINK_YZM, '{"yzm":"012345"}', "验证码012345，请勿泄露。"),
        (catalogue.TOPTHINK_NOTICE, '{"name":"李雷"}', "李雷，您的订单已发货，请注意查收。"),
        (catalogue.TOPTHINK_PLAIN, None, catalogue.TOPTHINK_PLAIN.text),
    ],
)
def test_fills_in_the_template(sandbox: Sandbox, template: catalogue.Template, params: str | None, text: str) -> None:
    assert post(sandbox, changed(templateId=template.id, params=params)).json()["code"] == 0
    assert [sms.text for sms in sandbox.inbox.all()] == [SIGNED + text]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signId": None}, 400),
        ({"sign": "示例站"}, 400),
        ({"phone": "+8615687902345"}, 10001),
        ({"phone": "12687902345"}, 10001),
        ({"phone": "１５６８７９０２３４５"}, 10001),
        ({"signId": catalogue.TOPTHINK_UNAPPROVED_SIGN.id}, 10002),
        ({"templateId": "999"}, 10003),
        ({"templateId": catalogue.TOPTHINK_UNAPPROVED.id, "params": '{"code":"1"}'}, 10003),
        ({"params": None}, 10004),
        ({"params": "{}"}, 10004),
        ({"params": "7865"}, 10004),
        ({"params": '["7865","5"]'}, 10004),
        ({"params": '{"code":"7865"}'}, 10004),
        ({"params": '{"code":7865,"minutes":"5"}'}, 10004),
        ({"params": '{"code":"7865","minutes":"5","x":"y"}'}, 10004),
        ({"params": '{"code":"7865","code":"7865","minutes":"5"}'}, 10004),
        ({"params": json.dumps({"code": "7" * 51, "minutes": "5"})}, 10004),
        ({"templateId": catalogue.TOPTHINK_PLAIN.id, "params": "{}"}, 10004),
    ],
)
def test_refuses_wrong_parameters(sandbox: Sandbox, changes: dict[str, str | None], code: int) -> None:
    response = post(sandbox, changed(**changes))
    answer = response.json()
    assert response.status_code == (400 if code == 400 else 200)
    assert (answer["code"], answer["data"]) == (code, None)
    assert answer.keys() == {"code", "message", "data"}
    assert sandbox.inbox.all() == ()


@pytest.mark.parametrize(
    ("headers", "app_code"),
    [
        ({}, None),
        ({}, "wrong"),
        ({"Authorization": f"APPCODE {APP_CODE}"}, None),
        ({"Authorization": f"AppCode  {APP_CODE}"}, None),
        ({"Authorization": APP_CODE}, None),
        (HEADER, "wrong"),
    ],
)
def test_refuses_wrong_authorization(sandbox: Sandbox, headers: dict[str, str], app_code: str | None) -> None:
    response = post(sandbox, changed(appCode=app_code), headers)
    assert (response.status_code, response.json()["code"]) == (401, 401)
    assert sandbox.inbox.all() == ()


def test_refuses_parameters_in_the_wrong_place(sandbox: Sandbox) -> None:
    url = f"{sandbox.base_urls['topthink']}/sms/send"
    wrong = [
        requests.post(url, params=FIELDS, headers=HEADER, timeout=5),
        requests.post(url, FIELDS, params={"appCode": APP_CODE}, timeout=5),
        requests.post(url, json=FIELDS, headers=HEADER, timeout=5),
        requests.get(url, data=FIELDS, headers=HEADER, timeout=5),
    ]
    assert [response.json()["code"] for response in wrong] == [400] * 4
    assert requests.put(url, FIELDS, headers=HEADER, timeout=5).status_code == 501
    assert sandbox.inbox.all() == ()
