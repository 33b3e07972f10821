"""The groups that a site's people need, each with the least that its work asks for, and permissions that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet

APP = "smsverify"
STORY = ("view_message", "view_verification", "view_refusal")
"""What the page needs that tells what happened to a number."""
PEOPLE = (
    *STORY,
    "view_recipient",
    "view_deliveryreport",
    "view_reply",
    "view_optout",
    "view_closure",
    "view_listentry",
)
"""What happened to people, with masked numbers."""
ACCOUNTS = ("view_provider", "view_signature", "view_template", "view_carrierfiling", "view_spending")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "support": (*PEOPLE, "change_recipient", "add_optout", "delete_optout"),
    "operator": (
        *PEOPLE,
        *ACCOUNTS,
        "view_alert",
        "view_reportbatch",
        "delete_reportbatch",
        "change_recipient",
        "add_optout",
        "delete_optout",
        "add_listentry",
        "delete_listentry",
        "change_closure",
        "change_provider",
        "test_provider",
        "probe_routes",
        "add_signature",
        "change_signature",
        "delete_signature",
        "add_template",
        "change_template",
        "delete_template",
        "send_message",
        "add_carrierfiling",
        "change_carrierfiling",
        "delete_carrierfiling",
    ),
    "finance": ("view_message", "view_provider", "view_spending"),
    "auditor": (
        *PEOPLE,
        *ACCOUNTS,
        "view_alert",
        "view_reportbatch",
        "view_testnumber",
        "view_clientkey",
        "view_access",
    ),
}
"""Who may what. None of them sees whole numbers, forgets persons, or changes keys, test numbers or where SMS go: give
that to single persons."""


def permissions() -> QuerySet[Permission]:
    """The permissions of this app that are stored."""
    return Permission.objects.filter(content_type__app_label=APP).order_by("codename")


def known_codenames() -> set[str]:
    """The permissions of this app that open something."""
    known = set()
    for model in apps.get_app_config(APP).get_models():
        options = model._meta
        known |= {get_permission_codename(action, options) for action in options.default_permissions}
        known |= {codename for codename, _ in options.permissions}
    return known


def stale() -> list[Permission]:
    """Permissions of earlier versions: Django never deletes them, and they open nothing."""
    return [one for one in permissions() if one.codename not in known_codenames()]


def set_permissions(group: Group, codenames: Iterable[str]) -> None:
    """Gives a group these permissions of this app, and no others of it; those of other apps stay."""
    wanted = permissions().filter(codename__in=codenames)
    group.permissions.remove(*group.permissions.filter(content_type__app_label=APP).exclude(pk__in=wanted))
    group.permissions.add(*wanted)
