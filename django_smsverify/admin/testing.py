"""A button on a provider's page that asks its vendor whether it works; it sends no SMS."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from django_smsverify.diagnosis.provider import diagnose
from django_smsverify.models import Provider

PERMISSION = "smsverify.test_provider"


class TestsProvider(admin.ModelAdmin):
    """Adds the button Test, for users with a permission of its own."""

    change_form_template = "admin/smsverify/provider/change_form.html"

    def get_urls(self) -> list[Any]:
        # Outside ATOMIC_REQUESTS, because no transaction may be open while a vendor is called.
        view = transaction.non_atomic_requests(self.admin_site.admin_view(require_POST(self.test_view)))
        return [path("<int:pk>/test/", view, name="smsverify_provider_test"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["may_test"] = request.user.has_perm(PERMISSION)
        return super().render_change_form(request, context, *args, **kwargs)

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks the vendor, and shows what is right and what is wrong."""
        provider = get_object_or_404(Provider, pk=pk)
        if not (request.user.has_perm(PERMISSION) and self.has_view_or_change_permission(request, provider)):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Test of %s") % provider,
            "original": provider,
            "diagnosis": diagnose(provider),
        }
        request.current_app = self.admin_site.name  # a site may have several admins
        return TemplateResponse(request, "admin/smsverify/provider/test.html", context)
