"""manage.py smsverify_setup: creates the rows for the first code."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import CommandError

from django_smsverify.exceptions import InvalidGateway
from django_smsverify.gateways.base import Gateway
from django_smsverify.management.first_rows import CONTENT, Wanted, make_rows
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.models import Template


class Command(TerminalCommand):
    help = (
        "Makes what the first code needs: a provider, its signature and a template for a purpose. With a vendor's name "
        "it asks for the vendor's keys, without an echo, or reads them from a pipe, one in a line. What is there "
        "already stays as it is: it can be run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("gateway", help="console, memory, or a vendor such as ihuyi")
        parser.add_argument("--purpose", required=True, help="such as login")
        parser.add_argument("--slug", help="of the provider, part of its webhook's URL; default: the gateway's name")
        parser.add_argument("--signature", default="", help="the sender name, without brackets")
        parser.add_argument("--signature-id", default="", help="its id at the vendor")
        parser.add_argument("--content", default=CONTENT, help="the text with {code}, without the signature")
        parser.add_argument("--template-id", default="", help="its id at the vendor, who has approved it")
        parser.add_argument("--approved", action="store_true", help="the vendor has approved the text, and gives no id")
        parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the gateway")

    def handle(self, *args: Any, gateway: str, approved: bool, option: list[str], **options: Any) -> None:
        texts = {name: options[name] for name in ("purpose", "signature", "signature_id", "content", "template_id")}
        wanted = Wanted(
            gateway=gateway,
            slug=options["slug"] or gateway,
            is_approved=approved,
            options=dict(pair(one) for one in option),
            **texts,
        )
        try:
            rows = make_rows(wanted, ask_for_keys)
        except (InvalidGateway, ValueError) as error:
            raise CommandError(str(error)) from None
        for row, is_new in rows:
            self.stdout.write(f"{row._meta.verbose_name} {row}: {'made' if is_new else 'there already'}")
        self._write_next_step(wanted)

    def _write_next_step(self, wanted: Wanted) -> None:
        """Prints what to do next."""
        routes = Template.objects.routable().filter(provider__slug=wanted.slug, purpose=wanted.purpose)
        if routes.exists():
            self.stdout.write(f"Send a code: manage.py smsverify_send PHONE --purpose {wanted.purpose}")
        else:
            self.stdout.write(
                "The template is not approved yet: submit it to the vendor in the admin, or set its status."
            )
        if wanted.kind.pushes:
            self.stdout.write(f"Tell the vendor where to report: manage.py smsverify_webhooks {wanted.slug}")


def ask_for_keys(kind: type[Gateway]) -> dict[str, str]:
    """The vendor's keys, typed without echo or read from a pipe; raises ValueError for a missing one."""
    found = {}
    for credential in kind.credentials:
        prompt = f"{credential.label} ({credential.name}): "
        value = (getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()).strip()
        if not value:
            raise ValueError(f"{credential.name} ({credential.label}) is missing: nothing was made.")
        found[credential.name] = value
    return found


def pair(option: str) -> tuple[str, str]:
    """Splits NAME=VALUE; raises CommandError without an equals sign."""
    name, equals, value = option.partition("=")
    if not equals:
        raise CommandError(f"Write --option NAME=VALUE, not {option!r}.")
    return name, value
