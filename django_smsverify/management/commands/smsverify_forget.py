"""manage.py smsverify_forget PHONE: forgets that numbers were verified here, and so their device tokens."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandError

from django_smsverify import numbers, phones
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.management.terminal import TerminalCommand

STANDARD_INPUT = "-"


class Command(TerminalCommand):
    help = (
        "Forgets that numbers were verified here, and so their device tokens: a number is new again until its next "
        "success. What its limits count stays, with the SMS and the guesses of the last day, so that nobody gets more "
        "SMS or guesses by it. Nothing is forgotten when one of the numbers cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "phones",
            nargs="+",
            metavar="PHONE",
            help="such as 13800138000; - reads numbers from standard input, one a line, which no shell remembers",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for phone in dict.fromkeys(_parsed(_written(options["phones"]))):
            what = "forgotten, and its device tokens" if numbers.forget(phone) else "was not known"
            self.stdout.write(f"{phones.mask(phone)}: {what}")


def _written(arguments: Iterable[str]) -> list[str]:
    """The numbers as they were written, with those from standard input in place of a dash."""
    return [written for argument in arguments for written in (_lines() if argument == STANDARD_INPUT else [argument])]


def _lines() -> list[str]:
    try:
        lines = [line for line in map(str.strip, sys.stdin) if line]
    except UnicodeDecodeError:
        raise CommandError(
            "Standard input is not text in the encoding of this terminal; set PYTHONIOENCODING."
        ) from None
    if not lines:
        raise CommandError("Standard input has no number: write one a line.")
    return lines


def _parsed(written: list[str]) -> Iterator[phones.E164]:
    """The numbers as E.164; raises CommandError, which masks what was written."""
    for position, text in enumerate(written, start=1):
        try:
            yield phones.parse(text)
        except SMSVerifyError as error:
            which = f"Number {position} of {len(written)}, {phones.mask(text)}"
            raise CommandError(f"{which}: {error} ({error.code}) Nothing was forgotten.") from None
