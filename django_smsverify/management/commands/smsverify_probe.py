"""manage.py smsverify_probe: sends to the operator's own numbers, and says which routes are silent."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import translation

from django_smsverify.management.terminal import TerminalCommand, progress_bar, stoppable
from django_smsverify.models import ProbeNumber
from django_smsverify.money.balances import local
from django_smsverify.operations.canary import A_DAY, ProbedRoute, probe
from django_smsverify.operations.route_alarms import why_of


class Command(TerminalCommand):
    help = (
        "Sends a code to one of your own numbers at each carrier through each provider, and says how long each took "
        "to arrive; tells operators when one fails or gets no report. Numbers are entered in the admin. Run "
        "it every ten minutes: it sends only what is due, and judges what it sent before. The exit status is 1 when a "
        "route is silent."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--a-day", type=int, default=A_DAY, metavar="N", help=f"probes of a provider in 24 hours; default: {A_DAY}"
        )
        parser.add_argument("--json", action="store_true", help="print a list of objects")

    def handle(self, *args: Any, a_day: int, **options: Any) -> None:
        if a_day < 1:
            raise CommandError(f"--a-day must be at least 1, not {a_day}.")
        if not ProbeNumber.objects.filter(is_active=True).exists():
            raise CommandError(
                "There is no active number for probes. Enter one of your own at each carrier, in the admin at “Numbers "
                "for probes”, as a user with the permission probe_routes."
            )
        with stoppable() as stopped, progress_bar("route") as progress:
            found = probe(a_day=a_day, stopped=stopped, progress=progress)
        with translation.override("en"):
            rows = [row_of(route) for route in found]
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            self.stdout.write("\n".join(map(line_of, rows)) or "there is no active provider")
        if silent := [f"{route.provider.slug} {route.carrier}" for route in found if route.is_silent]:
            raise CommandError(f"Probes do not arrive: {', '.join(silent)}")


def row_of(route: ProbedRoute) -> dict[str, str | float | None]:
    """The last probe of a route, and why this run has sent none."""
    last = route.probe
    return {
        "provider": route.provider.slug,
        "carrier": route.carrier,
        "state": last.state if last else "never probed",
        "sent_at": local(last.created_at).isoformat(timespec="seconds") if last else None,
        "seconds": last.seconds if last else None,
        "why": why_of(last) if last and last.is_bad else None,
        "waits": route.waits or None,
    }


def line_of(row: dict[str, str | float | None]) -> str:
    """A row as a line of text."""
    parts = [f"{row['provider']:<16} {row['carrier']:<9} {row['state']}"]
    if row["sent_at"]:
        parts.append(f"sent at {row['sent_at']}")
    if row["seconds"] is not None:
        parts.append(f"report after {row['seconds']} s")
    if row["why"]:
        parts.append(str(row["why"]))
    if row["waits"]:
        parts.append(f"no new probe: {row['waits']}")
    return " · ".join(parts)
