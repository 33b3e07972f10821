"""Bodies as clients and servers deliver them: with a length, in chunks, too large, cut, compressed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings

from django_smsverify.http.request_body import BodyBroken, BodyTooLarge, LengthRequired, read_body
from django_smsverify.models import DeliveryReport
from django_smsverify.views import SendView
from django_smsverify.webhooks import webhook

from .conftest import PHONE, MakeProvider, last_code
from .test_webhooks import FORM, JSON, path_of, read_body_first, veesing_report

LIMIT = 1000
SEND = json.dumps({"phone": PHONE[3:], "purpose": "login"}).encode()
LENGTH_REQUIRED = {
    "detail": "The server cannot tell where the body ends. Please send it with a Content-Length, not in chunks.",
    "code": "length_required",
}


class Endless(io.RawIOBase):
    """A client that never stops sending."""

    sent = 0

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "all of it would be read"
        self.sent += size
        return b"x" * size


class ByteByByte(io.BytesIO):
    """A server that returns one byte per read, however many are requested."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 1))


class Broken(io.RawIOBase):
    """A server that raises an error of its own for a wrong chunk."""

    def read(self, size: int = -1) -> bytes:
        raise RuntimeError("invalid chunk size")


def wsgi(stream: Any, **more: Any) -> HttpRequest:
    """A request in chunks, by default under a server that supports them."""
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", **more}
    return RequestFactory().generic("POST", "/", b"", JSON, **{"wsgi.input": stream, **environ})


def asgi(stream: Any, *headers: tuple[bytes, bytes]) -> HttpRequest:
    all_headers = [(b"content-type", JSON.encode()), *headers]
    return ASGIRequest(
        {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": all_headers}, stream
    )


MAKERS = pytest.mark.parametrize("make_request", [wsgi, asgi])


@MAKERS
@pytest.mark.parametrize("stream", [io.BytesIO, ByteByByte])
def test_a_body_without_a_length_is_read_to_its_end(make_request: Callable[..., HttpRequest], stream: Any) -> None:
    body = bytes(range(256)) * 3

    assert read_body(make_request(stream(body)), LIMIT) == body


@MAKERS
def test_a_body_up_to_the_limit_is_read_and_a_larger_one_is_refused(make_request: Callable[..., HttpRequest]) -> None:
    assert read_body(make_request(io.BytesIO(b"x" * LIMIT)), LIMIT) == b"x" * LIMIT

    with pytest.raises(BodyTooLarge):
        read_body(make_request(io.BytesIO(b"x" * (LIMIT + 1))), LIMIT)


@MAKERS
@pytest.mark.parametrize("own", [None, 10, 5_000_000])
def test_an_endless_body_is_read_to_one_byte_over_the_limit(
    make_request: Callable[..., HttpRequest], own: int | None
) -> None:
    stream = Endless()

    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=own), pytest.raises(BodyTooLarge):
        read_body(make_request(stream), LIMIT)

    assert stream.sent == min(own or LIMIT, LIMIT) + 1


@MAKERS
def test_an_error_of_the_server_means_a_broken_body(make_request: Callable[..., HttpRequest]) -> None:
    with pytest.raises(BodyBroken):
        read_body(make_request(Broken()), LIMIT)


@pytest.mark.parametrize("length", ["much", "-1", "4.5", "5"])
def test_a_wrong_length_is_refused(length: str) -> None:
    for request in (
        wsgi(io.BytesIO(b"body"), CONTENT_LENGTH=length),
        asgi(io.BytesIO(b"body"), (b"content-length", length.encode())),
    ):
        with pytest.raises(BodyBroken):
            read_body(request, LIMIT)


def test_a_length_is_enough_for_a_server_without_chunks() -> None:
    """nginx collects the chunks, sends uWSGI the length, and passes the header on."""
    request = wsgi(io.BytesIO(b"body and more"), CONTENT_LENGTH="4", **{"wsgi.input_terminated": False})

    assert read_body(request, LIMIT) == b"body"


@pytest.mark.parametrize("length", [{}, {"CONTENT_LENGTH": ""}])
def test_without_a_known_end_nothing_is_read(length: dict[str, str]) -> None:
    stream = Endless()

    with pytest.raises(LengthRequired):
        read_body(wsgi(stream, **length, **{"wsgi.input_terminated": False}), LIMIT)

    assert stream.sent == 0


# ----------------------------------------------------------------------------------- through the site

pytestmark = pytest.mark.django_db(transaction=True)


def chunked(body: bytes, kind: str = JSON, *, terminated: bool = True) -> dict[str, Any]:
    """What a server adds to the environment for a body in chunks."""
    return {
        "CONTENT_TYPE": kind,  # Django's client leaves it out when it is given no body
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": terminated,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }


def test_a_code_is_sent_and_verified_in_chunks(memory: MakeProvider, client: Client) -> None:
    memory()

    sent = client.generic("POST", "/sms/send/", b"", **chunked(SEND))
    guess = json.dumps({"verification_id": sent.json()["verification_id"], "code": last_code()}).encode()
    verified = client.generic("POST", "/sms/verify/", b"", **chunked(guess))

    assert (sent.status_code, verified.status_code) == (202, 200)


def test_a_code_is_sent_in_chunks_under_asgi(memory: MakeProvider) -> None:
    memory()

    answer = SendView.as_view()(asgi(io.BytesIO(SEND), (b"transfer-encoding", b"chunked")))

    assert answer.status_code == 202


@pytest.mark.parametrize("path", ["/sms/send/", "/sms/verify/"])
def test_a_body_without_a_known_end_is_refused_with_411(path: str, client: Client) -> None:
    answer = client.generic("POST", path, b"", **chunked(SEND, terminated=False))

    assert (answer.status_code, answer.json()) == (411, LENGTH_REQUIRED)
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status", "errors"),
    [(b"", 400, True), (b"x", 400, False), (b'"' + b"1" * 16 * 1024 + b'"', 400, False)],
    ids=["empty", "no JSON", "too large"],
)
def test_a_body_in_chunks_is_checked_like_any_other(body: bytes, status: int, errors: bool, client: Client) -> None:
    answer = client.generic("POST", "/sms/send/", b"", **chunked(body))

    assert (answer.status_code, answer.json()["code"]) == (status, "invalid")
    assert ("errors" in answer.json()) == errors


def test_an_empty_body_is_one_without_fields(client: Client) -> None:
    answer = client.generic("POST", "/sms/send/", b"", JSON, CONTENT_LENGTH="0")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["errors"]["phone"]


@pytest.mark.parametrize("path", ["/sms/send/", "/sms/verify/"])
def test_a_truncated_body_is_refused(path: str, client: Client) -> None:
    """A truncated guess must not be checked: the rest may still arrive."""
    answer = client.generic("POST", path, SEND, JSON, CONTENT_LENGTH=str(len(SEND) + 1))

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["detail"].startswith("The body did not arrive whole.")


@pytest.mark.parametrize("coding", ["gzip", "deflate", " BR ", "zstd"])
def test_a_compressed_body_is_refused(coding: str, vendor: MakeProvider, client: Client) -> None:
    provider = vendor("veesing")

    sent = client.generic("POST", "/sms/send/", SEND, JSON, HTTP_CONTENT_ENCODING=coding)
    pushed = client.generic("POST", path_of(provider), veesing_report(), FORM, HTTP_CONTENT_ENCODING=coding)

    assert (sent.status_code, sent.json()["code"]) == (415, "unsupported_media_type")
    assert pushed.status_code == 400
    assert b"without Content-Encoding" in pushed.content
    assert not DeliveryReport.objects.exists()


@pytest.mark.parametrize("coding", ["", "identity", "utf-8"])
def test_a_coding_without_compression_is_accepted(coding: str, memory: MakeProvider, client: Client) -> None:
    memory()

    assert client.generic("POST", "/sms/send/", SEND, JSON, HTTP_CONTENT_ENCODING=coding).status_code == 202


@pytest.mark.parametrize(("terminated", "status", "reports"), [(True, 200, 1), (False, 411, 0)])
def test_a_push_in_chunks_is_stored_or_refused_with_411(
    terminated: bool, status: int, reports: int, vendor: MakeProvider, client: Client
) -> None:
    provider = vendor("veesing")

    answer = client.generic("POST", path_of(provider), b"", **chunked(veesing_report(), FORM, terminated=terminated))

    assert (answer.status_code, DeliveryReport.objects.count()) == (status, reports)


def test_a_middleware_that_reads_first_consumes_no_chunks(vendor: MakeProvider, client: Client) -> None:
    provider = vendor("veesing")

    with override_settings(MIDDLEWARE=[f"{read_body_first.__module__}.read_body_first"]):
        answer = client.generic("POST", path_of(provider), b"", **chunked(veesing_report(), FORM))

    assert answer.content == b"success"


def test_a_push_in_chunks_that_is_too_large_is_refused_with_413(vendor: MakeProvider, rf: RequestFactory) -> None:
    provider, stream = vendor("veesing"), Endless()

    answer = webhook(wsgi(stream), provider.slug, provider.webhook_secret)

    assert (answer.status_code, answer.content) == (413, b"The body is larger than 256 KiB.")
    assert stream.sent == 256 * 1024 + 1
