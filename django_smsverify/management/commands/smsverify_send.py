"""manage.py smsverify_send PHONE --purpose P"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.phones import mask
from django_smsverify.sending import send_code


class Command(BaseCommand):
    help = "Sends a code to a number, as the endpoint would, to see that providers and templates work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("phone", help="such as 13800138000")
        parser.add_argument("--purpose", required=True, help="such as login")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            verification = send_code(options["phone"], options["purpose"])
        except SMSVerifyError as error:
            raise CommandError(f"{error} ({error.code})") from None
        for message in verification.messages.select_related("provider").order_by("created_at"):
            words = f" {message.error_code} {message.error_message}".rstrip()
            self.stdout.write(f"{message.provider}: {message.status}{words}")
        self.stdout.write(f"{mask(verification.phone)}: verification {verification.pk}")
