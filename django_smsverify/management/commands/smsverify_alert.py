"""manage.py smsverify_alert: tells operators what they must hear of, and tries whether they can be told."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import translation
from django.utils.translation import gettext

from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.operations.alerts import link_to
from django_smsverify.operations.channels import configured, has_recipients, is_installed, send_mail, send_to
from django_smsverify.operations.watching import watch


class Command(TerminalCommand):
    help = (
        "Tells operators by mail and by the channels of ALERTS what they have not heard of yet, such as that the poll "
        "does not run: run it by another scheduler than the poll. With --test, sends a test to each of them instead; "
        "the exit status is 1 when one cannot be told."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--test", action="store_true", help="send a test, and say what came of it")

    def handle(self, *args: Any, test: bool, **options: Any) -> None:
        if test:
            self._test()
            return
        tally = Counter(watch())
        self.stdout.write(", ".join(f"{word} {count}" for word, count in sorted(tally.items())) or "nothing to tell")

    def _test(self) -> None:
        channels = configured()
        if channels and not is_installed():
            raise CommandError('ALERTS need apprise: pip install "django-smsverify[alerts]"')
        if not channels and not has_recipients():
            raise CommandError('Nobody can be told: set MANAGERS, or SMSVERIFY["ALERTS"].')
        with translation.override(settings.LANGUAGE_CODE):
            title, body = _text()
            mail_failure = send_mail(title, body) if has_recipients() else None
            refused = send_to(channels, title, body)
        results = [] if mail_failure is None else [("mail", mail_failure)]
        results += [(channel.place, refused.get(channel.name, "")) for channel in channels]
        for place, why in results:
            self.stdout.write(f"{place}: {why or 'sent'}")
        if failed := [place for place, why in results if why]:
            raise CommandError(f"These cannot be told: {', '.join(failed)}")


def _text() -> tuple[str, str]:
    body = gettext("This is a test of how operators are told. Nothing has happened.")
    return gettext("SMS: a test"), "\n\n".join(filter(None, [body, link_to()]))
