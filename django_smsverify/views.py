"""The endpoints for front ends: JSON in, JSON out, every refusal with a stable code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import exceptions as drf
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from . import phones
from .challenges.recognizing import Tokens, captcha_offered, recognize
from .challenges.tickets import USABLE_AFTER, ticket_for
from .conf import conf
from .enums import MessageStatus, Reason
from .exceptions import (
    AccountInactive,
    IdempotencyMismatch,
    InProgress,
    InvalidContext,
    InvalidIdempotencyKey,
    InvalidPhone,
    NoAccount,
    NoRoute,
    OverBudget,
    PhoneRejected,
    SeveralAccounts,
    SMSVerifyError,
    StalePhone,
    Throttled,
    ThrottleUnavailable,
    VerificationNotFound,
)
from .http.client_address import client_ip
from .http.endpoints import endpoint
from .http.json_body import JSONRequest, SmallJSONParser
from .http.request_body import BodyCompressed, LengthRequired
from .idempotency import HEADER, KeyedRequest, keyed_request
from .limits.flood import check_flood
from .limits.per_number import resend_wait
from .limits.shared import TICKET_LIFETIME
from .masked import Secret
from .models import Message, Verification
from .numbers.test_numbers import is_test_number
from .sending.repeats import send_once
from .sending.request import CodeRequest
from .sending.single import require_purpose, resend_to, send_code_to
from .serializers import SendSerializer, VerifySerializer
from .verifying.context import canonical
from .verifying.guess import check_guess
from .verifying.proofs import device_token_of, make_proof, proof_seconds_left

STATUSES: dict[type[SMSVerifyError], int] = {
    VerificationNotFound: 404,
    InProgress: 409,
    LengthRequired: 411,
    BodyCompressed: 415,
    IdempotencyMismatch: 422,
    Throttled: 429,
    NoRoute: 503,
    OverBudget: 503,
    ThrottleUnavailable: 503,
    StalePhone: 403,
    NoAccount: 403,
    AccountInactive: 403,
    SeveralAccounts: 403,
}
"""HTTP status of our errors; 400 for all others."""
FIELDS: dict[type[SMSVerifyError], str] = {
    InvalidPhone: "phone",
    InvalidContext: "context",
    InvalidIdempotencyKey: HEADER,
}
"""The field or header that an error is about."""


class AlwaysJSON(BaseContentNegotiation):
    """Answers in JSON, whatever the client accepts."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        sent = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class PlainJSONRenderer(JSONRenderer):
    """JSON that does not depend on a site's UNICODE_JSON, COMPACT_JSON and STRICT_JSON."""

    ensure_ascii = False
    compact = True
    strict = True


class FrontEndView(APIView):
    """The base of all endpoints for front ends; a site's own DRF defaults do not apply to them.

    The handlers accept further arguments from the path where a site includes them, such as URLPathVersioning's
    `<version>`.
    """

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = (SmallJSONParser,)
    renderer_classes = (PlainJSONRenderer,)
    content_negotiation_class = AlwaysJSON
    versioning_class = None
    metadata_class = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Returns the view outside ATOMIC_REQUESTS, with connections closed under ASGI."""
        return endpoint(super().as_view(**initkwargs))

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        return JSONRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def get_exception_handler(self) -> Any:
        return refuse

    def perform_authentication(self, request: Request) -> None:
        """Keeps the user that the site's middleware set, and None where there is none.

        DRF would create an UNAUTHENTICATED_USER, which comes from django.contrib.auth unless a site configures another.
        """
        request.user = cast("Any", getattr(request._request, "user", None))
        request.auth = None

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


class TicketView(FrontEndView):
    """Returns a page ticket, which a page asks for when it is shown."""

    def get(self, request: Request, **path: Any) -> Response:
        check_flood("ticket", client_ip(request._request))
        ticket = ticket_for(request._request)
        return Response({"ticket": ticket, "usable_in": USABLE_AFTER, "expires_in": TICKET_LIFETIME})


class SendView(FrontEndView):
    """Sends a code, or sends one again.

    A refusal by a limit of the number states the exact seconds, because the number's owner waits for them. A stranger
    learns from it that the number got an SMS within RESEND_INTERVAL, or as many as PHONE_LIMITS allow, and when. A
    number cannot be watched this way: a request that is not refused sends an SMS, which the owner sees and the limits
    count.
    """

    def post(self, request: JSONRequest, **path: Any) -> Response:
        asked = read(SendSerializer, request)
        tokens = Tokens(device=asked.pop("device", None) or "", ticket=asked.pop("ticket", None) or "")
        if "verification_id" in asked:
            verification = self._resend(request, asked["verification_id"], tokens)
        else:
            verification = self._send(request, asked, tokens)
        return Response(verification_data(verification), status=202)

    def _send(self, request: JSONRequest, asked: dict[str, Any], tokens: Tokens) -> Verification:
        phone, purpose = phones.parse(asked["phone"]), asked["purpose"]
        context = canonical(asked.pop("context", None))
        keyed = keyed_by_client(request, "send", Secret(f"{phone}:{purpose}:{context}"))

        def send() -> Verification:
            ip = client_ip(request._request)
            require_purpose(phone, purpose)
            is_simulated = is_test_number(phone)
            with captcha_offered(request, purpose):
                requester = recognize(request, phone, purpose, ip, tokens, asks=not is_simulated)
                return send_code_to(
                    CodeRequest(phone=phone, purpose=purpose, context=context, requester=requester, ip=ip, keyed=keyed),
                    is_simulated=is_simulated,
                )

        return send_once(keyed, send)

    def _resend(self, request: JSONRequest, verification_id: UUID, tokens: Tokens) -> Verification:
        keyed = keyed_by_client(request, "send", str(verification_id))

        def resend() -> Verification:
            verification = Verification.objects.find(verification_id)
            ip = client_ip(request._request)
            phone, purpose = verification.phone, verification.purpose
            is_covered = verification.by_solver and conf.CAPTCHA_WHEN == "risk"
            own = tokens._replace(is_covered=is_covered)
            with captcha_offered(request, purpose):
                requester = recognize(request, phone, purpose, ip, own, asks=not verification.is_simulated)
                return resend_to(verification, requester, ip=ip, keyed=keyed)

        return send_once(keyed, resend)


class SendStatusView(FrontEndView):
    """Returns the status of the newest SMS with a verification's code. A call costs nothing, so it shows nothing about
    other SMS to the number."""

    def get(self, request: Request, verification_id: str, **path: Any) -> Response:
        check_flood("status", client_ip(request._request))
        verification = Verification.objects.find(verification_id)
        last = self._last(verification)
        if last is not None and last.status != MessageStatus.NOT_SENT:
            verification.last_sent_at = last.created_at
        return Response(
            {
                "status": last.status if last else _status_without_sms(verification),
                **verification_data(verification),
                **why_not_sent(last),
                **({"tries": 2} if last and last.follows else {}),
            }
        )

    def _last(self, verification: Verification) -> Message | None:
        """The newest SMS; the one before a second that was not sent after all: then there was one try."""
        last = Message.objects.carrying(verification.holder).order_by("-created_at", "-attempt").first()
        if last is None or last.follows is None or last.status != MessageStatus.NOT_SENT:
            return last
        return Message.objects.filter(pk=last.follows).first()


class VerifyView(FrontEndView):
    """Checks a code."""

    def post(self, request: Request, **path: Any) -> Response:
        asked = read(VerifySerializer, request)
        verification_id, context = asked["verification_id"], canonical(asked.pop("context", None))
        keyed = keyed_by_client(request, "verify", str(verification_id))
        verification = check_guess(verification_id, asked["code"], context, keyed)
        return Response(
            {
                "phone": phones.mask(verification.phone),
                "purpose": verification.purpose,
                "proof": make_proof(verification),
                "proof_expires_in": proof_seconds_left(verification, timezone.now()),
                "device": device_token_of(verification),
            }
        )


def _status_without_sms(verification: Verification) -> MessageStatus:
    """That of an SMS that is about to be sent, or that a vendor has accepted, for all that a client may know."""
    return MessageStatus.ACCEPTED if verification.is_simulated else MessageStatus.QUEUED


def read(kind: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """Returns the validated fields of the body; raises ValidationError.

    The serializer, whose `repr` shows the whole body, is released before anything else is done.
    """
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def keyed_by_client(request: Request, endpoint: str, body: str) -> KeyedRequest | None:
    """Returns the digests of a request whose client may repeat it; None without an Idempotency-Key."""
    key = request.headers.get(HEADER)
    return None if key is None else keyed_request(endpoint, key, body)


def verification_data(verification: Verification) -> dict[str, Any]:
    """Returns the data that a front end needs to ask its user for the code."""
    now = timezone.now()
    unsent = {} if verification.sms_sent else {"sent": False}
    return {
        "verification_id": str(verification.pk),
        "phone": phones.mask(verification.phone),
        "expires_in": verification.seconds_left(now),
        "resend_in": resend_wait(verification, now),
        "code_length": verification.code_length,
        **unsent,
    }


def why_not_sent(message: Message | None) -> dict[str, str]:
    """Returns the error that `send/` would have returned if it had been known then; empty if the SMS may arrive."""
    if message is None or message.status != MessageStatus.NOT_SENT:
        return {}
    error = PhoneRejected() if message.error_reason == Reason.RECIPIENT else NoRoute()
    return {"detail": str(error), "code": error.code}


def refuse(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Returns the HTTP answer for an error of ours or of DRF; None for all others, which stay server errors."""
    if isinstance(error, SMSVerifyError):
        status = STATUSES.get(type(error), 400)
        body = {"detail": str(error), "code": error.code, **error.extra()}
        if name := FIELDS.get(type(error)):
            body["errors"] = {name: [str(error)]}
    elif isinstance(error, drf.ValidationError):
        status = 400
        body = {"detail": _("The request has errors."), "code": "invalid", "errors": error.detail}
    elif isinstance(error, drf.APIException):
        status = error.status_code
        code = "invalid" if isinstance(error, drf.ParseError) else error.default_code
        body = {"detail": str(error.detail), "code": code}
    else:
        return None
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, (InProgress, Throttled)) else {}
    return Response(body, status=status, headers=headers)
