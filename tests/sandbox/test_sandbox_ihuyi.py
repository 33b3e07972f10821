from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from sandbox import catalogue
from sandbox.catalogue import CREDENTIALS, IHUYI_CREDITS, SIGNED
from sandbox.faults import Fault
from sandbox.server import Sandbox
from sandbox.submission import segments
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
        ("", "", "73f6e7a36e0fd30ad7eea940ca1896b2"),
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


LOGIN = {"account": ACCOUNT, "password": API_KEY}
SUBMITTED = "您的动态码是【变量1】，【变量2】分钟内有效。"
DIGEST = hashlib.md5(API_KEY.encode(), usedforsecurity=False).hexdigest()
METHODS = {"GetNum": LOGIN, "AddTemplate": LOGIN | {"content": SUBMITTED}}


def call(sandbox: Sandbox, name: str, fields: dict[str, str], method: str = "POST") -> requests.Response:
    address = url(sandbox).partition("?")[0]
    query = {"method": name} | (fields if method == "GET" else {})
    body = fields if method == "POST" else None
    return requests.request(method, address, params=query, data=body, timeout=20)


def answer(sandbox: Sandbox, name: str, fields: dict[str, str], method: str = "POST") -> dict[str, Any]:
    return call(sandbox, name, fields | {"format": "json"}, method).json()  # type: ignore[no-any-return]


def login(shift: float = 0) -> dict[str, str]:
    moment = str(int(time.time() + shift))
    return {"account": ACCOUNT, "password": dynamic_password(ACCOUNT, API_KEY, "", "", moment), "time": moment}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("strings", [False, True])
def test_returns_the_credits_left(sandbox: Sandbox, method: str, strings: bool) -> None:
    sandbox.set_credits("ihuyi", 856)
    sandbox.ihuyi_string_codes = strings
    expected = {"code": "2" if strings else 2, "msg": "查询成功", "num": "856"}
    assert answer(sandbox, "GetNum", LOGIN, method) == expected
    assert answer(sandbox, "GetNum", login(), method) == expected


def test_a_credits_query_has_its_own_password(sandbox: Sandbox) -> None:
    send_password = {name: value for name, value in dynamic({}).items() if name in ("account", "password", "time")}
    queries = [login(-310), login() | {"password": "0" * 32}, send_password]
    assert [answer(sandbox, "GetNum", fields)["code"] for fields in queries] == [40501, 40502, 40502]


@pytest.mark.parametrize("bom", [False, True])
def test_other_methods_have_their_own_root_element(sandbox: Sandbox, bom: bool) -> None:
    sandbox.ihuyi_bom = bom
    sandbox.set_credits("ihuyi", 856)
    contents = [call(sandbox, name, fields).content for name, fields in METHODS.items()]
    assert {content.startswith(b"\xef\xbb\xbf<?xml" if bom else b"<?xml") for content in contents} == {True}
    roots = [ElementTree.fromstring(content) for content in contents]
    assert [root.tag for root in roots] == ["{106.ihuyi.com}GetNumResult", "{106.ihuyi.com}AddTemplateResult"]
    new_id = sandbox.submitted("ihuyi", "template")[-1][0]
    assert [(child.tag[15:], child.text) for root in roots for child in root] == [
        ("code", "2"),
        ("msg", "查询成功"),
        ("num", "856"),
        ("code", "2"),
        ("msg", "添加成功"),
        ("templateid", new_id),
    ]


@pytest.mark.parametrize(
    ("name", "changes", "expected", "empty_result"),
    [
        ("GetNum", {"account": ""}, 401, {"num": "0"}),
        ("GetNum", {"password": ""}, 402, {"num": "0"}),
        ("GetNum", {"account": "other"}, 405, {"num": "0"}),
        ("GetNum", {"password": "other"}, 405, {"num": "0"}),
        ("GetNum", {"password": DIGEST}, 405, {"num": "0"}),
        ("GetNum", {"time": "1451544941", "password": "0" * 32}, 40501, {"num": "0"}),
        ("GetNum", {"mobile": PHONE}, 0, {"num": "0"}),
        ("AddTemplate", {"account": ""}, 401, {"templateid": 0}),
        ("AddTemplate", {"password": ""}, 402, {"templateid": 0}),
        ("AddTemplate", {"content": ""}, 404, {"templateid": 0}),
        ("AddTemplate", {"account": "other"}, 405, {"templateid": 0}),
        ("AddTemplate", {"password": "other"}, 405, {"templateid": 0}),
        ("AddTemplate", {"password": DIGEST.upper()}, 405, {"templateid": 0}),
        ("AddTemplate", {"content": "恭喜中奖，验证码【变量】。"}, 407, {"templateid": 0}),
        ("AddTemplate", {"content": f"{SIGNED}{SUBMITTED}"}, 0, {"templateid": 0}),
        ("AddTemplate", {"content": "验证码【变量。"}, 0, {"templateid": 0}),
        ("AddTemplate", {"time": "1451544941"}, 0, {"templateid": 0}),
        ("AddTemplate", {"templateid": "1"}, 0, {"templateid": 0}),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_methods_refuse_by_code(
    sandbox: Sandbox, method: str, name: str, changes: dict[str, str], expected: int, empty_result: dict[str, object]
) -> None:
    before = sandbox.submitted("ihuyi", "template")
    given = answer(sandbox, name, METHODS[name] | changes, method)
    assert given.pop("msg")
    assert given == {"code": expected} | empty_result
    assert sandbox.submitted("ihuyi", "template") == before


@pytest.mark.parametrize("name", METHODS)
def test_other_methods_refuse_repeated_and_misplaced_fields(sandbox: Sandbox, name: str) -> None:
    address, fields = url(sandbox).partition("?")[0], METHODS[name] | {"format": "json"}
    doubled = [*fields.items(), ("account", ACCOUNT)]
    wrong = [
        requests.post(f"{address}?method={name}", doubled, timeout=5),
        requests.get(address, [("method", name), *doubled], timeout=5),
        requests.post(f"{address}?method={name}&account={ACCOUNT}", fields, timeout=5),
        requests.get(address, {"method": name}, data=fields, timeout=5),
        requests.post(f"{address}?method={name.lower()}", fields, timeout=5),
    ]
    assert all("提交失败".encode() in response.content for response in wrong)
    assert requests.put(f"{address}?method={name}", fields, timeout=5).status_code == 501
    assert len(sandbox.submitted("ihuyi", "template")) == len(catalogue.IHUYI_TEMPLATES)


@pytest.mark.parametrize("name", METHODS)
def test_faults_have_the_format_of_the_method(sandbox: Sandbox, name: str) -> None:
    sandbox.misbehave("ihuyi", Fault.refuse(4050), times=1)
    assert ElementTree.fromstring(call(sandbox, name, METHODS[name]).content).tag.endswith(f"}}{name}Result")


@pytest.mark.parametrize("password", [API_KEY, DIGEST])
def test_a_submitted_template_can_be_used_after_its_approval(sandbox: Sandbox, password: str) -> None:
    given = answer(sandbox, "AddTemplate", LOGIN | {"password": password, "content": SUBMITTED})
    new_id = str(given["templateid"])
    assert given == {"code": 2, "msg": "添加成功", "templateid": int(new_id)}
    assert sandbox.submitted("ihuyi", "template")[-1] == (new_id, SUBMITTED, 0)
    values = FIELDS | {"content": "1234|5", "templateid": new_id}
    full = FIELDS | {"content": "您的动态码是1234，5分钟内有效。"}
    assert [code(sandbox, values), code(sandbox, full)] == [4072, 4072]
    sandbox.judge("ihuyi", "template", new_id, approved=True)
    assert [code(sandbox, values), code(sandbox, full)] == [2, 2]
    assert [sms.text for sms in sandbox.inbox.all()] == [f"{SIGNED}您的动态码是1234，5分钟内有效。"] * 2
    sandbox.reset()
    assert [row[0] for row in sandbox.submitted("ihuyi", "template")] == [item.id for item in catalogue.IHUYI_TEMPLATES]
    assert answer(sandbox, "AddTemplate", METHODS["AddTemplate"])["templateid"] > int(new_id)


def test_concurrent_submissions_have_different_ids(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: answer(sandbox, "AddTemplate", METHODS["AddTemplate"]), range(40)))
    ids = {str(given["templateid"]) for given in answers}
    assert len(ids) == 40
    assert {row[0] for row in sandbox.submitted("ihuyi", "template") if row[1] == SUBMITTED} == ids


@pytest.mark.parametrize(
    ("length", "count"),
    [(69, 1), (70, 1), (71, 2), (133, 2), (134, 2), (135, 3), (200, 3), (201, 3), (202, 4), (268, 4), (269, 5)],
)
def test_long_texts_are_billed_in_segments(length: int, count: int) -> None:
    assert segments("字" * length) == count


def test_a_send_costs_one_credit_per_segment(sandbox: Sandbox) -> None:
    text = "【变量】" + "字" * (70 - len(SIGNED) - 1)
    submitted = str(answer(sandbox, "AddTemplate", LOGIN | {"content": text})["templateid"])
    sandbox.judge("ihuyi", "template", submitted, approved=True)
    sandbox.set_credits("ihuyi", 4)
    sends = [FIELDS | {"templateid": submitted, "content": value} for value in ("1", "12", "12", "1", "1")]
    assert [answer(sandbox, "Submit", fields)["code"] for fields in sends] == [2, 2, 4051, 2, 4051]
    assert answer(sandbox, "GetNum", LOGIN)["num"] == "0"
    assert [len(sms.text) for sms in sandbox.inbox.all()] == [70, 71, 70]
    assert answer(sandbox, "Submit", sends[0])["msg"] == "剩余条数不足"
    sandbox.reset()
    assert sandbox.credits("ihuyi") == IHUYI_CREDITS


@pytest.mark.parametrize(("fault", "done"), [(Fault.deliver_then_status(502), 1), (Fault.status(502), 0)])
def test_the_answer_to_a_submission_can_be_lost(sandbox: Sandbox, fault: Fault, done: int) -> None:
    sandbox.misbehave("ihuyi", fault, times=1)
    assert call(sandbox, "AddTemplate", METHODS["AddTemplate"]).status_code == 502
    assert len(sandbox.submitted("ihuyi", "template")) == len(catalogue.IHUYI_TEMPLATES) + done
