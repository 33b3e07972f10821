"""The overview: what happened lately, as figures, charts and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Carrier, Refused
from django_smsverify.models import Overview, Provider
from django_smsverify.models.days import Day
from django_smsverify.money.balances import local
from django_smsverify.statistics import overview as figures
from django_smsverify.statistics.figures import Figures
from django_smsverify.statistics.overview import Window

from .charts import Chart, Series, columns, count, lines, meter, percent, seconds
from .closed_links import may_see
from .looks import ModelAdmin, Tone, render
from .records import ReadOnly
from .scorecard import ScorecardPage
from .todo import todos

if TYPE_CHECKING:
    from decimal import Decimal

    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the whole time."""

    label: StrOrPromise
    value: str
    note: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of a provider, a carrier or a purpose."""

    name: StrOrPromise
    figures: Figures
    digits: int
    """Of amounts, in all rows alike."""
    url: str = ""

    @property
    def cells(self) -> list[tuple[str, Any]]:
        """Words, and a bar beside a share."""
        own = self.figures
        return [
            (count(own.sent), ""),
            (percent(own.delivery_rate), meter(own.delivery_rate, "good")),
            (percent(own.conversion_rate), meter(own.conversion_rate, "accent")),
            (count(own.waiting), ""),
            (count(own.undelivered), ""),
            (count(own.not_sent), ""),
            (count(own.unknown), ""),
            (seconds(own.p50), ""),
            (seconds(own.p95), ""),
            (yuan(own.cost, self.digits), ""),
        ]


HEADS = (
    _("sent"),
    _("delivered"),
    _("code entered"),
    _("no report yet"),
    _("not delivered"),
    _("not sent"),
    _("unknown"),
    _("half within"),
    _("95 % within"),
    _("yuan"),
)


@admin.register(Overview)
class OverviewAdmin(ScorecardPage, ReadOnly, ModelAdmin):
    """Pages of figures, for users who may view messages."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("smsverify.view_message")

    def get_urls(self) -> list[Any]:
        # The list of models leads to the name of a list; the page has one of its own, too.
        view = self.admin_site.admin_view(self.overview_view)
        names = ("smsverify_overview_changelist", "smsverify_overview")
        return [*(path("", view, name=name) for name in names), *self.scorecard_urls()]

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """Shows the figures of the time that is asked for."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {"windows": Window, **overview_of(request), "page": "overview"}
        return render(self, request, "overview.html", gettext("Overview"), **context)


def window_of(request: HttpRequest) -> Window:
    """The time that the address asks for; a day without one."""
    asked = request.GET.get("time", "")
    return Window(asked) if asked in Window.values else Window.DAY


def overview_of(request: HttpRequest) -> dict[str, Any]:
    """What the page and the index show of the time that is asked for."""
    window = window_of(request)
    found, providers = figures.overview(window, timezone.now()), list(Provider.objects.all())
    groups = (found.by_provider, found.by_carrier, found.by_purpose)
    digits = digits_of([found.total.cost, *(one.cost for group in groups for one in group.values())])
    return {
        "window": window,
        "todos": todos(request, providers),
        "tiles": list(_tiles(found.total, digits)),
        "charts": list(_charts(found)),
        "heads": HEADS,
        "tables": [
            (gettext("By provider"), _provider_rows(found.by_provider, providers, request, digits)),
            (gettext("By carrier"), _carrier_rows(found.by_carrier, digits)),
            (gettext("By purpose"), [Row(name, own, digits) for name, own in sorted(found.by_purpose.items())]),
        ],
        "refusals": _refusals(found.total),
    }


def digits_of(amounts: Iterable[Decimal]) -> int:
    """How many digits after the point show all of these amounts whole, so that columns add up; two at least."""
    return max([2, *(-int(amount.normalize().as_tuple().exponent) for amount in amounts)])


def yuan(amount: Decimal, digits: int) -> str:
    """An amount in yuan."""
    return number_format(amount, digits, force_grouping=True)


def _tiles(total: Figures, digits: int) -> Iterator[Tile]:
    yield Tile(_("requests"), count(total.asked), gettext("of people who asked for a code"))
    yield Tile(_("refused"), count(total.refused), gettext("by a limit, a list, the guard or a captcha"))
    yield Tile(_("sent"), count(total.sent), gettext("SMS that a vendor accepted"))
    yield Tile(_("delivered"), count(total.delivered), percent(total.delivery_rate))
    yield Tile(_("verified"), count(total.verified), gettext("%s of the SMS") % percent(total.conversion_rate))
    yield Tile(_("not sent"), count(total.not_sent), gettext("that no vendor took"), _bad(total.not_sent))
    yield Tile(_("unknown"), count(total.unknown), gettext("whose answer was lost"), _bad(total.unknown))
    taken = gettext("95 %% within %s") % seconds(total.p95) if total.delays else ""
    yield Tile(_("time to delivery"), seconds(total.p50), taken)
    unpriced = gettext("%s SMS without a price") % count(total.unpriced) if total.unpriced else ""
    yield Tile(_("cost, in yuan"), yuan(total.cost, digits), unpriced)
    each = total.cost_per_verified
    shown = "-" if each is None else number_format(round(each, 4), 4)
    yield Tile(_("yuan for each verified"), shown, gettext("by the cost of codes alone"))


def _bad(number: int) -> str:
    return Tone.WARN.value if number else ""


def _charts(found: figures.Overview) -> Iterator[Chart]:
    labels, each = _labels(found.window, found.parts), list(found.by_part.values())
    messages = [
        Series(_("delivered"), "good", [one.delivered for one in each]),
        Series(_("no report yet"), "quiet", [one.waiting + one.under_way for one in each]),
        Series(_("unknown"), "warn", [one.unknown for one in each]),
        Series(_("not delivered or not sent"), "bad", [one.undelivered + one.not_sent for one in each]),
    ]
    requests = [
        Series(_("verified"), "good", [one.verified for one in each]),
        Series(_("not verified"), "quiet", [one.asked - one.refused - one.verified for one in each]),
        Series(_("refused"), "bad", [one.refused for one in each]),
    ]
    rates = [
        Series(_("delivered"), "good", [one.delivery_rate for one in each]),
        Series(_("code entered"), "accent", [one.conversion_rate for one in each]),
    ]
    times = [
        Series(_("half within"), "good", [one.p50 for one in each]),
        Series(_("95 % within"), "warn", [one.p95 for one in each]),
    ]
    yield columns(gettext("SMS"), labels, messages)
    yield columns(gettext("Requests"), labels, requests)
    yield lines(gettext("Of the SMS that were sent"), labels, rates, percent)
    yield lines(gettext("Time to delivery"), labels, times, seconds)


def _labels(window: Window, parts: Sequence[Day]) -> list[str]:
    if window in (Window.HOUR, Window.TODAY, Window.DAY):
        return [f"{local(part.starts_at):%H:%M}" for part in parts]
    return [f"{part.date:%m-%d}" for part in parts]


def _provider_rows(
    by_provider: Mapping[int, Figures], providers: Iterable[Provider], request: HttpRequest, digits: int
) -> list[Row]:
    """Those that sent something, in the order in which they are tried."""
    used = [one for one in providers if one.pk in by_provider]
    if not may_see(request, "provider"):
        return [Row(one.name, by_provider[one.pk], digits) for one in used]
    here, page = getattr(request, "current_app", ""), "admin:smsverify_provider_change"
    return [Row(one.name, by_provider[one.pk], digits, reverse(page, args=[one.pk], current_app=here)) for one in used]


def _carrier_rows(by_carrier: Mapping[str, Figures], digits: int) -> list[Row]:
    names: dict[str, StrOrPromise] = {one.value: one.label for one in Carrier}
    names[""] = gettext("abroad, or not known")
    return [Row(name, by_carrier[carrier], digits) for carrier, name in names.items() if carrier in by_carrier]


def _refusals(total: Figures) -> list[tuple[StrOrPromise, str]]:
    """Why requests were refused, and how often at least."""
    reasons: Iterable[tuple[str, int]] = total.requests.most_common()
    return [(Refused(reason).label, count(times)) for reason, times in reasons if reason in Refused]
