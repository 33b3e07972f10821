"""Model fields: phone numbers and their carriers, encrypted dicts, and text for databases that may have no emoji."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connections, models, router
from django.db.models.query_utils import DeferredAttribute
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.conf import conf, is_region
from django_smsverify.enums import Carrier
from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.masked import secrets_of
from django_smsverify.phones import E164

from .charsets import is_storable, storable


class Ciphertext(str):
    """The value in the column: a Fernet token, or an empty string for an empty dict."""

    __slots__ = ()


@sensitive_variables()
def _cipher(*, newest_only: bool = False) -> MultiFernet:
    of_django: tuple[str | bytes, ...] = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    secrets = conf.ENCRYPTION_KEYS or of_django
    return _cipher_of(*(secrets[:1] if newest_only else secrets))


@lru_cache(maxsize=4)
@sensitive_variables()
def _cipher_of(*secrets: str | bytes) -> MultiFernet:
    """The cipher of these secrets; kept in memory, where the settings keep the secrets themselves."""
    # Imported here and below: it takes 8 MB, and a process that sends nothing needs none of it.
    from cryptography.fernet import Fernet, MultiFernet

    digests = [salted_hmac("django_smsverify.fields", "key", secret=s, algorithm="sha256").digest() for s in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def encrypt(value: Mapping[str, str]) -> Ciphertext:
    """Encrypts with the first key."""
    if not value:
        return Ciphertext("")
    return Ciphertext(_cipher().encrypt(json.dumps(value).encode()).decode())


def decrypt(token: Ciphertext) -> dict[str, str]:
    """Decrypts with any of the keys; each value is a Secret. Raises UndecryptableValue when no key fits."""
    if not token:
        return {}
    from cryptography.fernet import InvalidToken

    try:
        found = secrets_of(json.loads(_cipher().decrypt(token.encode())))
    except InvalidToken:
        found = {}
    if not found:
        words = gettext(
            "A stored secret cannot be decrypted: it was encrypted with a key that is no longer configured. "
            'Add that key to SMSVERIFY["ENCRYPTION_KEYS"] (or to SECRET_KEY_FALLBACKS when that setting is None) '
            "and run `manage.py smsverify_reencrypt`, or enter the credentials again in the admin."
        )
        raise UndecryptableValue(words)
    return found


def is_current(token: Ciphertext) -> bool:
    """Whether it is encrypted with the first key, or empty: then the other keys are not needed for it."""
    if not token:
        return True
    from cryptography.fernet import InvalidToken

    try:
        _cipher(newest_only=True).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def rotate(token: Ciphertext) -> Ciphertext:
    """Encrypts the same value with the first key; raises UndecryptableValue."""
    return encrypt(decrypt(token))


class _Decrypting(DeferredAttribute):
    """Decrypts on first access, so that a row with a lost key can still be listed, edited and repaired."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Ciphertext):
            value = instance.__dict__[self.field.attname] = decrypt(value)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        # Only a data descriptor precedes the instance's dict; without this, __get__ would never be called.
        instance.__dict__[self.field.attname] = secrets_of(value) if isinstance(value, Mapping) else value


if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

    _Column = models.TextField[dict[str, str], dict[str, str]]
else:
    _Column = models.TextField


class EncryptedDictField(_Column):
    """A dict of text to text, stored as a Fernet token encrypted with SMSVERIFY["ENCRYPTION_KEYS"]."""

    descriptor_class = _Decrypting

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(default=dict, blank=True)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Ciphertext:
        return Ciphertext(value or "")

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return self.value_from_object(model_instance)

    def value_from_object(self, obj: models.Model) -> Any:
        """A value that was not accessed is stored and dumped as it was loaded, which needs no key."""
        value = obj.__dict__.get(self.attname)
        return value if isinstance(value, Ciphertext) else super().value_from_object(obj)

    def get_prep_value(self, value: Any) -> Any:
        return str(value if isinstance(value, Ciphertext) else encrypt(value))

    def value_to_string(self, obj: models.Model) -> str:
        """For `dumpdata`: a fixture has the encrypted value."""
        return str(self.get_prep_value(self.value_from_object(obj)))

    def to_python(self, value: Any) -> Any:
        return Ciphertext(value) if isinstance(value, str) else value


class PhoneField(models.CharField):
    """A phone number in E.164."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 16
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str, expression: object, connection: object) -> E164:
        return E164(value)


class CarrierField(models.CharField):
    """The carrier of the row's `phone`, by its block; blank where there is none. Set when the row is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fixed = {"max_length": 16, "choices": Carrier.choices, "blank": True, "default": "", "db_default": ""}
        super().__init__(*args, **{**kwargs, **fixed})

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        if add:
            setattr(model_instance, self.attname, carrier_of(model_instance.phone) or "")
        return super().pre_save(model_instance, add)


class RegionsField(models.JSONField):
    """A list of regions by their two letters, which a form shows as `CN, HK`."""

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        regions = value if isinstance(value, list) else [(value,)]
        if unknown := [str(region) for region in regions if not (isinstance(region, str) and is_region(region))]:
            raise ValidationError(_("No region: %s. Write two letters for each, such as CN, HK.") % ", ".join(unknown))

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": _RegionsFormField, **kwargs})


class _RegionsFormField(forms.JSONField):
    widget = forms.TextInput

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    bound_data = forms.Field.bound_data

    def to_python(self, value: Any) -> Any:
        written = str(value or "").translate(_SEPARATORS).upper()
        return list(dict.fromkeys(written.split()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != initial)


_SEPARATORS = str.maketrans(",;，、；", "     ")


class _Validated:
    """An operator's text: characters that the database cannot store are invalid. Migrations see Django's own field."""

    def deconstruct(self: Any) -> Any:
        name, _path, args, kwargs = super().deconstruct()  # type: ignore[misc]
        return name, f"django.db.models.{self.get_internal_type()}", args, kwargs

    def validate(self: Any, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)  # type: ignore[misc]
        connection = connections[router.db_for_write(self.model)]
        if isinstance(value, str) and not is_storable(value, connection, _column_of(self)):
            raise ValidationError(
                _("The database cannot store an emoji here: take it out, or see `manage.py check --database default`."),
                code="character",
            )


class _Replacing(_Validated):
    """A vendor's or phone owner's text: characters that cannot be stored are replaced, so that the row is not lost."""

    def get_db_prep_value(self: Any, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = super().get_db_prep_value(value, connection, prepared)  # type: ignore[misc]
        return storable(value, connection, _column_of(self)) if isinstance(value, str) else value


def _column_of(field: Any) -> str:
    return f"{field.model._meta.db_table}.{field.column}"


class CheckedCharField(_Validated, models.CharField):
    """A short text of an operator; see `_Validated`."""


class CheckedTextField(_Validated, models.TextField):
    """A long text of an operator; see `_Validated`."""


class VendorCharField(_Replacing, models.CharField):
    """A vendor's id or code; see `_Replacing`."""


class VendorTextField(_Replacing, models.TextField):
    """A text that a vendor or the owner of a phone wrote; see `_Replacing`."""
