"""Providers in the admin: one labelled, write-only field for each secret that the chosen gateway needs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from django_smsverify.conf import conf
from django_smsverify.exceptions import InvalidGateway, UndecryptableValue
from django_smsverify.gateways import gateway_class
from django_smsverify.gateways.base import PROXY, Gateway
from django_smsverify.models import Provider
from django_smsverify.types import Credential, Option

from .lookups import filtered_by

CREDENTIAL, OPTION = "credential_", "option_"


def gateway_choices() -> list[tuple[str, str]]:
    """Alias and label of every gateway that can be imported."""
    choices = []
    for alias in conf.GATEWAYS:
        try:
            choices.append((alias, str(gateway_class(alias).label)))
        except InvalidGateway:
            continue  # the system check names it
    return choices


class ProviderForm(forms.ModelForm):
    """The part that is the same for every gateway; `form_for` adds the rest."""

    gateway = forms.ChoiceField(label=_("Gateway"), choices=gateway_choices)
    kind: type[Gateway]

    class Meta:
        model = Provider
        fields = (
            "name",
            "slug",
            "gateway",
            "base_url",
            "is_active",
            "priority",
            "weight",
            "price",
            "balance_alert",
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        kept = {} if self._moved(cleaned) else stored_credentials(self.instance)
        credentials = {c.name: cleaned.get(CREDENTIAL + c.name) or kept.get(c.name, "") for c in self.kind.credentials}
        for name, value in credentials.items():
            if not value:
                self.add_error(CREDENTIAL + name, _("Enter this; after a change of gateway, base URL or proxy, again."))
        self.instance.credentials = credentials
        chosen = {option.name: cleaned.get(OPTION + option.name) or "" for option in self.kind.options}
        self.instance.options = {name: value for name, value in chosen.items() if value}
        return cleaned

    def add_error(self, field: str | None, error: Any) -> None:
        """Shows what the model says of its options at the one that is free text."""
        found = getattr(error, "error_dict", {})
        if "options" in found:
            error = ValidationError({OPTION + PROXY.name if name == "options" else name: found[name] for name in found})
        super().add_error(field, error)

    def _moved(self, cleaned: dict[str, Any]) -> bool:
        """Whether the secrets would go elsewhere than where they were entered for: nobody may redirect them."""
        before = {**self.initial, OPTION + PROXY.name: self.instance.options.get(PROXY.name)}
        ways = ("gateway", "base_url", OPTION + PROXY.name)
        return any((cleaned.get(name) or "") != (before.get(name) or "") for name in ways)


def form_for(kind: type[Gateway], stored: dict[str, str], options: dict[str, str]) -> type[ProviderForm]:
    """The form with the fields of one gateway; secrets are never rendered, only whether they are there."""
    fields: dict[str, Any] = {CREDENTIAL + c.name: _credential_field(c, c.name in stored) for c in kind.credentials}
    fields |= {OPTION + o.name: _option_field(o, options.get(o.name)) for o in kind.options}
    return type("GatewayProviderForm", (ProviderForm,), {**fields, "kind": kind, "__module__": __name__})


def _credential_field(credential: Credential, is_stored: bool) -> forms.Field:
    placeholder = _("stored; leave blank to keep") if is_stored else ""
    return forms.CharField(
        label=credential.label,
        help_text=credential.help_text,
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "placeholder": placeholder, "size": 60}),
    )


def _option_field(option: Option, value: str | None) -> forms.Field:
    initial = value or option.default
    if option.choices:
        choices = [(choice, choice) for choice in option.choices]
        return forms.ChoiceField(label=option.label, help_text=option.help_text, choices=choices, initial=initial)
    return forms.CharField(label=option.label, help_text=option.help_text, required=False, initial=initial)


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin):
    list_display = ("name", "gateway", "is_active", "priority", "weight", "price", "balance")
    list_filter = ("gateway", "is_active")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return filtered_by(self, lookup)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        aliases = dict(gateway_choices())
        if request.method == "GET" and request.GET.get("gateway") not in aliases and self.has_add_permission(request):
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Choose a gateway"),
                "gateways": aliases.items(),
            }
            return TemplateResponse(request, "admin/smsverify/provider/choose_gateway.html", context)
        return super().add_view(request, form_url, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        view = sensitive_post_parameters()(super().changeform_view)
        return view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Provider | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = form_for(self._kind(request, obj), stored_credentials(obj), obj.options if obj else {})
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        kind = self._kind(request, obj)
        sections = [
            (None, {"fields": ["name", "slug", "gateway", "is_active"]}),
            (_("Credentials"), {"fields": ["base_url", *(CREDENTIAL + c.name for c in kind.credentials)]}),
            (_("Options"), {"fields": [OPTION + o.name for o in kind.options]}),
            (_("Routing and money"), {"fields": ["priority", "weight", "price", "balance_alert"]}),
        ]
        if obj is not None and not self.has_change_permission(request, obj):
            return [sections[0], sections[3]]
        return [section for section in sections if section[1]["fields"]]

    def _kind(self, request: HttpRequest, obj: Provider | None) -> type[Gateway]:
        """The class of the gateway that the form is for; one that is gone has no fields of its own."""
        alias = request.POST.get("gateway") or request.GET.get("gateway") or (obj.gateway if obj else "")
        try:
            return gateway_class(alias)
        except InvalidGateway:
            return type("Unknown", (Gateway,), {"options": ()})


def stored_credentials(obj: Provider | None) -> dict[str, str]:
    """What the row was loaded with; nothing for a new one or a lost key."""
    try:
        return obj.credentials if obj else {}
    except UndecryptableValue:
        return {}
