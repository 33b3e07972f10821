"""A button on a provider's page that sends one code to a number that the operator enters, by this provider alone."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from django_smsverify import phones
from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import SMSVerifyError, words_for_operators
from django_smsverify.models import Message, Provider
from django_smsverify.sending.by_hand import code_templates, send_code_by

from .closed_links import may_see
from .looks import ModelAdmin
from .testing import PERMISSION as TEST

SEND = "smsverify.send_message"
LEVELS = {MessageStatus.NOT_SENT: messages.ERROR, MessageStatus.UNKNOWN: messages.WARNING}


def may_send_test(request: HttpRequest) -> bool:
    """Whether the user may send an SMS to try a provider: it costs money, and reaches any number."""
    return request.user.has_perm(TEST) and request.user.has_perm(SEND)


class SendsTestSMS(ModelAdmin):
    """Adds the button, whose code opens nothing on the site, and which leads to the story of its SMS."""

    def get_urls(self) -> list[Any]:
        # Outside ATOMIC_REQUESTS, because no transaction may be open while a vendor is called.
        view = require_POST(sensitive_post_parameters("phone")(self.test_sms_view))
        view = transaction.non_atomic_requests(self.admin_site.admin_view(view))
        return [path("<int:pk>/test_sms/", view, name="smsverify_provider_test_sms"), *super().get_urls()]

    def test_sms_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Sends it, says what became of it, and leads to its page, or back where the user may not see that."""
        provider = get_object_or_404(Provider, pk=pk)
        if not (may_send_test(request) and self.has_view_or_change_permission(request, provider)):
            raise PermissionDenied
        message = self._sent(request, provider)
        row = message if message and may_see(request, "message") else provider
        name = f"admin:smsverify_{row._meta.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[row.pk], current_app=self.admin_site.name))

    def _sent(self, request: HttpRequest, provider: Provider) -> Message | None:
        template = next(iter(code_templates(provider)), None)
        if template is None:
            why = gettext("No SMS was sent: no template of %s can send a code now. See below what lacks.")
            self.message_user(request, why % provider, messages.ERROR)
            return None
        try:
            message = send_code_by(template, request.POST.get("phone", ""))
        except SMSVerifyError as error:
            self.message_user(request, gettext("No SMS was sent: %s") % words_for_operators(error), messages.ERROR)
            return None
        words = gettext("Test SMS by %(name)s to %(phone)s: %(status)s")
        facts = {"name": provider, "phone": phones.mask(message.phone), "status": message.get_status_display()}
        level = LEVELS.get(MessageStatus(message.status), messages.SUCCESS)
        self.message_user(request, words % facts, level)
        return message
