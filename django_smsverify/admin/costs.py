"""The costs of a period in the admin, as a page and as CSV."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.money.costs import (
    BY,
    FIGURES,
    FIRST_DAY,
    LAST_DAY,
    LONGEST,
    as_csv,
    columns,
    costs,
    in_fen,
    record_of,
    today,
    total,
)

from .looks import dress, render

LABELS = {
    "provider": _("provider"),
    "name": _("name"),
    "purpose": _("purpose"),
    "day": _("day"),
    "messages": _("messages"),
    "segments": _("segments"),
    "cost": _("cost, in yuan"),
    "provisional": _("provisional, in yuan"),
    "unknown": _("unknown"),
    "unpriced": _("without a price"),
    "probes": _("for probes, in yuan"),
    "per_verified": _("yuan a verified one"),
}

Cell = tuple[Any, bool]
"""A value, and whether it is a number."""


class PeriodField(forms.DateField):
    """A day in the supported range, with the browser's date picker."""

    def __init__(self, label: Any) -> None:
        bounds = {"type": "date", "min": str(FIRST_DAY), "max": str(LAST_DAY)}
        widget = forms.DateInput(format="%Y-%m-%d", attrs=bounds)
        super().__init__(label=label, widget=widget, input_formats=["%Y-%m-%d"])


class CostsForm(forms.Form):
    """The period and the grouping of the costs."""

    start = PeriodField(_("From"))
    end = PeriodField(_("to"))
    by = forms.MultipleChoiceField(
        label=_("by"),
        required=False,
        choices=[(word, LABELS[word]) for word in BY],
        widget=forms.CheckboxSelectMultiple,
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start and end and start > end:
            raise forms.ValidationError(_("The first day comes after the last."))
        if start and end and (start < FIRST_DAY or end > LAST_DAY or end - start >= LONGEST):
            words = _("Ask for %(days)d days at most, between %(first)s and %(last)s.")
            bounds = {"days": LONGEST.days, "first": FIRST_DAY, "last": LAST_DAY}
            raise forms.ValidationError(words, params=bounds)
        return cleaned


class CostsPage:
    """Adds the costs page to the admin of messages, for users who may view messages."""

    admin_site: Any
    opts: Any

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.costs_view)
        urls: list[URLPattern] = super().get_urls()  # type: ignore[misc]
        return [path("costs/", view, name="smsverify_message_costs"), *urls]

    def costs_view(self, request: HttpRequest) -> HttpResponse:
        """Shows the same costs as `smsverify_costs`, or returns them as CSV."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        now = today()
        asked = request.GET if {"start", "end"} & request.GET.keys() else None
        form = CostsForm(asked or {"start": now.replace(day=1), "end": now, "by": ["provider"]})
        context: dict[str, Any] = {"form": form}
        if form.is_valid():
            start, end, by = (form.cleaned_data[name] for name in ("start", "end", "by"))
            rows = costs(start, end, by)
            if request.GET.get("format") == "csv":
                headers = {"Content-Disposition": f'attachment; filename="sms-costs-{start}-{end}.csv"'}
                heads = {name: capfirst(str(label)) for name, label in LABELS.items()}
                return HttpResponse(as_csv(rows, by, heads), content_type="text/csv; charset=utf-8", headers=headers)
            context |= _tables(rows, by)
        dress(form.fields, self, request)
        return render(self, request, "message/costs.html", gettext("Costs"), **context)


def _tables(rows: Any, by: list[str]) -> dict[str, Any]:
    """The exact rows and total, and the total rounded as it is paid."""
    names, whole = columns(by), total(rows)
    last = {**dict.fromkeys(names, ""), **record_of(whole, FIGURES)}
    if by:
        last[names[0]] = gettext("total")
    return {
        "heads": _cells({name: LABELS[name] for name in names}.items()),
        "rows": [_cells(record_of(row, names).items()) for row in rows],
        "total": _cells(last.items()),
        "cost": in_fen(whole.cost),
    }


def _cells(named: Iterable[tuple[str, Any]]) -> list[Cell]:
    return [("-" if value == "" and name in FIGURES else value, name in FIGURES) for name, value in named]
