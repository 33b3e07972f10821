"""How a vendor's answer is decoded, and how much of an error is shown."""

from __future__ import annotations

import pytest

from django_smsverify.exceptions import GatewayError, GatewayRejected
from django_smsverify.gateways.parsing import excerpt
from django_smsverify.types import Answer
from tests.conftest import PHONE
from tests.folding import folded

from .support import Vendor, at, offline, submitted, verdict

ERROR = "余额不足，请充值"
REFUSALS = {
    "topthink": f'{{"code":1,"message":"{ERROR}"}}',
    "veesing": f'{{"returnStatus":"0","message":"{ERROR}"}}',
    "apispace": f'{{"code":"002","errorMsg":"{ERROR}"}}',
    "ihuyi": f'{{"code":405,"msg":"{ERROR}"}}',
    "ihuyi xml": f'<?xml version="1.0" encoding="gbk"?><SubmitResult><code>405</code><msg>{ERROR}</msg></SubmitResult>',
}


@pytest.mark.slow
@folded(
    "encoding, charset",
    [
        *[(encoding, charset) for encoding in ("utf-8", "utf-8-sig") for charset in ("", "; charset=utf-8")],
        *[("gbk", charset) for charset in ("", "; charset=gbk", ";charset=GB2312", "; Charset = 'GB18030'")],
        ("gbk", "; charset=utf-8"),
    ],
)
@folded("kind", REFUSALS)
def test_an_answer_is_read_in_utf_8_and_in_gbk(kind: str, encoding: str, charset: str) -> None:
    vendor = kind.split()[0]
    with Vendor(REFUSALS[kind].encode(encoding), ("Content-Type", f"application/json{charset}")) as server:
        error = at(vendor, server.url).send(submitted(vendor))[PHONE]

    assert isinstance(error, GatewayRejected)
    assert error.detail == ERROR
    assert error.reason == "account" or vendor == "topthink", "for veesing the reason follows from the text"


@pytest.mark.parametrize("status", [400, 500])
def test_an_http_refusal_may_be_in_gbk_too(status: int) -> None:
    with Vendor(REFUSALS["topthink"].encode("gbk"), status=status) as server:
        assert ERROR in str(at("topthink", server.url).send(submitted("topthink"))[PHONE])


def test_a_declared_gbk_decides_when_the_bytes_fit_both_encodings() -> None:
    both = '{"code":1,"message":"一"}'.encode("gbk")

    assert (Answer(200, both, "text/json; charset=gbk").text[-3], Answer(200, both).text[-3]) == ("一", "һ")


def test_only_a_cut_character_is_replaced() -> None:
    cut = '{"code":1,"message":"余'.encode() + b'\xff"}'

    assert Answer(200, cut).text == '{"code":1,"message":"余\ufffd"}'


PAGE = "<html><body><h1>Grafana</h1>internal-host-7 build 4.2.1</body></html>"


@folded(
    "body, content_type, shown",
    [
        (PAGE, "text/html; charset=utf-8", "text/html"),
        ("<html><body>internal-host-7</body></html>", "application/xml", "application/xml"),
        ("<html xmlns='http://www.w3.org/1999/xhtml'><p>internal-host-7</p></html>", "", "an unknown type"),
        ("<rss><channel><title>internal-host-7</title></channel></rss>", "text/xml", "text/xml"),
        ("<!DOCTYPE a [<!ENTITY b 'internal-host-7'>]><a><c>&b;</c></a>", "text/xml", "text/xml"),
        ("<internal-host-7/>", "text/xml", "text/xml"),
        ("<a><b>internal-host-7</a>", "text/xml", "text/xml"),
        ('"internal-host-7"', "application/json", "application/json"),
        ('["internal-host-7"]', "application/json", "application/json"),
        ('{"internal-host-7"', "application/json", "application/json"),
        ("root:x:0:0:internal-host-7:/root", "internal-host-7", "an unknown type"),
        ("internal-host-7", "text/internal-host-7", "an unknown type"),
        ("internal-host-7", "text/" + "x" * 500, "an unknown type"),
        ("internal-host-7", "<b>internal-host-7</b>/x", "an unknown type"),
        ("{}", "application/json", "application/json"),
        ("", "", "an unknown type"),
    ],
)
@folded("status", [302, 403, 500])
def test_a_page_that_is_not_an_answer_of_the_vendor_is_not_shown(
    body: str, content_type: str, shown: str, status: int
) -> None:
    gateway, _ = offline("topthink", Answer(status, body.encode(), content_type))

    error = gateway.send(submitted("topthink"))[PHONE]

    assert isinstance(error, GatewayError)
    assert str(error) == f"HTTP {status}: {len(body.encode())} bytes of {shown}, not shown"


@pytest.mark.parametrize(
    "body",
    [
        '{"code": 4030, "msg": "IP 1.2.3.4 is not on the list"}',
        '{"error": {"message": "IP 1.2.3.4 is not on the list"}}',
        "<SubmitResult><code>4030</code><msg>IP 1.2.3.4 is not on the list</msg></SubmitResult>",
        '<?xml version="1.0"?>\n<r xmlns="http://106.ihuyi.com/"><msg>IP 1.2.3.4 is not on the list</msg></r>',
    ],
)
def test_the_error_text_of_a_vendor_is_shown(body: str) -> None:
    for status, expected in ((403, "rejected"), (500, "uncertain")):
        gateway, _ = offline("ihuyi", Answer(status, body.encode()))
        error = gateway.send(submitted("ihuyi"))[PHONE]

        assert verdict(error)[0] == expected
        assert "is not on the list" in str(error)


def test_an_excerpt_is_one_line() -> None:
    assert excerpt(Answer(400, b'{\r\n "a":\t"b"\r\n}')) == 'HTTP 400: { "a": "b" }'
