"""What the buttons of a provider do, on its page and in the list: switch it, ask for its balance, and more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from django_smsverify.characters import listed
from django_smsverify.diagnosis.pushes import last_pushes
from django_smsverify.journal.words import moment
from django_smsverify.models import Provider, Template
from django_smsverify.models.accounts import LOOPBACK
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.money import balances
from django_smsverify.operations.webhook_calls import address_of, what_is_in_the_way
from django_smsverify.phones import masked
from django_smsverify.sending import circuits

from .balances import LEVELS
from .credentials import may_change_credentials
from .looks import ModelAdmin
from .testing import PERMISSION as TEST


class ActsOnProviders(ModelAdmin):
    """Adds an address for each button, which takes a POST from whoever may do it, and leads back to where it was."""

    def get_urls(self) -> list[Any]:
        return [
            path(f"<int:pk>/{name}/", self._view(name), name=f"smsverify_provider_{name}") for name in ACTS
        ] + super().get_urls()

    def _view(self, name: str) -> Callable[..., HttpResponse]:
        # Outside ATOMIC_REQUESTS, because no transaction may be open while a vendor is called.
        view = self.admin_site.admin_view(require_POST(partial(self.act_view, name=name)))
        return transaction.non_atomic_requests(view)

    def act_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Does what a button says."""
        provider = get_object_or_404(Provider, pk=pk)
        if not self.may_act(request, name, provider):
            raise PermissionDenied
        ACTS[name].do(self, request, provider)
        return HttpResponseRedirect(self._back(request, provider))

    def may_act(self, request: HttpRequest, name: str, provider: Provider) -> bool:
        """Whether the user may press a button."""
        if name == "test_push":
            return request.user.has_perm(TEST) and self.has_view_or_change_permission(request, provider)
        if ACTS[name].of_credentials and not may_change_credentials(request):
            return False
        return self.has_change_permission(request, provider)

    def _back(self, request: HttpRequest, provider: Provider) -> str:
        """The list as it was filtered, if the button was pressed there, else the page of the provider."""
        here = self.admin_site.name
        listed = reverse("admin:smsverify_provider_changelist", current_app=here)
        came_from = urlsplit(request.headers.get("referer", ""))
        if came_from.path == listed:
            return f"{listed}?{came_from.query}" if came_from.query else listed
        return reverse("admin:smsverify_provider_change", args=[provider.pk], current_app=here)


class Act(NamedTuple):
    """What a button does, and whether it is about a credential."""

    do: Callable[[ModelAdmin, HttpRequest, Provider], None]
    of_credentials: bool = False


def _switch(own: ModelAdmin, request: HttpRequest, provider: Provider, *, on: bool) -> None:
    rows = Provider.objects.filter(pk=provider.pk, is_active=not on)
    if rows.update(is_active=on):
        provider.is_active = on
        own.log_change(request, provider, gettext("Switched on.") if on else gettext("Switched off."))
    words = gettext("%s is switched on.") if on else gettext("%s is switched off: nothing is sent by it any more.")
    own.message_user(request, words % provider, messages.SUCCESS)
    if why := _what_follows(provider, on=on):
        own.message_user(request, why, messages.WARNING)


def _what_follows(provider: Provider, *, on: bool) -> str:
    """What the operator may not have meant."""
    usable = [one for one in Template.objects.routable() if one.carries_code]
    if on:
        has_own = any(one.provider_id == provider.pk for one in usable)
        return "" if has_own else gettext("It sends no codes yet: its page says what it lacks.")
    own = {one.purpose for one in provider.templates.filter(is_active=True) if one.carries_code}
    if orphans := sorted(own - {one.purpose for one in usable}):
        words = gettext("It was the last provider for %s: nobody gets a code for that now.")
        return words % listed(orphans)
    return ""


def _ask_balance(own: ModelAdmin, request: HttpRequest, provider: Provider) -> None:
    for check in balances.check_balances([provider]):
        told = masked(check.error) or own.left(check.provider)  # type: ignore[attr-defined]
        own.message_user(request, format_html("{}: {}", check.provider, told), LEVELS[check.state])


def _close_circuits(own: ModelAdmin, request: HttpRequest, provider: Provider) -> None:
    circuits.close(provider)
    own.log_change(request, provider, gettext("Circuits closed."))
    own.message_user(request, gettext("The next SMS may go there."), messages.SUCCESS)


def _test_push(own: ModelAdmin, request: HttpRequest, provider: Provider) -> None:
    address = called_address(request, provider)
    if not address:
        words = gettext(
            "It is not known where vendors reach this site: ALLOWED_HOSTS names no host. Have the developer enter it "
            "there, or run smsverify_webhooks with --test and --site."
        )
        own.message_user(request, words, messages.ERROR)
    elif why := what_is_in_the_way(address, provider):
        words = gettext("The test push to %(name)s did not go through: %(why)s")
        own.message_user(request, words % {"name": provider, "why": why}, messages.ERROR)
    else:
        words = gettext(
            "The test push to %s went through: calls reach this site. It was our own; the vendor calls only after the "
            "address was registered there."
        )
        own.message_user(request, words % provider, messages.SUCCESS)


def called_address(request: HttpRequest, provider: Provider) -> str:
    """The webhook's URL as vendors call it, as far as the settings say; on a developer's machine as this page was.

    Blank where it is not known: a host that only the request names would be told the secret.
    """
    try:
        known = address_of(provider)
    except NoReverseMatch:
        return ""
    if urlsplit(known).hostname not in (None, "localhost", "127.0.0.1", "::1"):
        return known
    own_host = urlsplit(f"//{request.get_host()}").hostname
    is_own_machine = own_host in {name.strip("[]") for name in LOOPBACK}
    return request.build_absolute_uri(provider.webhook_path) if is_own_machine else ""


def _rotate(own: ModelAdmin, request: HttpRequest, provider: Provider) -> None:
    try:
        provider.rotate_webhook_secret()
    except ValueError:
        why = gettext("%s: the previous webhook secret still works; retire it first.") % provider
        own.message_user(request, why, messages.ERROR)
        return
    own.log_change(request, provider, gettext("New webhook secret."))
    todo = gettext(
        "The webhook of %s has a new address now; the one before works on. Register the new one with the vendor, then "
        "retire the previous secret."
    )
    own.message_user(request, todo % provider, messages.SUCCESS)


def _retire(own: ModelAdmin, request: HttpRequest, provider: Provider) -> None:
    is_used = bool(provider.previous_webhook_secret) and gateway_class_or_missing(provider.gateway).pushes
    is_unproved = is_used and last_pushes(provider).by_new is None
    provider.retire_webhook_secret()
    own.log_change(request, provider, gettext("Previous webhook secret retired."))
    own.message_user(request, gettext("Only the newest webhook secrets work now."), messages.SUCCESS)
    if is_unproved:
        words = gettext("%s: no push came by the new address yet. See that it is the one registered with the vendor.")
        own.message_user(request, words % provider, messages.WARNING)


def told_secrets(provider: Provider) -> str:
    """Says whether the vendor calls the new address already, while the one before works on."""
    pushes = last_pushes(provider)
    if pushes.by_new:
        words = gettext("The vendor called the new address last at %s: the previous secret can be retired.")
        return words % moment(pushes.by_new)
    if pushes.by_previous:
        words = gettext("The vendor has not called the new address yet, and the previous one last at %s.")
        return words % moment(pushes.by_previous)
    return gettext("The vendor has called neither address since the new one was made.")


ACTS: Mapping[str, Act] = {
    "switch_on": Act(partial(_switch, on=True)),
    "switch_off": Act(partial(_switch, on=False)),
    "ask_balance": Act(_ask_balance),
    "close_circuits": Act(_close_circuits),
    "test_push": Act(_test_push),
    "rotate_secret": Act(_rotate, of_credentials=True),
    "retire_secret": Act(_retire, of_credentials=True),
}
"""By the name in the address."""
