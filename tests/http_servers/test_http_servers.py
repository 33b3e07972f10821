"""The main endpoints and unusual bodies, under each server that a Django site may run on."""

from __future__ import annotations

import gzip
import http.client
import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from sandbox.server import Sandbox

from tests.conftest import code_in, refusal, wrong

from .processes import Running

pytestmark = pytest.mark.xdist_group("http_servers")

PURPOSE = "login-ihuyi"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
CHUNKED = {"Transfer-Encoding": "chunked"}


def address(phone: str) -> str:
    """A client's address that no other test uses."""
    return f"10.{int(phone) >> 16 & 255}.{int(phone) >> 8 & 255}.{int(phone) & 255}"


def send(server: Running, phone: str, client: str = "", purpose: str = PURPOSE) -> requests.Response:
    body = {"phone": phone, "purpose": purpose}
    return server.post("/sms/send/", body, X_Forwarded_For=client or address(phone))


def pieces(body: bytes, size: int = 20) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def send_body(phone: str) -> bytes:
    return json.dumps({"phone": phone, "purpose": PURPOSE}).encode()


def report(phone: str) -> bytes:
    """A delivery report as VeeSing pushes it; its id is unique like the number."""
    return urlencode({"mobile": phone, "taskid": phone, "status": "1", "receivetime": "2019-07-23 17:00:00"}).encode()


def reports(server: Running, phone: str) -> int:
    return server.site.count("deliveryreport", remote_id=phone)


def status_of(answer: bytes) -> int:
    """The status of the first final answer; 0 when there is none."""
    found = re.findall(rb"^HTTP/1\.[01] ([2-5]\d\d)", answer, re.MULTILINE)
    return int(found[0]) if found else 0


# --------------------------------------------------------------------------------------------- the main endpoints


def test_a_code_is_sent_verified_and_redeemed_once(server: Running, phone: str, sandbox: Sandbox) -> None:
    sent = send(server, phone)
    assert sent.status_code == 202
    verification_id = sent.json()["verification_id"]
    code = code_in(sandbox.inbox.of(phone)[0].text)

    missed = server.post("/sms/verify/", {"verification_id": verification_id, "code": wrong(code)})
    verified = server.post("/sms/verify/", {"verification_id": verification_id, "code": code})
    again = server.post("/sms/verify/", {"verification_id": verification_id, "code": code})
    redeemed = [server.post("/login/", {"proof": verified.json()["proof"]}) for _ in range(2)]

    assert refusal(missed) == (400, "wrong_code")
    assert verified.status_code == 200
    assert refusal(again) == (400, "already_used")
    assert [(answer.status_code, answer.json()) for answer in redeemed] == [
        (200, {"phone": f"+86{phone}"}),
        (400, {"code": "proof_rejected"}),
    ]
    assert server.call("GET", f"/sms/send/{verification_id}/").json()["status"] in ("accepted", "delivered")


def test_a_code_is_sent_again(server: Running, phone: str, sandbox: Sandbox) -> None:
    verification_id = send(server, phone).json()["verification_id"]

    again = server.post("/sms/send/", {"verification_id": verification_id}, X_Forwarded_For=address(phone))

    assert (again.status_code, again.json()["verification_id"]) == (202, verification_id)
    first, second = (code_in(sms.text) for sms in sandbox.inbox.of(phone))
    assert first == second
    assert server.post("/sms/verify/", {"verification_id": verification_id, "code": second}).status_code == 200


def test_the_sandbox_reports_to_the_webhook(server: Running, phone: str, sandbox: Sandbox) -> None:
    sandbox.webhooks["veesing"] = server.url + server.webhook("veesing")
    try:
        verification_id = send(server, phone, purpose="login-veesing").json()["verification_id"]
        sandbox.flush()
        assert sandbox.wait_until_idle()
    finally:
        del sandbox.webhooks["veesing"]

    assert [pushed.status for pushed in sandbox.pushes if pushed.vendor == "veesing"][-1:] == [200]
    assert server.call("GET", f"/sms/send/{verification_id}/").json()["status"] == "delivered"


def test_the_address_is_taken_from_the_proxy(server: Running, phone: str) -> None:
    own = address(phone)
    others = [f"{own}, 192.0.2.{place}, {address(str(int(phone) + 2**16 * place))}" for place in (1, 2)]

    answers = [send(server, phone, f"192.0.2.{place}, {own}") for place in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[3].json()["scope"] == "ip"
    assert [send(server, phone, client).status_code for client in others] == [202, 202]


# ------------------------------------------------------------------------------------- bodies of no length


def test_a_send_in_chunks_is_accepted_or_gets_411(server: Running, phone: str, sandbox: Sandbox) -> None:
    answer = server.call(
        "POST", "/sms/send/", pieces(send_body(phone)), Content_Type=JSON, X_Forwarded_For=address(phone)
    )

    if server.supports_chunks:
        assert answer.status_code == 202
    else:
        assert refusal(answer) == (411, "length_required")
        assert "Content-Length" in answer.json()["detail"]
    assert len(sandbox.inbox.of(phone)) == server.supports_chunks


def test_a_guess_in_chunks_is_checked_or_not_counted(server: Running, phone: str, sandbox: Sandbox) -> None:
    verification_id = send(server, phone).json()["verification_id"]
    guess = {"verification_id": verification_id, "code": code_in(sandbox.inbox.of(phone)[0].text)}

    answer = server.call("POST", "/sms/verify/", pieces(json.dumps(guess).encode()), Content_Type=JSON)

    assert answer.status_code == (200 if server.supports_chunks else 411)
    assert server.post("/sms/verify/", guess).status_code == (400 if server.supports_chunks else 200)


def test_a_push_in_chunks_is_stored_or_gets_411(server: Running, phone: str) -> None:
    answer = server.call("POST", server.webhook("veesing"), pieces(report(phone)), Content_Type=FORM)

    assert answer.status_code == (200 if server.supports_chunks else 411)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (answer.text == "success") == server.supports_chunks
    assert reports(server, phone) == server.supports_chunks


def test_a_body_in_chunks_that_is_too_large_is_refused(server: Running, phone: str, sandbox: Sandbox) -> None:
    padding = b" " * 300 * 1024

    sent = server.call("POST", "/sms/send/", pieces(send_body(phone) + padding, 50_000), Content_Type=JSON)
    pushed = server.call(
        "POST", server.webhook("veesing"), pieces(report(phone) + b"&x=" + padding, 50_000), Content_Type=FORM
    )

    assert refusal(sent) == ((400, "invalid") if server.supports_chunks else (411, "length_required"))
    assert pushed.status_code == (413 if server.supports_chunks else 411)
    assert not sandbox.inbox.of(phone)
    assert not reports(server, phone)


@pytest.mark.parametrize(
    ("headers", "cut"),
    [
        (CHUNKED, b"%x\r\n%s"),
        (CHUNKED, b"%x\r\n%s\r\n"),
        (CHUNKED, b"%x\r\n%s\r\nfff"),
        (CHUNKED, b"%x\r\n%s no end of a chunk\r\n0\r\n\r\n"),
        ({"Content-Length": "4000"}, b"%x=&%s"),
    ],
    ids=["in the chunk", "before the last", "in a size", "wrong size", "declared"],
)
def test_an_incomplete_body_is_refused(server: Running, phone: str, headers: dict[str, str], cut: bytes) -> None:
    body = report(phone)
    broken = cut % (len(body), body)

    answer = server.raw("POST", server.webhook("veesing"), {"Content-Type": FORM, **headers}, broken, broken_off=True)

    assert status_of(answer) in (0, 400, 411)
    assert not reports(server, phone)
    assert server.call("POST", server.webhook("veesing"), body, Content_Type=FORM).text == "success"


def test_bytes_after_a_body_in_chunks_are_ignored(server: Running, phone: str, sandbox: Sandbox) -> None:
    body = send_body(phone)
    headers = {**CHUNKED, "Content-Type": JSON, "X-Forwarded-For": address(phone)}

    answer = server.raw("POST", "/sms/send/", headers, b"%x\r\n%s\r\n0\r\n\r\n\x00\xffgarbage\r\n" % (len(body), body))

    assert status_of(answer) == (202 if server.supports_chunks else 411)
    assert len(sandbox.inbox.of(phone)) == server.supports_chunks
    assert send(server, phone).status_code == 202


def test_a_client_that_expects_100_continue(server: Running, phone: str, sandbox: Sandbox) -> None:
    url, body = urlsplit(server.url), send_body(phone)
    client = http.client.HTTPConnection(url.netloc, timeout=60)
    headers = {"Expect": "100-continue", "Content-Type": JSON, "X-Forwarded-For": address(phone)}

    client.request("POST", "/sms/send/", body, headers)  # and does not wait for it
    status = client.getresponse().status
    client.close()

    assert status == 202
    assert len(sandbox.inbox.of(phone)) == 1


def test_a_compressed_body_is_refused_with_the_reason(server: Running, phone: str, sandbox: Sandbox) -> None:
    gzipped = {"Content_Encoding": "gzip"}

    sent = server.call("POST", "/sms/send/", gzip.compress(send_body(phone)), Content_Type=JSON, **gzipped)
    pushed = server.call("POST", server.webhook("veesing"), gzip.compress(report(phone)), Content_Type=FORM, **gzipped)

    assert refusal(sent) == (415, "unsupported_media_type")
    assert (pushed.status_code, "without Content-Encoding" in pushed.text) == (400, True)
    assert not sandbox.inbox.of(phone)
    assert not reports(server, phone)


# -------------------------------------------------------------------------------------------------- probes


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_a_webhook_answers_probes_and_is_called_by_post(method: str, server: Running) -> None:
    paths = (server.webhook("veesing"), server.webhook("veesing", "guessed"))
    answers = [server.raw(method, path, {"Content-Length": "0"}) for path in paths]

    assert [status_of(answer) for answer in answers] == [200 if method in ("GET", "HEAD") else 405, 404]
    assert (b"Allow: GET, HEAD, POST" in answers[0]) == (method not in ("GET", "HEAD"))
    if method == "HEAD":
        assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"", b""]
    assert not server.site.count("deliveryreport", remote_id="")
