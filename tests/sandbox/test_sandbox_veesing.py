from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from sandbox.catalogue import CREDENTIALS, SIGNED, VEESING_CODE, VEESING_POINTS, VEESING_UNAPPROVED
from sandbox.faults import Fault
from sandbox.server import Sandbox

ACCOUNT = CREDENTIALS["veesing"]
PHONE = "15600001090"
FIELDS = {
    "appId": ACCOUNT["app_id"],
    "appKey": ACCOUNT["app_key"],
    "phone": PHONE,
    "templateId": VEESING_CODE.id,
    "variables": "012345",
}
BALANCE = {name: FIELDS[name] for name in ("appId", "appKey")}


def url(sandbox: Sandbox) -> str:
    return f"{sandbox.base_urls['veesing']}/smsApi/verifyCode"


def failure(message: str) -> dict[str, str | None]:
    empty_fields = dict.fromkeys(("remainPoint", "taskId", "successCounts"))
    return {"returnStatus": "0", "message": message} | empty_fields


def test_sends_and_counts_the_points_down(sandbox: Sandbox) -> None:
    first, second = (requests.post(url(sandbox), FIELDS, timeout=5).json() for _ in range(2))
    assert first["returnStatus"] == "1 "
    assert (first["message"], first["successCounts"]) == ("成功", "1")
    assert int(first["remainPoint"]) - int(second["remainPoint"]) == 1
    assert [sms.remote_id for sms in sandbox.inbox.of(PHONE)] == [first["taskId"], second["taskId"]]
    assert sandbox.inbox.all()[0].text == f"{SIGNED}您的验证码是012345，5分钟内有效。"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"appId": "wrong"}, "账号或密码错误"),
        ({"appKey": "wrong"}, "账号或密码错误"),
        ({"variables": ""}, "缺少参数"),
        ({"phone": ""}, "缺少参数"),
        ({"templateId": "x540"}, "模板id格式不正确"),
        ({"templateId": "999"}, "模板不存在或者未通过"),
        ({"templateId": VEESING_UNAPPROVED.id}, "模板不存在或者未通过"),
        ({"phone": "8615600001090"}, "手机号码格式不正确"),
        ({"phone": "15600001090,15600001091"}, "手机号码格式不正确"),
        ({"variables": "1"}, "参数错误"),
        ({"variables": "123456789"}, "参数错误"),
        ({"variables": "12a4"}, "参数错误"),
        ({"variables": "１２３４"}, "参数错误"),
        ({"variables": "1234;5"}, "参数错误"),
        ({"unknown": "field"}, "参数错误"),
    ],
)
def test_refuses_by_message(sandbox: Sandbox, changes: dict[str, str], message: str) -> None:
    response = requests.post(url(sandbox), FIELDS | changes, timeout=5)
    assert (response.status_code, response.json()) == (200, failure(message))
    assert sandbox.inbox.all() == ()


def test_reads_parameters_from_a_utf8_form_only(sandbox: Sandbox) -> None:
    body = urlencode(FIELDS)
    form = "application/x-www-form-urlencoded"
    wrong = [
        (requests.post(url(sandbox), params=FIELDS, timeout=5), "缺少参数"),
        (requests.post(url(sandbox), FIELDS, params={"a": "b"}, timeout=5), "参数错误"),
        (requests.post(url(sandbox), json=FIELDS, timeout=5), "缺少参数"),
        (requests.post(url(sandbox), body, headers={"ContentType": form}, timeout=5), "缺少参数"),
        (
            requests.post(url(sandbox), body, headers={"Content-Type": f"{form};charset=gbk"}, timeout=5),
            "参数错误",
        ),
        (
            requests.post(url(sandbox), f"{body}&phone=1", headers={"Content-Type": form}, timeout=5),
            "参数错误",
        ),
    ]
    assert [response.json()["message"] for response, _ in wrong] == [message for _, message in wrong]
    right = requests.post(url(sandbox), body, headers={"Content-Type": f"{form};charset=utf-8"}, timeout=5)
    assert right.json()["returnStatus"] == "1 "
    assert requests.get(url(sandbox), FIELDS, timeout=5).status_code == 405


def ask_balance(sandbox: Sandbox, **where: Any) -> requests.Response:
    return requests.post(f"{url(sandbox)}/getBalance", timeout=5, **where)


@pytest.mark.parametrize("place", ["data", "params"])
def test_returns_the_points_left(sandbox: Sandbox, place: str) -> None:
    sandbox.set_credits("veesing", 242)
    requests.post(url(sandbox), FIELDS, timeout=5)
    response = ask_balance(sandbox, **{place: BALANCE})
    assert response.json() == {
        "returnStatus": "1 ",
        "message": "成功",
        "remainPoint": "241",
        "taskId": None,
        "successCounts": None,
    }
    assert sandbox.credits("veesing") == 241


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({}, "缺少参数"),
        ({"json": BALANCE}, "缺少参数"),
        ({"data": {"appId": BALANCE["appId"]}}, "缺少参数"),
        ({"params": BALANCE | {"appKey": ""}}, "缺少参数"),
        ({"data": BALANCE | {"appKey": "wrong"}}, "账号或密码错误"),
        ({"params": BALANCE | {"appId": "wrong"}}, "账号或密码错误"),
        ({"data": BALANCE | {"phone": PHONE}}, "参数错误"),
        ({"params": BALANCE | {"phone": PHONE}}, "参数错误"),
        ({"params": [*BALANCE.items(), ("appId", "1")]}, "参数错误"),
        ({"data": [*BALANCE.items(), ("appId", "1")]}, "参数错误"),
        ({"params": BALANCE, "data": BALANCE}, "参数错误"),
        ({"params": {"appId": BALANCE["appId"]}, "data": {"appKey": BALANCE["appKey"]}}, "参数错误"),
    ],
)
def test_wrong_balance_queries_are_refused(sandbox: Sandbox, where: dict[str, Any], message: str) -> None:
    response = ask_balance(sandbox, **where)
    assert (response.status_code, response.json()) == (200, failure(message))


def test_a_refused_balance_query_has_the_message_of_the_vendor(sandbox: Sandbox) -> None:
    for message in ("您的账户已被锁定，请联系您的专属客服", "IP受限", "未知原因，请联系客服"):
        sandbox.misbehave("veesing", Fault.refuse(message), times=1)
        assert ask_balance(sandbox, data=BALANCE).json() == failure(message)
    assert requests.get(f"{url(sandbox)}/getBalance", BALANCE, timeout=5).status_code == 405


def test_without_points_nothing_is_sent(sandbox: Sandbox) -> None:
    sandbox.set_credits("veesing", 1)
    answers = [requests.post(url(sandbox), FIELDS, timeout=5).json() for _ in range(2)]
    assert answers[0]["remainPoint"] == "0"
    assert answers[1] == failure("余额不足")
    assert len(sandbox.inbox.all()) == 1
    assert ask_balance(sandbox, data=BALANCE).json()["remainPoint"] == "0"
    sandbox.reset()
    assert sandbox.credits("veesing") == VEESING_POINTS


def test_a_refused_send_costs_nothing(sandbox: Sandbox) -> None:
    requests.post(url(sandbox), FIELDS | {"templateId": "999"}, timeout=5)
    assert sandbox.credits("veesing") == VEESING_POINTS


def test_no_point_is_spent_twice(sandbox: Sandbox) -> None:
    sandbox.set_credits("veesing", 30)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: requests.post(url(sandbox), FIELDS, timeout=20).json(), range(60)))
    accepted = [answer for answer in answers if answer["returnStatus"] == "1 "]
    assert sorted(int(answer["remainPoint"]) for answer in accepted) == list(range(30))
    assert len({answer["taskId"] for answer in accepted}) == 30
    assert len(sandbox.inbox.all()) == 30


def test_only_vendors_that_report_a_balance_have_credits(sandbox: Sandbox) -> None:
    for vendor in ("topthink", "apispace", "qixuntong", "unknown"):
        with pytest.raises(KeyError):
            sandbox.set_credits(vendor, 1)
        with pytest.raises(KeyError):
            sandbox.credits(vendor)
    with pytest.raises(ValueError, match="-1"):
        sandbox.set_credits("veesing", -1)
