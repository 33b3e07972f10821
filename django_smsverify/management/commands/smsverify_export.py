"""manage.py smsverify_export PHONE: all that is stored about a number, as JSON for its owner."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import translation

from django_smsverify import phones
from django_smsverify.enums import Accessed
from django_smsverify.management.phones_given import HELP, phones_given, who_runs
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.privacy.access_log import log_access
from django_smsverify.privacy.exporting import as_json, export_person

OWNER_ONLY = 0o600


class Command(TerminalCommand):
    help = (
        "Prints all that is stored about a number as JSON, for its owner: without codes and keys, and with the numbers "
        "of others masked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("phone", metavar="PHONE", help=HELP)
        parser.add_argument("--output", metavar="FILE", help="a new file, which only its owner may read")

    def handle(self, *args: Any, **options: Any) -> None:
        found = phones_given([options["phone"]], "Nothing was exported.")
        if len(found) > 1:
            raise CommandError(f"Standard input has {len(found)} numbers: export one at a time, for its owner.")
        with translation.override("en"):
            text = as_json(export_person(found[0]))
        if options["output"]:
            _write(options["output"], text)
        log_access(who_runs(), Accessed.EXPORTED_PERSON, phones.mask(found[0]))
        self.stdout.write(f"{phones.mask(found[0])}: {options['output']}" if options["output"] else text)


def _write(path: str, text: str) -> None:
    """Writes a new file: an old one might be readable for others."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        raise CommandError(f"{path} exists: name a new file.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
