"""Under ASGI no request leaves a database connection open, even if the site keeps connections for long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from django_smsverify.models import Provider, Verification
from django_smsverify.webhooks import TEST

from .conftest import PHONE, MakeProvider, last_code

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseDatabaseWrapper]]:
    """The connections that are made during the test, each of which may be kept for ten minutes."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 600)
    made: list[BaseDatabaseWrapper] = []

    def keep(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        made.append(connection)

    connection_created.connect(keep)
    yield made
    connection_created.disconnect(keep)


async def request(method: str, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": headers,
        "client": ["203.0.113.7", 4711],
    }
    site = ApplicationCommunicator(get_asgi_application(), scope)
    await site.send_input({"type": "http.request", "body": body})
    start, answer = await site.receive_output(60), await site.receive_output(60)
    await site.wait(60)
    return start["status"], answer["body"]


def post(path: str, data: Any) -> tuple[int, dict[str, Any]]:
    status, body = asyncio.run(request("POST", f"/sms/{path}/", json.dumps(data).encode(), "application/json"))
    return status, json.loads(body)


def test_each_endpoint_closes_its_connections(memory: MakeProvider, opened: list[BaseDatabaseWrapper]) -> None:
    memory()
    Provider.objects.create(slug="veesing", name="v", gateway="veesing", webhook_secret="SECRET-of-the-webhook")
    opened.clear()

    status, sent = post("send", {"phone": PHONE, "purpose": "login"})
    assert status == 202
    assert asyncio.run(request("GET", f"/sms/send/{sent['verification_id']}/", b"", ""))[0] == 200
    assert post("verify", {"verification_id": sent["verification_id"], "code": last_code()})[0] == 200
    hook = "/sms/webhooks/veesing/SECRET-of-the-webhook/"
    assert asyncio.run(request("POST", hook, TEST, "text/plain"))[0] == 200

    assert len(opened) >= 4
    assert [one for one in opened if one.connection is not None] == []
    assert Verification.objects.get(phone=PHONE).verified_at is not None


def test_a_refused_request_closes_its_connections(memory: MakeProvider, opened: list[BaseDatabaseWrapper]) -> None:
    memory()
    opened.clear()

    assert post("send", {"phone": PHONE, "purpose": "nonsense"})[0] == 400

    assert opened
    assert [one for one in opened if one.connection is not None] == []
