"""The balance of a provider in the admin: its amount, its time, and an action that queries it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import BalanceState
from django_smsverify.models import Provider
from django_smsverify.models.amounts import plain
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.money import balances
from django_smsverify.phones import masked

from .looks import ModelAdmin

LEVELS = {
    BalanceState.OK: messages.SUCCESS,
    BalanceState.LOW: messages.WARNING,
    BalanceState.EMPTY: messages.WARNING,
    BalanceState.UNASKABLE: messages.WARNING,
    BalanceState.ERROR: messages.ERROR,
}


class ShowsBalance(ModelAdmin):
    """Shows the balance; needs no extra query, because it is stored in the provider's row."""

    @transaction.non_atomic_requests
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Outside ATOMIC_REQUESTS, because no transaction may be open while a vendor is called."""
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("balance"), ordering="balance")
    def left(self, row: Provider) -> str:
        """The balance and its time, marked when it is low."""
        return self._told(row, is_timed=True)

    @admin.display(description=_("balance"), ordering="balance")
    def left_in_list(self, row: Provider) -> str:
        """The balance alone: the list is narrow."""
        return self._told(row, is_timed=False)

    def _told(self, row: Provider, *, is_timed: bool) -> str:
        if row.balance is None and row.balance_checked_at is not None:
            return gettext("none: the account pays afterwards")
        if row.balance is None:
            return gettext("not known yet") if answers_balance(row) else gettext("this vendor has no query for it")
        shown = f"{plain(row.balance)} {balances.unit_of(row)}"
        if is_timed and row.balance_checked_at is not None:
            shown += f" ({balances.local(row.balance_checked_at):%Y-%m-%d %H:%M:%S})"
        if row.balance <= 0:
            return format_html("{} <strong>⚠ {}</strong>", shown, gettext("nothing left"))
        return format_html("{} <strong>⚠ {}</strong>", shown, gettext("low")) if row.is_low else shown

    @admin.action(description=_("Ask the vendor for the balance now"), permissions=["change"])
    def ask_balance(self, request: HttpRequest, rows: QuerySet[Provider]) -> None:
        """Queries the balances of the selected providers."""
        for check in balances.check_balances(rows):
            result = masked(check.error) or self.left(check.provider)
            self.message_user(request, format_html("{}: {}", check.provider, result), LEVELS[check.state])


def answers_balance(provider: Provider) -> bool:
    """Whether the provider's vendor has a query for the balance."""
    return gateway_class_or_missing(provider.gateway).answers_balance
