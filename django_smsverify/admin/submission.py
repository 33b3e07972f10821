"""Signatures and templates in review, in the admin: submit, fetch, delete at the vendor, and import."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist, PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Reason
from django_smsverify.exceptions import (
    GatewayError,
    GatewayRejected,
    GatewayUncertain,
    SubmissionRefused,
)
from django_smsverify.reviews import actions
from django_smsverify.reviews.verdicts import Text, rows_of, submission_of

from .linting import LintedAdmin
from .lookups import SearchesWhatIsStored
from .masking import masked
from .submission_forms import FiledForm, ImportForm, kind_of


class SubmissionAdmin(LintedAdmin, SearchesWhatIsStored):
    """Rows that vendors review. The vendor sets the status if it can be queried, else the operator does."""

    form = FiledForm
    import_form: type[ImportForm] = ImportForm
    change_list_template = "admin/smsverify/submission_change_list.html"
    actions: tuple[str, ...] = ("submit", "resubmit", "fetch", "delete_at_vendor", "copy_as_draft", "make_draft")

    def get_readonly_fields(self, request: HttpRequest, obj: Text | None = None) -> Any:
        asked = obj is not None and submission_of(obj) in kind_of(obj.provider).answers_review
        lost = ("lost",) if obj is not None and actions.what_was_lost(obj) else ()
        return (*super().get_readonly_fields(request, obj), *lost, *(("status", "reason") if asked else ()))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row of a page, with a masked reason; `save_model` saves only fields that the operator changed."""
        text = super().get_object(request, object_id, from_field)
        if text is not None:
            text.reason = masked(text.reason)
        return text

    @admin.display(description=_("what to do"))
    def lost(self, text: Text) -> str:
        """What to do when the id at the vendor was lost."""
        return actions.what_was_lost(text)

    def save_model(self, request: HttpRequest, obj: Text, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if (
            obj.remote_id
            and "remote_id" in form.changed_data
            and submission_of(obj) in kind_of(obj.provider).answers_review
        ):
            # After the commit: no transaction may be open while a vendor is called.
            asks = partial(self._for_each, request, [obj], actions.fetch, _("fetched"))
            transaction.on_commit(asks, using=rows_of(obj).db, robust=True)

    # With ATOMIC_REQUESTS a later error would undo the record of what was submitted.
    @method_decorator(transaction.non_atomic_requests)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, extra_context)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name=f"smsverify_{self.opts.model_name}_import"), *super().get_urls()]

    @method_decorator(transaction.non_atomic_requests)
    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Imports texts that a vendor has already, by their ids."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.import_form(request.POST or None)
        if form.is_valid():
            self._for_each(request, form.texts(), partial(self._import_existing, request), _("imported"))
            changelist = f"admin:smsverify_{self.opts.model_name}_changelist"
            return HttpResponseRedirect(reverse(changelist, current_app=self.admin_site.name))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Import what the vendor has already"),
            "form": form,
        }
        request.current_app = self.admin_site.name  # a site may have several admins
        return TemplateResponse(request, "admin/smsverify/import.html", context)

    def _import_existing(self, request: HttpRequest, text: Text) -> None:
        if text.pk and not self.has_change_permission(request, text):
            raise SubmissionRefused(gettext("It is here already, and you may not change it."))
        actions.fetch(text)

    @admin.action(description=_("Submit to the vendor for review"), permissions=["change"])
    def submit(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Submits drafts for review."""
        self._for_each(request, rows, actions.submit, _("submitted; the vendor reviews it now"))

    @admin.action(description=_("Submit again after a rejection"), permissions=["change"])
    def resubmit(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Submits rejected texts again."""
        self._for_each(request, rows, actions.resubmit, _("submitted again; the vendor reviews it now"))

    @admin.action(description=_("Fetch state and text from the vendor"), permissions=["change"])
    def fetch(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Fetches state and fields from the vendor."""
        self._for_each(request, rows, actions.fetch, _("fetched"))

    @admin.action(description=_("Copy as a new draft"), permissions=["add"])
    def copy_as_draft(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Copies texts as new drafts."""
        self._for_each(request, rows, actions.copy_as_draft, _("copied"))

    @admin.action(description=_("Make a draft again: the vendor does not have it"), permissions=["change"])
    def make_draft(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Makes texts whose id was lost drafts again."""
        self._for_each(request, rows, actions.make_draft, _("a draft again"))

    @admin.action(description=_("Delete at the vendor"), permissions=["delete"])
    def delete_at_vendor(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        """Deletes texts at the vendor, after a confirmation."""
        if "confirmed" in request.POST:
            self._for_each(request, rows, actions.delete, _("deleted at the vendor; it is a draft here"))
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Delete at the vendor"),
            "texts": rows,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        request.current_app = self.admin_site.name  # a site may have several admins
        return TemplateResponse(request, "admin/smsverify/delete_at_vendor.html", context)

    def _for_each(self, request: HttpRequest, texts: Iterable[Any], action: Callable[[Any], Any], done: Any) -> None:
        """Runs an action for each text separately, and shows each result to the user."""
        for text in texts:
            try:
                action(text)
            except ObjectDoesNotExist:
                words = gettext("%s was deleted here meanwhile; the vendor may have it all the same.")
                self.message_user(request, words % _label(text), messages.WARNING)
            except (SubmissionRefused, GatewayError, ImproperlyConfigured) as error:
                level = messages.WARNING if isinstance(error, GatewayUncertain) else messages.ERROR
                words = " — ".join(filter(None, [_error_text(error), _advice(error, text)]))
                self.message_user(request, f"{_label(text)}: {masked(words)}", level)
            else:
                self.log_change(request, text, str(done))
                level = messages.SUCCESS
                self.message_user(request, f"{text}: {done} ({text.get_status_display()})", level)


def _label(text: Text) -> str:
    """A text's name, or its id at the vendor if it could not be imported."""
    return str(text) if text.pk else text.remote_id


def _error_text(error: Exception) -> str:
    if isinstance(error, GatewayError):
        code = f"{error.error_code} " if error.error_code else ""
        return gettext("the vendor says: %s") % f"{code}{error}"
    return str(error)


def _advice(error: Exception, text: Text) -> str:
    """What the operator can do about the error."""
    if isinstance(error, GatewayUncertain):
        return actions.what_was_lost(text) or gettext("It may be done or not: fetch its state in a minute.")
    if not isinstance(error, GatewayError):
        return ""
    by_reason = {
        Reason.ACCOUNT: gettext("Check the provider's credentials and its account there. Nothing was changed."),
        Reason.RATE: gettext("Try again later. Nothing was changed."),
    }
    if isinstance(error, GatewayRejected):
        return by_reason.get(error.reason, gettext("Correct what it names, and try again. Nothing was changed."))
    return gettext("The vendor could not be reached: try again. Nothing was changed.")
