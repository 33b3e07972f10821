"""manage.py smsverify_balance: queries the balances of accounts."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import translation

from django_smsverify.enums import BalanceState
from django_smsverify.management.naming import providers_named
from django_smsverify.management.terminal import TerminalCommand, progress_bar, stoppable
from django_smsverify.models.amounts import plain
from django_smsverify.money.balances import BalanceCheck, local, unit_of
from django_smsverify.operations.watching import check_balances_and_tell


class Command(TerminalCommand):
    help = (
        "Asks vendors what is left on the accounts, stores and prints it, and tells operators what is below its alert. "
        "The exit status is 1 when one does not tell. smsverify_poll asks too: this is for a person, or for a monitor."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="SLUG", help="these providers; default: all active ones")
        parser.add_argument("--json", action="store_true", help="print a list of objects")

    def handle(self, *args: Any, slugs: list[str], **options: Any) -> None:
        providers = providers_named(slugs) or None
        with stoppable() as stopped, progress_bar("provider") as progress:
            checks = check_balances_and_tell(providers, stopped=stopped, progress=progress)
        with translation.override("en"):
            rows = [row_of(check) for check in checks]
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            self.stdout.write("\n".join(map(line_of, rows)) or "there is no active provider")
        failed = [check.provider.slug for check in checks if check.state == BalanceState.ERROR]
        if failed:
            raise CommandError(f"No balance was told by: {', '.join(failed)}")


def row_of(check: BalanceCheck) -> dict[str, str | None]:
    """The stored balance, after an error the previous one. Amounts are text, so that no reader rounds them."""
    provider, checked_at = check.provider, check.provider.balance_checked_at
    return {
        "provider": provider.slug,
        "balance": plain(provider.balance) or None,
        "unit": unit_of(provider),
        "checked_at": local(checked_at).isoformat(timespec="seconds") if checked_at else None,
        "alert": plain(provider.balance_alert) or None,
        "state": check.state.value,
        "error": check.error or None,
    }


def line_of(row: dict[str, str | None]) -> str:
    """A row as a line of text."""
    parts = [f"{row['provider']:<16} {row['state']}"]
    if row["balance"]:
        parts.append(f"{row['balance']} {row['unit']} at {row['checked_at']}")
    if row["alert"]:
        parts.append(f"alert below {row['alert']}")
    if row["error"]:
        parts.append(row["error"])
    return " · ".join(parts)
