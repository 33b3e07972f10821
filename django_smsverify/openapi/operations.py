"""The four operations, as drf-spectacular asks for them."""

from __future__ import annotations

from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.views import APIView

from django_smsverify import idempotency
from django_smsverify.challenges.client_keys import HEADERS
from django_smsverify.exceptions import NoRoute
from django_smsverify.views import SendStatusView, SendView, TicketView, VerifyView

from . import bodies, refusals

V = TypeVar("V", bound=APIView)

ID = "5f0c9e0e-4a0c-4d0e-9a55-0d6d3c1c9d1f"
SENDING = {"verification_id": ID, "phone": "138****8000", "expires_in": 300, "resend_in": 60, "code_length": 6}
KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "pattern": f"^{idempotency.KEY.pattern}$"},
    OpenApiParameter.HEADER,
    description="One for each press of a button: a repeated request with it does nothing twice.",
)
SIGNED = [
    OpenApiParameter(
        name, str, OpenApiParameter.HEADER, description="Of an app that signs its requests, with the others"
    )
    for name in HEADERS
]
WAIT = OpenApiParameter(
    "Retry-After",
    {"type": "integer", "minimum": 1},
    OpenApiParameter.HEADER,
    required=True,
    description="Seconds to wait",
    response=[409, 429],
)
ALLOW = OpenApiParameter(
    "Allow", str, OpenApiParameter.HEADER, required=True, description="The methods that there are", response=[405]
)
PATH_ID = OpenApiParameter("verification_id", {"type": "string", "format": "uuid"}, OpenApiParameter.PATH)


def request(name: str, **value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


def success(body: Any, description: str, **examples: dict[str, Any]) -> OpenApiResponse:
    shown = [OpenApiExample(name, value, response_only=True) for name, value in examples.items()]
    return OpenApiResponse(body, description=description, examples=shown)


FOUND = "$response.body#/verification_id"
LINKS = {
    "Status": {"operationId": "smsverify_send_status", "parameters": {"verification_id": FOUND}},
    "Again": {"operationId": "smsverify_send", "requestBody": {"verification_id": FOUND}},
    "Verify": {
        "operationId": "smsverify_verify",
        "requestBody": {"verification_id": FOUND},
        "description": "With the `code` that the SMS brings",
    },
}
"""What a client does next with a verification."""


class LinkedSchema:
    """A mixin for the schema of a method with a body: adds what drf-spectacular cannot say, or see in a union."""

    def get_operation(self, *args: Any) -> Any:
        operation: Any = super().get_operation(*args)  # type: ignore[misc]
        operation["requestBody"]["required"] = True
        if sent := operation["responses"].get("202"):
            sent["links"] = LINKS
        return operation


def described(view: type[V], **methods: Any) -> type[V]:
    """Returns a subclass whose methods are described; the view itself stays as it is."""
    subclass: Any = extend_schema_view(**methods)(type(view.__name__, (view,), {}))
    if "post" in methods:
        kwargs = subclass.post.kwargs
        kwargs["schema"] = type("Schema", (LinkedSchema, kwargs["schema"]), {})
    return subclass  # type: ignore[no-any-return]


class SendViewSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = SendView

    def view_replacement(self) -> type[SendView]:
        sent = success(
            bodies.SMSVerifySendingSerializer, "The code is on its way", Sent=SENDING, Joined={**SENDING, "sent": False}
        )
        operation = extend_schema(
            operation_id="smsverify_send",
            description="Sends a code to a number for a purpose, or, with `verification_id`, the same code again.",
            parameters=[KEY, *SIGNED, WAIT, ALLOW],
            request=bodies.SEND,
            responses={202: sent, **refusals.refusals("Send", refusals.of_send())},
            examples=[
                request("First", phone="13800138000", purpose="login"),
                request("Again", verification_id=ID),
                request("With a context", phone="13800138001", purpose="login", context={"payee": "A", "amount": 10}),
            ],
        )
        return described(SendView, post=operation)


class SendStatusViewSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = SendStatusView

    def view_replacement(self) -> type[SendStatusView]:
        refused = refusals.answer(NoRoute())[1]
        found = success(
            bodies.STATUS,
            "The last SMS of the verification",
            Delivered={"status": "delivered", **SENDING},
            Second={"status": "accepted", **SENDING, "tries": 2},
            NotSent={"status": "not_sent", **SENDING, **refused},
        )
        operation = extend_schema(
            operation_id="smsverify_send_status",
            description="What became of the last SMS of a verification; `detail` and `code` come with `not_sent` only.",
            parameters=[PATH_ID, WAIT, ALLOW],
            responses={200: found, **refusals.refusals("Status", refusals.of_status())},
        )
        return described(SendStatusView, get=operation)


class VerifyViewSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = VerifyView

    def view_replacement(self) -> type[VerifyView]:
        proof = {"proof": "…", "proof_expires_in": 600, "device": "…"}
        verified = success(
            bodies.SMSVerifyVerifiedSerializer,
            "The code is right",
            Verified={"phone": "138****8000", "purpose": "login", **proof},
        )
        operation = extend_schema(
            operation_id="smsverify_verify",
            description="Judges a code; a right one gives a proof for the site's own views.",
            parameters=[KEY, ALLOW],
            request=bodies.SMSVerifyVerifySerializer,
            responses={200: verified, **refusals.refusals("Verify", refusals.of_verify())},
            examples=[
                request("Code", verification_id=ID, code="123456"),
                request("With a context", verification_id=ID, code="123 456", context={"payee": "A", "amount": 10}),
            ],
        )
        return described(VerifyView, post=operation)


class TicketViewSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = TicketView

    def view_replacement(self) -> type[TicketView]:
        ticket = success(
            bodies.SMSVerifyTicketSerializer,
            "A fresh ticket",
            Ticket={"ticket": "…", "usable_in": 1.5, "expires_in": 1800},
        )
        operation = extend_schema(
            operation_id="smsverify_ticket",
            description="A page ticket: with it `send/` asks for no captcha, unless the site asks for one always.",
            parameters=[WAIT, ALLOW],
            responses={200: ticket, **refusals.refusals("Ticket", refusals.of_flood())},
        )
        return described(TicketView, get=operation)
