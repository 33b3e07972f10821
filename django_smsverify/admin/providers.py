"""Providers in the admin: their list, and who may change what of them."""

from __future__ import annotations

from itertools import chain, count
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from django_smsverify.gateways.base import Gateway
from django_smsverify.models import Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.money import balances
from django_smsverify.operations.provider_states import provider_states
from django_smsverify.sending import circuits

from . import credentials, destinations
from .balances import ShowsBalance
from .columns import NOTHING
from .credentials import may_change_credentials
from .deleting import KeptByRecords
from .destinations import may_change_destination
from .encryption import ReencryptsSecrets
from .first_steps import TellsFirstSteps
from .looks import Tone, badge, render
from .lookups import SearchesWhatIsStored
from .provider_actions import ACTS
from .provider_form import CREDENTIAL, MONEY, OPTION, ProviderForm, form_for, gateway_choices, stored_credentials
from .provider_page import BUTTONS, ProviderPage
from .test_sms import SendsTestSMS
from .testing import TestsProvider

_KEYS = {"description": _("From the vendor's console. They are stored encrypted, and never shown again.")}
_OPTIONS = {"description": _("What stands here fits most accounts; “Required” is what you must enter.")}


def _free_slug(gateway: str) -> str:
    """The name of the gateway, with a number where providers have it: the name of a provider may be Chinese."""
    taken = set(Provider.objects.filter(slug__startswith=gateway).values_list("slug", flat=True))
    return next(slug for slug in chain([gateway], (f"{gateway}-{number}" for number in count(2))) if slug not in taken)


@admin.register(Provider)
class ProviderAdmin(
    ProviderPage,
    TestsProvider,
    SendsTestSMS,
    TellsFirstSteps,
    ReencryptsSecrets,
    ShowsBalance,
    SearchesWhatIsStored,
    KeptByRecords,
):
    kept_by = ("messages", "reports", "replies", "daily_sums")
    list_display = ("name", "state", "switch", "left_in_list", "priority")
    list_filter = ("gateway", "is_active")
    search_fields = ("name", "slug")
    actions = ("ask_balance", "close_circuit", "rotate_webhook_secret", "retire_webhook_secret")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A new provider has credentials."""
        return super().has_add_permission(request) and may_change_credentials(request)

    def has_credentials_permission(self, request: HttpRequest) -> bool:
        """Whether the user may change the secrets of webhooks."""
        return self.has_change_permission(request) and may_change_credentials(request)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows: list[Any] = list(found.result_list)
        states = provider_states(rows)
        for row in rows:
            row.found_state = states[row.pk]
            row.may_switch = self.has_change_permission(request, row)
        found.result_list = rows
        return found

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if super().has_add_permission(request) and not may_change_credentials(request):
            raise PermissionDenied(credentials.WHY_NO_NEW)
        aliases = dict(gateway_choices())
        if request.method == "GET" and request.GET.get("gateway") not in aliases and self.has_add_permission(request):
            title = _("Choose a gateway")
            return render(self, request, "provider/choose_gateway.html", title, gateways=aliases.items())
        return super().add_view(request, form_url, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        view = sensitive_post_parameters()(super().changeform_view)
        return view(request, *args, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        return {"slug": _free_slug(initial["gateway"]), **initial} if "gateway" in initial else initial

    def get_form(self, request: HttpRequest, obj: Provider | None = None, change: bool = False, **kwargs: Any) -> Any:
        kind, options = self._kind(request, obj), obj.options if obj else {}
        own = {"locked": self._locked(request, obj, kind), "keeps_keys": not may_change_credentials(request)}
        form = form_for(kind, stored_credentials(obj), options, **own)
        return super().get_form(request, obj, change, form=form, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        kind = self._kind(request, obj)
        sections: list[tuple[Any, dict[str, Any]]] = [
            (None, {"fields": ["name", "slug", "gateway", "is_active"]}),
            (_("Credentials"), {"fields": [*(CREDENTIAL + c.name for c in kind.credentials), "base_url"], **_KEYS}),
            (_("Options"), {"fields": [OPTION + o.name for o in kind.options], **_OPTIONS}),
            (_("Routing and money"), {"fields": ["priority", "weight", "regions", *MONEY]}),
        ]
        if obj is not None and not self.has_change_permission(request, obj):
            return [sections[0], *sections[3:]]
        return [section for section in sections if section[1]["fields"]]

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        # The form's fields only: a new balance may have been stored since the form was opened.
        keys = [] if form.keeps_keys else ["credentials"]
        obj.save(update_fields=[*ProviderForm.Meta.fields, "options", *keys] if change else None)
        entered = [name.removeprefix(CREDENTIAL) for name in form.changed_data if name.startswith(CREDENTIAL)]
        if change and (entered or "gateway" in form.changed_data):
            balances.forget_balance(obj)
        balances.watch(obj)
        # A change of the destination needs the credentials anyway: one mail is enough.
        if not destinations.log_and_mail_change(request, obj, form.before) and change and entered:
            credentials.log_and_mail_change(request, obj, entered)
        circuits.close(obj)  # the error may be fixed now: let the next SMS try
        self.ask_for_test(request, obj, form, change)

    @admin.display(description=_("state"))
    def state(self, row: Any) -> str:
        """Whether codes go out by it, in colour."""
        return badge(row.found_state.words, Tone(row.found_state.tone))

    @admin.display(description=_("switch"))
    def switch(self, row: Any) -> str:
        """A button in the form of the list, which posts to an address of its own."""
        if not row.may_switch:
            return NOTHING
        name = "switch_off" if row.is_active else "switch_on"
        url = reverse(f"admin:smsverify_provider_{name}", args=[row.pk], current_app=self.admin_site.name)
        html = '<button class="smsverify-button" formaction="{}" formmethod="post">{}</button>'
        return format_html(html, url, BUTTONS[name])

    @admin.action(description=_("Close the circuit: use it again at once"), permissions=["change"])
    def close_circuit(self, request: HttpRequest, rows: QuerySet[Provider]) -> None:
        """Uses the providers again at once."""
        self._act_on_each(request, rows, "close_circuits")

    @admin.action(description=_("Give a new webhook secret; the one before works on"), permissions=["credentials"])
    def rotate_webhook_secret(self, request: HttpRequest, rows: QuerySet[Provider]) -> None:
        """Creates new webhook secrets; the previous ones stay valid."""
        self._act_on_each(request, rows, "rotate_secret")

    @admin.action(description=_("Retire the previous webhook secret"), permissions=["credentials"])
    def retire_webhook_secret(self, request: HttpRequest, rows: QuerySet[Provider]) -> None:
        """Makes the previous webhook secrets invalid."""
        self._act_on_each(request, rows, "retire_secret")

    def _act_on_each(self, request: HttpRequest, rows: QuerySet[Provider], name: str) -> None:
        """As the button of that name does on the page of each."""
        for provider in rows:
            ACTS[name].do(self, request, provider)

    def _kind(self, request: HttpRequest, obj: Provider | None) -> type[Gateway]:
        """The gateway class of the form; MissingGateway, which has no fields, if it is missing."""
        alias = obj.gateway if obj else ""
        if obj is None or may_change_destination(request):
            alias = request.POST.get("gateway") or request.GET.get("gateway") or alias
        return gateway_class_or_missing(alias)

    def _locked(self, request: HttpRequest, obj: Provider | None, kind: type[Gateway]) -> dict[str, Any]:
        """The fields that the user may not change, and why: where SMS go, and keys."""
        locked: dict[str, Any] = {}
        if not may_change_destination(request):
            addresses = ["base_url", *(OPTION + option.name for option in kind.options if option.is_address)]
            locked |= dict.fromkeys([*addresses, *(["gateway"] if obj else [])], destinations.WHY_LOCKED)
        if not may_change_credentials(request):
            locked |= {CREDENTIAL + credential.name: credentials.WHY_LOCKED for credential in kind.credentials}
        return locked
