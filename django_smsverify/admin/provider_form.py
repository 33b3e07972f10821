"""The form of a provider, with one labelled, write-only field for each secret of the chosen gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from django_smsverify.conf import conf
from django_smsverify.exceptions import InvalidGateway, UndecryptableValue
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Provider
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.types import Credential, Option

from .destinations import destination_of

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

CREDENTIAL, OPTION = "credential_", "option_"


def gateway_choices() -> list[tuple[str, str]]:
    """Alias and label of every gateway that can be imported."""
    choices = []
    for alias in conf.GATEWAYS:
        try:
            choices.append((alias, str(gateway_class(alias).label)))
        except InvalidGateway:
            continue  # a system check reports it
    return choices


MONEY = ("price", "budget_day", "budget_month", "balance_alert")


class ProviderForm(forms.ModelForm):
    """The fields that all gateways have; `form_for` adds those of one gateway."""

    gateway = forms.ChoiceField(label=_("Gateway"), choices=gateway_choices)
    kind: type[Gateway]
    locked: Mapping[str, StrOrPromise] = {}
    """Fields that the user may view but not change, and why not; posted values are ignored."""
    keeps_keys: bool = False
    """Whether the user may not change the credentials."""

    class Meta:
        model = Provider
        fields = (
            "name",
            "slug",
            "gateway",
            "base_url",
            "regions",
            "is_active",
            "priority",
            "weight",
            *MONEY,
        )
        help_texts: ClassVar = {
            "balance_alert": _(
                "In what the vendor counts, such as SMS credits. When the balance falls below, a mail says so once."
            )
        }

        error_messages: ClassVar = {
            "slug": {"invalid": _("Only Latin letters, digits, hyphens and underscores, such as acme-2.")}
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = destination_of(self.instance) if self.instance.pk else {}
        for name in self.locked.keys() & self.fields.keys():
            self.fields[name].disabled = True
            self.fields[name].help_text = self.locked[name]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        has_moved = self._address_changed(cleaned)
        if not self.keeps_keys:
            self.instance.credentials = self._entered(cleaned, {} if has_moved else stored_credentials(self.instance))
        elif has_moved:
            why = _(
                "The credentials must be entered again for another gateway or address, and you may not change them."
            )
            self.add_error(None, why)
        chosen = {option.name: cleaned.get(OPTION + option.name) or "" for option in self.kind.options}
        self.instance.options = {name: value for name, value in chosen.items() if value}
        return cleaned

    def _entered(self, cleaned: Mapping[str, Any], kept: Mapping[str, str]) -> dict[str, str]:
        """The credentials: a blank field keeps its secret."""
        credentials = {c.name: cleaned.get(CREDENTIAL + c.name) or kept.get(c.name, "") for c in self.kind.credentials}
        again = _("Enter this; after a change of gateway or address, again.")
        why = again if self.instance.pk else _("Please enter it.")
        for name, value in credentials.items():
            if not value:
                self.add_error(CREDENTIAL + name, why)
        return credentials

    @property
    def has_lost_entries(self) -> bool:
        """Whether keys were entered that the page, which shows an error, does not repeat."""
        names = [CREDENTIAL + one.name for one in self.kind.credentials]
        return bool(self.is_bound and self.errors and any(self.data.get(self.add_prefix(name)) for name in names))

    def add_error(self, field: str | None, error: Any) -> None:
        """Shows a model's error about an option at the field of that option."""
        found = getattr(error, "error_dict", {})
        if "options" in found:
            name = OPTION + (found["options"][0].code or "")
            error = ValidationError({name if key == "options" else key: found[key] for key in found})
        super().add_error(field, error)

    def _address_changed(self, cleaned: dict[str, Any]) -> bool:
        """Whether the stored secrets would be sent to another address; then they must be entered again."""
        moved = [(cleaned.get(way) or "") != (self.initial.get(way) or "") for way in ("gateway", "base_url")]
        for option in self.kind.options:
            if option.is_address:
                now, before = cleaned.get(OPTION + option.name), self.instance.options.get(option.name)
                moved.append((now or option.default) != (before or option.default))
        return any(moved)


def form_for(kind: type[Gateway], stored: dict[str, str], options: dict[str, str], **own: Any) -> type[ProviderForm]:
    """The form with the fields of one gateway; it shows whether secrets are stored, but never their values.

    `own` are attributes of the form.
    """
    fields: dict[str, Any] = {CREDENTIAL + c.name: _credential_field(c, c.name in stored) for c in kind.credentials}
    fields |= {OPTION + o.name: _option_field(o, options.get(o.name), _need(kind, o)) for o in kind.options}
    return type("GatewayProviderForm", (ProviderForm,), {**fields, **own, "kind": kind, "__module__": __name__})


def _need(kind: type[Gateway], option: Option) -> StrOrPromise:
    """Whether the vendor needs an option, or one of several; blank if it does not."""
    for group in kind.required_options:
        if option.name in group:
            labels = " / ".join(str(one.label) for one in kind.options if one.name in group)
            return _("Required.") if len(group) == 1 else _("One of these is enough: %s.") % labels
    return ""


def _credential_field(credential: Credential, is_stored: bool) -> forms.Field:
    placeholder = _("stored; leave blank to keep") if is_stored else ""
    help_text = credential.help_text if is_stored else format_lazy("{} {}", _("Required."), credential.help_text)
    return forms.CharField(
        label=credential.label,
        help_text=help_text,
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "placeholder": placeholder, "size": 60}),
    )


def _option_field(option: Option, value: str | None, need: StrOrPromise) -> forms.Field:
    initial = value or option.default
    help_text = format_lazy("{} {}", need, option.help_text) if need else option.help_text
    if option.choices:
        choices = [(choice, choice) for choice in option.choices]
        return forms.ChoiceField(label=option.label, help_text=help_text, choices=choices, initial=initial)
    return forms.CharField(label=option.label, help_text=help_text, required=False, initial=initial)


def stored_credentials(obj: Provider | None) -> dict[str, str]:
    """The stored credentials; empty for a new provider or when the key is lost."""
    try:
        return obj.credentials if obj else {}
    except UndecryptableValue:
        return {}
