"""allauth's forms for a typed code, which is checked by the verification that it was sent for."""

from __future__ import annotations

from allauth.account import forms
from allauth.account.adapter import get_adapter
from allauth.account.stages import LoginByCodeStage, LoginStageController
from allauth.core import context
from django.core.exceptions import ValidationError

from django_smsverify.contrib.accounts import login_backend
from django_smsverify.exceptions import NoAccount, SMSVerifyError
from django_smsverify.models import Verification
from django_smsverify.verifying import make_proof, verify_code

from .pending import phone_in, placeholder, recall_code


class SMSCodeForm(forms.BaseConfirmCodeForm):
    """Checks a code that was sent by SMS; allauth checks what it sent by mail. Stands before a form of allauth.

    Where no account has the number, its owner gets a code all the same, and is told so once the code is right: nobody
    else learns whose numbers have accounts.
    """

    expected_code: str | None

    def clean_code(self) -> str:
        """Returns a word in place of the code; raises ValidationError with the sentence of the refusal."""
        if phone := phone_in(self.expected_code or "") or self.phone_without_account():
            try:
                self.enter(verify_code(recall_code(context.request.session, phone), self.cleaned_data["code"]))
            except SMSVerifyError as error:
                raise ValidationError(str(error), code=error.code) from None
            self.cleaned_data["code"] = self.expected_code = "verified"  # which allauth finds equal
        return str(super().clean_code())

    def phone_without_account(self) -> str:
        """The number that the person has entered, which no account has; empty if a mail address was entered."""
        return ""

    def enter(self, verification: Verification) -> None:
        """Raises an SMSVerifyError where a right code leads to nothing."""


class AccountCodeForm(SMSCodeForm):
    """A code that leads to the account with its number."""

    def enter(self, verification: Verification) -> None:
        proof, purpose = make_proof(verification), get_adapter().login_purpose
        user, _is_new = login_backend()[0].enter(proof, purpose, creates=False)
        if placeholder(user, verification.phone) != self.expected_code:
            raise NoAccount  # another account has the number since


class ConfirmLoginCodeForm(AccountCodeForm, forms.ConfirmLoginCodeForm):
    """Logs in."""

    def phone_without_account(self) -> str:
        stage = LoginStageController.enter(context.request, LoginByCodeStage.key)
        return stage.state.get("phone", "") if stage else ""


class ConfirmReauthenticationCodeForm(AccountCodeForm, forms.BaseConfirmCodeForm):
    """Shows that it is still the account's owner."""


class VerifyPhoneForm(SMSCodeForm, forms.VerifyPhoneForm):
    """Gives an account its number."""

    def phone_without_account(self) -> str:
        return str(self.phone or "")

    def clean_code(self) -> str:
        code = super().clean_code()  # which says so if another account has the number
        if self.user is None:
            error = NoAccount()
            raise ValidationError(str(error), code=error.code)
        return code
