"""The forms of the scenes; a proof is redeemed once everything else in its form is right."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from demo.models import Order, User
from django_smsverify import phones
from django_smsverify.contrib.accounts import login_backend
from django_smsverify.contrib.forms import SMSVerifyInput, VerifiedPhoneField, VerifiedPhoneForm
from django_smsverify.exceptions import SMSVerifyError


class PasswordLoginForm(AuthenticationForm):
    """Takes a number in place of a user name."""

    username = forms.CharField(
        label=_("Mobile number"), widget=forms.TextInput({"type": "tel", "autocomplete": "username", "autofocus": True})
    )

    def clean_username(self) -> str:
        """The user name of the account with this number, or what was typed: then no password is right."""
        typed = str(self.cleaned_data["username"])
        try:
            user = login_backend()[0].find_user(phones.parse(typed))
        except SMSVerifyError:
            return typed
        return user.get_username() if user else typed


class ResetForm(forms.Form):
    """A new password for the account of a number.

    What a login asks of a number is asked here, too: who has it now must not enter the account of who had it before.
    """

    proof = forms.CharField(label="", widget=SMSVerifyInput("reset"))
    password = forms.CharField(
        label=_("New password"), strip=False, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        validate_password(password)
        return password

    def clean(self) -> None:
        """Redeems the proof, once the password is good."""
        if not self.errors:
            try:
                self.user, _is_new = login_backend()[0].enter(self.cleaned_data["proof"], "reset", creates=False)
            except SMSVerifyError as error:
                self.add_error("proof", ValidationError(str(error), code=error.code))

    def save(self) -> Any:
        """Returns the account."""
        self.user.set_password(self.cleaned_data["password"])
        self.user.save(update_fields=["password"])
        return self.user


class PayForm(VerifiedPhoneForm, forms.Form):
    """Pays an order: the code is sent for this order and this amount, and is good for nothing else."""

    phone = VerifiedPhoneField(purpose="pay", label="")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = order
        start_with(self.fields["phone"], order.user)
        self.fields["phone"].context = {"order": order.pk, "amount": str(order.amount)}  # type: ignore[attr-defined]

    def clean_phone(self) -> Any:
        return own(self.cleaned_data["phone"], self.order.user)

    def save(self) -> Order:
        self.order.paid_at = timezone.now()
        self.order.save(update_fields=["paid_at"])
        return self.order


class NumberForm(VerifiedPhoneForm, forms.Form):
    """Gives an account another number; both the old and the new one are verified."""

    old = VerifiedPhoneField(purpose="number", label=_("The old number"))
    new = VerifiedPhoneField(purpose="number", label=_("The new number"))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        start_with(self.fields["old"], user)

    def clean_old(self) -> Any:
        return own(self.cleaned_data["old"], self.user)

    def clean_new(self) -> Any:
        new = self.cleaned_data["new"]
        if login_backend()[0].find_user(phones.parse(new)):
            raise ValidationError(_("An account has this number already."), "taken")
        return new

    def save(self) -> User:
        self.user.phone = self.cleaned_data["new"]
        self.user.save(update_fields=["phone"])
        return self.user


def start_with(field: forms.Field, user: User) -> None:
    """The widget shows the number of the account first."""
    field.widget.attrs["phone"] = user.phone


def own(phone: str, user: User) -> str:
    """The number, if it is that of the account; raises ValidationError."""
    if phone != user.phone:
        raise ValidationError(_("Verify the number of your account, %(number)s."), "other", {"number": masked(user)})
    return phone


def masked(user: User) -> str:
    """The number of an account, masked; empty if it has none."""
    return phones.mask(phones.parse(user.phone)) if user.phone else ""
