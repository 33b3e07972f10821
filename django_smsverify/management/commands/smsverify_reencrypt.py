"""manage.py smsverify_reencrypt: encrypts all secrets with the first key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import models

from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.models import ClientKey, Message, Provider, TestNumber
from django_smsverify.models.fields import rotate


class Command(TerminalCommand):
    help = (
        "Encrypts all stored credentials anew with the first of the encryption keys, so that the older keys can "
        "be removed from the settings. Safe to run at any time and again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        lost = [
            *self._rotate(Provider, "credentials"),
            *self._rotate(Message, "values"),
            *self._rotate(ClientKey, "secrets"),
            *self._rotate(TestNumber, "codes"),
        ]
        if lost:
            names = "\n".join(f"  {name}" for name in lost)
            raise CommandError(f"No configured key decrypts:\n{names}\nAdd their key, or enter the values again.")

    def _rotate(self, model: type[models.Model], name: str) -> list[str]:
        rows, lost, done = model._default_manager, [], 0
        for pk, token in rows.exclude(**{name: {}}).values_list("pk", name).iterator():
            try:
                fresh = rotate(token)
            except UndecryptableValue:
                lost.append(f"{model._meta.verbose_name} {pk}: {rows.get(pk=pk)}")
                continue
            # Update only if it has not changed since it was read.
            done += rows.filter(pk=pk, **{name: token}).update(**{name: fresh})
        self.stdout.write(f"{model._meta.verbose_name_plural}: {done} encrypted anew")
        return lost
