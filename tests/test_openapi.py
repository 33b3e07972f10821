"""The description of the endpoints for drf-spectacular: complete, valid, and equal to the responses of the views."""

from __future__ import annotations

import io
import json
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django import urls
from django.core.management import call_command
from django.test import override_settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.test import APIClient
from rest_framework.views import APIView

from django_smsverify.challenges.client_keys import HEADERS
from django_smsverify.enums import MessageStatus, Scope
from django_smsverify.serializers import SendSerializer

from .conftest import MakeProvider, last_code, wrong

jsonschema: Any = import_module("jsonschema")  # drf-spectacular brings it, without types

SEND, STATUS, VERIFY, TICKET = "/sms/send/", "/sms/send/{verification_id}/", "/sms/verify/", "/sms/ticket/"
SENDING = {"verification_id", "phone", "expires_in", "resend_in", "code_length"}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The output of `manage.py spectacular --validate --fail-on-warn` for this suite's site."""
    path: Path = tmp_path_factory.mktemp("openapi") / "schema.json"
    options = {"validate": True, "fail_on_warn": True, "format": "openapi-json"}
    call_command("spectacular", file=str(path), stderr=io.StringIO(), **options)
    return json.loads(path.read_text())


def resolved(schema: Any, node: Any) -> Any:
    """A part of the schema with its references followed."""
    if isinstance(node, dict) and "$ref" in node:
        return resolved(schema, schema["components"]["schemas"][node["$ref"].rpartition("/")[2]])
    if isinstance(node, dict):
        return {key: resolved(schema, value) for key, value in node.items()}
    return [resolved(schema, item) for item in node] if isinstance(node, list) else node


def body(schema: Any, described: Any) -> Any:
    return resolved(schema, described["content"]["application/json"]["schema"])


def test_exactly_the_public_endpoints_are_described(schema: Any) -> None:
    found = {(path, method) for path, methods in schema["paths"].items() for method in methods}

    assert found == {(SEND, "post"), (STATUS, "get"), (VERIFY, "post"), (TICKET, "get")}


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        (SEND, "post", {"202", "400", "404", "405", "411", "415", "429", "503"}),
        (STATUS, "get", {"200", "404"}),
        (VERIFY, "post", {"200", "400", "404", "405", "411", "415"}),
        (TICKET, "get", {"200", "405", "429"}),
    ],
)
def test_every_status_is_described(path: str, method: str, statuses: set[str], schema: Any) -> None:
    responses = schema["paths"][path][method]["responses"]

    assert statuses <= responses.keys()
    for status, response in responses.items():
        required = set(body(schema, response)["required"])
        assert ({"detail", "code"} if int(status) >= 400 else {"ticket"} if path == TICKET else {"phone"}) <= required


@pytest.mark.parametrize(
    ("path", "fields", "required"),
    [
        (
            SEND,
            {
                "phone": "string",
                "purpose": "string",
                "context": "object",
                "verification_id": "string",
                "device": "string",
                "ticket": "string",
                "captcha": "one of several",
            },
            set(),
        ),
        (VERIFY, {"verification_id": "string", "code": "string", "context": "object"}, {"verification_id", "code"}),
    ],
)
def test_the_fields_of_a_request_are_described(
    path: str, fields: dict[str, str], required: set[str], schema: Any
) -> None:
    operation = schema["paths"][path]["post"]
    request = body(schema, operation["requestBody"])

    assert list(operation["requestBody"]["content"]) == ["application/json"]
    assert {name: field.get("type", "one of several") for name, field in request["properties"].items()} == fields
    assert set(request.get("required", ())) == required
    assert request["properties"]["verification_id"]["format"] == "uuid"


@pytest.mark.parametrize(
    ("path", "method", "status", "fields"),
    [
        (SEND, "post", "202", SENDING | {"sent"}),
        (VERIFY, "post", "200", {"phone", "purpose", "proof", "proof_expires_in", "device"}),
        (SEND, "post", "429", {"detail", "code", "scope", "retry_after"}),
        (SEND, "post", "503", {"detail", "code"}),
        (VERIFY, "post", "404", {"detail", "code"}),
        (TICKET, "get", "200", {"ticket", "usable_in", "expires_in"}),
    ],
)
def test_the_fields_of_a_response_are_described(
    path: str, method: str, status: str, fields: set[str], schema: Any
) -> None:
    response = body(schema, schema["paths"][path][method]["responses"][status])

    assert set(response["properties"]) == fields
    assert set(response["required"]) == fields - {"sent"}


def test_a_status_may_carry_a_refusal(schema: Any) -> None:
    response = body(schema, schema["paths"][STATUS]["get"]["responses"]["200"])

    assert set(response["required"]) == {"status", *SENDING}
    assert set(response["properties"]) == {"status", "detail", "code", "tries", *SENDING}


@pytest.mark.parametrize("path", [SEND, VERIFY])
def test_a_bad_request_may_carry_errors_and_attempts(path: str, schema: Any) -> None:
    response = body(schema, schema["paths"][path]["post"]["responses"]["400"])

    assert set(response["properties"]) == {"detail", "code", "errors", "attempts_left", "captcha"}
    assert set(response["required"]) == {"detail", "code"}


ERROR_CODES = {
    (SEND, "400"): {
        "invalid",
        "captcha_required",
        "phone_not_supported",
        "phone_rejected",
        "unknown_purpose",
        "expired",
        "too_many_attempts",
        "already_used",
    },
    (SEND, "404"): {"not_found"},
    (SEND, "405"): {"method_not_allowed"},
    (SEND, "409"): {"in_progress"},
    (SEND, "411"): {"length_required"},
    (SEND, "415"): {"unsupported_media_type"},
    (SEND, "422"): {"idempotency_mismatch"},
    (SEND, "429"): {"throttled"},
    (SEND, "503"): {"gateway_unavailable", "throttle_unavailable"},
    (VERIFY, "400"): {
        "invalid",
        "wrong_code",
        "context_mismatch",
        "expired",
        "too_many_attempts",
        "already_used",
    },
    (VERIFY, "422"): {"idempotency_mismatch"},
    (VERIFY, "404"): {"not_found"},
}


@pytest.mark.parametrize(("path", "status"), ERROR_CODES)
def test_every_error_code_is_named(path: str, status: str, schema: Any) -> None:
    described = schema["paths"][path]["post"]["responses"][status]["description"]

    assert all(f"`{code}`" in described for code in ERROR_CODES[path, status])


def test_the_headers_of_a_send_are_described(schema: Any) -> None:
    described = {parameter["name"]: parameter for parameter in schema["paths"][SEND]["post"]["parameters"]}

    assert described.keys() == {"Idempotency-Key", *HEADERS}
    assert all(one["in"] == "header" and not one.get("required") for one in described.values())


def test_status_and_scope_are_enums(schema: Any) -> None:
    status = body(schema, schema["paths"][STATUS]["get"]["responses"]["200"])["properties"]["status"]
    scope = body(schema, schema["paths"][SEND]["post"]["responses"]["429"])["properties"]["scope"]

    assert status["allOf"][0]["enum"] == MessageStatus.values
    assert scope["allOf"][0]["enum"] == Scope.limits()


def test_no_authentication_is_required(schema: Any) -> None:
    operations = [operation for methods in schema["paths"].values() for operation in methods.values()]

    assert all(operation.get("security", []) in ([], [{}]) for operation in operations)
    assert "securitySchemes" not in schema["components"]


def test_the_examples_are_valid_requests(schema: Any) -> None:
    described = schema["paths"][SEND]["post"]["requestBody"]["content"]["application/json"]

    values = [example["value"] for example in described["examples"].values()]

    assert [set(value) for value in values] == [{"phone", "purpose"}, {"verification_id"}]
    for value in values:
        jsonschema.validate(value, resolved(schema, described["schema"]))
        assert SendSerializer(data=value).is_valid()


@pytest.mark.django_db(transaction=True)
def test_the_responses_of_the_views_match_the_description(schema: Any, memory: MakeProvider) -> None:
    memory()
    client = APIClient()
    send = {"phone": "13800138000", "purpose": "login"}
    sent = client.post(SEND, send, "json")
    pk = sent.json()["verification_id"]
    code = last_code()
    unknown = {"verification_id": str(UUID(int=0)), "code": code}

    answers = [
        (SEND, sent),
        (SEND, client.post(SEND, send, "json")),
        (SEND, client.post(SEND, {}, "json")),
        (SEND, client.post(SEND, {**send, "purpose": "nonsense"}, "json")),
        (SEND, client.post(SEND, {"verification_id": unknown["verification_id"]}, "json")),
        (SEND, client.post(SEND, "x", content_type="text/plain")),
        (STATUS, client.get(STATUS.format(verification_id=pk))),
        (STATUS, client.get(STATUS.format(verification_id="x"))),
        (VERIFY, client.post(VERIFY, {"verification_id": pk, "code": wrong(code)}, "json")),
        (VERIFY, client.post(VERIFY, {"verification_id": pk, "code": code}, "json")),
        (VERIFY, client.post(VERIFY, unknown, "json")),
        (VERIFY, client.get(VERIFY)),
        (TICKET, client.get(TICKET)),
        (TICKET, client.post(TICKET, {}, "json")),
    ]
    for kind in ("image", "altcha"):
        with override_settings(SMSVERIFY={"CAPTCHA": kind}):
            answers.append((SEND, client.post(SEND, send, "json")))
            assert answers[-1][1].json()["captcha"]["kind"] == kind

    statuses = [202, 429, 400, 400, 404, 415, 200, 404, 400, 200, 404, 405, 200, 405, 400, 400]
    assert [answer.status_code for _, answer in answers] == statuses
    for path, answer in answers:
        (operation,) = schema["paths"][path].values()
        described = body(schema, operation["responses"][str(answer.status_code)])
        jsonschema.validate(answer.json(), {**described, "additionalProperties": False})


class HostSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["open", "closed"])
    scope = serializers.ChoiceField(["team", "world"])


class HostView(APIView):
    @extend_schema(operation_id="host", responses=HostSerializer)
    def get(self, request: Any) -> None: ...


def test_the_components_of_a_site_keep_their_names() -> None:
    """The app's components begin with SMSVerify, and its enums do not rename those of the site."""
    patterns = [urls.path("host/", HostView.as_view()), urls.path("sms/", urls.include("django_smsverify.urls"))]

    components = SchemaGenerator(patterns=patterns).get_schema(public=True)["components"]["schemas"]

    of_the_site = {name for name in components if not name.startswith("SMSVerify")}
    assert of_the_site == {"Host", "StatusEnum", "ScopeEnum"}
    assert components["StatusEnum"]["enum"] == ["open", "closed"]
