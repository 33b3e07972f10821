"""manage.py smsverify_reencrypt: encrypts all secrets with the first key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.operations.reencrypting import reencrypt


class Command(TerminalCommand):
    help = (
        "Encrypts all stored credentials anew that are not encrypted with the first of the encryption keys, so that "
        "the older keys can be removed from the settings. Safe to run at any time and again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        lost: list[str] = []
        for found in reencrypt():
            self.stdout.write(f"{found.model._meta.verbose_name_plural}: {found.done} encrypted anew")
            lost += found.lost
        if lost:
            names = "\n".join(f"  {name}" for name in lost)
            raise CommandError(f"No configured key decrypts:\n{names}\nAdd their key, or enter the values again.")
