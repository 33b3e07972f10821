"""Descriptions of the endpoints for drf-spectacular; imported only if that is installed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers

from . import idempotency
from .challenges.client_keys import HEADERS
from .enums import MessageStatus, Scope
from .idempotency import HEADER
from .serializers import AnyField, SendingSerializer, SendSerializer, TokenField, VerifySerializer
from .verifying.context import MAX_LENGTH, MAX_NAMES
from .views import SendStatusView, SendView, TicketView, VerifyView

# The class names become component names in the schema, next to the site's own components.


def words_of(*words: str) -> dict[str, Any]:
    """Returns an inline enum: drf-spectacular would make a component of it, and rename a site's own StatusEnum."""
    return {"type": "string", "allOf": [{"enum": list(words)}]}


@extend_schema_field(words_of(*MessageStatus))
class StatusField(serializers.CharField):
    pass


@extend_schema_field(words_of(*Scope.limits()))
class ScopeField(serializers.CharField):
    pass


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_NAMES,
        "additionalProperties": {"oneOf": [{"type": "string", "maxLength": MAX_LENGTH}, {"type": "number"}]},
    }
)
class ContextObject(AnyField):
    pass


@extend_schema_field(serializers.CharField)
class SignedToken(TokenField):
    pass


def object_of(**properties: dict[str, Any]) -> dict[str, Any]:
    """Returns an inline object with exactly these properties."""
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


TEXT = {"type": "string"}


@extend_schema_field({"oneOf": [object_of(key=TEXT, value=TEXT), TEXT]})
class SolvedCaptcha(AnyField):
    pass


@extend_schema_field(
    {
        "oneOf": [
            object_of(kind={"enum": ["image"]}, key=TEXT, image=TEXT),
            object_of(kind={"enum": ["altcha"]}, challenge={"type": "object"}),
        ]
    }
)
class OfferedCaptcha(AnyField):
    pass


class SMSVerifySendSerializer(SendSerializer):
    device = SignedToken(required=False, allow_null=True, help_text="Of an earlier `verify/`")
    ticket = SignedToken(required=False, allow_null=True, help_text="Of `ticket/`, or of the page")
    captcha = SolvedCaptcha(required=False, help_text="What was read in an image, or altcha's text")
    context = ContextObject(required=False, help_text="What the code is for")


class SMSVerifyVerifySerializer(VerifySerializer):
    context = ContextObject(required=False, help_text="The one that the code was sent for")


class SMSVerifySendingSerializer(SendingSerializer):
    sent = serializers.BooleanField(required=False, help_text="false: no SMS was sent now, an earlier one has the code")


class SMSVerifySendStatusSerializer(SendingSerializer):
    status = StatusField()
    detail = serializers.CharField(required=False, help_text="With not_sent: a sentence for a person")
    code = serializers.CharField(required=False, help_text="With not_sent: gateway_unavailable or phone_rejected")
    tries = serializers.IntegerField(required=False, help_text="2: sent again after the vendor reported a failure")


class SMSVerifyVerifiedSerializer(serializers.Serializer[Any]):
    phone = serializers.CharField(help_text="Masked: 138****8000")
    purpose = serializers.CharField()
    proof = serializers.CharField(help_text="For redeem_proof(), once")
    proof_expires_in = serializers.IntegerField(help_text="Seconds")
    device = serializers.CharField(help_text="Send it with `send/`: it shows that the number's owner asks")


class SMSVerifyRefusalSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(help_text="A sentence for a person")
    code = serializers.CharField(help_text="A stable word")


class SMSVerifyInvalidSerializer(SMSVerifyRefusalSerializer):
    errors = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="With code `invalid`: field to sentences"
    )
    attempts_left = serializers.IntegerField(required=False, help_text="With code `wrong_code` or `context_mismatch`")
    captcha = OfferedCaptcha(required=False, help_text="With code `captcha_required`, if the app makes the captcha")


class SMSVerifyTicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="Send it with `send/`, once, from the same network")
    usable_in = serializers.FloatField(help_text="Seconds")
    expires_in = serializers.IntegerField(help_text="Seconds")


class SMSVerifyThrottledSerializer(SMSVerifyRefusalSerializer):
    scope = ScopeField()
    retry_after = serializers.IntegerField(help_text="Seconds; also the Retry-After header")


def _refusals(bad_request: str, **more: tuple[Any, str]) -> dict[int, Any]:
    described: dict[int, Any] = {400: OpenApiResponse(SMSVerifyInvalidSerializer, description=bad_request)}
    for status, (serializer, words) in more.items():
        described[int(status[1:])] = OpenApiResponse(serializer, description=words)
    return described


KEY = OpenApiParameter(
    HEADER,
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
MALFORMED = {
    "_405": (SMSVerifyRefusalSerializer, "`method_not_allowed`"),
    "_411": (SMSVerifyRefusalSerializer, "`length_required`: a body in chunks, under a server that does not know them"),
    "_415": (SMSVerifyRefusalSerializer, "`unsupported_media_type`"),
    "_422": (SMSVerifyRefusalSerializer, "`idempotency_mismatch`"),
}
NOT_FOUND = {"_404": (SMSVerifyRefusalSerializer, "`not_found`")}

SEND = extend_schema(
    operation_id="smsverify_send",
    description="Sends a code to a number for a purpose, or, with `verification_id` alone, the same code again.",
    parameters=[KEY, *SIGNED],
    request=SMSVerifySendSerializer,
    responses={
        202: SMSVerifySendingSerializer,
        **_refusals(
            "`invalid`, `captcha_required`, `phone_not_supported`, `phone_rejected`, `unknown_purpose`; sending "
            "again also `expired`, `too_many_attempts`, `already_used`",
            **NOT_FOUND,
            **MALFORMED,
            _409=(SMSVerifyRefusalSerializer, "`in_progress`, with the Retry-After header"),
            _429=(SMSVerifyThrottledSerializer, "`throttled`, with the Retry-After header"),
            _503=(SMSVerifyRefusalSerializer, "`gateway_unavailable`, `throttle_unavailable`"),
        ),
    },
    examples=[
        OpenApiExample("First", {"phone": "13800138000", "purpose": "login"}, request_only=True),
        OpenApiExample("Again", {"verification_id": "5f0c9e0e-4a0c-4d0e-9a55-0d6d3c1c9d1f"}, request_only=True),
    ],
)
FLOODED = {
    405: OpenApiResponse(SMSVerifyRefusalSerializer, description="`method_not_allowed`"),
    429: OpenApiResponse(SMSVerifyThrottledSerializer, description="`throttled`: over 600 calls in a minute"),
}
STATUS = extend_schema(
    operation_id="smsverify_send_status",
    description="What became of the last SMS of a verification; `detail` and `code` come with `not_sent` only.",
    responses={
        200: SMSVerifySendStatusSerializer,
        404: OpenApiResponse(SMSVerifyRefusalSerializer, description="`not_found`"),
        **FLOODED,
    },
)
TICKET = extend_schema(
    operation_id="smsverify_ticket",
    description="A page ticket: with it `send/` asks for no captcha, unless the site asks for one always.",
    responses={200: SMSVerifyTicketSerializer, **FLOODED},
)
VERIFY = extend_schema(
    operation_id="smsverify_verify",
    description="Judges a code; a right one gives a proof for the site's own views.",
    parameters=[KEY],
    request=SMSVerifyVerifySerializer,
    responses={
        200: SMSVerifyVerifiedSerializer,
        **_refusals(
            "`invalid`, `wrong_code` and `context_mismatch` (with `attempts_left`), `expired`, `too_many_attempts`, "
            "`already_used`",
            **NOT_FOUND,
            **MALFORMED,
        ),
    },
)


class SendViewSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = SendView

    def view_replacement(self) -> type[SendView]:
        class Described(SendView):
            post = SEND(SendView.post)

        return Described


class SendStatusViewSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = SendStatusView

    def view_replacement(self) -> type[SendStatusView]:
        class Described(SendStatusView):
            get = STATUS(SendStatusView.get)

        return Described


class VerifyViewSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = VerifyView

    def view_replacement(self) -> type[VerifyView]:
        class Described(VerifyView):
            post = VERIFY(VerifyView.post)

        return Described


class TicketViewSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = TicketView

    def view_replacement(self) -> type[TicketView]:
        class Described(TicketView):
            get = TICKET(TicketView.get)

        return Described
