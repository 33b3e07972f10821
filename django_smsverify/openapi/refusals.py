"""Every refusal of an operation, described by what the views answer to its error: status, word, members and example."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from http import HTTPStatus
from typing import Any, cast

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.serializers import CharField, DictField, IntegerField, ListField, Serializer

from django_smsverify import exceptions
from django_smsverify.enums import Scope
from django_smsverify.http import request_body
from django_smsverify.http.json_body import MAX_JSON_BODY
from django_smsverify.views import PlainJSONRenderer, refuse

from . import fields

Kind = type[Serializer[Any]]

IMAGE = {"kind": "image", "key": "0fbd…", "image": "/captcha/image/0fbd…/"}
ALTCHA = {"kind": "altcha", "challenge": {"parameters": {"algorithm": "SHA-256", "nonce": "9c1…"}, "signature": "5d0…"}}

MEMBERS: dict[str, Callable[[], dict[str, Any]]] = {
    "invalid": lambda: {
        "errors": DictField(
            child=ListField(child=CharField()), required=False, help_text="Field or header to sentences"
        )
    },
    "wrong_code": lambda: {"attempts_left": IntegerField(help_text="Guesses that are left")},
    "context_mismatch": lambda: {"attempts_left": IntegerField(help_text="Guesses that are left")},
    "captcha_required": lambda: {
        "captcha": fields.OfferedCaptcha(required=False, help_text="Missing where the captcha is a service's")
    },
    "throttled": lambda: {
        "scope": fields.Limit(help_text="The limit that was reached"),
        "retry_after": IntegerField(help_text="Seconds; also the Retry-After header"),
    },
}
"""The members of a refusal besides `detail` and `code`, by its word."""


def of_flood() -> list[Exception]:
    """The errors of operations that anybody may call as often as people can."""
    return [drf.MethodNotAllowed("POST"), exceptions.Throttled(Scope.IP, 23)]


def of_status() -> list[Exception]:
    return [exceptions.VerificationNotFound(), *of_flood()]


def _of_both() -> list[Exception]:
    """The errors that `send/` and `verify/` have in common."""
    return [
        drf.ParseError(_("The body is not JSON in UTF-8.")),
        request_body.BodyBroken(),
        request_body.BodyTooLarge(MAX_JSON_BODY),
        drf.ValidationError({"verification_id": [_("This field is required.")]}),
        exceptions.InvalidContext(),
        exceptions.InvalidIdempotencyKey(),
        exceptions.VerificationNotFound(),
        exceptions.CodeExpired(),
        exceptions.TooManyAttempts(),
        exceptions.AlreadyUsed(),
        drf.MethodNotAllowed("GET"),
        request_body.LengthRequired(),
        drf.UnsupportedMediaType("text/plain"),
        request_body.BodyCompressed(),
        exceptions.IdempotencyMismatch(),
    ]


def of_verify() -> list[Exception]:
    return [*_of_both(), exceptions.WrongCode(4), exceptions.ContextMismatch(4)]


def of_send() -> list[Exception]:
    return [
        *_of_both(),
        exceptions.InvalidPhone(),
        exceptions.PhoneNotSupported(),
        exceptions.PhoneRejected(),
        exceptions.UnknownPurpose(),
        exceptions.CaptchaRequired(),
        exceptions.CaptchaRequired(offer=IMAGE),
        exceptions.CaptchaRequired(offer=ALTCHA),
        exceptions.InProgress(),
        exceptions.Throttled(Scope.RESEND, 57),
        exceptions.Throttled(Scope.PHONE, 1800),
        exceptions.NoRoute(),
        exceptions.ThrottleUnavailable(),
    ]


def refusals(operation: str, errors: Iterable[Exception]) -> dict[int, OpenApiResponse]:
    """Returns a response for each status that these errors lead to; `operation` is a part of component names.

    Call it when a schema is made: the sentences of the examples are in the language that is active then.
    """
    found: dict[int, list[tuple[str, OpenApiExample]]] = defaultdict(list)
    for error in errors:
        status, example = answer(error)
        found[status].append((example["code"], _example(error, example, status)))
    return {status: _response(f"SMSVerify{operation}{_title(status)}", rows) for status, rows in sorted(found.items())}


def answer(error: Exception) -> tuple[int, dict[str, Any]]:
    """Returns the status and the body that the views answer to an error that they know."""
    response = cast("Response", refuse(error, {}))
    return response.status_code, json.loads(PlainJSONRenderer().render(response.data))


def _example(error: Exception, body: dict[str, Any], status: int) -> OpenApiExample:
    kind = body.get("captcha", {}).get("kind", body.get("scope", ""))
    name = f"{type(error).__name__} {kind}".strip()
    return OpenApiExample(name, body, response_only=True, status_codes=[str(status)])


def _response(name: str, rows: list[tuple[str, OpenApiExample]]) -> OpenApiResponse:
    bodies: dict[str, Any] = {word: refusal(word) for word, _example in rows}
    body = next(iter(bodies.values()))
    if len(bodies) > 1:
        body = PolymorphicProxySerializer(name, bodies, resource_type_field_name="code")
    words = ", ".join(f"`{word}`" for word in bodies)
    return OpenApiResponse(body, description=words, examples=[example for _word, example in rows])


@cache
def refusal(word: str) -> Kind:
    """Returns the one serializer of a word: a second one would be another component with the same name."""
    members = {
        "detail": CharField(help_text="A sentence for a person"),
        "code": fields.described_as(fields.words_of(word))(help_text="A stable word"),
        **MEMBERS.get(word, dict)(),
    }
    return type(f"SMSVerify{word.title().replace('_', '')}Serializer", (Serializer,), members)


def _title(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")
