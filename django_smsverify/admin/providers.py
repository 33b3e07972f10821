"""Providers in the admin, with one labelled, write-only field for each secret of the chosen gateway."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from django_smsverify.conf import conf
from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import InvalidGateway, UndecryptableValue
from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.parsing import UNREADABLE
from django_smsverify.models import Message, Provider
from django_smsverify.models.gateway_classes import gateway_class, gateway_class_or_missing
from django_smsverify.money import balances
from django_smsverify.sending import circuits
from django_smsverify.types import Credential, Option

from .balances import ShowsBalance
from .circuits import told_circuits
from .deleting import KeptByRecords
from .destinations import destination_of, log_and_mail_change, may_change_destination
from .lookups import SearchesWhatIsStored, filtered_by
from .probes import told_probes
from .second_ways import told_followed
from .testing import TestsProvider

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
    locked: frozenset[str] = frozenset()
    """Fields that the user may view but not change; posted values are ignored."""

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = destination_of(self.instance) if self.instance.pk else {}
        for name in self.locked & self.fields.keys():
            self.fields[name].disabled = True
            self.fields[name].help_text = _("To change where SMS go needs a permission of its own.")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        kept = {} if self._address_changed(cleaned) else stored_credentials(self.instance)
        credentials = {c.name: cleaned.get(CREDENTIAL + c.name) or kept.get(c.name, "") for c in self.kind.credentials}
        for name, value in credentials.items():
            if not value:
                self.add_error(CREDENTIAL + name, _("Enter this; after a change of gateway or address, again."))
        self.instance.credentials = credentials
        chosen = {option.name: cleaned.get(OPTION + option.name) or "" for option in self.kind.options}
        self.instance.options = {name: value for name, value in chosen.items() if value}
        return cleaned

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


def form_for(
    kind: type[Gateway], stored: dict[str, str], options: dict[str, str], locked: frozenset[str] = frozenset()
) -> type[ProviderForm]:
    """The form with the fields of one gateway; it shows whether secrets are stored, but never their values."""
    fields: dict[str, Any] = {CREDENTIAL + c.name: _credential_field(c, c.name in stored) for c in kind.credentials}
    fields |= {OPTION + o.name: _option_field(o, options.get(o.name)) for o in kind.options}
    own = {"kind": kind, "locked": locked, "__module__": __name__}
    return type("GatewayProviderForm", (ProviderForm,), {**fields, **own})


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
class ProviderAdmin(TestsProvider, ShowsBalance, SearchesWhatIsStored, KeptByRecords):
    kept_by = ("messages", "reports", "replies", "daily_sums")
    list_display = ("name", "gateway", "is_active", "priority", "weight", "circuit", "price", "left")
    list_filter = ("gateway", "is_active")
    search_fields = ("name", "slug")
    actions = ("ask_balance", "close_circuit", "rotate_webhook_secret", "retire_webhook_secret")
    readonly_fields = ("circuit", "unreadable", "second_ways", "probes", "left", "webhook")
    prepopulated_fields = {"slug": ("name",)}

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allows the list's own filters only."""
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
            request.current_app = self.admin_site.name  # a site may have several admins
            return TemplateResponse(request, "admin/smsverify/provider/choose_gateway.html", context)
        return super().add_view(request, form_url, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        view = sensitive_post_parameters()(super().changeform_view)
        return view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Provider | None = None, change: bool = False, **kwargs: Any) -> Any:
        kind, options = self._kind(request, obj), obj.options if obj else {}
        form = form_for(kind, stored_credentials(obj), options, self._locked(request, obj, kind))
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        kind = self._kind(request, obj)
        sections = [
            (None, {"fields": ["name", "slug", "gateway", "is_active"]}),
            (_("Credentials"), {"fields": ["base_url", *(CREDENTIAL + c.name for c in kind.credentials)]}),
            (_("Options"), {"fields": [OPTION + o.name for o in kind.options]}),
            (_("Routing and money"), {"fields": ["priority", "weight", "regions", *MONEY]}),
        ]
        if obj is not None:
            sections[0][1]["fields"] += ["circuit", "unreadable", "second_ways", "probes"]
            sections[3][1]["fields"].append("left")
        if obj is not None and kind.pushes:
            sections.append((_("Webhook"), {"fields": ["webhook"]}))
        if obj is not None and not self.has_change_permission(request, obj):
            return [sections[0], *sections[3:]]
        return [section for section in sections if section[1]["fields"]]

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        # The form's fields only: a new balance may have been stored since the form was opened.
        obj.save(update_fields=[*ProviderForm.Meta.fields, "credentials", "options"] if change else None)
        if change and any(name == "gateway" or name.startswith(CREDENTIAL) for name in form.changed_data):
            balances.forget_balance(obj)
        balances.watch(obj)
        log_and_mail_change(request, obj, form.before)
        circuits.close(obj)  # the error may be fixed now: let the next SMS try

    @admin.display(description=_("circuit"))
    def circuit(self, row: Provider) -> str:
        """Whether the provider is skipped after failures, for which numbers, until when, and why."""
        return told_circuits(row.pk)

    @admin.display(description=_("unreadable answers"))
    def unreadable(self, row: Provider) -> str:
        """How many SMS have an unknown outcome because the vendor's answer could not be read."""
        since = timezone.now() - timedelta(days=1)
        unknown = Message.objects.filter(provider=row, status=MessageStatus.UNKNOWN, created_at__gte=since)
        if not (count := unknown.filter(error_code=UNREADABLE).count()):
            return gettext("none in 24 hours")
        return gettext("%d in 24 hours: has the vendor changed its answers? The log says what cannot be read.") % count

    @admin.display(description=_("sent once more by another provider"))
    def second_ways(self, row: Provider) -> str:
        """How many codes took another way after this provider had reported a failure."""
        return told_followed(row)

    @admin.display(description=_("probes"))
    def probes(self, row: Provider) -> str:
        """The last probe to each carrier."""
        return told_probes(row)

    @admin.action(description=_("Close the circuit: use it again at once"), permissions=["change"])
    def close_circuit(self, request: HttpRequest, rows: QuerySet[Provider]) -> None:
        """Uses the providers again at once."""
        for provider in rows:
            circuits.close(provider)
        self.message_user(request, gettext("The next SMS may go there."), messages.SUCCESS)

    @admin.display(description=_("address"))
    def webhook(self, row: Provider) -> str:
        """The URL that the vendor calls, without the secret."""
        try:
            address = reverse("smsverify:webhook", args=[row.slug, "secret"]).replace("/secret/", "/…/")
        except NoReverseMatch:
            return gettext("none: the site does not include django_smsverify.urls")
        whole = gettext("%s (manage.py smsverify_webhooks prints all of it)") % address
        return f"{whole} · {gettext('the previous secret still works')}" if row.previous_webhook_secret else whole

    @admin.action(description=_("Give a new webhook secret; the one before works on"), permissions=["change"])
    def rotate_webhook_secret(self, request: HttpRequest, rows: QuerySet[Provider]) -> None:
        """Creates new webhook secrets; the previous ones stay valid."""
        for provider in rows:
            try:
                provider.rotate_webhook_secret()
            except ValueError:
                why = gettext("%s: the previous webhook secret still works; retire it first.") % provider
                self.message_user(request, why, messages.ERROR)
            else:
                todo = gettext("%s: register the new address with the vendor, then retire the old secret.") % provider
                self.message_user(request, todo, messages.SUCCESS)

    @admin.action(description=_("Retire the previous webhook secret"), permissions=["change"])
    def retire_webhook_secret(self, request: HttpRequest, rows: QuerySet[Provider]) -> None:
        """Makes the previous webhook secrets invalid."""
        for provider in rows:
            provider.retire_webhook_secret()
        self.message_user(request, gettext("Only the newest webhook secrets work now."), messages.SUCCESS)

    def _kind(self, request: HttpRequest, obj: Provider | None) -> type[Gateway]:
        """The gateway class of the form; MissingGateway, which has no fields, if it is missing."""
        alias = obj.gateway if obj else ""
        if obj is None or may_change_destination(request):
            alias = request.POST.get("gateway") or request.GET.get("gateway") or alias
        return gateway_class_or_missing(alias)

    def _locked(self, request: HttpRequest, obj: Provider | None, kind: type[Gateway]) -> frozenset[str]:
        """Fields that decide where SMS go, if the user may not change them; not the gateway of a new provider."""
        if may_change_destination(request):
            return frozenset()
        addresses = {"base_url", *(OPTION + option.name for option in kind.options if option.is_address)}
        return frozenset(addresses | ({"gateway"} if obj is not None else set()))


def stored_credentials(obj: Provider | None) -> dict[str, str]:
    """The stored credentials; empty for a new provider or when the key is lost."""
    try:
        return obj.credentials if obj else {}
    except UndecryptableValue:
        return {}
