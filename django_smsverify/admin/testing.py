"""A button on a provider's page that asks its vendor whether it works; it sends no SMS."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from django_smsverify.diagnosis.last_tests import remember_change
from django_smsverify.diagnosis.provider import diagnose
from django_smsverify.models import Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing

from .looks import ModelAdmin, finding_badges, render
from .provider_form import CREDENTIAL, OPTION

PERMISSION = "smsverify.test_provider"


class TestsProvider(ModelAdmin):
    """Adds the button Test, for users with a permission of its own, and asks for it when what it tests was changed."""

    def get_urls(self) -> list[Any]:
        # Outside ATOMIC_REQUESTS, because no transaction may be open while a vendor is called.
        view = transaction.non_atomic_requests(self.admin_site.admin_view(require_POST(self.test_view)))
        return [path("<int:pk>/test/", view, name="smsverify_provider_test"), *super().get_urls()]

    def ask_for_test(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        """Remembers that a provider was saved with other keys, and says that a test is due; a new one is told so among
        its first steps."""
        if _is_tested_anew(obj, form, change):
            remember_change(obj)
            if change and request.user.has_perm(PERMISSION):
                self.message_user(request, self._press_test(obj), messages.WARNING)

    def _press_test(self, provider: Provider) -> SafeString:
        url = reverse("admin:smsverify_provider_change", args=[provider.pk], current_app=self.admin_site.name)
        words = gettext("Keys, address or options were changed, so what the last test said is out of date.")
        return format_html('{} <a href="{}#smsverify-test">{}</a>', words, url, gettext("Press “Test” now."))

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks the vendor, and shows what is right and what is wrong."""
        provider = get_object_or_404(Provider, pk=pk)
        if not (request.user.has_perm(PERMISSION) and self.has_view_or_change_permission(request, provider)):
            raise PermissionDenied
        context = {"original": provider, "diagnosis": diagnose(provider), "finding_badges": finding_badges()}
        return render(self, request, "provider/test.html", gettext("Test of %s") % provider, **context)


def _is_tested_anew(provider: Provider, form: Any, change: bool) -> bool:
    """Whether the form has entered what a test depends on."""
    if gateway_class_or_missing(provider.gateway).local:
        return False
    entered = [name for name in form.changed_data if name.startswith((CREDENTIAL, OPTION))]
    return not change or bool(entered) or not {"gateway", "base_url"}.isdisjoint(form.changed_data)
