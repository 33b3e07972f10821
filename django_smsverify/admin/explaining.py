"""A page of the admin that tells what happened to a number."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.exceptions import InvalidPhone, PhoneNotSupported
from django_smsverify.journal.finding import Candidate, find
from django_smsverify.journal.story import DAYS, MOST_DAYS, days_back, tell
from django_smsverify.phones import is_forgotten

from .conclusions import shown_steps
from .looks import dress, render
from .privacy import may_serve_persons

TOLD = ("message", "verification", "refusal")
"""Whose rows are told."""
PERIODS = (
    (1, _("the last day")),
    (DAYS, _("the last 7 days")),
    (30, _("the last 30 days")),
    (MOST_DAYS, _("the last 190 days")),
)


class ExplainForm(forms.Form):
    """Whom the story is of. Posted, so that no number is in an address that is logged."""

    whom = forms.CharField(
        label=_("Number or id"),
        max_length=64,
        help_text=_("The whole number or its last four digits, an id at the vendor, or that of a verification."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    days = forms.TypedChoiceField(
        label=_("Period"),
        coerce=int,
        choices=PERIODS,
        initial=DAYS,
    )
    found: list[Candidate]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if {"whom", "days"} <= cleaned.keys():
            try:
                self.found = find(cleaned["whom"], cleaned["days"])
            except PhoneNotSupported as error:
                raise forms.ValidationError({"whom": str(error)}) from None
            except InvalidPhone:
                words = _("This is neither a phone number nor an id that is known here.")
                raise forms.ValidationError({"whom": words}) from None
            if not self.found:
                raise forms.ValidationError({"whom": _("No number with these last digits was used in that time.")})
        return cleaned


class Explained:
    """Rows whose pages lead to the story of their number."""

    change_form_template: Any = "admin/smsverify/record_change_form.html"
    list_tools: ClassVar[str] = "admin/smsverify/record_tools.html"


class ExplainPage(Explained):
    """Adds the page to the admin of messages, for users who may view all that it tells of."""

    list_tools: ClassVar[str] = "admin/smsverify/message/tools.html"
    admin_site: Any
    opts: Any

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.explain_view)
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        names = ("smsverify_message_explain", "smsverify_explain")
        return [*(path("explain/", view, name=name) for name in names), *urls]

    def explain_view(self, request: HttpRequest) -> HttpResponse:
        """Tells the story of the number that is posted, or whose message has the id in the address."""
        if not all(request.user.has_perm(f"smsverify.view_{name}") for name in TOLD):
            raise PermissionDenied
        sought = request.POST if request.method == "POST" else _by_id(request.GET)
        form = ExplainForm(_filled(sought) if "whom" in sought else None)
        context: dict[str, Any] = {"form": form}
        if form.is_valid():
            days, found = form.cleaned_data["days"], form.found
            if len(found) > 1:
                context["candidates"] = found
            elif request.method == "POST" and found[0].id:
                url = reverse("admin:smsverify_message_explain", current_app=self.admin_site.name)
                return HttpResponseRedirect(f"{url}?whom={found[0].id}&days={days}")
            else:
                story = tell(found[0].phone, days_back(found[0].last_at, days))
                steps = list(shown_steps(request, story.conclusion, self.admin_site.name))
                context |= {"story": story, "next_steps": steps, "form": ExplainForm(initial={"days": days})}
                if may_serve_persons(request) and not is_forgotten(found[0].phone):
                    context["person"] = found[0].id
        dress(context["form"].fields, self, request)
        return render(self, request, "message/explain.html", gettext("Why did no code come?"), **context)


def _by_id(sought: Any) -> dict[str, Any]:
    """What stands in an address: only an id of ours may, as addresses are logged."""
    try:
        UUID(sought.get("whom", ""))
    except ValueError:
        return {}
    return {"whom": sought["whom"], "days": sought.get("days")}


def _filled(sought: Any) -> dict[str, Any]:
    return {"whom": sought["whom"], "days": sought.get("days") or DAYS}
