from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote

import pytest
import time_machine

from django_smsverify.gateways.ihuyi import IhuyiGateway
from django_smsverify.testing import GatewayContract
from django_smsverify.types import OutgoingSMS
from tests.folding import folded

from .calls import pushes_of
from .support import ACCEPTED, HONG_KONG, Harness, body_of, sms, verdict

URL = "https://106.ihuyi.com/webservice/sms.php?method=Submit"
NOW = 1451544941
API_KEY = "1q784322ba1d9bb88d50cf5cdfd89k7d"
CONTENT = "您的验证码是：{code}。请不要把验证码泄露给其他人。"
TEXT = "您的验证码是：2546。请不要把验证码泄露给其他人。"
PASSWORD = "34fbd71aa722b22200eb984adfe01fba"
SMS = OutgoingSMS(
    content=CONTENT, signature="互亿无线", template_id="1", recipients={"+8613800138000": {"code": "2546"}}
)
HARNESS = Harness(kind=IhuyiGateway, credentials={"account": "test", "api_key": API_KEY}, sms=SMS)

XML = (
    '<?xml version="1.0" encoding="utf-8"?>\n<SubmitResult{}>\n'
    "<code>{}</code>\n<msg>{}</msg>\n<smsid>{}</smsid>\n</SubmitResult>"
)
PREFIXED = '<r:SubmitResult xmlns:r="106.ihuyi.com"><r:code>2</r:code><r:smsid>{}</r:smsid></r:SubmitResult>'
NAMESPACES = ['xmlns="106.ihuyi.com"', 'xmlns="http://106.ihuyi.com/"', ""]


class TestContract(GatewayContract):
    gateway_class = IhuyiGateway
    accepted = ACCEPTED["ihuyi"].encode()
    refused = '{"code":405,"msg":"用户名或密码不正确","smsid":0}'.encode()
    pushed = pushes_of("ihuyi")


class TestContractByTemplateInXML(TestContract):
    accepted = XML.format(' xmlns="106.ihuyi.com"', 2, "提交成功", "14745625541233112231").encode()
    refused = XML.format(' xmlns="106.ihuyi.com"', 405, "用户名或密码不正确", 0).encode()
    options = {"mode": "template", "format": "xml", "password": "plain"}


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with time_machine.travel(datetime.fromtimestamp(NOW, UTC), tick=False):
        yield


def fields(request_body: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(request_body, keep_blank_values=True).items()}


def test_by_default_the_full_text_is_sent_with_a_dynamic_password() -> None:
    request = HARNESS.request()

    body = (
        f"account=test&password={PASSWORD}&mobile=13800138000&content=%E6%82%A8%E7%9A%84%E9%AA%8C%E8%AF%81%E7%A0%81"
        "%E6%98%AF%EF%BC%9A2546%E3%80%82%E8%AF%B7%E4%B8%8D%E8%A6%81%E6%8A%8A%E9%AA%8C%E8%AF%81%E7%A0%81%E6%B3%84"
        "%E9%9C%B2%E7%BB%99%E5%85%B6%E4%BB%96%E4%BA%BA%E3%80%82&time=1451544941&format=json"
    )
    assert (request.method, request.url) == ("POST", URL)
    assert body_of(request) == body
    assert dict(request.headers) == {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    }


def test_the_plain_password_is_the_key_and_has_no_time() -> None:
    request = HARNESS.request(password="plain", format="xml")

    assert request.url == URL
    assert body_of(request) == (f"account=test&password={API_KEY}&mobile=13800138000&content={quote(TEXT)}&format=xml")


def test_template_mode_signs_and_sends_only_the_values() -> None:
    request = HARNESS.request(mode="template")

    assert body_of(request) == (
        "account=test&password=c61dcf7e1ef1a25bb9dc7b59b8014163&mobile=13800138000&content=2546"
        "&time=1451544941&templateid=1&format=json"
    )


@pytest.mark.parametrize(
    ("phone", "content", "password"),
    [
        ("+86138xxxxxxxx", CONTENT, "3f19bada7461877eecfba089147a3773"),
        ("+8613800138000", CONTENT, PASSWORD),
        ("+8613800138000", CONTENT.replace("：", ":"), "89fe41f3fe581d256794c5d609f9c058"),
    ],
    ids=["official example", "digits", "ASCII colon"],
)
def test_the_dynamic_password_is_the_expected_one(phone: str, content: str, password: str) -> None:
    assert fields(body_of(HARNESS.request(sms(content, phone, code="2546"))))["password"] == password


def test_the_dynamic_password_hashes_utf_8_and_not_gbk() -> None:
    signed = f"test{API_KEY}13800138000{TEXT}{NOW}"
    assert hashlib.md5(signed.encode("gbk")).hexdigest() == "609fc5fa89dd536c6e830b07991fa285"

    assert fields(body_of(HARNESS.request()))["password"] == hashlib.md5(signed.encode()).hexdigest() == PASSWORD


def test_each_request_has_a_password_for_its_own_second() -> None:
    with time_machine.travel(datetime.fromtimestamp(NOW + 1.9, UTC), tick=False):
        later = fields(body_of(HARNESS.request()))

    assert later["time"] == "1451544942"
    assert later["password"] == hashlib.md5(f"test{API_KEY}13800138000{TEXT}1451544942".encode()).hexdigest()


def test_several_values_are_joined_by_bars() -> None:
    text = sms("{order}{name}{phone}{sum}", order="20180515006", name="张三", phone="136xxxxxxxx", sum="100元")

    sent = fields(body_of(HARNESS.request(text, mode="template")))
    assert (sent["templateid"], sent["content"]) == ("234", "20180515006|张三|136xxxxxxxx|100元")


def test_the_vendor_adds_the_signature() -> None:
    assert fields(body_of(HARNESS.request()))["content"] == TEXT


def test_a_value_with_a_bar_is_refused_unsent_in_template_mode() -> None:
    assert HARNESS.refused_unsent(sms("{name}", name="a|b"), mode="template") == ("rejected", "content", "value")


def test_a_value_with_a_bar_is_allowed_in_a_full_text() -> None:
    assert fields(body_of(HARNESS.request(sms("{name}。", name="a|b"))))["content"] == "a|b。"


@pytest.mark.parametrize("mode", ["content", "template"])
def test_a_number_outside_the_mainland_is_refused_unsent(mode: str) -> None:
    refusal = HARNESS.refused_unsent(sms("{code}", HONG_KONG, code="1234"), mode=mode)

    assert refusal == ("rejected", "other", "not-mainland")


@folded("requested", ["json", "xml"])
@folded(
    "answer",
    [
        '{"code":2,"msg":"提交成功","smsid":"16565055561380468726"}',
        '{"code":"2","msg":"提交成功","smsid":16565055561380468726}',
        ' {"code":"2 ","smsid":"16565055561380468726 "}',
        *(XML.format(f" {name}".rstrip(), 2, "提交成功", "16565055561380468726") for name in NAMESPACES),
        XML.format("", " 2\n", "", " 16565055561380468726 ").partition("?>")[2],
        PREFIXED.format("16565055561380468726"),
    ],
    ids=["int", "string", "spaces", "namespace", "namespace URL", "no namespace", "no declaration", "prefix"],
)
@folded("mark", ["", "\ufeff"], ids=["", "BOM"])
def test_code_2_is_accepted_in_any_format(answer: str, requested: str, mark: str) -> None:
    assert verdict(HARNESS.outcome(mark + answer, format=requested)) == ("accepted", "16565055561380468726")


def test_an_acceptance_needs_no_id() -> None:
    assert verdict(HARNESS.outcome('{"code":2,"msg":"提交成功"}')) == ("accepted", "")


@folded(
    "code, reason",
    [
        ("0", "other"),
        ("400", "account"),
        ("401", "account"),
        ("402", "account"),
        ("403", "other"),
        ("4030", "recipient"),
        ("404", "content"),
        ("405", "account"),
        ("4050", "account"),
        ("40501", "account"),
        ("40502", "account"),
        ("4051", "account"),
        ("4052", "account"),
        ("406", "recipient"),
        ("407", "content"),
        ("4070", "content"),
        ("4071", "content"),
        ("4072", "content"),
        ("40722", "content"),
        ("4073", "content"),
        ("4074", "content"),
        ("4075", "content"),
        ("408", "rate"),
        ("4080", "frequency"),
        ("4082", "frequency"),
        ("4085", "frequency"),
        ("4053", "account"),
        ("40505", "account"),
        ("1", "other"),
        ("22", "other"),
        ("99999", "other"),
    ],
)
@folded(
    "shape",
    [
        '{{"code":{},"msg":"提交失败","smsid":0}}',
        '{{"code":"{}","msg":"提交失败","smsid":"0"}}',
        XML.format(' xmlns="106.ihuyi.com"', "{}", "提交失败", 0),
    ],
    ids=["int", "string", "xml"],
)
def test_every_other_code_is_a_refusal_with_the_vendors_message(shape: str, code: str, reason: str) -> None:
    outcome = HARNESS.outcome(shape.format(code))

    assert verdict(outcome) == ("rejected", reason, code)
    assert str(outcome) == "提交失败"


@pytest.mark.parametrize(
    "answer",
    [
        '{"msg":"提交成功","smsid":"16565055561380468726"}',
        '{"code":null,"msg":"提交成功"}',
        '{"SubmitResult":{"code":2}}',
        "<SubmitResult><msg>2</msg></SubmitResult>",
        "<SubmitResult><code/></SubmitResult>",
        "<SubmitResult><code>2</code>",
        "<html><head><title>200</title></head><body>2</body></html>",
        '<!DOCTYPE r [<!ENTITY two "2">]><r><code>&two;</code></r>',
        "2",
    ],
    ids=["no code", "null", "wrapped", "XML without code", "XML with empty code", "cut", "HTML", "DOCTYPE", "bare"],
)
def test_an_answer_without_a_readable_code_is_uncertain(answer: str) -> None:
    assert verdict(HARNESS.outcome(answer)) == ("uncertain",)
