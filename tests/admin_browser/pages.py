"""The addresses of all pages of the app in the admin, and of some pages of Django's own to compare them with."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import RequestFactory
from django.urls import reverse

from django_smsverify.models import Message, Overview, Provider, Recipient, Template

OWN = ("overview", "scorecard", "message_costs", "explain", "recipient_person", "provider_encryption")
"""Pages that a link opens."""


def addresses() -> dict[str, str]:
    """The address of each page by its name."""
    return {**dict(_of_django()), **dict(_of_models()), **dict(_of_ours())}


def _of_django() -> Iterator[tuple[str, str]]:
    group = [Group.objects.get().pk]
    yield "django index", reverse("admin:index")
    yield "django list", reverse("admin:auth_group_changelist")
    yield "django list of users", reverse("admin:auth_user_changelist")
    yield "django add", reverse("admin:auth_group_add")
    yield "django change", reverse("admin:auth_group_change", args=group)
    yield "django change of a user", reverse("admin:auth_user_change", args=[User.objects.get().pk])
    yield "django delete", reverse("admin:auth_group_delete", args=group)


def _of_models() -> Iterator[tuple[str, str]]:
    """The list of each model, and the pages of a new row, of an old one, and of deleting it."""
    request = RequestFactory().get("/")
    request.user = User.objects.get()
    for model in apps.get_app_config("smsverify").get_models():
        own = admin.site._registry.get(model)
        if own is None or model is Overview:
            continue
        name = model._meta.model_name
        yield f"{name} list", reverse(f"admin:smsverify_{name}_changelist")
        if own.has_add_permission(request):
            yield f"{name} add", reverse(f"admin:smsverify_{name}_add")
        row = model._default_manager.order_by("pk")[0]
        yield f"{name} change", reverse(f"admin:smsverify_{name}_change", args=[row.pk])
        if own.has_delete_permission(request, row):
            yield f"{name} delete", reverse(f"admin:smsverify_{name}_delete", args=[row.pk])


def _of_ours() -> Iterator[tuple[str, str]]:
    yield "app index", reverse("admin:app_list", args=["smsverify"])
    for name in OWN:
        yield name, reverse(f"admin:smsverify_{name}")
    provider, failing = Provider.objects.get(slug="tencent"), Provider.objects.get(slug="topthink")
    notice = Template.objects.get(name="tencent shipped")
    message = Message.objects.filter(status="undelivered").latest("created_at")
    yield "provider form", f"{reverse('admin:smsverify_provider_add')}?gateway=tencent"
    yield "provider page", reverse("admin:smsverify_provider_change", args=[provider.pk])
    yield (
        "failing provider",
        reverse("admin:smsverify_provider_change", args=[failing.pk]),
    )
    yield "message page", reverse("admin:smsverify_message_change", args=[message.pk])
    yield "story", f"{reverse('admin:smsverify_explain')}?whom={message.pk}"
    yield "person", f"{reverse('admin:smsverify_recipient_person')}?recipient={Recipient.objects.latest('pk').pk}"
    yield "template import", reverse("admin:smsverify_template_import")
    yield "send to many", reverse("admin:smsverify_template_many", args=[notice.pk])
    yield "filtered list", f"{reverse('admin:smsverify_message_changelist')}?status__exact=delivered"
    yield "test provider", reverse("admin:smsverify_provider_test", args=[provider.pk])
    yield "show number", reverse("admin:smsverify_message_number", args=[message.pk])
    yield "forget number", reverse("admin:smsverify_recipient_forget")
    yield "new secret", reverse("admin:smsverify_clientkey_changelist")
    yield "new code", reverse("admin:smsverify_testnumber_changelist")
    yield "delete at vendor", reverse("admin:smsverify_template_changelist")
