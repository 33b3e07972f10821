"""The page of the encryption key: what is still under an old one, and a button that encrypts it anew."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.characters import listed
from django_smsverify.models import Provider
from django_smsverify.operations.reencrypting import Reencrypted, count_lost, reencrypt

from .change_mails import user_label
from .credentials import may_change_credentials
from .looks import ModelAdmin, render

logger = logging.getLogger("django_smsverify")

BUTTON = _("Encrypt anew")
SECONDS = 20
"""For one press of the button; servers give up on a page after thirty or more."""
MOST_LOST = 10
"""Rows that are named at once."""


class ReencryptsSecrets(ModelAdmin):
    """Adds the page, for users who may change credentials."""

    list_tools = "admin/smsverify/provider/tools.html"

    def get_urls(self) -> list[Any]:
        # Outside ATOMIC_REQUESTS: rows must not stay locked until the last one is done.
        view = transaction.non_atomic_requests(self.admin_site.admin_view(self.encryption_view))
        return [path("encryption/", view, name="smsverify_provider_encryption"), *super().get_urls()]

    def encryption_view(self, request: HttpRequest) -> HttpResponse:
        """Shows which accounts are under an old key; a POST encrypts everything anew."""
        if not may_change_credentials(request):
            raise PermissionDenied
        if request.method == "POST":
            ends = monotonic() + SECONDS
            self._tell(request, list(reencrypt(lambda: monotonic() > ends)))
            return HttpResponseRedirect(request.path)
        providers = list(Provider.objects.all())
        context = {
            "old": [one for one in providers if one.is_under_old_key],
            "lost": [one for one in providers if not one.has_keys],
            "others_lost": [(model._meta.verbose_name_plural, count) for model, count in count_lost().items()],
            "button": BUTTON,
        }
        return render(self, request, "provider/encryption.html", _("Encryption key"), **context)

    def _tell(self, request: HttpRequest, found: list[Reencrypted]) -> None:
        counts = listed(f"{capfirst(one.model._meta.verbose_name_plural)} {one.done}" for one in found)
        logger.warning("%s encrypted anew: %d values.", user_label(request), sum(one.done for one in found))
        lost = [name for one in found for name in one.lost]
        level = messages.WARNING if lost else messages.SUCCESS
        self.message_user(request, gettext("Encrypted anew with the newest key: %s.") % counts, level)
        if lost:
            words = gettext("No key decrypts these (%(count)d): %(names)s. Put their key back, or enter them again.")
            facts = {"count": len(lost), "names": "; ".join(lost[:MOST_LOST])}
            self.message_user(request, words % facts, messages.ERROR)
        if not all(one.is_whole for one in found):
            words = gettext("Not all is done yet: press the button again, or have smsverify_reencrypt run.")
            self.message_user(request, words, messages.WARNING)
        elif not lost:
            words = gettext(
                "Nothing needs an old key any more: once all servers run with the new settings, the developer can "
                "remove the old keys."
            )
            self.message_user(request, words, messages.SUCCESS)
