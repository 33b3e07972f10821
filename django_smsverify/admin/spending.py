"""What was spent of each budget, day by day and month by month."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from django_smsverify.limits.budget import current_budget
from django_smsverify.limits.budget_alarms import owner_of
from django_smsverify.models import Spending
from django_smsverify.models.amounts import plain

from .masking import NOTHING
from .records import ReadOnly


@admin.register(Spending)
class SpendingAdmin(ReadOnly, admin.ModelAdmin):
    """Newest first; the package writes the rows."""

    list_display = ("starts_on", "period", "owner", "in_yuan", "budget", "share", "alarm")
    list_filter = ("period", "alarm", "starts_on")
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    fields = list_display
    readonly_fields = fields

    @admin.display(description=_("whose budget"))
    def owner(self, row: Spending) -> str:
        """The site, a purpose or a provider."""
        return owner_of(row.subject)

    @admin.display(description=_("spent, in yuan"))
    def in_yuan(self, row: Spending) -> str:
        """What was accepted by vendors, or may have been."""
        return plain(row.spent)

    @admin.display(description=_("budget now"), empty_value=NOTHING)
    def budget(self, row: Spending) -> str | None:
        """That of the settings, or of the provider; nothing where none is set any more."""
        budget = current_budget(row)
        return None if budget is None else plain(budget)

    @admin.display(description=_("share"), empty_value=NOTHING)
    def share(self, row: Spending) -> str | None:
        """How much of the budget it is, rounded down: 100 % is all."""
        budget = current_budget(row)
        return f"{row.spent * 100 // budget:f} %" if budget else None
