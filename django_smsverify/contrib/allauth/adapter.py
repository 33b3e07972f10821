"""The adapter of django-allauth that sends codes through this app, and keeps numbers in the user model."""

from __future__ import annotations

from typing import Any, NoReturn

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, ValidationError

from django_smsverify import phones
from django_smsverify.contrib.accounts import login_backend, phone_field, spellings, together
from django_smsverify.exceptions import InvalidPhone, PhoneNotSupported, SeveralAccounts, SMSVerifyError
from django_smsverify.http.client_address import client_ip
from django_smsverify.limits.per_number import lock_number
from django_smsverify.models import Verification
from django_smsverify.sending import send_code

from . import FORMS, pending
from .answers import refusal


class PhoneAccountAdapter(DefaultAccountAdapter):
    """Inherit it where your site has an adapter of its own, and name that in ACCOUNT_ADAPTER.

    The column USER_PHONE_FIELD of the user model has verified numbers only. A number that is not verified yet leads to
    no account.
    """

    login_purpose = "login"
    """What a code is for that leads to the account with its number."""
    verify_purpose = "verify"
    """What a code is for that gives an account its number, at the signup or later."""
    unverified_phone_field = ""
    """A column of the user model for a number that is not verified yet; without one the session keeps it."""

    def phone_form_field(self, **kwargs: Any) -> Any:
        """Returns allauth's field without its validator, which refuses a number without a `+`; `clean_phone` judges."""
        return super().phone_form_field(**{"validators": [], **kwargs})

    def clean_phone(self, phone: str) -> str:
        """Returns a number as E.164, however people write it; raises ValidationError."""
        try:
            return phones.parse(phone)
        except SMSVerifyError as error:
            raise ValidationError(str(error), code=error.code) from None

    def save_user(self, request: Any, user: Any, form: Any, commit: bool = True) -> Any:
        """Sends the code first: a refused SMS leaves no account behind that nobody can finish."""
        phone = form.cleaned_data.get("phone")
        if phone and app_settings.PHONE_VERIFICATION_ENABLED:
            self.send_code(phone, self.verify_purpose)
        return super().save_user(request, user, form, commit)

    def generate_phone_verification_code(self, *, user: Any, phone: str) -> str:
        """Returns what stands for a code in the session; the code is known to its phone alone.

        Raises ImproperlyConfigured if no form of ours would check the code.
        """
        if missing := FORMS.keys() - app_settings.FORMS.keys():
            raise ImproperlyConfigured(
                f"ACCOUNT_FORMS has no {', '.join(sorted(missing))}: set it to django_smsverify.contrib.allauth.FORMS, "
                "or add these to your own."
            )
        return pending.placeholder(user, phones.parse(phone))

    def send_verification_code_sms(self, user: Any, phone: str, code: str, **kwargs: Any) -> None:
        """Sends a code, or the live one again. A refusal is shown to the person, whose request ends there."""
        is_own = self.get_phone(user) == (phones.parse(phone), True)
        purpose = self.login_purpose if is_own else self.verify_purpose
        self.send_code(phone, purpose, trusted=is_own and bool(kwargs.get("reauthentication")))

    def send_unknown_account_sms(self, phone: str, **kwargs: Any) -> None:
        """Sends a code to a number that no account has, so that nobody but its owner learns that."""
        self.send_code(phone, self.login_purpose)

    def send_account_already_exists_sms(self, phone: str) -> None:
        """Sends a code to a number that another account has, so that nobody but its owner learns that."""
        self.send_code(phone, self.verify_purpose)

    def send_code(self, phone: str, purpose: str, *, trusted: bool = False) -> None:
        """Sends one SMS, however often the request asks for it; raises ImmediateHttpResponse where that is refused."""
        request = context.request
        sent = vars(request).setdefault("smsverify_sent", set())
        if phone in sent:
            return
        try:
            verification = send_code(phone, purpose, ip=client_ip(request), trusted=trusted)
        except SMSVerifyError as error:
            self.refuse(error)
        sent.add(phone)
        pending.remember_code(request.session, verification)

    def refuse(self, error: SMSVerifyError) -> NoReturn:
        """Ends the request, which shows the error: in JSON where JSON is expected, else on the page that was sent."""
        raise ImmediateHttpResponse(refusal(context.request, self, error))

    def get_user_by_phone(self, phone: str) -> Any:
        """Returns the account that has verified a number, or None. Raises ValidationError if several accounts have."""
        require_phone_column()
        try:
            return login_backend()[0].find_user(phones.parse(phone))
        except (InvalidPhone, PhoneNotSupported):
            return None
        except SeveralAccounts as error:
            raise ValidationError(str(error), code=error.code) from None

    def get_phone(self, user: Any) -> tuple[str, bool] | None:
        """Returns an account's number as E.164, and whether it is verified; None if there is none."""
        require_phone_column()
        try:
            return phones.parse(getattr(user, phone_field()) or ""), True
        except (InvalidPhone, PhoneNotSupported):
            phone = self._unverified(user)
            return (phone, False) if phone else None

    def set_phone(self, user: Any, phone: str, verified: bool) -> None:
        """Gives an account a verified number, or remembers that it is to be verified."""
        number = phones.parse(phone)
        if verified:
            self.set_phone_verified(user, number)
        elif self.unverified_phone_field:
            setattr(user, self.unverified_phone_field, number)
            user.save(update_fields=[self.unverified_phone_field])
        elif context.request is not None:
            pending.remember_unverified(context.request.session, user, number)

    def set_phone_verified(self, user: Any, phone: str) -> None:
        """Gives an account a verified number; ends the request if another account got it meanwhile."""
        number, backend = phones.parse(phone), login_backend()[0]
        require_phone_column()
        try:
            with together(get_user_model(), Verification):
                lock_number(number)
                holder = backend.find_user(number)
                if holder is not None and holder.pk != user.pk:
                    raise SeveralAccounts
                self._store_verified(user, spellings(number)[0])
        except SeveralAccounts as error:
            self.refuse(error)

    def _unverified(self, user: Any) -> str | None:
        if self.unverified_phone_field:
            return str(getattr(user, self.unverified_phone_field) or "")
        return None if context.request is None else pending.recall_unverified(context.request.session, user)

    def _store_verified(self, user: Any, written: str) -> None:
        values = {phone_field(): written}
        if self.unverified_phone_field:
            values[self.unverified_phone_field] = ""
        for name, value in values.items():
            setattr(user, name, value)
        user.save(update_fields=list(values))
        if context.request is not None:
            pending.forget_unverified(context.request.session)


def require_phone_column() -> None:
    """Raises ImproperlyConfigured for a column that might hold what nobody has verified, or not hold what is needed."""
    name = phone_field()
    column: Any = get_user_model()._meta.get_field(name)
    if name == app_settings.USER_MODEL_USERNAME_FIELD:
        raise ImproperlyConfigured(
            f'Set SMSVERIFY["USER_PHONE_FIELD"] to another column than {name}: allauth fills in user names that people '
            "choose, and whoever has the number in that column gets the account."
        )
    if column.unique and not column.null:
        raise ImproperlyConfigured(
            f"Give {get_user_model()._meta.label}.{name} null=True: allauth makes accounts whose number is not "
            "verified yet, and several of them without a number must be possible."
        )
