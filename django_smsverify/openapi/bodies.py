"""What clients send, and what they are answered when all is well."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import NoRoute, PhoneRejected
from django_smsverify.serializers import KnownFieldsOnly, SendingSerializer, SendSerializer, VerifySerializer

from . import fields


class KnownFieldsOnlySchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """States that unknown fields are refused, where the site's settings have it so."""

    target_class = KnownFieldsOnly
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> fields.Schema:
        schema: fields.Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return schema if self.target.takes_more() else {**schema, "additionalProperties": False}


class SMSVerifySendFirstSerializer(SendSerializer):
    """A number and a purpose."""

    surplus: ClassVar[frozenset[str]] = frozenset({"verification_id"})

    phone = fields.Number(help_text="As people write it")  # type: ignore[assignment]
    purpose = fields.Purpose()  # type: ignore[assignment]
    context = fields.Context(required=False, help_text="What the code is for")
    verification_id = fields.Id()  # type: ignore[assignment]
    device = fields.Token(required=False, allow_null=True, help_text="Of an earlier `verify/`")  # type: ignore[assignment]
    ticket = fields.Token(required=False, allow_null=True, help_text="Of `ticket/`, or of the page")  # type: ignore[assignment]
    captcha = fields.SolvedCaptcha(
        required=False, allow_null=True, help_text="What was read in an image, or altcha's text"
    )

    def get_fields(self) -> dict[str, Any]:
        return {name: field for name, field in super().get_fields().items() if name not in self.surplus}


class SMSVerifySendAgainSerializer(SMSVerifySendFirstSerializer):
    """The verification whose code is sent again."""

    surplus = frozenset({"phone", "purpose", "context"})


SEND = PolymorphicProxySerializer(
    "SMSVerifySend", [SMSVerifySendFirstSerializer, SMSVerifySendAgainSerializer], resource_type_field_name=None
)


class SMSVerifyVerifySerializer(VerifySerializer):
    """One guess of a code."""

    verification_id = fields.Id()  # type: ignore[assignment]
    code = fields.Code(help_text="4 to 8 digits as people write them")  # type: ignore[assignment]
    context = fields.Context(required=False, help_text="The one that the code was sent for")


class SMSVerifySendingSerializer(SendingSerializer):
    sent = fields.Unsent(required=False, help_text="No SMS was sent now, an earlier one has the code")


class SMSVerifySentSerializer(SendingSerializer):
    status = fields.StatusOfSent()
    tries = fields.SecondTry(required=False, help_text="Sent again after the vendor reported a failure")


class SMSVerifyNotSentSerializer(SendingSerializer):
    status = fields.NotSent()
    detail = serializers.CharField(help_text="A sentence for a person")
    code = fields.described_as(fields.words_of(NoRoute.code, PhoneRejected.code))()


STATUS = PolymorphicProxySerializer(
    "SMSVerifySendStatus",
    {
        str(status): SMSVerifyNotSentSerializer if status == MessageStatus.NOT_SENT else SMSVerifySentSerializer
        for status in MessageStatus
    },
    resource_type_field_name="status",
)


class SMSVerifyVerifiedSerializer(serializers.Serializer[Any]):
    phone = serializers.CharField(help_text="Masked: 138****8000")
    purpose = serializers.CharField()
    proof = serializers.CharField(help_text="For redeem_proof(), once")
    proof_expires_in = serializers.IntegerField(help_text="Seconds")
    device = serializers.CharField(help_text="Send it with `send/`: it shows that the number's owner asks")


class SMSVerifyTicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="Send it with `send/`, once, from the same network")
    usable_in = serializers.FloatField(help_text="Seconds")
    expires_in = serializers.IntegerField(help_text="Seconds")
