"""The head of the page of a signature or template: the state of its review, what is next, and a button for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from django_smsverify.enums import ReviewStatus
from django_smsverify.journal.own_words import in_own_language
from django_smsverify.models import Signature
from django_smsverify.reviews.lacking import Lack, what_lacks
from django_smsverify.reviews.next_step import next_step
from django_smsverify.reviews.verdicts import Text
from django_smsverify.types import Credential

from .adding import StaysAfterAdding
from .closed_links import may_see
from .linting import LintedAdmin
from .looks import Tone, badge, state_badge
from .provider_form import CREDENTIAL, OPTION
from .provider_page import Button

BUTTONS = {
    "submit": _("Submit to the vendor for review"),
    "resubmit": _("Submit again after a rejection"),
    "fetch": _("Fetch state and text from the vendor"),
    "copy_as_draft": _("Copy as a new draft"),
    "make_draft": _("Make a draft again: the vendor does not have it"),
}
"""By the name of the action of the list, which does the same to several."""


class ShownLack(NamedTuple):
    """What lacks before a text can be submitted, with where that is entered; both blank for the text's own page."""

    words: str
    advice: object
    url: str = ""
    name: str = ""


class ShowsNextStep(StaysAfterAdding, LintedAdmin):
    """Adds the head, and an address for each of its buttons."""

    change_form_template = "admin/smsverify/text_change_form.html"

    class Media:
        js = ("smsverify/unsaved.js",)

    def get_urls(self) -> list[Any]:
        model = self.opts.model_name
        paths = [path(f"<int:pk>/{one}/", self._view(one), name=f"smsverify_{model}_{one}") for one in BUTTONS]
        return [*paths, *super().get_urls()]

    def _view(self, name: str) -> Callable[..., HttpResponse]:
        # Outside ATOMIC_REQUESTS, because no transaction may be open while a vendor is called.
        view = self.admin_site.admin_view(require_POST(partial(self.step_view, name=name)))
        return transaction.non_atomic_requests(view)

    def step_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Does what a button says, as the action of the list does, and leads back."""
        if not self._may(request, name):
            raise PermissionDenied
        getattr(self, name)(request, self.get_queryset(request).filter(pk=pk))
        back, args = ("changelist", []) if name == "copy_as_draft" else ("change", [pk])
        return HttpResponseRedirect(self._address(back, *args))

    def _may(self, request: HttpRequest, name: str) -> bool:
        return self.has_add_permission(request) if name == "copy_as_draft" else self.has_change_permission(request)

    def _address(self, name: str, *args: object) -> str:
        return reverse(f"admin:smsverify_{self.opts.model_name}_{name}", args=args, current_app=self.admin_site.name)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        text = kwargs.get("obj")
        if text is not None and text.pk:
            # As it is stored: a form with errors has changed the object.
            stored = self.model._default_manager.select_related("provider").get(pk=text.pk)
            step, lacks = next_step(stored), what_lacks(stored)
            context |= {
                "review_state": state_badge(ReviewStatus(stored.status)),
                "held_back": [badge(filing, Tone.BAD) for filing in step.held_back],
                "next_step": step.words,
                "buttons": [
                    Button(self._address(one, text.pk), BUTTONS[one])
                    for one in self._shown(request, step.actions)
                    if not (lacks and one in ("submit", "resubmit"))
                ],
                "lacks": [self._shown_lack(request, one, stored) for one in lacks],
                "next_link": self._next_link(request, stored),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def _shown_lack(self, request: HttpRequest, lack: Lack, text: Text) -> ShownLack:
        words = capfirst(in_own_language(" ".join(str(lack.words).split())))
        if lack.entered_as is None or not may_see(request, "provider"):
            return ShownLack(words, lack.advice)
        site, prefix = self.admin_site.name, CREDENTIAL if isinstance(lack.entered_as, Credential) else OPTION
        page = reverse("admin:smsverify_provider_change", args=[text.provider_id], current_app=site)
        return ShownLack(words, lack.advice, f"{page}#id_{prefix}{lack.entered_as.name}", text.provider.name)

    def _shown(self, request: HttpRequest, actions: tuple[str, ...]) -> Iterator[str]:
        return (name for name in actions if self._may(request, name))

    def _next_link(self, request: HttpRequest, text: Text) -> Button | None:
        """To a new template with an approved signature."""
        if not isinstance(text, Signature) or text.status != ReviewStatus.APPROVED:
            return None
        if not request.user.has_perm("smsverify.add_template"):
            return None
        url = reverse("admin:smsverify_template_add", current_app=self.admin_site.name)
        return Button(f"{url}?provider={text.provider_id}&signature={text.pk}", _("Add a template"))
