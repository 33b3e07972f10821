"""What was spent of each budget, day by day and month by month."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.limits.budget import current_budget
from django_smsverify.limits.budget_alarms import owner_of
from django_smsverify.models import Provider, Spending
from django_smsverify.models.amounts import plain

from .columns import NOTHING
from .looks import ModelAdmin
from .records import ReadOnly


@admin.register(Spending)
class SpendingAdmin(ReadOnly, ModelAdmin):
    """Newest first; the package writes the rows."""

    list_display = ("starts_on", "period", "owner", "in_yuan", "budget", "share", "alarm")
    list_filter = ("period", "alarm", "starts_on")
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    fields = list_display
    readonly_fields = fields

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """An empty list says where budgets are set."""
        words = gettext(
            "Nothing was spent of a budget yet. Those of providers are set on the page of each, those of the site and "
            "of purposes in the settings: %s."
        )
        own = {} if Spending.objects.exists() else {"subtitle": words % 'SMSVERIFY["BUDGET"]'}
        return super().changelist_view(request, {**own, **(extra_context or {})})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        self._add_providers(found.result_list)
        return found

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        row = super().get_object(*args, **kwargs)
        self._add_providers([row] if row else [])
        return row

    def _add_providers(self, rows: Iterable[Any]) -> None:
        """Reads all providers, which are few, once for all rows of a page."""
        providers = {str(provider.pk): provider for provider in Provider.objects.all()}
        for row in rows:
            row.providers = providers

    @admin.display(description=_("whose budget"))
    def owner(self, row: Any) -> str:
        """The site, a purpose or a provider."""
        return owner_of(row.subject, {pk: provider.slug for pk, provider in row.providers.items()})

    @admin.display(description=_("spent, in yuan"))
    def in_yuan(self, row: Any) -> str:
        """What was accepted by vendors, or may have been."""
        return plain(row.spent)

    @admin.display(description=_("budget now"), empty_value=NOTHING)
    def budget(self, row: Any) -> str | None:
        """That of the settings, or of the provider; nothing where none is set any more."""
        budget = current_budget(row, row.providers)
        return None if budget is None else plain(budget)

    @admin.display(description=_("share"), empty_value=NOTHING)
    def share(self, row: Any) -> str | None:
        """How much of the budget it is, rounded down: 100 % is all."""
        budget = current_budget(row, row.providers)
        return f"{row.spent * 100 // budget:f} %" if budget else None
