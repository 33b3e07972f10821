"""Reads the numbers that a command line names, or that come from standard input, which no shell remembers."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterable, Iterator

from django.core.management.base import CommandError

from django_smsverify import phones
from django_smsverify.exceptions import SMSVerifyError

STANDARD_INPUT = "-"
HELP = "such as 13800138000; - reads numbers from standard input, one a line, which no shell remembers"


def phones_given(arguments: Iterable[str], otherwise: str) -> list[phones.E164]:
    """Returns the numbers as E.164, each once; raises CommandError, which masks what was written and says what did not
    happen."""
    return list(dict.fromkeys(_parsed(_written(arguments), otherwise)))


def who_runs() -> str:
    """The name of the person at the terminal, for the log of accesses; a job may have none."""
    try:
        return f"manage.py ({getpass.getuser()})"
    except Exception:  # the modules and errors differ between systems and versions
        return "manage.py"


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


def _parsed(written: list[str], otherwise: str) -> Iterator[phones.E164]:
    for position, text in enumerate(written, start=1):
        try:
            yield phones.parse(text)
        except SMSVerifyError as error:
            which = f"Number {position} of {len(written)}, {phones.mask(text)}"
            raise CommandError(f"{which}: {error} ({error.code}) {otherwise}") from None
