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
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Reason, ReviewStatus
from django_smsverify.exceptions import (
    GatewayError,
    GatewayRejected,
    GatewayUncertain,
    SubmissionRefused,
)
from django_smsverify.journal.own_words import translated
from django_smsverify.phones import masked
from django_smsverify.reviews import actions
from django_smsverify.reviews.verdicts import Text, rows_of, submission_of

from .looks import dress, render, state_badge
from .lookups import SearchesWhatIsStored
from .next_steps import BUTTONS, ShowsNextStep
from .submission_forms import FiledForm, ImportForm, kind_of

NOT_ASKED = ("bug", "configuration", "draft")
"""The codes of our own refusals, before the vendor is called."""


class SubmissionAdmin(ShowsNextStep, SearchesWhatIsStored):
    """Rows that vendors review. The vendor sets the status if it can be queried, else the operator does."""

    form = FiledForm
    import_form: type[ImportForm] = ImportForm
    list_tools = "admin/smsverify/submission_tools.html"
    actions: tuple[str, ...] = ("submit", "resubmit", "fetch", "delete_at_vendor", "copy_as_draft", "make_draft")

    def get_readonly_fields(self, request: HttpRequest, obj: Text | None = None) -> Any:
        asked = obj is not None and submission_of(obj) in kind_of(obj.provider).answers_review
        lost = ("lost",) if obj is not None and actions.what_was_lost(obj) else ()
        return (*super().get_readonly_fields(request, obj), *lost, *(("status", "reason") if asked else ()))

    def get_exclude(self, request: HttpRequest, obj: Text | None = None) -> Any:
        """A new text was not rejected yet, so it has no reason."""
        return super().get_exclude(request, obj) if obj is not None else ("reason",)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row of a page, with a masked reason; `save_model` saves only fields that the operator changed."""
        text = super().get_object(request, object_id, from_field)
        if text is not None:
            text.reason = masked(text.reason)
        return text

    @admin.display(description=_("review"), ordering="status")
    def review(self, text: Text) -> SafeString:
        """The state of the vendor's review, in its colour; its reason is told under the pointer."""
        return state_badge(ReviewStatus(text.status), masked(text.reason))

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
            asks = partial(self._for_each, request, [obj], actions.fetch, _("fetched (%(status)s)"))
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
        imports = partial(self._import_existing, request)
        # After a failure the form stays, with what was entered.
        if form.is_valid() and self._for_each(request, form.texts(), imports, _("imported (%(status)s)")):
            changelist = f"admin:smsverify_{self.opts.model_name}_changelist"
            return HttpResponseRedirect(reverse(changelist, current_app=self.admin_site.name))
        dress(form.fields, self, request)
        return render(self, request, "import.html", _("Import what the vendor has already"), form=form)

    def _import_existing(self, request: HttpRequest, text: Text) -> None:
        if text.pk and not self.has_change_permission(request, text):
            raise SubmissionRefused(gettext("It is here already, and you may not change it."))
        actions.fetch(text)

    @admin.action(description=BUTTONS["submit"], permissions=["change"])
    def submit(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Submits drafts for review."""
        self._for_each(request, rows, actions.submit, _("submitted; the vendor reviews it now"))

    @admin.action(description=BUTTONS["resubmit"], permissions=["change"])
    def resubmit(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Submits rejected texts again."""
        self._for_each(request, rows, actions.resubmit, _("submitted again; the vendor reviews it now"))

    @admin.action(description=BUTTONS["fetch"], permissions=["change"])
    def fetch(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Fetches state and fields from the vendor."""
        self._for_each(request, rows, actions.fetch, _("fetched (%(status)s)"))

    @admin.action(description=BUTTONS["copy_as_draft"], permissions=["add"])
    def copy_as_draft(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Copies texts as new drafts."""
        self._for_each(request, rows, actions.copy_as_draft, _("copied"))

    @admin.action(description=BUTTONS["make_draft"], permissions=["change"])
    def make_draft(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Makes texts whose id was lost drafts again."""
        self._for_each(request, rows, actions.make_draft, _("a draft again"))

    @admin.action(description=_("Delete at the vendor"), permissions=["delete"])
    def delete_at_vendor(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        """Deletes texts at the vendor, after a confirmation."""
        if "confirmed" in request.POST:
            self._for_each(request, rows, actions.delete, _("deleted at the vendor; it is a draft here"))
            return None
        context = {"texts": rows, "checkbox": ACTION_CHECKBOX_NAME}
        return render(self, request, "delete_at_vendor.html", _("Delete at the vendor"), **context)

    def _for_each(self, request: HttpRequest, texts: Iterable[Any], action: Callable[[Any], Any], done: Any) -> bool:
        """Runs an action for each text separately, and shows each result to the user; returns whether all went well."""
        has_failed = False
        for text in texts:
            try:
                action(text)
            except ObjectDoesNotExist:
                level = messages.WARNING
                words = gettext("%s was deleted here meanwhile; the vendor may have it all the same.")
                self.message_user(request, words % _label(text), level)
            except (SubmissionRefused, GatewayError, ImproperlyConfigured) as error:
                level = messages.WARNING if isinstance(error, GatewayUncertain) else messages.ERROR
                words = " — ".join(filter(None, [_error_text(error), _advice(error, text)]))
                self.message_user(request, f"{_label(text)}: {masked(words)}", level)
            else:
                level = messages.SUCCESS
                words = str(done) % {"status": text.get_status_display()}
                self.log_change(request, text, words)
                self.message_user(request, f"{text}: {words}", level)
            has_failed = has_failed or level != messages.SUCCESS
        return not has_failed


def _label(text: Text) -> str:
    """A text's name, or its id at the vendor if it could not be imported."""
    return str(text) if text.pk else text.remote_id


def _error_text(error: Exception) -> str:
    if isinstance(error, GatewayError):
        if ours := translated(" ".join(str(error.detail).split())):
            return ours
        code = f"{error.error_code} " if error.error_code else ""
        return gettext("the vendor says: %s") % f"{code}{error}"
    return str(error)


def _advice(error: Exception, text: Text) -> str:
    """What the operator can do about the error."""
    if isinstance(error, GatewayUncertain):
        return actions.what_was_lost(text) or gettext("It may be done or not: fetch its state in a minute.")
    if not isinstance(error, GatewayError):
        return ""
    if isinstance(error, GatewayRejected) and error.error_code in NOT_ASKED:
        return gettext("The vendor was not asked, and nothing was changed.")
    by_reason = {
        Reason.ACCOUNT: gettext("Check the provider's credentials and its account there. Nothing was changed."),
        Reason.RATE: gettext("Try again later. Nothing was changed."),
    }
    if isinstance(error, GatewayRejected):
        return by_reason.get(error.reason, gettext("Correct what it names, and try again. Nothing was changed."))
    return gettext("The vendor could not be reached: try again. Nothing was changed.")
