"""manage.py smsverify_poll: queries vendors for reports, review results and balances; run it every minute."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from django_smsverify.management.terminal import TerminalCommand, progress_bar, stoppable
from django_smsverify.models import DeliveryReport, ReportBatch
from django_smsverify.polling.poll import LIMIT, poll
from django_smsverify.reviews.verdicts import lost_submissions

MANY = 1000
"""The highest count of unknown reports: counting millions of them every minute would be slow."""


class Command(TerminalCommand):
    help = (
        "Asks vendors for delivery reports and verdicts that did not come by webhook, and for balances; judges "
        "probes; tells operators what they must hear of; sends what a process that died had queued, and settles "
        "messages of which no more news can come. Run it every minute: each message is asked about ever more rarely."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, default=LIMIT, help=f"questions in this run, {LIMIT} if not given")

    def handle(self, *args: Any, limit: int, **options: Any) -> None:
        if limit < 1:
            raise CommandError(f"--limit must be at least 1, not {limit}.")
        with stoppable() as stopped, progress_bar("question") as progress:
            tally = poll(limit=limit, stopped=stopped, progress=progress)
        did = ", ".join(f"{word} {count}" for word, count in sorted(tally.items()) if count)
        self.stdout.write(did or "nothing to ask")
        if stopped():
            self.stdout.write("stopped early, as asked; the next run goes on")
        unknown = DeliveryReport.objects.filter(message__isnull=True).order_by()
        if count := unknown[: MANY + 1].count():
            words = f"over {MANY}" if count > MANY else count
            self.stdout.write(f"{words} delivery reports are about messages that are not known here")
        if lost := lost_submissions():
            self.stdout.write(f"{lost} texts were submitted and the vendor's answer was lost: see the admin")
        if unread := ReportBatch.objects.exclude(problems="").count():
            self.stdout.write(f"{unread} fetched batches have parts that cannot be read: see the admin")
