"""The exact bytes of the pushes, and the vendors and addresses that they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import pytest
import time_machine
from sandbox import catalogue
from sandbox.server import Pushed, Sandbox, Travel

from .conftest import LATER, PHONE, PUSHING, App, query, send

TEXT = "【示例站】您的验证码是1234，5分钟内有效。"
NOW, NOW_QUOTED = "2026-11-21 00:30:00", "2026-11-21+00%3A30%3A00"
FORM = "application/x-www-form-urlencoded"
TYPES = {"topthink": "application/json", "veesing": f"{FORM};charset=utf-8", "ihuyi": FORM}


@pytest.fixture(autouse=True)
def _midnight_in_china_has_passed() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 20, 16, 30, tzinfo=UTC), tick=False):
        yield


@pytest.mark.parametrize(
    ("vendor", "arrives", "body"),
    [
        (
            "topthink",
            True,
            '{"action":"report","sms":{"id":"ID","phone":"13800138000","content":"TEXT","sendDate":"NOW",'
            '"receiveDate":"NOW","status":1,"message":""}}',
        ),
        (
            "topthink",
            False,
            '{"action":"report","sms":{"id":"ID","phone":"13800138000","content":"TEXT","sendDate":"NOW",'
            '"receiveDate":"NOW","status":-1,"message":"号码无法接通"}}',
        ),
        ("veesing", True, "mobile=13800138000&taskid=ID&status=1&receivetime=WHEN"),
        ("veesing", False, "mobile=13800138000&taskid=ID&status=0&receivetime=WHEN"),
        ("ihuyi", True, "code=2&msg=DELIVRD&mobilephone=13800138000&smsid=ID&report_time=WHEN"),
        ("ihuyi", False, "code=1&msg=UNDELIV&mobilephone=13800138000&smsid=ID&report_time=WHEN"),
    ],
)
def test_the_exact_bytes_of_a_report(sandbox: Sandbox, site: App, vendor: str, arrives: bool, body: str) -> None:
    sandbox.travel(vendor, Travel(delay=3600, arrives=arrives))
    remote_id = send(sandbox, vendor)
    assert sandbox.flush() == 1
    call = site.next()
    assert call.path == f"/{vendor}/"
    assert call.headers["content-type"] == TYPES[vendor]
    assert call.headers.get("x-thinkphp-event") == ("sms" if vendor == "topthink" else None)
    values = {"ID": remote_id, "TEXT": TEXT, "NOW": NOW, "WHEN": NOW_QUOTED}
    for name, value in values.items():
        body = body.replace(name, value)
    assert call.body == body
    assert sandbox.pushes == (Pushed(vendor, "report", f"{site.url}/{vendor}/", 200, "success"),)


@pytest.mark.parametrize(
    ("vendor", "body"),
    [
        ("veesing", "mobile=13800138000&taskid=ID&content=CONTENT&receivetime=WHEN"),
        ("ihuyi", "mobilephone=13800138000&content=CONTENT&smsid=ID&reply_time=WHEN"),
    ],
)
def test_the_exact_bytes_of_a_reply(sandbox: Sandbox, site: App, vendor: str, body: str) -> None:
    send(sandbox, vendor)
    newest = send(sandbox, vendor)
    sandbox.flush()
    site.all()
    assert sandbox.reply(PHONE, "退订 & 谢谢=1")
    assert site.all() == []
    assert sandbox.flush() == 1
    call = site.next()
    expected = body.replace("ID", newest).replace("WHEN", NOW_QUOTED).replace("CONTENT", quote_plus("退订 & 谢谢=1"))
    assert (call.path, call.headers["content-type"], call.body) == (f"/{vendor}/", TYPES[vendor], expected)
    assert sandbox.pushes[-1] == Pushed(vendor, "reply", f"{site.url}/{vendor}/", 200, "success")


def test_a_reply_answers_the_newest_sms_of_that_phone(sandbox: Sandbox, site: App) -> None:
    assert not sandbox.reply(PHONE, "在吗")
    send(sandbox, "ihuyi")
    assert not sandbox.reply("13900139000", "在吗")
    for vendor, forwarded in (("topthink", False), ("veesing", True), ("apispace", False)):
        send(sandbox, vendor)
        assert sandbox.reply(PHONE, "在吗") is forwarded
    sandbox.flush()
    assert [push.vendor for push in sandbox.pushes if push.kind == "reply"] == ["veesing"]


def test_a_reply_follows_the_travel_plan(sandbox: Sandbox, site: App) -> None:
    sandbox.travel("veesing", Travel(early=True, copies=2))
    send(sandbox, "veesing")
    assert sandbox.reply(PHONE, "在吗")
    assert [push.kind for push in sandbox.pushes] == ["report", "report", "reply", "reply"]


def record(**changes: Any) -> dict[str, Any]:
    times = {"create_time": "2024-05-20 10:00:00", "update_time": "2024-05-20 10:00:00"}
    return {"user_id": "1", "remark": catalogue.REMARK, **times, **changes}


@pytest.mark.parametrize(
    ("kind", "item", "more"),
    [
        ("sign", catalogue.TOPTHINK_SIGN, {}),
        ("template", catalogue.TOPTHINK_CODE, {"content": catalogue.TOPTHINK_CODE.text}),
    ],
)
@pytest.mark.parametrize(
    ("approved", "reason", "status", "error"),
    [(True, "", 1, None), (True, "无", 1, None), (False, "请提供网址", 2, "请提供网址")],
)
def test_topthink_pushes_a_verdict(
    sandbox: Sandbox,
    site: App,
    kind: Any,
    item: Any,
    more: dict[str, str],
    approved: bool,
    reason: str,
    status: int,
    error: str | None,
) -> None:
    before = query(sandbox, kind, item.id)
    assert before == record(id=item.id, name=item.name, status=1, error=None, **more)
    sandbox.judge("topthink", kind, item.id, approved, reason)
    expected = record(id=item.id, name=item.name, status=status, error=error, update_time=NOW, **more)
    assert query(sandbox, kind, item.id) == expected
    assert site.all() == []
    assert sandbox.flush() == 1
    call = site.next()
    assert list(json.loads(call.body)) == ["action", "sign"]
    assert list(json.loads(call.body)["sign"]) == list(before)
    assert json.loads(call.body) == {"action": kind, "sign": expected}
    assert call.headers["x-thinkphp-event"] == "sms"
    assert sandbox.pushes[-1].kind == kind


@pytest.mark.parametrize(
    ("approved", "reason", "body"),
    [
        (True, "", {"code": "2", "msg": "审核通过", "templateid": "2001"}),
        (False, "含敏感词", {"code": "0", "msg": "含敏感词", "templateid": "2001"}),
        (False, "", {"code": "0", "msg": "审核不通过", "templateid": "2001"}),
    ],
)
def test_ihuyi_pushes_a_verdict(sandbox: Sandbox, site: App, approved: bool, reason: str, body: dict[str, str]) -> None:
    sandbox.judge("ihuyi", "template", "2001", approved, reason)
    assert sandbox.flush() == 1
    assert parse_qsl(site.next().body) == list(body.items())
    assert [(push.vendor, push.kind) for push in sandbox.pushes] == [("ihuyi", "template")]


@pytest.mark.parametrize("vendor", PUSHING)
def test_a_rejected_template_cannot_be_used(sandbox: Sandbox, site: App, vendor: str) -> None:
    remote_id = {"topthink": "234", "veesing": "540", "ihuyi": "2001"}[vendor]
    sandbox.judge(vendor, "template", remote_id, approved=False)
    with pytest.raises(AssertionError):
        send(sandbox, vendor)
    assert sandbox.inbox.all() == ()
    sandbox.judge(vendor, "template", remote_id, approved=True)
    send(sandbox, vendor)


def test_a_rejected_signature_cannot_be_used(sandbox: Sandbox) -> None:
    sandbox.judge("topthink", "sign", "78", approved=False)
    with pytest.raises(AssertionError):
        send(sandbox, "topthink")


@pytest.mark.parametrize(
    ("vendor", "kind", "remote_id"),
    [
        ("unknown", "sign", "78"),
        ("topthink", "sign", "1"),
        ("topthink", "template", "78"),
        ("ihuyi", "sign", "78"),
        ("apispace", "template", "1"),
    ],
)
def test_judging_an_unknown_id_raises_key_error(sandbox: Sandbox, vendor: str, kind: Any, remote_id: str) -> None:
    with pytest.raises(KeyError):
        sandbox.judge(vendor, kind, remote_id, approved=True)


def test_only_three_vendors_push(sandbox: Sandbox, site: App) -> None:
    for vendor in ("apispace", *PUSHING):
        send(sandbox, vendor)
    assert sandbox.flush() == 3
    assert [push.vendor for push in sandbox.pushes] == list(PUSHING)


def test_without_a_webhook_only_the_state_changes(sandbox: Sandbox, app: App) -> None:
    sandbox.travel(None, LATER)
    sandbox.webhooks["veesing"] = f"{app.url}/veesing/"
    remote_id = send(sandbox, "topthink")
    assert query(sandbox, "status", remote_id)["status"] == 0
    assert sandbox.flush() == 0
    assert query(sandbox, "status", remote_id)["status"] == 1
    assert sandbox.pushes == ()
    assert app.all() == []
