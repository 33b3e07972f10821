"""manage.py smsverify_send PHONE --purpose P sends a code; with --file F --template T it sends in bulk."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from django_smsverify.exceptions import NoRoute, SMSVerifyError, words_for_operators
from django_smsverify.management.examined import lines_on
from django_smsverify.management.many import send_file
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.phones import mask
from django_smsverify.sending import send_code


class Command(TerminalCommand):
    help = (
        "Sends a code to a number, as the endpoint would, to see that providers and templates work; if none sends it, "
        "says what each lacks. Or, with --file and --template, an approved text without a code to the numbers in a "
        "file, to each of them once: the same command again goes on where the last one was killed or stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("phone", nargs="?", help="such as 13800138000")
        parser.add_argument("--purpose", help="of the code, such as login")
        parser.add_argument("--file", help="CSV: a column phone, and one for each placeholder of the template")
        parser.add_argument("--template", help="its id or name")
        parser.add_argument("--batch", help="the batch's name; default: made of the template and what is in the file")
        parser.add_argument("--again", action="store_true", help="a new batch, also to those who got the same before")
        parser.add_argument("--unsent-of", metavar="BATCH", help="only to those whom that batch was not sent to")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be sent")
        parser.add_argument("--skip-bad", action="store_true", help="leave out lines that cannot be sent to")

    def handle(self, *args: Any, **options: Any) -> None:
        code = bool(options["phone"] and options["purpose"])
        file = bool(options["file"] and options["template"])
        if code == file or bool(options["phone"]) == bool(options["file"]):
            raise CommandError("Give PHONE and --purpose for a code, or --file and --template for a text to many.")
        if code:
            self._send_code(options["phone"], options["purpose"])
        else:
            send_file(self.stdout, options)

    def _send_code(self, phone: str, purpose: str) -> None:
        try:
            verification = send_code(phone, purpose)
        except SMSVerifyError as error:
            for line in lines_on(purpose) if isinstance(error, NoRoute) else ():
                self.stdout.write(line)
            raise CommandError(f"{words_for_operators(error)} ({error.code})") from None
        for message in verification.messages.select_related("provider").order_by("created_at"):
            words = f" {message.error_code} {message.error_message}".rstrip()
            self.stdout.write(f"{message.provider}: {message.status}{words}")
        self.stdout.write(f"{mask(verification.phone)}: verification {verification.pk}")
