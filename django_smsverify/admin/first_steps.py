"""What comes after a provider was added: a test, its webhook, a signature and a template."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext

from django_smsverify.models import Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing

from .adding import StaysAfterAdding
from .testing import PERMISSION as TEST


class TellsFirstSteps(StaysAfterAdding):
    """Says what is next on the page of a new provider, as far as the user may do it."""

    def tell_next(self, request: HttpRequest, obj: Provider) -> None:
        steps = " ".join(f"{number}. {words}" for number, words in enumerate(_steps(request, obj), 1))
        self.message_user(request, gettext("What is next: %s") % steps, messages.INFO)


def _steps(request: HttpRequest, provider: Provider) -> Iterator[str]:
    kind = gateway_class_or_missing(provider.gateway)
    if request.user.has_perm(TEST) and not kind.local:
        yield gettext("Press “Test”: the vendor is asked whether address and keys are right, and no SMS is sent.")
    if kind.pushes:
        yield gettext("Register the address that stands at “Webhook” with the vendor, which then reports what arrived.")
    if request.user.has_perms(("smsverify.add_signature", "smsverify.add_template")):
        yield gettext("Add the signature, and a template for each purpose, by the links at “Signatures and templates”.")
    yield gettext("“What lacks” says when codes can go out.")
