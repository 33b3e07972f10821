"""The backend that finds or makes the account of a verified number; a site inherits it to say how its accounts are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import router, transaction
from django.db.models import CharField, EmailField, Field, Model
from django.http import HttpRequest
from django.utils.crypto import get_random_string
from django.utils.module_loading import import_string

from django_smsverify import phones
from django_smsverify.conf import conf
from django_smsverify.exceptions import AccountInactive, NoAccount, PhoneNotSupported, SeveralAccounts, SMSVerifyError
from django_smsverify.limits.per_number import lock_number
from django_smsverify.models import Verification
from django_smsverify.verifying import read_proof, redeem_proof


class PhoneProofBackend(ModelBackend):
    """Logs in by a proof: `authenticate(request, proof=…)` returns the account of its number, or None.

    The column is USER_PHONE_FIELD, or that of the user name; it holds numbers as PHONE_FORM says.
    """

    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        proof: str | None = None,
        purpose: str = "login",
        **others: Any,
    ) -> Any:
        """Returns the account with the number of a proof, which is used up; None if there is none, or it is refused."""
        if proof is None:
            return None
        try:
            return self.enter(proof, purpose, creates=False)[0]
        except SMSVerifyError:
            return None

    def enter(
        self, proof: str, purpose: str, *, context: Mapping[str, Any] | None = None, creates: bool = True
    ) -> tuple[Any, bool]:
        """Redeems a proof; returns the account with its number, and whether it was made just now.

        Requests for one number wait for each other, so that it gets one account. If it is refused, the proof can be
        redeemed again. Raises ProofRejected, InvalidContext, StalePhone, NoAccount, AccountInactive, SeveralAccounts.
        """
        phone = read_proof(proof, purpose, context=context)
        with together(get_user_model(), Verification):
            lock_number(phone)
            user = self.find_user(phone)
            redeem_proof(proof, purpose, context=context, known_since=self._known_since(user))
            if user is None and not creates:
                raise NoAccount
            found = self.create_user(phone) if user is None else user
            if not self.user_can_authenticate(found):
                raise AccountInactive
        return found, user is None

    def find_user(self, phone: str) -> Any:
        """Returns the account with a number in E.164, or None, whichever of both forms its column holds.

        The form that PHONE_FORM names comes first. Raises SeveralAccounts.
        """
        for written in spellings(phone):
            found = list(get_user_model()._default_manager.filter(**{phone_field(): written})[:2])
            if len(found) > 1:
                raise SeveralAccounts
            if found:
                return found[0]
        return None

    def create_user(self, phone: str) -> Any:
        """Makes and returns an account for a number in E.164, without a password.

        A required user name in another column gets the number, too, with a random end where that name is taken. Inherit
        this where accounts need more. Raises ImproperlyConfigured where a user name is needed that a number cannot be.
        """
        model, written = get_user_model(), spellings(phone)[0]
        names = {column: _free_name(column, written) for column in _user_name_to_fill()}
        user = model(**{phone_field(): written}, **names)
        user.set_unusable_password()
        user.save()
        return user

    def known_since(self, user: Any) -> datetime | None:
        """Returns when an account was last known to have its number: when it was made. None: it is not asked whether
        the number was silent. Inherit this where your accounts know better."""
        return getattr(user, "date_joined", None)

    def _known_since(self, user: Any) -> datetime | None:
        return None if user is None or conf.STALE_PHONE_DAYS is None else self.known_since(user)


def phone_field() -> str:
    """Returns the name of the user model's column with the number; raises ImproperlyConfigured if it has none."""
    model = get_user_model()
    name = conf.USER_PHONE_FIELD or model.USERNAME_FIELD
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            f'SMSVERIFY["USER_PHONE_FIELD"] is {name!r}, but {model._meta.label} has no such field.'
        ) from None
    return name


def spellings(phone: str) -> list[str]:
    """Returns a number in E.164 as the column may hold it, the form that PHONE_FORM names first.

    A number outside +86 has one form only.
    """
    try:
        both = [phones.national(phone), phone]
    except PhoneNotSupported:
        return [phone]
    return both if conf.PHONE_FORM == "national" else both[::-1]


def login_backend() -> tuple[PhoneProofBackend, str]:
    """Returns the backend that finds accounts, and the dotted path of the one that a session names.

    They are the first of AUTHENTICATION_BACKENDS that is a PhoneProofBackend. Without one ours finds the accounts, and
    the session names the site's first backend.
    """
    for path in settings.AUTHENTICATION_BACKENDS:
        backend = import_string(path)
        if isinstance(backend, type) and issubclass(backend, PhoneProofBackend):
            return backend(), path
    return PhoneProofBackend(), settings.AUTHENTICATION_BACKENDS[0]


def _user_name_to_fill() -> list[str]:
    """The column of the user name, where it is another than that of the number, and an account needs one."""
    model = get_user_model()
    field = model._meta.get_field(model.USERNAME_FIELD)
    if not isinstance(field, Field) or field.name == phone_field() or field.null or field.has_default():
        return []
    if not isinstance(field, CharField) or isinstance(field, EmailField):
        raise ImproperlyConfigured(
            f"An account needs a value for {model._meta.label}.{field.name}, and a number is none: inherit "
            f"django_smsverify.contrib.accounts.PhoneProofBackend, write create_user(phone), and name your class in "
            f"AUTHENTICATION_BACKENDS; or make no accounts (creates = False)."
        )
    return [field.name]


def _free_name(column: str, wanted: str) -> str:
    """The wanted name, or one like it: it may be that of an account whose number was another's, or was changed."""
    is_taken = get_user_model()._default_manager.filter(**{column: wanted}).exists()
    return f"{wanted}-{get_random_string(8)}" if is_taken else wanted


@contextmanager
def together(*models: type[Model]) -> Iterator[None]:
    """A transaction on the databases of the models."""
    with ExitStack() as stack:
        for alias in sorted({router.db_for_write(model) for model in models}):
            stack.enter_context(transaction.atomic(using=alias))
        yield
