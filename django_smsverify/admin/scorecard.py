"""The scorecard: how well each provider served each carrier in a month, to look at and to send to the vendor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Carrier, Cause
from django_smsverify.models import Provider
from django_smsverify.money.costs import today
from django_smsverify.spreadsheets import BYTE_ORDER_MARK, csv_lines
from django_smsverify.statistics.scorecard import PROMISED, Score, scorecard

from .charts import count, percent, seconds
from .closed_links import may_see
from .looks import Tone, render

MONTHS = 12
"""That can be chosen: this one and those before."""
HEADS = {
    "provider": _("provider"),
    "carrier": _("carrier"),
    "submitted": _("submitted"),
    "reached_sla": _("reached (SLA)"),
    "reached_strict": _("delivered"),
    "converted": _("code entered"),
    "in_60s": _("within 1 min"),
    "in_180s": _("within 3 min"),
    "p50": _("half within"),
    "p95": _("95 % within"),
    "p99": _("99 % within"),
    "per_delivered": _("yuan a delivered one"),
    "per_verified": _("yuan a verified one"),
}


class ScorecardPage:
    """Adds the scorecard, for users who may view messages."""

    admin_site: Any

    def scorecard_urls(self) -> list[Any]:
        """The address of the page."""
        view = self.admin_site.admin_view(self.scorecard_view)
        return [path("scorecard/", view, name="smsverify_scorecard")]

    def scorecard_view(self, request: HttpRequest) -> HttpResponse:
        """Shows a month, or returns it as CSV, of one provider if it is named."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        month = _month_of(request)
        providers = {provider.pk: provider for provider in Provider.objects.only("name", "slug", "priority")}
        found = scorecard(month)
        scores = sorted(found.items(), key=lambda item: _place(providers[item[0][0]], item[0][1]))
        if request.GET.get("format") == "csv":
            chosen = request.GET.get("provider")
            rows = [_record(providers[pk], carrier, one) for (pk, carrier), one in scores]
            rows = [row for row in rows if not chosen or row[0] == chosen]
            headers = {"Content-Disposition": f'attachment; filename="sms-scorecard-{month:%Y-%m}.csv"'}
            text = BYTE_ORDER_MARK + csv_lines([_heads(), *rows])
            return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
        context = {
            "month": month,
            "months": list(_months()),
            "may_see_providers": may_see(request, "provider"),
            "heads": list(HEADS.values())[1:],
            "promised": f"{PROMISED:.0%}",
            "providers": [
                (providers[pk], [_row(carrier, one) for (_pk, carrier), one in some])
                for pk, some in groupby(scores, key=lambda item: item[0][0])
            ],
        }
        return render(self, request, "scorecard.html", gettext("Scorecard"), **context)


def _place(provider: Provider, carrier: str) -> tuple[Any, ...]:
    """The order in which providers are tried, and carriers by their size."""
    return provider.priority, provider.name, provider.pk, [*Carrier.values, ""].index(carrier)


def _months() -> Iterator[date]:
    month = today().replace(day=1)
    for _number in range(MONTHS):
        yield month
        month = (month.replace(day=1) - date.resolution).replace(day=1)


def _month_of(request: HttpRequest) -> date:
    """The month that the address asks for, or the present one."""
    months = {f"{month:%Y-%m}": month for month in _months()}
    return months.get(request.GET.get("month", ""), today().replace(day=1))


def _carrier(name: str) -> Any:
    return Carrier(name).label if name else gettext("abroad, or not known")


def _row(carrier: str, score: Score) -> dict[str, Any]:
    """What the page shows of a score."""
    rate = score.reached_sla
    tone = "" if rate is None else Tone.GOOD.value if rate >= PROMISED else Tone.BAD.value
    own = score.figures
    shares = [score.reached_strict, own.conversion_rate, score.in_60s, score.in_180s]
    return {
        "carrier": _carrier(carrier),
        "submitted": count(score.submitted),
        "reached": percent(rate),
        "tone": tone,
        "cells": [
            *map(percent, shares),
            *map(seconds, (own.p50, own.p95, score.p99)),
            *(_four(amount) for amount in (score.per_delivered, score.per_verified)),
        ],
        "causes": [(Cause(cause).label, count(times)) for cause, times in score.causes.most_common()],
    }


def _four(amount: Any) -> str:
    return "-" if amount is None else number_format(round(amount, 4), 4)


def _heads() -> list[str]:
    """Of the columns of the CSV, in the active language; one cause is named like another column."""
    causes = [gettext("cause: %s") % cause.label for cause in Cause]
    return [capfirst(str(head)) for head in (*HEADS.values(), *causes)]


def _record(provider: Provider, carrier: str, score: Score) -> list[Any]:
    """What the vendor gets of a score: plain numbers."""
    own = score.figures
    shares = (score.reached_sla, score.reached_strict, own.conversion_rate, score.in_60s, score.in_180s)
    return [
        *(provider.slug, str(_carrier(carrier)), score.submitted),
        *("" if share is None else f"{share:.4f}" for share in shares),
        *("" if value is None else value for value in (own.p50, own.p95, score.p99)),
        *("" if amount is None else f"{amount:.4f}" for amount in (score.per_delivered, score.per_verified)),
        *(score.causes[cause] for cause in Cause.values),
    ]
