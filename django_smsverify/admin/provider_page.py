"""The page of a provider: its state in colour, what it lacks, its buttons, its webhook and its texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.characters import listed
from django_smsverify.diagnosis.pushes import test_pushes
from django_smsverify.enums import MessageStatus, ReviewStatus
from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.parsing import UNREADABLE
from django_smsverify.journal.words import moment
from django_smsverify.models import Message, Provider, Signature, Template
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.operations.budgets import Budgets
from django_smsverify.operations.doctor import examine_purposes
from django_smsverify.operations.last_hour import Tally
from django_smsverify.operations.last_reports import last_reports
from django_smsverify.operations.provider_states import provider_states
from django_smsverify.reviews.carrier_filing import stopped_filings

from .circuits import told_circuits
from .columns import NOTHING
from .credentials import may_change_credentials
from .looks import Tone, badge, finding_badges, state_badge
from .probes import told_probes
from .provider_actions import ActsOnProviders, called_address, told_secrets
from .second_ways import told_followed
from .test_sms import may_send_test
from .testing import PERMISSION as TEST

BUTTONS = {
    "switch_on": _("Switch on"),
    "switch_off": _("Switch off"),
    "ask_balance": _("Ask now"),
    "close_circuits": _("Use it again"),
    "test_push": _("Send a test push"),
    "rotate_secret": _("New secret; the one before works on"),
    "retire_secret": _("Retire the previous secret"),
}


@dataclass(frozen=True, slots=True)
class Button:
    """A form with one button."""

    url: str
    label: object


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the page."""

    label: object
    value: object
    button: Button | None = None


class ProviderPage(ActsOnProviders):
    """The page of one provider, above the form that changes it."""

    change_form_template = "admin/smsverify/provider/change_form.html"

    class Media:
        js = ("smsverify/copy.js", "smsverify/unsaved.js")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        provider = kwargs.get("obj")
        if provider is not None and provider.pk:
            context |= self._page(request, provider)
        return super().render_change_form(request, context, *args, **kwargs)

    def _page(self, request: HttpRequest, provider: Provider) -> dict[str, Any]:
        # As it is stored: a form with errors has changed the object.
        stored = Provider.objects.get(pk=provider.pk)
        state = provider_states([stored])[stored.pk]
        found = examine_purposes(stored)
        return {
            "stored": stored,
            "state": badge(state.words, Tone(state.tone)),
            "switch": self._button(request, stored, "switch_off" if stored.is_active else "switch_on"),
            "may_test": request.user.has_perm(TEST),
            "may_send_test": may_send_test(request) and bool(found.purposes),
            "facts": [fact for fact in self._facts(request, stored, state.tally) if fact.value],
            "examination": found,
            "findings": [*found.site, *found.providers[stored]],
            "finding_badges": finding_badges(),
            "webhook": self._webhook(request, stored),
            "may_see_texts": any(request.user.has_perm(f"smsverify.view_{name}") for name in ("signature", "template")),
            "texts": [*self._texts(request, stored, Signature), *self._texts(request, stored, Template)],
            "add_links": [*self._add_links(request, stored)],
        }

    def _button(self, request: HttpRequest, provider: Provider, name: str) -> Button | None:
        if not self.may_act(request, name, provider):
            return None
        url = reverse(f"admin:smsverify_provider_{name}", args=[provider.pk], current_app=self.admin_site.name)
        return Button(url, BUTTONS[name])

    def _facts(self, request: HttpRequest, provider: Provider, tally: Tally) -> Iterator[Fact]:
        kind = gateway_class_or_missing(provider.gateway)
        yield Fact(gettext("last hour"), _told_tally(tally))
        ask = self._button(request, provider, "ask_balance") if kind.answers_balance else None
        yield Fact(gettext("balance"), self.left(provider), ask)  # type: ignore[attr-defined]
        circuits = told_circuits(provider)
        close = self._button(request, provider, "close_circuits") if circuits else None
        yield Fact(gettext("circuits"), circuits or gettext("none is open"), close)
        spent = [one.words for one in Budgets([provider], [""])]
        yield Fact(gettext("budget"), format_html_join("", "<div>{}</div>", ((words,) for words in spent)))
        report = last_reports([provider]).get(provider.pk)
        yield Fact(gettext("last report"), report.words if report else gettext("no report ever came"))
        yield Fact(gettext("webhook"), "" if kind.pushes else _why_no_webhook(kind))
        yield Fact(gettext("unreadable answers"), told_unreadable(provider))
        yield Fact(gettext("sent once more by another provider"), told_followed(provider))
        yield Fact(gettext("probes"), told_probes(provider))

    def _webhook(self, request: HttpRequest, provider: Provider) -> dict[str, Any] | None:
        """The address, whole for who may change credentials: whoever knows it can forge calls of the vendor."""
        if not gateway_class_or_missing(provider.gateway).pushes:
            return None
        try:
            path = reverse("smsverify:webhook", args=[provider.slug, "secret"]).replace("/secret/", "/…/")
        except NoReverseMatch:
            return {"masked": gettext("none: the site does not include django_smsverify.urls")}
        whole = ""
        if may_change_credentials(request):
            whole = called_address(request, provider) or request.build_absolute_uri(provider.webhook_path)
        second = "retire_secret" if provider.previous_webhook_secret else "rotate_secret"
        buttons = [self._button(request, provider, name) for name in ("test_push", second)]
        told = {"place": gateway_class_or_missing(provider.gateway).webhook_place, "calls": list(_told_calls(provider))}
        return {"whole": whole, "masked": path, "buttons": [button for button in buttons if button], **told}

    def _texts(self, request: HttpRequest, provider: Provider, model: type[Signature | Template]) -> Iterator[Any]:
        """The signatures or the templates, for who may view them."""
        name = model._meta.model_name
        if not request.user.has_perm(f"smsverify.view_{name}"):
            return
        for text in model._default_manager.filter(provider=provider).prefetch_related("filings"):
            url = reverse(f"admin:smsverify_{name}_change", args=[text.pk], current_app=self.admin_site.name)
            yield {
                "kind": model._meta.verbose_name,
                "text": text,
                "url": url,
                "purpose": getattr(text, "purpose", ""),
                "state": _state_of_text(text),
                "held_back": listed(stopped_filings(text)) or NOTHING,
            }

    def _add_links(self, request: HttpRequest, provider: Provider) -> Iterator[tuple[str, object]]:
        for model in (Signature, Template):
            name = model._meta.model_name
            if request.user.has_perm(f"smsverify.add_{name}"):
                url = reverse(f"admin:smsverify_{name}_add", current_app=self.admin_site.name)
                yield f"{url}?provider={provider.pk}", model._meta.verbose_name


def _why_no_webhook(kind: type[Gateway]) -> str:
    """What becomes of the reports of a vendor that does not push; blank for a gateway that calls nobody."""
    if kind.local:
        return ""
    if kind.hands_out_reports or kind.answers_status:
        return gettext("this vendor does not push: its reports are fetched by the poll, and no address is registered")
    return gettext("this vendor does not push, and tells nobody what became of an SMS: it stays “accepted”")


def _told_calls(provider: Provider) -> Iterator[str]:
    """When the webhook was called: by a test push, and by which address while two work."""
    if tested := test_pushes([provider]).get(provider.pk):
        yield gettext("A test push of our own arrived at %s.") % moment(tested)
    if provider.previous_webhook_secret:
        yield told_secrets(provider)


def _state_of_text(text: Signature | Template) -> SafeString:
    if not getattr(text, "is_active", True):
        return badge(gettext("switched off"), Tone.QUIET)
    return state_badge(ReviewStatus(text.status))


def _told_tally(tally: Tally) -> str:
    """How many SMS have which status."""
    if not tally.tried:
        return gettext("no SMS")
    counts = [f"{MessageStatus(status).label} {count}" for status, count in tally.statuses.most_common()]
    told = listed(counts)
    return f"{told} · {tally.words}" if tally.failed else told


def told_unreadable(provider: Provider) -> str:
    """Returns how many SMS have an unknown outcome because the vendor's answer could not be read; blank for none."""
    since = timezone.now() - timedelta(days=1)
    unknown = Message.objects.filter(provider=provider, status=MessageStatus.UNKNOWN, created_at__gte=since)
    if not (count := unknown.filter(error_code=UNREADABLE).count()):
        return gettext("none in 24 hours")
    return gettext("%d in 24 hours: has the vendor changed its answers? The log says what cannot be read.") % count
