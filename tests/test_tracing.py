"""Spans of OpenTelemetry: around what is slow or decides, without a number, a code or a key, and none without a
provider."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sandbox.server import Fault, Sandbox

from django_smsverify import tracing
from django_smsverify.exceptions import Throttled, WrongCode
from django_smsverify.sending import resend_code, send_code
from django_smsverify.verifying import verify_code

from .conftest import PHONE, SECRETS, MakeProvider, last_code, wrong

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of a site that has set up tracing, which can be done once in a process."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
    yield exporter
    provider.shutdown()


def told(exporter: InMemorySpanExporter) -> list[tuple[str, dict[str, Any]]]:
    return [(span.name, dict(span.attributes or {})) for span in exporter.get_finished_spans()]


def test_a_send_has_a_span_for_itself_its_vendor_and_the_request(
    vendor: MakeProvider, sandbox: Sandbox, spans: InMemorySpanExporter
) -> None:
    vendor("topthink")
    send_code(PHONE, "login")

    request, call, send = spans.get_finished_spans()
    assert told(spans) == [
        ("smsverify.vendor_request", {"smsverify.host": "127.0.0.1", "http.response.status_code": 200}),
        (
            "smsverify.vendor_call",
            {
                "smsverify.provider": "topthink",
                "smsverify.gateway": "topthink",
                "smsverify.sms": 1,
                "smsverify.accepted": 1,
            },
        ),
        ("smsverify.send_code", {"smsverify.purpose": "login"}),
    ]
    assert (request.parent, call.parent) == (call.context, send.context)


def test_while_another_thread_imports_the_api_nothing_is_traced(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory()
    names = list(vars(trace))
    for count in (0, names.index("get_tracer_provider"), len(names) - 1):
        partial = ModuleType("opentelemetry.trace")
        vars(partial).update({name: vars(trace)[name] for name in names[:count]})
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", partial)
        assert tracing.span("send_code") is tracing.NO_SPAN


def test_a_guess_and_a_refusal_name_their_error(memory: MakeProvider, spans: InMemorySpanExporter) -> None:
    memory()
    verification = send_code(PHONE, "login")
    with pytest.raises(WrongCode):
        verify_code(verification.pk, wrong(last_code()))
    with pytest.raises(Throttled):
        resend_code(verification.pk)
    verify_code(verification.pk, last_code())

    assert told(spans)[2:] == [
        ("smsverify.verify_code", {"error.type": "wrong_code"}),
        ("smsverify.resend_code", {"smsverify.purpose": "login", "error.type": "throttled"}),
        ("smsverify.verify_code", {}),
    ]
    assert all(not span.events for span in spans.get_finished_spans()), "no text of an error"


def test_no_span_holds_a_number_a_code_or_a_key(
    vendor: MakeProvider, sandbox: Sandbox, spans: InMemorySpanExporter
) -> None:
    vendor("qixuntong")  # what it is sent stands in the query
    sandbox.misbehave("qixuntong", Fault.status(500))
    send_code(PHONE, "login")

    shown = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "vendor_request" in shown
    assert [secret for secret in (*SECRETS, PHONE[3:]) if secret in shown] == []
    assert all(not span.events for span in spans.get_finished_spans())


def test_without_a_provider_there_is_no_span(memory: MakeProvider) -> None:
    assert tracing.span("send_code") is tracing.NO_SPAN

    memory()
    assert send_code(PHONE, "login").purpose == "login"


def test_without_opentelemetry_there_is_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")

    assert tracing.span("send_code") is tracing.NO_SPAN
