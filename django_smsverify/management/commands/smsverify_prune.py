"""manage.py smsverify_prune: forgets numbers and deletes records that are old enough; run it every night."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from django_smsverify.management.terminal import TerminalCommand, progress_bar, stoppable
from django_smsverify.operations.job_runs import PRUNE, noted
from django_smsverify.privacy.batches import MOST, Pace
from django_smsverify.privacy.pruning import pending, prune


class Command(TerminalCommand):
    help = (
        "Forgets numbers after NUMBER_DAYS and deletes records after RETENTION_DAYS, in short transactions; the daily "
        "sums stay. Run it every night. It can be stopped or killed at any time: the next run goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what a run would do")
        parser.add_argument(
            "--batch",
            type=int,
            default=MOST,
            metavar="N",
            help=f"rows in one transaction, at most {MOST}; there are fewer where a transaction takes long",
        )

    def handle(self, *args: Any, batch: int, **options: Any) -> None:
        if not 1 <= batch <= MOST:
            raise CommandError(f"--batch must be from 1 to {MOST}, not {batch}.")
        if options["dry_run"]:
            self.stdout.write(_told(pending()))
            return
        pace = Pace(most=batch)
        with noted(PRUNE), stoppable() as stopped, progress_bar("row") as progress:
            # Without a terminal nobody looks, and counting takes a while.
            done = prune(pace=pace, stopped=stopped, progress=progress if sys.stderr.isatty() else None)
        self.stdout.write(f"{_told(done)}; the longest transaction took {pace.longest * 1000:.0f} ms")
        if stopped():
            self.stdout.write("stopped early, as asked; the next run goes on")


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word} {count}" for word, count in sorted(counts.items())) or "nothing is old enough"
