from __future__ import annotations

from urllib.parse import urlencode

import pytest
import requests
from sandbox.catalogue import CREDENTIALS, SIGNED, VEESING_CODE, VEESING_UNAPPROVED
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


def url(sandbox: Sandbox) -> str:
    return f"{sandbox.base_urls['veesing']}/smsApi/verifyCode"


def failure(message: str) -> dict[str, str | None]:
    nothing = dict.fromkeys(("remainPoint", "taskId", "successCounts"))
    return {"returnStatus": "0", "message": message} | nothing


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
