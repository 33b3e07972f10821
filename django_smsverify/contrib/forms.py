"""A form that takes a proof: `VerifiedPhoneField` shows the widget `<sms-verify>` and gives the verified number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField

from django_smsverify import phones
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.http.widget import element
from django_smsverify.models import Verification
from django_smsverify.verifying import read_proof, redeem_proof

from .accounts import spellings, together

if TYPE_CHECKING:
    Base = forms.Form
else:
    Base = object


class SMSVerifyInput(forms.Widget):
    """The element `<sms-verify>`, which posts a proof."""

    def __init__(self, purpose: str, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__(dict(attrs or {}))
        self.purpose = purpose

    @property
    def media(self) -> forms.Media:
        """The script of the element."""
        script: Any = forms.widgets.Script("smsverify/smsverify.js", type="module")
        return forms.Media(js=[script])

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        """Returns the element; a proof that the form got, and has not used up, is given back to it."""
        given = {key.replace("-", "_"): each for key, each in {**self.attrs, **(attrs or {})}.items()}
        return element(self.purpose, name, **{**given, **self._verified(value)})

    def _verified(self, value: Any) -> dict[str, str]:
        try:
            phone = read_proof(str(value), self.purpose, context=self.attrs.get("context")) if value else None
        except SMSVerifyError:
            return {}
        return {} if phone is None else {"proof": str(value), "verified": phones.mask(phone)}


class VerifiedPhoneField(forms.CharField):
    """Takes a proof for a purpose, and gives the number in the form that PHONE_FORM names, such as 13800138000.

    Its form must be a `VerifiedPhoneForm`, which redeems the proof once all other fields are right: a person with an
    error in another field need not verify the number again. `context` is what the code is sent for, and the proof must
    be for; a form may set it when it is made.
    """

    def __init__(self, *, purpose: str, context: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**{"widget": SMSVerifyInput(purpose), **kwargs})
        self.purpose, self.context = purpose, context

    @property
    def context(self) -> Mapping[str, Any] | None:
        return self._context

    @context.setter
    def context(self, context: Mapping[str, Any] | None) -> None:
        self._context = context
        if isinstance(self.widget, SMSVerifyInput):
            self.widget.attrs["context"] = context

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> BoundField:
        if not isinstance(form, VerifiedPhoneForm):
            raise TypeError(
                f"{type(form).__name__}.{field_name} takes a proof: let {type(form).__name__} inherit "
                "django_smsverify.contrib.forms.VerifiedPhoneForm first, which redeems it."
            )
        return super().get_bound_field(form, field_name)

    def clean(self, value: Any) -> str:
        proof = super().clean(value)
        return self._of(proof, read_proof) if proof else ""

    def redeem(self, proof: str) -> str:
        """Returns the number, and uses the proof up; raises ValidationError."""
        return self._of(proof, redeem_proof)

    def _of(self, proof: str, use: Any) -> str:
        try:
            return spellings(use(proof, self.purpose, context=self.context))[0]
        except SMSVerifyError as error:
            raise ValidationError(str(error), code=error.code) from None


class VerifiedPhoneForm(Base):
    """A form with a `VerifiedPhoneField`; inherit it before the form's own base class.

    `is_valid()` redeems the proofs in the caller's transaction, and only if everything else is right.
    """

    def full_clean(self) -> None:
        super().full_clean()
        if not self.is_bound or self.errors:
            return
        try:
            with together(Verification):  # of several proofs all are used up, or none
                for name, field in self.fields.items():
                    if isinstance(field, VerifiedPhoneField):
                        self._redeem(name, field)
        except ValidationError as error:
            self.add_error(None, error)

    def _redeem(self, name: str, field: VerifiedPhoneField) -> None:
        proof = self[name].data
        try:
            if proof:
                field.redeem(proof)
        except ValidationError as error:
            raise ValidationError({name: error}) from None
