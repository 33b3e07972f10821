from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
import requests
from sandbox import catalogue
from sandbox.catalogue import CREDENTIALS, SIGNED
from sandbox.faults import Fault
from sandbox.server import Sandbox, Travel

from .conftest import send

QUERIES = ("status", "sign", "template")
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


def ask(sandbox: Sandbox, query: str, fields: dict[str, str], method: str = "GET") -> requests.Response:
    url = f"{sandbox.base_urls['topthink']}/sms/query_{query}"
    where = {"params": fields} if method == "GET" else {"data": fields}
    return requests.request(method, url, headers=HEADER, timeout=5, **where)  # type: ignore[arg-type]


def existing_id(sandbox: Sandbox, query: str) -> str:
    ids = {"sign": catalogue.TOPTHINK_SIGN.id, "template": catalogue.TOPTHINK_CODE.id}
    return ids.get(query) or send(sandbox, "topthink", PHONE)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("arrives", "status", "message"), [(True, 1, ""), (False, -1, "号码无法接通")])
def test_returns_the_delivery_status_of_an_sms(
    sandbox: Sandbox, method: str, arrives: bool, status: int, message: str
) -> None:
    sandbox.travel("topthink", Travel(delay=3600, arrives=arrives))
    fields = {"id": send(sandbox, "topthink", PHONE)}
    answer = ask(sandbox, "status", fields, method).json()
    sent = answer["data"].pop("sendDate")
    assert re.fullmatch(r"\d{4}(-\d\d){2} \d\d(:\d\d){2}", sent)
    task = {"id": fields["id"], "phone": int(PHONE), "content": f"{SIGNED}您的验证码是1234，5分钟内有效。"}
    assert answer == {
        "code": 0,
        "message": "查询成功",
        "data": {**task, "reveiveDate": None, "status": 0, "message": ""},
    }
    sandbox.flush()
    data = ask(sandbox, "status", fields, method).json()["data"]
    assert data.pop("sendDate") == sent
    assert data.pop("reveiveDate") >= sent
    assert data == {**task, "status": status, "message": message}


@pytest.mark.parametrize(("query", "remote_id"), [("sign", "79"), ("template", "238")])
def test_a_submission_in_review_has_no_verdict(sandbox: Sandbox, query: str, remote_id: str) -> None:
    data = ask(sandbox, query, {"id": remote_id}).json()["data"]
    assert (data["status"], data["error"]) == (0, None)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_wrong_queries_are_refused(sandbox: Sandbox, query: str, method: str) -> None:
    remote_id = existing_id(sandbox, query)
    right = ask(sandbox, query, {"id": remote_id, "appCode": APP_CODE}, method).json()
    assert (right["code"], right["data"]["id"]) == (0, remote_id)
    wrong = [{}, {"id": ""}, {"id": remote_id, "phone": PHONE}, {"id": "1"}, {"id": remote_id, "appCode": "wrong"}]
    answers = [ask(sandbox, query, fields, method) for fields in wrong]
    assert [answer.json()["code"] for answer in answers] == [400, 400, 400, 10005, 401]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 200, 401]
    assert all(answer.json()["data"] is None for answer in answers)


@pytest.mark.parametrize("query", QUERIES)
def test_faults_apply_to_queries(sandbox: Sandbox, query: str) -> None:
    fields = {"id": existing_id(sandbox, query)}
    sandbox.misbehave("topthink", Fault.refuse("10005"), times=1)
    assert ask(sandbox, query, fields).json()["code"] == 10005
    sandbox.misbehave("topthink", Fault.deliver_then_status(502), times=1)
    assert [ask(sandbox, query, fields).status_code for _ in range(2)] == [502, 200]
