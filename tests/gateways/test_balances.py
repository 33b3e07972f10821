"""The balance of an account: how vendors are queried, and how their answers are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from django_smsverify.exceptions import GatewayError, GatewayRejected, GatewayUncertain
from django_smsverify.gateways.ihuyi import IhuyiGateway
from django_smsverify.gateways.parsing import amount, amount_if_any
from django_smsverify.testing import FakeTransport
from django_smsverify.types import Acceptance, Account, OutgoingSMS
from tests.acme_sms import AcmeGateway
from tests.folding import folded

from .support import ACCEPTED, GATEWAYS, body_of, offline, submitted

BALANCES = {
    "veesing": '{"returnStatus":"1 ","message":"成功","remainPoint":"241","taskId":null,"successCounts":null}',
    "ihuyi": (
        '<?xml version="1.0" encoding="utf-8"?>\n<GetNumResult xmlns="106.ihuyi.com">\n'
        "<code>2</code>\n<msg>查询成功</msg>\n<num>856</num>\n</GetNumResult>"
    ),
    "tencent": (
        '{"Response":{"SmsPackagesStatisticsSet":[{"PackageAmount":1000,"CurrentUsage":59,"PackageId":1,'
        '"PackageEffectiveTime":1716170400,"PackageExpiredTime":4102444800}],"RequestId":"a0aabda6"}}'
    ),
    "twilio": '{"account_sid":"AC00000000000000000000000000000000","balance":"9.97","currency":"USD"}',
}
PACKAGE = {"CurrentUsage": 0, "PackageEffectiveTime": 1716170400, "PackageExpiredTime": 4102444800}
READABLE = {
    "0": "0",
    "241": "241",
    " 241 ": "241",
    "0.5": "0.5",
    "-12.3456": "-12.3456",
    "9999999999.9999": "9999999999.9999",
}
UNREADABLE = [
    "",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e3",
    "1E+2",
    "+5",
    "--5",
    "5.",
    ".5",
    "1,000",
    "0x10",
    "241条",
    "２４１",
    "٢٤١",
    "12345678901",
    "1.23456",
    "true",
    "null",
    "24 1",
    "1_000",
]


def test_only_vendors_that_document_a_balance_query_have_one() -> None:
    assert {name for name, kind in GATEWAYS.items() if kind.answers_balance} == BALANCES.keys()


@pytest.mark.parametrize("vendor", GATEWAYS)
def test_a_balance_is_counted_in_sms_unless_the_vendor_tells_money(vendor: str) -> None:
    money = {"twilio": "in the account's currency"}
    assert str(GATEWAYS[vendor].balance_unit) == money.get(vendor, "SMS credits")


def test_10658_is_queried_by_a_form() -> None:
    gateway, requests = offline("veesing", BALANCES["veesing"].encode())

    assert gateway.ask_balance() == 241

    (request,) = requests
    assert (request.method, request.url) == ("POST", "https://cloud.10658.com.cn/smsApi/verifyCode/getBalance")
    assert body_of(request) == "appId=SECRET-app_id&appKey=SECRET-app_key"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded;charset=utf-8"


def test_10658_is_queried_as_in_its_sample_when_configured() -> None:
    gateway, requests = offline("veesing", BALANCES["veesing"].encode(), balance_auth="query")

    assert gateway.ask_balance() == 241

    (request,) = requests
    address = "https://cloud.10658.com.cn/smsApi/verifyCode/getBalance?appId=SECRET-app_id&appKey=SECRET-app_key"
    assert (request.method, request.url, request.body) == ("POST", address, None)


@time_machine.travel(datetime.fromtimestamp(1451544941, UTC), tick=False)
@pytest.mark.parametrize(
    ("options", "secret"),
    [
        ({}, "password=73f6e7a36e0fd30ad7eea940ca1896b2&time=1451544941&format=json"),
        ({"format": "xml"}, "password=73f6e7a36e0fd30ad7eea940ca1896b2&time=1451544941&format=xml"),
        ({"password": "plain"}, "password=1q784322ba1d9bb88d50cf5cdfd89k7d&format=json"),
    ],
)
def test_ihuyi_is_queried_with_a_password_of_account_and_time(options: dict[str, str], secret: str) -> None:
    credentials = {"account": "test", "api_key": "1q784322ba1d9bb88d50cf5cdfd89k7d"}
    transport = FakeTransport(BALANCES["ihuyi"].encode())
    account = Account(base_url="https://106.ihuyi.com", credentials=credentials, options=options)

    assert IhuyiGateway(account, transport).ask_balance() == 856

    (request,) = transport.requests
    assert (request.method, request.url) == ("POST", "https://106.ihuyi.com/webservice/sms.php?method=GetNum")
    assert body_of(request) == f"account=test&{secret}"


@pytest.mark.parametrize(
    "answer",
    [
        '{"code":2,"msg":"查询成功","num":"856"}',
        '{"code":"2 ","msg":"查询成功","num":856}',
        "\ufeff" + BALANCES["ihuyi"],
        BALANCES["ihuyi"].replace("106.ihuyi.com", "http://106.ihuyi.com/"),
    ],
)
def test_ihuyis_answer_is_read_in_each_format(answer: str) -> None:
    assert offline("ihuyi", answer.encode())[0].ask_balance() == 856


REFUSALS = [
    ("veesing", '{"returnStatus":"0","message":"账号或密码错误","remainPoint":null}', "account", "账号或密码错误"),
    ("veesing", '{"returnStatus":"0","message":"IP受限","remainPoint":"241"}', "account", "IP受限"),
    ("veesing", '{"returnStatus":0,"message":"未知原因，请联系客服"}', "other", "未知原因，请联系客服"),
    ("ihuyi", '{"code":405,"msg":"用户名或密码不正确","num":"0"}', "account", "用户名或密码不正确"),
    ("tencent", '{"Response":{"Error":{"Code":"AuthFailure","Message":"no"},"RequestId":"1"}}', "account", "no"),
    ("ihuyi", BALANCES["ihuyi"].replace("<code>2", "<code>4050"), "account", "查询成功"),
]


@pytest.mark.parametrize(("vendor", "answer", "reason", "message"), REFUSALS)
def test_a_refusal_gives_no_balance_even_with_an_amount(vendor: str, answer: str, reason: str, message: str) -> None:
    with pytest.raises(GatewayRejected, match=message) as caught:
        offline(vendor, answer.encode())[0].ask_balance()

    assert caught.value.reason == reason


@folded("vendor", BALANCES)
@folded("body", ["", "<html></html>", "[]", "{}", "null", "<!DOCTYPE x><a/>", '{"returnStatus":"1"}'])
def test_an_answer_without_a_balance_is_uncertain(vendor: str, body: str) -> None:
    with pytest.raises(GatewayUncertain):
        offline(vendor, body.encode())[0].ask_balance()


@folded(
    "vendor, written",
    # Twilio's prices have five decimals; of its balance four are read.
    [(vendor, written) for vendor in BALANCES for written in UNREADABLE if (vendor, written) != ("twilio", "1.23456")],
)
def test_an_invalid_amount_is_uncertain(vendor: str, written: str) -> None:
    answers = {
        "veesing": {"returnStatus": "1 ", "remainPoint": written},
        "ihuyi": {"code": 2, "num": written},
        "tencent": {"Response": {"SmsPackagesStatisticsSet": [{**PACKAGE, "PackageAmount": written}]}},
        "twilio": {"balance": written},
    }

    with pytest.raises(GatewayUncertain):
        offline(vendor, json.dumps(answers[vendor]).encode())[0].ask_balance()


@pytest.mark.parametrize(("written", "read"), READABLE.items())
def test_an_amount_is_read_exactly(written: str, read: str) -> None:
    assert amount(written) == amount_if_any(written) == Decimal(read)


@folded("written", [*UNREADABLE, None, True, [], {}, float("nan"), Decimal("1E+3"), Decimal("NaN")])
def test_an_invalid_amount_is_none_or_an_error(written: object) -> None:
    assert amount_if_any(written) is None
    with pytest.raises(ValueError, match="no amount"):
        amount(written)


def accepted(vendor: str, answer: str) -> Acceptance:
    (outcome,) = offline(vendor, answer.encode())[0].send(submitted(vendor)).values()
    assert isinstance(outcome, Acceptance)
    return outcome


def test_an_acceptance_of_10658_has_the_balance() -> None:
    assert accepted("veesing", ACCEPTED["veesing"]) == Acceptance(remote_id="3313746", balance=Decimal(241))


@folded("written", [*(json.dumps(value) for value in UNREADABLE), "null", "{}", "[]", "true", "NaN"])
def test_an_unreadable_balance_does_not_affect_the_acceptance(written: str) -> None:
    answer = f'{{"returnStatus":"1 ","remainPoint":{written},"taskId":"3313746"}}'

    assert accepted("veesing", answer) == Acceptance(remote_id="3313746")


class SloppyGateway(AcmeGateway):
    """Returns a balance without a check."""

    def parse_send(self, answer: object, sms: OutgoingSMS) -> dict[str, Acceptance]:
        return dict.fromkeys(sms.recipients, Acceptance(remote_id="42", balance=Decimal("NaN")))


def test_an_invalid_balance_of_a_third_party_gateway_is_dropped() -> None:
    account = Account(base_url="https://sms.acme.example", credentials={"key": "k"})

    (outcome,) = SloppyGateway(account, FakeTransport(b"{}")).send(submitted("topthink")).values()

    assert outcome == Acceptance(remote_id="42")


@pytest.mark.parametrize("balance", ["-153278040", "5", '"12"'])
def test_the_balance_in_qixuntongs_answer_is_not_read(balance: str) -> None:
    answer = ACCEPTED["qixuntong"].replace("-153278040", balance)

    assert accepted("qixuntong", answer) == Acceptance(remote_id="5BCFD88382720003")


@pytest.mark.parametrize("vendor", BALANCES)
def test_the_error_shows_no_key(vendor: str) -> None:
    gateway, _ = offline(vendor, b'{"code":405,"returnStatus":0,"message":"SECRET-app_key","msg":"SECRET-api_key"}')

    with pytest.raises(GatewayError) as caught:
        gateway.ask_balance()

    assert "SECRET" not in str(caught.value)
