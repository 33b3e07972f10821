"""Signatures and templates at TopThink: submitted, judged, changed, deleted."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import time_machine
from sandbox import catalogue
from sandbox.catalogue import CREDENTIALS
from sandbox.faults import Fault
from sandbox.reviews import Submission
from sandbox.server import Sandbox

from .conftest import App

APP_CODE = CREDENTIALS["topthink"]["app_code"]
HEADER = {"Authorization": f"AppCode {APP_CODE}"}
PHONE = "15687902345"
SUBMISSIONS: dict[Submission, dict[str, str]] = {
    "sign": {"name": "顶想云", "remark": "用于顶想云服务短信通知和验证码"},
    "template": {"name": "订单通知", "content": "你有一个新的${name}订单,请及时处理!", "remark": "用于顶想云订单通知"},
}
INITIAL_COUNT: dict[Submission, int] = {
    "sign": len(catalogue.TOPTHINK_SIGNS),
    "template": len(catalogue.TOPTHINK_TEMPLATES),
}
APPROVED: dict[Submission, str] = {"sign": catalogue.TOPTHINK_SIGN.id, "template": catalogue.TOPTHINK_CODE.id}
UNAPPROVED: dict[Submission, str] = {
    "sign": catalogue.TOPTHINK_UNAPPROVED_SIGN.id,
    "template": catalogue.TOPTHINK_UNAPPROVED.id,
}
kinds = pytest.mark.parametrize("kind", SUBMISSIONS)
methods = pytest.mark.parametrize("method", ["GET", "POST"])


def call(sandbox: Sandbox, path: str, fields: dict[str, str], method: str = "POST", **more: Any) -> requests.Response:
    where = {"params" if method == "GET" else "data": fields}
    options: dict[str, Any] = {"headers": HEADER, "timeout": 20, **where, **more}
    return requests.request(method, f"{sandbox.base_urls['topthink']}/sms/{path}", **options)


def ask(sandbox: Sandbox, path: str, fields: dict[str, str], method: str = "POST") -> dict[str, Any]:
    return call(sandbox, path, fields, method).json()  # type: ignore[no-any-return]


def add(sandbox: Sandbox, kind: Submission) -> str:
    return str(ask(sandbox, f"add_{kind}", SUBMISSIONS[kind])["data"]["id"])


def query(sandbox: Sandbox, kind: Submission, remote_id: str) -> dict[str, Any]:
    return ask(sandbox, f"query_{kind}", {"id": remote_id})


def rejected(sandbox: Sandbox, kind: Submission) -> str:
    remote_id = add(sandbox, kind)
    sandbox.judge("topthink", kind, remote_id, approved=False, reason="请提供网址或公众号")
    return remote_id


def added(sandbox: Sandbox, kind: Submission) -> list[str]:
    return [remote_id for remote_id, _, _ in sandbox.submitted("topthink", kind)[INITIAL_COUNT[kind] :]]


def send(sandbox: Sandbox, **ids: str) -> int:
    plain = {"signId": APPROVED["sign"], "templateId": catalogue.TOPTHINK_PLAIN.id, "phone": PHONE}
    return int(ask(sandbox, "send", plain | ids)["code"])


@kinds
@methods
def test_a_submission_is_stored_and_can_be_queried(sandbox: Sandbox, kind: Submission, method: str) -> None:
    with time_machine.travel(datetime(2022, 2, 13, 14, 28, 4, tzinfo=UTC), tick=False):
        answer = ask(sandbox, f"add_{kind}", SUBMISSIONS[kind], method)
    new_id, at = answer["data"]["id"], "2022-02-13 22:28:04"
    assert isinstance(new_id, str)
    data = SUBMISSIONS[kind] | {"user_id": 1, "create_time": at, "update_time": at, "id": new_id}
    assert list(answer["data"]) == list(data)
    assert answer == {"code": 0, "message": "添加成功", "data": data}
    found = query(sandbox, kind, new_id)
    assert found == {"code": 0, "message": "查询成功", "data": data | {"user_id": "1", "status": 0, "error": None}}
    text = SUBMISSIONS[kind].get("content", SUBMISSIONS[kind]["name"])
    assert sandbox.submitted("topthink", kind)[INITIAL_COUNT[kind] :] == [(new_id, text, 0)]


@kinds
@methods
def test_a_rejected_submission_can_be_submitted_again_under_its_id(
    sandbox: Sandbox, kind: Submission, method: str
) -> None:
    with time_machine.travel(datetime(2022, 2, 13, 14, 28, 4, tzinfo=UTC), tick=False):
        remote_id = rejected(sandbox, kind)
        before = query(sandbox, kind, remote_id)["data"]
    assert (before["status"], before["error"]) == (2, "请提供网址或公众号")
    changed = SUBMISSIONS[kind] | {"name": "顶想云服务", "remark": "www.topthink.com"}
    with time_machine.travel(datetime(2022, 2, 13, 14, 38, 4, tzinfo=UTC), tick=False):
        answer = ask(sandbox, f"modify_{kind}", changed | {"id": remote_id}, method)
    times = {"create_time": "2022-02-13 22:28:04", "update_time": "2022-02-13 22:38:04"}
    data = changed | {"user_id": 1, **times, "id": remote_id}
    assert answer == {"code": 0, "message": "修改成功", "data": data}
    assert list(answer["data"]) == list(data)
    assert query(sandbox, kind, remote_id)["data"] == data | {"user_id": "1", "status": 0, "error": None}
    assert added(sandbox, kind) == [remote_id]


@kinds
def test_only_a_rejected_submission_can_be_changed(sandbox: Sandbox, kind: Submission) -> None:
    before = sandbox.submitted("topthink", kind)
    answers = [
        ask(sandbox, f"modify_{kind}", SUBMISSIONS[kind] | {"id": remote_id})
        for remote_id in (APPROVED[kind], UNAPPROVED[kind], "1")
    ]
    assert [(answer["code"], answer["data"]) for answer in answers] == [(10008, None), (10009, None), (10005, None)]
    assert answers[0]["message"] == "已通过审核的不允许修改，只能删除后重新申请"
    assert answers[1]["message"] == "审核中，不允许修改"
    assert sandbox.submitted("topthink", kind) == before


@kinds
@methods
@pytest.mark.parametrize("verdict", [None, True, False])
def test_a_submission_with_any_verdict_can_be_deleted_once(
    sandbox: Sandbox, kind: Submission, method: str, verdict: bool | None
) -> None:
    remote_id = add(sandbox, kind)
    if verdict is not None:
        sandbox.judge("topthink", kind, remote_id, approved=verdict)
    response = call(sandbox, f"delete_{kind}", {"id": remote_id}, method)
    assert (response.status_code, response.json()) == (200, {"code": 0, "message": "删除成功"})
    not_found = {"code": 10005, "message": "记录不存在", "data": None}
    assert ask(sandbox, f"delete_{kind}", {"id": remote_id}, method) == not_found
    assert query(sandbox, kind, remote_id) == not_found
    assert ask(sandbox, f"modify_{kind}", SUBMISSIONS[kind] | {"id": remote_id}) == not_found
    assert added(sandbox, kind) == []
    with pytest.raises(KeyError):
        sandbox.judge("topthink", kind, remote_id, approved=True)


@kinds
def test_an_id_is_never_used_twice(sandbox: Sandbox, kind: Submission) -> None:
    first = add(sandbox, kind)
    ask(sandbox, f"delete_{kind}", {"id": first})
    second = add(sandbox, kind)
    sandbox.reset()
    third = add(sandbox, kind)
    assert int(first) < int(second) < int(third)
    assert added(sandbox, kind) == [third]


@kinds
def test_the_same_text_can_be_submitted_twice(sandbox: Sandbox, kind: Submission) -> None:
    ids = [add(sandbox, kind), add(sandbox, kind)]
    assert added(sandbox, kind) == ids
    assert len(set(ids)) == 2


@kinds
def test_concurrent_submissions_have_different_ids(sandbox: Sandbox, kind: Submission) -> None:
    with ThreadPoolExecutor(20) as pool:
        ids = list(pool.map(lambda _: add(sandbox, kind), range(40)))
        assert sorted(added(sandbox, kind)) == sorted(set(ids))
        assert len(set(ids)) == 40
        answers = list(pool.map(lambda remote_id: ask(sandbox, f"delete_{kind}", {"id": remote_id}), ids * 2))
    assert sorted(answer["code"] for answer in answers) == [0] * 40 + [10005] * 40


@kinds
def test_only_one_of_concurrent_changes_is_made(sandbox: Sandbox, kind: Submission) -> None:
    remote_id = rejected(sandbox, kind)
    names = [f"顶想云{number}" for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        change = {"id": remote_id, **SUBMISSIONS[kind]}
        answers = list(pool.map(lambda name: ask(sandbox, f"modify_{kind}", change | {"name": name}), names))
    assert sorted(answer["code"] for answer in answers) == [0] + [10009] * 9
    (made,) = [answer["data"]["name"] for answer in answers if answer["data"]]
    assert query(sandbox, kind, remote_id)["data"]["name"] == made


@kinds
def test_a_submission_can_be_used_between_approval_and_deletion(sandbox: Sandbox, site: App, kind: Submission) -> None:
    text = {"content": "系统维护通知。"} if kind == "template" else {}
    remote_id = str(ask(sandbox, f"add_{kind}", SUBMISSIONS[kind] | text)["data"]["id"])
    using = {f"{kind}Id": remote_id}
    codes = [send(sandbox, **using)]
    sandbox.judge("topthink", kind, remote_id, approved=True)
    codes.append(send(sandbox, **using))
    sandbox.flush()
    pushed = [json.loads(push.body) for push in site.all()]
    assert {"action": kind, "sign": query(sandbox, kind, remote_id)["data"]} in pushed
    ask(sandbox, f"delete_{kind}", {"id": remote_id})
    codes.append(send(sandbox, **using))
    refused = {"sign": 10002, "template": 10003}[kind]
    assert codes == [refused, 0, refused]
    assert len(sandbox.inbox.all()) == 1


@kinds
def test_a_reset_restores_the_initial_submissions(sandbox: Sandbox, kind: Submission) -> None:
    before = sandbox.submitted("topthink", kind)
    add(sandbox, kind)
    ask(sandbox, f"delete_{kind}", {"id": APPROVED[kind]})
    sandbox.judge("topthink", kind, UNAPPROVED[kind], approved=False)
    ask(sandbox, f"modify_{kind}", SUBMISSIONS[kind] | {"id": UNAPPROVED[kind]})
    assert sandbox.submitted("topthink", kind) != before
    sandbox.reset()
    assert sandbox.submitted("topthink", kind) == before


@pytest.mark.parametrize("name", ["【顶想云】", "顶想云]", "[顶想云", "顶想 云", "顶想云!", "顶想测试", "a_b"])
def test_a_signature_that_breaks_the_rules_is_refused(sandbox: Sandbox, name: str) -> None:
    remote_id = rejected(sandbox, "sign")
    for path, more in (("add_sign", {}), ("modify_sign", {"id": remote_id})):
        answer = ask(sandbox, path, SUBMISSIONS["sign"] | {"name": name} | more)
        assert answer == {"code": 10006, "message": "签名不能包含特殊字符或测试字样", "data": None}
    assert added(sandbox, "sign") == [remote_id]


@pytest.mark.parametrize(
    "content",
    [
        "【顶想云】你有一个新的订单",
        "你有一个新的】订单",
        "验证码${code1}",
        "验证码${验证码}",
        "验证码${}",
        "验证码${ code }",
        "验证码${code",
        "验证码${${code}}",
        *(f"你的${{{name}}}已更新" for name in ("id", "email", "mobile", "nick", "site")),
        "".join(f"第${{{letter}}}项" for letter in "abcdefghj"),
    ],
)
def test_a_template_that_breaks_the_rules_is_refused(sandbox: Sandbox, content: str) -> None:
    remote_id = rejected(sandbox, "template")
    for path, more in (("add_template", {}), ("modify_template", {"id": remote_id})):
        answer = ask(sandbox, path, SUBMISSIONS["template"] | {"content": content} | more)
        assert (answer["code"], answer["data"]) == (10007, None)
    assert added(sandbox, "template") == [remote_id]


@pytest.mark.parametrize(
    "content", ["没有变量", "${User_Name}的${ID}", "".join(f"第${{{letter}}}项${{a}}" for letter in "abcdefgh")]
)
def test_a_template_within_the_rules_is_accepted(sandbox: Sandbox, content: str) -> None:
    assert ask(sandbox, "add_template", SUBMISSIONS["template"] | {"content": content})["data"]["content"] == content


OPERATIONS = [
    (kind, operation, {"id": APPROVED[kind]} if operation != "add" else {}, operation != "delete")
    for kind in SUBMISSIONS
    for operation in ("add", "modify", "delete")
]


@pytest.mark.parametrize(("kind", "operation", "fields", "whole"), OPERATIONS)
@methods
def test_missing_empty_unknown_and_repeated_parameters_are_refused(
    sandbox: Sandbox, kind: Submission, operation: str, fields: dict[str, str], whole: bool, method: str
) -> None:
    before = sandbox.submitted("topthink", kind)
    path, fields = f"{operation}_{kind}", fields | (SUBMISSIONS[kind] if whole else {})
    wrong: list[Any] = [{name: value for name, value in fields.items() if name != one} for one in fields]
    wrong += [fields | {one: ""} for one in fields]
    wrong += [fields | {more: "1"} for more in ("source", "type", "signId", "status")]
    wrong += [[*fields.items(), next(iter(fields.items()))]]
    responses = [call(sandbox, path, given, method) for given in wrong]
    assert [(response.status_code, response.json()["code"]) for response in responses] == [(400, 400)] * len(wrong)
    assert sandbox.submitted("topthink", kind) == before


@pytest.mark.parametrize(("kind", "operation", "fields", "whole"), OPERATIONS)
def test_requires_the_authorization_and_parameters_in_their_place(
    sandbox: Sandbox, kind: Submission, operation: str, fields: dict[str, str], whole: bool
) -> None:
    before = sandbox.submitted("topthink", kind)
    path, fields = f"{operation}_{kind}", fields | (SUBMISSIONS[kind] if whole else {})
    responses = [
        call(sandbox, path, fields, headers={}),
        call(sandbox, path, fields, headers={"Authorization": APP_CODE}),
        call(sandbox, path, fields | {"appCode": "wrong"}),
        call(sandbox, path, fields | {"appCode": APP_CODE}, headers={"Authorization": "AppCode wrong"}),
        call(sandbox, path, fields, params={"appCode": APP_CODE}),
        call(sandbox, path, {}, params=fields),
        call(sandbox, path, fields, "GET", data=fields),
        call(sandbox, path, {}, json=fields),
        call(sandbox, path, fields, "PUT"),
        call(sandbox, path, fields, "DELETE"),
    ]
    assert [response.status_code for response in responses] == [401] * 4 + [400] * 4 + [501] * 2
    assert sandbox.submitted("topthink", kind) == before


@kinds
@pytest.mark.parametrize("twice", [False, True])
@methods
def test_the_authorization_may_be_a_parameter_with_or_without_the_header(
    sandbox: Sandbox, kind: Submission, twice: bool, method: str
) -> None:
    fields = SUBMISSIONS[kind] | {"appCode": APP_CODE}
    answer = call(sandbox, f"add_{kind}", fields, method, headers=HEADER if twice else {}).json()
    assert answer["code"] == 0
    assert "appCode" not in answer["data"]


def lose(sandbox: Sandbox, fault: Fault, path: str, fields: dict[str, str]) -> None:
    """Runs an operation and loses its answer."""
    sandbox.misbehave("topthink", fault, times=1)
    try:
        assert call(sandbox, path, fields, timeout=0.5).status_code == 502
    except requests.RequestException:
        sandbox.release()


@pytest.mark.slow
@kinds
@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (Fault.deliver_then_status(502), True),
        (Fault.reset(deliver=True), True),
        (Fault.hang(), True),
        (Fault.status(502), False),
        (Fault.reset(), False),
    ],
)
def test_the_answer_can_be_lost_before_or_after_the_operation(
    sandbox: Sandbox, kind: Submission, fault: Fault, done: bool
) -> None:
    lose(sandbox, fault, f"add_{kind}", SUBMISSIONS[kind])
    assert len(added(sandbox, kind)) == done
    remote_id = rejected(sandbox, kind)
    lose(sandbox, fault, f"modify_{kind}", SUBMISSIONS[kind] | {"id": remote_id})
    assert query(sandbox, kind, remote_id)["data"]["status"] == (0 if done else 2)
    lose(sandbox, fault, f"delete_{kind}", {"id": remote_id})
    assert (remote_id in added(sandbox, kind)) != done


@kinds
def test_a_fault_does_not_execute_an_invalid_operation(sandbox: Sandbox, kind: Submission) -> None:
    lose(sandbox, Fault.deliver_then_status(502), f"add_{kind}", SUBMISSIONS[kind] | {"unknown": "1"})
    assert added(sandbox, kind) == []


def test_only_known_vendors_have_submissions(sandbox: Sandbox) -> None:
    assert sandbox.submitted("topthink", "sign") == [("78", "示例站", 1), ("79", "待审站", 0)]
    assert sandbox.submitted("topthink", "template")[0] == ("234", catalogue.TOPTHINK_CODE.text, 1)
    assert sandbox.submitted("ihuyi", "sign") == []
    with pytest.raises(KeyError):
        sandbox.submitted("unknown", "sign")
