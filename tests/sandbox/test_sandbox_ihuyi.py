from __future__ import annotations

import time
from xml.etree import ElementTree

import pytest
import requests
from sandbox import catalogue
from sandbox.catalogue import CREDENTIALS, SIGNED
from sandbox.server import Sandbox
from sandbox.vendors.ihuyi import dynamic_password

ACCOUNT, API_KEY = CREDENTIALS["ihuyi"]["account"], CREDENTIALS["ihuyi"]["api_key"]
PHONE = "13800138000"
TEXT = "您的验证码是：2546。请不要把验证码泄露给其他人。"
FIELDS = {"account": ACCOUNT, "password": API_KEY, "mobile": PHONE, "content": TEXT}
VECTOR_KEY = "1q784322ba1d9bb88d50cf5cdfd89k7d"


def url(sandbox: Sandbox) -> str:
    return f"{sandbox.base_urls['ihuyi']}/webservice/sms.php?method=Submit"


def dynamic(changes: dict[str, str], shift: float = 0) -> dict[str, str]:
    moment = str(int(time.time() + shift))
    fields = FIELDS | changes
    password = dynamic_password(ACCOUNT, API_KEY, fields["mobile"], fields["content"], moment)
    return fields | {"time": moment, "password": password}


def code(sandbox: Sandbox, fields: dict[str, str]) -> int:
    answer = requests.post(url(sandbox), fields | {"format": "json"}, timeout=5).json()
    assert (answer["code"] == 2) == (answer["smsid"] != 0) == bool(sandbox.inbox.all())
    return int(answer["code"])


@pytest.mark.parametrize(
    ("mobile", "content", "password"),
    [
        ("138xxxxxxxx", TEXT, "3f19bada7461877eecfba089147a3773"),
        (PHONE, TEXT, "34fbd71aa722b22200eb984adfe01fba"),
        (PHONE, TEXT.replace("：", ":"), "89fe41f3fe581d256794c5d609f9c058"),
        (PHONE, "2546", "c61dcf7e1ef1a25bb9dc7b59b8014163"),
    ],
)
def test_dynamic_password_vectors(mobile: str, content: str, password: str) -> None:
    assert dynamic_password("test", VECTOR_KEY, mobile, content, "1451544941") == password


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("bom", [False, True])
def test_answers_in_xml(sandbox: Sandbox, method: str, bom: bool) -> None:
    sandbox.ihuyi_bom = bom
    where = "params" if method == "GET" else "data"
    response = requests.request(method, url(sandbox), **{where: FIELDS}, timeout=5)  # type: ignore[arg-type]
    assert response.content.startswith(b"\xef\xbb\xbf<?xml" if bom else b"<?xml")
    root = ElementTree.fromstring(response.content)
    assert root.tag == "{106.ihuyi.com}SubmitResult"
    (sms,) = sandbox.inbox.of(PHONE)
    assert [child.text for child in root] == ["2", "提交成功", sms.remote_id]
    assert len(sms.remote_id) == 20
    assert sms.text == SIGNED + TEXT


def test_refuses_in_xml_with_the_id_0(sandbox: Sandbox) -> None:
    root = ElementTree.fromstring(requests.post(url(sandbox), {}, timeout=5).content)
    assert [child.text for child in root] == ["401", "帐号不能为空", "0"]


@pytest.mark.parametrize("strings", [False, True])
@pytest.mark.parametrize("place", ["query", "body"])
def test_answers_in_json(sandbox: Sandbox, strings: bool, place: str) -> None:
    sandbox.ihuyi_string_codes = strings
    if place == "query":
        answer = requests.post(f"{url(sandbox)}&format=json", FIELDS, timeout=5).json()
    else:
        answer = requests.post(url(sandbox), FIELDS | {"format": "json"}, timeout=5).json()
    remote_id = sandbox.inbox.all()[0].remote_id
    assert answer == {"code": "2" if strings else 2, "msg": "提交成功", "smsid": remote_id}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"content": "您的验证码是123456，5分钟内有效。"}, "您的验证码是123456，5分钟内有效。"),
        ({"content": catalogue.IHUYI_PLAIN.text}, catalogue.IHUYI_PLAIN.text),
        ({"content": "1234", "templateid": "1"}, "您的验证码是：1234。请不要把验证码泄露给其他人。"),
        (
            {"content": "1234|5", "templateid": catalogue.IHUYI_CODE.id},
            "您的验证码是1234，5分钟内有效。",
        ),
        (
            {"content": "李雷", "templateid": catalogue.IHUYI_NOTICE.id},
            "李雷，您的订单已发货，请注意查收。",
        ),
    ],
)
def test_delivers_full_texts_and_template_values(sandbox: Sandbox, changes: dict[str, str], text: str) -> None:
    assert code(sandbox, dynamic(changes)) == 2
    assert sandbox.inbox.all()[0].text == SIGNED + text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"account": ""}, 401),
        ({"password": ""}, 402),
        ({"mobile": ""}, 403),
        ({"content": ""}, 404),
        ({"account": "other"}, 405),
        ({"password": "other"}, 405),
        ({"mobile": "+8613800138000"}, 406),
        ({"content": TEXT.replace("：", ":")}, 4072),
        ({"content": f"{TEXT} "}, 4072),
        ({"content": "动态码1234，请勿转发。"}, 4072),
        ({"content": "1234|5", "templateid": "1"}, 4072),
        ({"content": "1234|", "templateid": catalogue.IHUYI_CODE.id}, 4072),
        ({"content": "1234", "templateid": catalogue.IHUYI_UNAPPROVED.id}, 4072),
        ({"content": "1234", "templateid": "999"}, 4072),
        ({"content": SIGNED + TEXT}, 4070),
        ({"content": "长" * 301}, 4073),
        ({"content": f"{TEXT}\U0001f600"}, 4074),
        ({"sign": "别的站"}, 4075),
        ({"unknown": "field"}, 0),
    ],
)
def test_refuses_by_code(sandbox: Sandbox, changes: dict[str, str], expected: int) -> None:
    assert code(sandbox, FIELDS | changes) == expected


@pytest.mark.parametrize(
    ("shift", "changes", "expected"),
    [
        (-240, {}, 2),
        (240, {}, 2),
        (-310, {}, 40501),
        (360, {}, 40501),
        (0, {"time": "later"}, 40501),
        (0, {"content": TEXT.replace("2546", "2547")}, 40502),
        (0, {"mobile": "13800138001"}, 40502),
        (0, {"password": "609fc5fa89dd536c6e830b07991fa285"}, 40502),
    ],
)
def test_checks_the_dynamic_password(sandbox: Sandbox, shift: float, changes: dict[str, str], expected: int) -> None:
    assert code(sandbox, dynamic({}, shift) | changes) == expected


def test_dynamic_password_needs_its_time(sandbox: Sandbox) -> None:
    fields = dynamic({})
    del fields["time"]
    assert code(sandbox, fields) == 405


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("method=Other", FIELDS),
        ("", FIELDS | {"method": "Submit"}),
        ("method=Submit&account=x", FIELDS),
        ("method=Submit&format=json", FIELDS | {"format": "json"}),
        ("method=Submit", FIELDS | {"format": "yaml"}),
    ],
)
def test_refuses_misplaced_fields(sandbox: Sandbox, query: str, body: dict[str, str]) -> None:
    path = url(sandbox).partition("?")[0]
    assert b"code" in requests.post(f"{path}?{query}", body, timeout=5).content
    assert sandbox.inbox.all() == ()
