"""The description of `login/`, and of what inherits it, for drf-spectacular; imported only if that is installed."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from django_smsverify.exceptions import AccountInactive, NoAccount, ProofRejected, SeveralAccounts, StalePhone
from django_smsverify.openapi import bodies, refusals
from django_smsverify.openapi.operations import ALLOW, ID, KEY, described, request, success

from .views import PhoneLoginEndpoint

LOGGED_IN = {"phone": "138****8000", "created": True, "device": "…"}


class SMSVerifyLoggedInSerializer(serializers.Serializer[Any]):
    phone = serializers.CharField(help_text="Masked: 138****8000")
    created = serializers.BooleanField(help_text="Whether the account was made just now")
    device = serializers.CharField(help_text="Send it with `send/`: it shows that the number's owner asks")


def of_login() -> list[Exception]:
    """The errors of the one call."""
    refused = [ProofRejected(), NoAccount(), AccountInactive(), SeveralAccounts(), StalePhone(timezone.now())]
    return [*refusals.of_verify(), *refused]


class LoginSchema(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = PhoneLoginEndpoint
    match_subclasses = True

    def view_replacement(self) -> type[PhoneLoginEndpoint]:
        view: type[PhoneLoginEndpoint] = self.target
        shown = {**LOGGED_IN, **dict.fromkeys(view.granted, "…")}
        return described(view, post=_operation(success(_logged_in(view), "Logged in", LoggedIn=shown)))


def _logged_in(view: type[PhoneLoginEndpoint]) -> type[serializers.Serializer[Any]]:
    """What a view answers: what all of them do, and what is granted."""
    if not view.granted:
        return SMSVerifyLoggedInSerializer
    fields = {name: serializers.CharField(help_text=words) for name, words in view.granted.items()}
    name = f"SMSVerifyLoggedIn{''.join(word.title() for word in view.granted)}Serializer"
    return type(name, (SMSVerifyLoggedInSerializer,), fields)


def _operation(answer: Any) -> Any:
    return extend_schema(
        operation_id="smsverify_login",
        description="Judges a code, and logs in or registers the number's owner.",
        parameters=[KEY, ALLOW],
        request=bodies.SMSVerifyVerifySerializer,
        responses={200: answer, **refusals.refusals("Login", of_login())},
        examples=[request("Code", verification_id=ID, code="123456")],
    )
