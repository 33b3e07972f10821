"""The serializers of the endpoints. They are strict: text must be a JSON string, and unknown fields are refused."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, cast
from uuid import UUID

from django.core.validators import MaxLengthValidator
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils.serializer_helpers import BindingDict

from . import codes
from .conf import conf
from .masked import Secret

SHOWN = 40
"""Characters of an unknown field name that an error repeats."""
LONGEST_NUMBER, LONGEST_PURPOSE = 40, 64
"""Characters."""


class TextField(serializers.CharField):
    """A JSON string; a JSON number is refused, because it has lost its leading zeros and its plus."""

    default_error_messages = {"invalid": _("Send this as JSON text, in quotes.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for validator in self.validators:
            if isinstance(validator, MaxLengthValidator):
                # DRF's own message stays in the language in which it was first shown.
                validator.message = lazy(self._too_long, str)()

    def _too_long(self) -> str:
        return str(self.error_messages["max_length"]).format(max_length=self.max_length)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IdField(serializers.UUIDField):
    """A verification's id as a JSON string; DRF would accept a JSON number too."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=type(data).__name__)
        return super().to_internal_value(data)


class NumberField(TextField):
    """A phone number as people write it."""

    def to_internal_value(self, data: Any) -> Secret:
        return Secret(super().to_internal_value(data))


class CodeField(TextField):
    """4 to 8 digits as people write them, converted to ASCII digits."""

    default_error_messages = {"not_a_code": _("A code is 4 to 8 digits.")}

    def to_internal_value(self, data: Any) -> Secret:
        code = Secret(codes.as_digits(super().to_internal_value(data)))
        if not (code.isascii() and code.isdigit() and 4 <= len(code) <= 8):
            self.fail("not_a_code")
        return code


class TokenField(serializers.Field[str, Any, str, Any]):
    """A token that helps a request, such as a device's or a page's; what is no text counts as absent."""

    def to_internal_value(self, data: Any) -> str:
        return Secret(data) if isinstance(data, str) else ""


class AnyField(serializers.Field[Any, Any, Any, Any]):
    """Any JSON, which is read elsewhere."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class KnownFieldsOnly(serializers.Serializer[Any]):
    """Refuses unknown fields, so that a misspelled field is noticed at once."""

    @cached_property
    def fields(self) -> BindingDict:
        """The fields, copied and bound once for all serializers of the class: they keep nothing of a request."""
        return _fields_of(type(self))

    def run_validation(self, data: Any = empty) -> Any:
        """Reports an error of the whole body as `non_field_errors`; DRF would use the site's NON_FIELD_ERRORS_KEY."""
        if not isinstance(data, Mapping):
            message = self.error_messages["invalid"].format(datatype=type(data).__name__)
            raise serializers.ValidationError({"non_field_errors": [message]}, code="invalid")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        if not self.takes_more():
            unknown = {
                ascii(name)[1:-1][:SHOWN]: [_("There is no such field.")] for name in data if name not in self.fields
            }
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)

    def takes_more(self) -> bool:
        """Whether unknown fields are accepted."""
        return False


@cache
def _fields_of(kind: type[KnownFieldsOnly]) -> BindingDict:
    without_data = kind()
    fields = BindingDict(without_data)
    for name, field in without_data.get_fields().items():
        fields[name] = field
    return fields


class SendSerializer(KnownFieldsOnly):
    """Either a number and a purpose, or the verification whose code is sent again."""

    phone = NumberField(max_length=LONGEST_NUMBER, required=False)
    purpose = TextField(max_length=LONGEST_PURPOSE, required=False, trim_whitespace=False)
    context = AnyField(required=False)  # type: ignore[assignment]  # a field, as DRF collects it
    verification_id = IdField(required=False)
    device = TokenField(required=False, allow_null=True)
    ticket = TokenField(required=False, allow_null=True)
    captcha = AnyField(required=False, allow_null=True)

    def takes_more(self) -> bool:
        """Whether a captcha is configured, which may have fields of its own."""
        return conf.CAPTCHA is not None or any("CAPTCHA" in own for own in conf.PURPOSES.values())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "verification_id" in attrs:
            surplus: list[str] = [name for name in ("phone", "purpose", "context") if name in attrs]
            errors = {name: [_("Leave this out when verification_id is given.")] for name in surplus}
        else:
            missing: list[str] = [name for name in ("phone", "purpose") if name not in attrs]
            errors = {name: [_("This field is required.")] for name in missing}
        if errors:
            raise serializers.ValidationError(cast("Any", errors))
        return attrs


class VerifySerializer(KnownFieldsOnly):
    """One guess of a code."""

    verification_id = IdField()
    code = CodeField()
    context = AnyField(required=False)  # type: ignore[assignment]  # a field, as DRF collects it


class SendingSerializer(serializers.Serializer[Any]):
    """The data that a front end needs to ask its user for the code."""

    verification_id = serializers.UUIDField()
    phone = serializers.CharField(help_text="Masked: 138****8000")
    expires_in = serializers.IntegerField(help_text="Seconds")
    resend_in = serializers.IntegerField(help_text="Seconds")
    code_length = serializers.IntegerField()
