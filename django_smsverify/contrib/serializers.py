"""A serializer that takes a proof: `VerifiedPhoneField` gives the verified number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.fields import empty

from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.masked import Secret
from django_smsverify.models import Verification
from django_smsverify.verifying import read_proof, redeem_proof

from .accounts import spellings, together

if TYPE_CHECKING:
    Base = serializers.Serializer[Any]
else:
    Base = object


class VerifiedPhoneField(serializers.Field[str, Any, str, Any]):
    """Takes a proof for a purpose, and gives the number in the form that PHONE_FORM names, such as 13800138000.

    Its serializer must be a `VerifiedPhoneSerializer`, which redeems the proof once everything else is right.
    """

    default_error_messages = {"invalid": "Send the proof as JSON text."}

    def __init__(self, *, purpose: str, context: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**{"write_only": True, **kwargs})
        self.purpose, self.bound_to = purpose, context

    def bind(self, field_name: str, parent: Any) -> None:
        if not isinstance(parent, VerifiedPhoneSerializer):
            name = type(parent).__name__
            raise TypeError(
                f"{name}.{field_name} takes a proof: let {name} inherit "
                "django_smsverify.contrib.serializers.VerifiedPhoneSerializer first, which redeems it."
            )
        super().bind(field_name, parent)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return self._of(Secret(data), read_proof)

    def redeem(self, proof: str) -> str:
        """Returns the number, and uses the proof up; raises ValidationError."""
        return self._of(Secret(proof), redeem_proof)

    def _of(self, proof: str, use: Any) -> str:
        try:
            return spellings(use(proof, self.purpose, context=self.bound_to))[0]
        except SMSVerifyError as error:
            raise serializers.ValidationError(str(error), code=error.code) from None


class VerifiedPhoneSerializer(Base):
    """A serializer with a `VerifiedPhoneField`; inherit it before the serializer's own base class.

    `is_valid()` redeems the proofs in the caller's transaction, and only if everything else is right.
    """

    def run_validation(self, data: Any = empty) -> Any:
        value = super().run_validation(data)
        if isinstance(data, Mapping):
            with together(Verification):  # of several proofs all are used up, or none
                for name, field in self.fields.items():
                    if isinstance(field, VerifiedPhoneField) and name in data:
                        _redeem(name, field, data[name])
        return value


def _redeem(name: str, field: VerifiedPhoneField, proof: str) -> None:
    try:
        field.redeem(proof)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({name: error.detail}) from None
