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
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.test import APIClient
from rest_framework.views import APIView

from django_smsverify.challenges.client_keys import HEADERS
from django_smsverify.contrib.views import PhoneLoginEndpoint, PhoneTokenEndpoint
from django_smsverify.enums import MessageStatus, Scope
from django_smsverify.serializers import SendSerializer, VerifySerializer
from django_smsverify.views import STATUSES

from .conftest import MakeProvider, last_code, wrong
from .described import described_refusals
from .test_docs import NOT_RETURNED, ours

jsonschema: Any = import_module("jsonschema")  # drf-spectacular brings it, without types

SEND, STATUS, VERIFY, TICKET = "/sms/send/", "/sms/send/{verification_id}/", "/sms/verify/", "/sms/ticket/"
SENDING = {"verification_id!", "phone!", "expires_in!", "resend_in!", "code_length!"}


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


def one_of(described: Any) -> list[Any]:
    """The alternatives of a body, or the one that it is."""
    return list(described.get("oneOf", [described]))


def members(described: Any) -> set[str]:
    """The members of an object; those that are always there with a mark."""
    return {f"{name}!" if name in described.get("required", ()) else name for name in described["properties"]}


def test_exactly_the_public_endpoints_are_described(schema: Any) -> None:
    found = {(path, method) for path, methods in schema["paths"].items() for method in methods}

    assert found == {(SEND, "post"), (STATUS, "get"), (VERIFY, "post"), (TICKET, "get")}


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        (SEND, "post", {"202", "400", "404", "405", "409", "411", "415", "422", "429", "503"}),
        (STATUS, "get", {"200", "404", "405", "429"}),
        (VERIFY, "post", {"200", "400", "404", "405", "411", "415", "422"}),
        (TICKET, "get", {"200", "405", "429"}),
    ],
)
def test_every_status_is_described_with_an_example(path: str, method: str, statuses: set[str], schema: Any) -> None:
    responses = schema["paths"][path][method]["responses"]

    assert responses.keys() == statuses
    for response in responses.values():
        content = response["content"]["application/json"]
        for example in content["examples"].values():
            jsonschema.validate(example["value"], resolved(schema, content["schema"]))


@pytest.mark.parametrize(
    ("path", "bodies"),
    [
        (
            SEND,
            [
                {"phone!", "purpose!", "context", "device", "ticket", "captcha"},
                {"verification_id!", "device", "ticket", "captcha"},
            ],
        ),
        (VERIFY, [{"verification_id!", "code!", "context"}]),
    ],
)
def test_the_bodies_of_a_request_are_described(path: str, bodies: list[set[str]], schema: Any) -> None:
    operation = schema["paths"][path]["post"]
    described = body(schema, operation["requestBody"])

    assert operation["requestBody"]["required"]
    assert list(operation["requestBody"]["content"]) == ["application/json"]
    assert [members(one) for one in one_of(described)] == bodies
    assert all(one["additionalProperties"] is False for one in one_of(described))


def test_a_captcha_of_a_service_may_have_fields_of_its_own() -> None:
    with override_settings(SMSVERIFY={"CAPTCHA": "mysite.captcha.geetest"}):
        components = SchemaGenerator().get_schema(public=True)["components"]["schemas"]

    assert "additionalProperties" not in components["SMSVerifySendFirst"]
    assert "additionalProperties" not in components["SMSVerifySendAgain"]
    assert components["SMSVerifyVerify"]["additionalProperties"] is False


def test_the_limits_of_the_fields_are_those_of_the_serializer(schema: Any) -> None:
    first, _again = one_of(body(schema, schema["paths"][SEND]["post"]["requestBody"]))
    fields: Any = SendSerializer().fields

    assert first["properties"]["phone"]["maxLength"] == fields["phone"].max_length
    assert first["properties"]["purpose"]["maxLength"] == fields["purpose"].max_length


@pytest.mark.parametrize(
    ("path", "method", "status", "fields"),
    [
        (SEND, "post", "202", [SENDING | {"sent"}]),
        (STATUS, "get", "200", [SENDING | {"status!", "tries"}, SENDING | {"status!", "detail!", "code!"}]),
        (VERIFY, "post", "200", [{"phone!", "purpose!", "proof!", "proof_expires_in!", "device!"}]),
        (TICKET, "get", "200", [{"ticket!", "usable_in!", "expires_in!"}]),
    ],
)
def test_the_fields_of_a_success_are_described(
    path: str, method: str, status: str, fields: list[set[str]], schema: Any
) -> None:
    response = body(schema, schema["paths"][path][method]["responses"][status])

    assert [members(one) for one in one_of(response)] == fields


def refusals_of(schema: Any, path: str) -> dict[str, dict[str, set[str]]]:
    """The members of each word that an operation may answer, by status."""
    (operation,) = schema["paths"][path].values()
    return {
        status: {one["properties"]["code"]["oneOf"][0]["enum"][0]: members(one) for one in one_of(body(schema, answer))}
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    }


REFUSAL = {"detail!", "code!"}
WITH_MORE = {
    "invalid": {"errors"},
    "captcha_required": {"captcha"},
    "wrong_code": {"attempts_left!"},
    "context_mismatch": {"attempts_left!"},
    "throttled": {"scope!", "retry_after!"},
}
ENDED = {"expired", "too_many_attempts", "already_used"}
MALFORMED = {
    "404": {"not_found"},
    "405": {"method_not_allowed"},
    "411": {"length_required"},
    "415": {"unsupported_media_type"},
    "422": {"idempotency_mismatch"},
}
FLOODED = {"405": {"method_not_allowed"}, "429": {"throttled"}}
WORDS = {
    SEND: {
        "400": {"invalid", "captcha_required", "phone_not_supported", "phone_rejected", "unknown_purpose", *ENDED},
        "409": {"in_progress"},
        "429": {"throttled"},
        "503": {"gateway_unavailable", "throttle_unavailable"},
        **MALFORMED,
    },
    VERIFY: {"400": {"invalid", "wrong_code", "context_mismatch", *ENDED}, **MALFORMED},
    STATUS: {"404": {"not_found"}, **FLOODED},
    TICKET: FLOODED,
}


@pytest.mark.parametrize("path", WORDS)
def test_every_refusal_is_described_by_its_word_with_what_comes_with_it(path: str, schema: Any) -> None:
    found = refusals_of(schema, path)

    assert {status: set(words) for status, words in found.items()} == WORDS[path]
    for words in found.values():
        assert words == {word: REFUSAL | WITH_MORE.get(word, set()) for word in words}


def test_every_error_of_the_package_is_described_with_its_status() -> None:
    """What the operations answer in the other tests is compared by a fixture: see `only_what_is_described`."""
    described = {(status, word) for answers in described_refusals().values() for status, word in answers}

    raised = {(STATUSES.get(error, 400), error.code) for error in ours() if error.code not in NOT_RETURNED}

    assert described - raised == {(405, "method_not_allowed")}
    assert raised <= described


def test_a_wait_is_a_header_of_every_answer_that_has_one(schema: Any) -> None:
    operations = [operation for methods in schema["paths"].values() for operation in methods.values()]
    waits = [
        (operation["operationId"], status)
        for operation in operations
        for status, response in operation["responses"].items()
        if response.get("headers", {}).get("Retry-After", {}).get("required")
    ]

    assert waits == [
        ("smsverify_send", "409"),
        ("smsverify_send", "429"),
        ("smsverify_send_status", "429"),
        ("smsverify_ticket", "429"),
    ]


def test_what_comes_next_is_linked(schema: Any) -> None:
    links = schema["paths"][SEND]["post"]["responses"]["202"]["links"]

    assert {link["operationId"] for link in links.values()} == {
        "smsverify_send",
        "smsverify_send_status",
        "smsverify_verify",
    }


def test_the_examples_are_in_the_language_of_the_reader() -> None:
    with translation.override("zh-hans"):
        schema: Any = SchemaGenerator().get_schema(public=True)

    answer = schema["paths"][VERIFY]["post"]["responses"]["404"]["content"]["application/json"]
    assert answer["examples"]["VerificationNotFound"]["value"]["detail"].startswith("没有")


def test_the_headers_of_a_send_are_described(schema: Any) -> None:
    described = {parameter["name"]: parameter for parameter in schema["paths"][SEND]["post"]["parameters"]}

    assert described.keys() == {"Idempotency-Key", *HEADERS}
    assert all(one["in"] == "header" and not one.get("required") for one in described.values())


def test_status_and_scope_are_enums(schema: Any) -> None:
    statuses = [
        word
        for one in one_of(body(schema, schema["paths"][STATUS]["get"]["responses"]["200"]))
        for word in one["properties"]["status"]["oneOf"][0]["enum"]
    ]
    scope = body(schema, schema["paths"][SEND]["post"]["responses"]["429"])["properties"]["scope"]

    assert sorted(statuses) == sorted(MessageStatus.values)
    assert scope["oneOf"][0]["enum"] == Scope.limits()


def test_no_authentication_is_required(schema: Any) -> None:
    operations = [operation for methods in schema["paths"].values() for operation in methods.values()]

    assert all(operation.get("security", []) in ([], [{}]) for operation in operations)
    assert "securitySchemes" not in schema["components"]


@pytest.mark.parametrize(("path", "serializer"), [(SEND, SendSerializer), (VERIFY, VerifySerializer)])
def test_the_examples_are_valid_requests(path: str, serializer: Any, schema: Any) -> None:
    described = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    values = [example["value"] for example in described["examples"].values()]

    assert len(values) >= 2
    for value in values:
        jsonschema.validate(value, resolved(schema, described["schema"]))
        assert serializer(data=value).is_valid()


@pytest.mark.parametrize(
    "value",
    [
        {"phone": "13800138000"},
        {"phone": "13800138000", "purpose": "login", "verification_id": str(UUID(int=0))},
        {"phone": "13800138000", "purpose": "login", "misspelled": ""},
        {},
    ],
)
def test_what_a_send_refuses_is_no_valid_body(value: dict[str, str], schema: Any) -> None:
    described = body(schema, schema["paths"][SEND]["post"]["requestBody"])

    assert not jsonschema.Draft202012Validator(described).is_valid(value)
    assert not SendSerializer(data=value).is_valid()


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
        described = one_of(body(schema, operation["responses"][str(answer.status_code)]))
        jsonschema.validate(answer.json(), {"oneOf": [{**one, "additionalProperties": False} for one in described]})


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


def test_a_login_that_grants_something_else_is_described_with_it() -> None:
    class OwnEndpoint(PhoneLoginEndpoint):
        granted = {"access": "For the header `Authorization: Bearer …`"}

    for view, granted in ((OwnEndpoint, "access"), (PhoneTokenEndpoint, "token")):
        patterns = [urls.path("login/", view.as_view())]
        described = SchemaGenerator(patterns=patterns).get_schema(public=True)
        responses = described["paths"]["/login/"]["post"]["responses"]
        assert body(described, responses["200"])["properties"].keys() == {"phone", "created", "device", granted}
        assert "stale_phone" in str(resolved(described, responses["403"]))
