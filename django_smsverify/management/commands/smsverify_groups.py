"""manage.py smsverify_groups: makes groups with the permissions that support, operators, finance and auditors need."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import CommandError
from django.db import transaction

from django_smsverify.management.groups import APP, GROUPS, permissions, set_permissions, stale
from django_smsverify.management.terminal import TerminalCommand


class Command(TerminalCommand):
    help = (
        "Makes the groups support, operator, finance and auditor, or gives them again exactly the permissions of this "
        "app that their work needs. Who is in a group, and a group's permissions of other apps, stay as they are. "
        "Deletes the permissions of earlier versions that open nothing any more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--prefix", default="SMS ", metavar="WORDS", help="before each group's name; by default “SMS ”: SMS support"
        )
        parser.add_argument("--dry-run", action="store_true", help="only prints what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        self._require_migrated()
        would = "would be " if options["dry_run"] else ""
        with transaction.atomic():
            for role, codenames in GROUPS.items():
                self._make(options["prefix"] + role, codenames, would)
            for permission in stale():
                self._delete(permission, would)

    def _require_migrated(self) -> None:
        wanted = {codename for codenames in GROUPS.values() for codename in codenames}
        if missing := wanted - {one.codename for one in permissions()}:
            raise CommandError(f"The permissions {', '.join(sorted(missing))} do not exist yet: run migrate first.")

    def _make(self, name: str, codenames: tuple[str, ...], would: str) -> None:
        group = Group.objects.filter(name=name).first()
        before = set(group.permissions.filter(content_type__app_label=APP)) if group else set()
        is_same = group is not None and {one.codename for one in before} == set(codenames)
        done = "as it was" if is_same else would + ("changed" if group else "made")
        self.stdout.write(f"{name} ({done}):")
        for permission in permissions().filter(codename__in=codenames):
            self.stdout.write(f"    {permission.codename}: {permission.name}")
        if not (is_same or would):
            set_permissions(group or Group.objects.create(name=name), codenames)

    def _delete(self, permission: Permission, would: str) -> None:
        # Names who had it: perhaps they now need another one.
        facts = f"{permission.user_set.count()} users and {permission.group_set.count()} groups had it"
        if not would:
            permission.delete()
        self.stdout.write(f"{permission.codename} opens nothing any more: {would}deleted; {facts}")
