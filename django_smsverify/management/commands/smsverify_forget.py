"""manage.py smsverify_forget PHONE: forgets numbers, as their owners may ask."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import translation

from django_smsverify import phones
from django_smsverify.enums import Accessed
from django_smsverify.journal.words import moment
from django_smsverify.management.phones_given import HELP, phones_given, who_runs
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.privacy.access_log import log_access
from django_smsverify.privacy.forgetting import Forgotten, forget_person

NOTHING = "Nothing was forgotten."


class Command(TerminalCommand):
    help = (
        "Forgets numbers: a digest stands in their place wherever something happened, their device tokens and live "
        "codes end, and each is new again until its next success. What its limits count stays, with a row that is "
        "forgotten some days later by smsverify_poll, so that nobody gets more SMS or guesses by it. Nothing is "
        "forgotten when one of the numbers cannot be read. Asks first on a terminal."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("phones", nargs="+", metavar="PHONE", help=HELP)
        parser.add_argument(
            "--records",
            action="store_true",
            help="the records too: a random name stands in the place of the number, so that no key leads back to it, "
            "and reports, replies and refusals are deleted",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        found = phones_given(options["phones"], NOTHING)
        if not options["yes"] and sys.stdin.isatty():
            named = ", ".join(map(phones.mask, found))
            self.stdout.write(f"This cannot be undone: {named}. Write yes to forget.")
            if input().strip().lower() != "yes":
                raise CommandError(NOTHING)
        with translation.override("en"):
            for phone in found:
                result = forget_person(phone, deletes_records=options["records"])
                log_access(who_runs(), Accessed.FORGOT_PERSON, phones.mask(phone))
                self.stdout.write(f"{phones.mask(phone)}: {told(result)}")


def told(result: Forgotten) -> str:
    """What was done about a number, in a line."""
    rows = ", ".join(f"{name} {count}" for name, count in result.records.items())
    parts = ["forgotten, and its device tokens" if result.was_known else "was not known", rows]
    if result.due_at:
        parts.append(f"its own row and SMS under way until {moment(result.due_at)}")
    if result.kept:
        parts.append(f"kept, as it was entered on purpose: {', '.join(result.kept)}")
    return "; ".join(filter(None, parts))
