"""Bulk sending in the admin: enter a list, preview the batch, and send it once."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from django_smsverify.conf import conf
from django_smsverify.enums import ReviewStatus
from django_smsverify.exceptions import SMSVerifyError, UndecryptableValue, words_for_operators
from django_smsverify.journal.own_words import in_own_language
from django_smsverify.masked import PerNumber, Secret
from django_smsverify.models import Template
from django_smsverify.models.fields import Ciphertext, decrypt, encrypt
from django_smsverify.sending import number_list
from django_smsverify.sending.bulk import queue_up
from django_smsverify.sending.number_list import NumberList, Problem, UnreadableList, batch_name, estimate

from .batches import batch_url, sent_lately
from .closed_links import may_see
from .list_example import example_of, limits_of
from .looks import ModelAdmin, dress, render

MOST_BYTES = 1024 * 1024
"""Of a list; its sealed form must stay below Django's limit for a request."""
MOST_PROBLEMS = 100
"""Problems that are shown at once."""


class ListForm(forms.Form):
    """A list of numbers, as a file or as lines."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("CSV in UTF-8 or GB18030, as Excel saves it, at most 1 MB, with the lines of the example above."),
    )
    lines = forms.CharField(label=_("or lines"), required=False, widget=forms.Textarea(attrs={"rows": 10}))
    skip_bad = forms.BooleanField(label=_("Leave out lines that cannot be sent to"), required=False)
    again = forms.BooleanField(label=_("A new batch, also to those who got the same before"), required=False)

    def __init__(self, template: Template, *args: Any) -> None:
        super().__init__(*args)
        self.template, self.found = template, NumberList()

    def clean(self) -> dict[str, Any]:
        # The input is never a local variable, because monitoring tools show these.
        super().clean()
        if bool(self.cleaned_data.get("file")) == bool(self.cleaned_data.get("lines")):
            raise ValidationError(_("Give a file or some lines, one of the two."))
        if self.cleaned_data["file"] and self.cleaned_data["file"].size > MOST_BYTES:
            raise ValidationError(
                _("The file is larger than 1 MB: split it into smaller ones, or ask a developer to send it.")
            )
        try:
            self.found = number_list.read(self._text(), self.template)
        except (UnreadableList, ImproperlyConfigured) as error:
            raise ValidationError(in_own_language(error)) from None
        if self.found.problems and not self.cleaned_data["skip_bad"]:
            raise ValidationError(_("Nothing is sent: correct the lines that are named here, or leave them out."))
        return self.cleaned_data

    def _text(self) -> Secret:
        file = self.cleaned_data["file"]
        return number_list.decoded(file.read() if file else self.cleaned_data["lines"].encode())


class SendsToMany(ModelAdmin):
    """Adds bulk sending of templates without a code, for users who may do so."""

    def get_urls(self) -> list[Any]:
        # Each chunk of rows is committed separately, also with ATOMIC_REQUESTS.
        view = transaction.non_atomic_requests(self.admin_site.admin_view(sensitive_post_parameters()(self.many_view)))
        return [path("<int:pk>/many/", view, name="smsverify_template_many"), *super().get_urls()]

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whether the user may send to many numbers."""
        return request.user.has_perm("smsverify.send_message")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Adds a button for what can be sent now."""
        template = kwargs.get("obj")
        if template is not None and template.pk and self.has_send_permission(request):
            # As it is stored: a form with errors has changed the object.
            stored = Template.objects.select_related("provider", "signature").get(pk=template.pk)
            if not _why_not(stored):
                context["send_to_many"] = self._url("smsverify_template_many", stored.pk)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("Send to many numbers…"), permissions=["send"])
    def send_to_many(self, request: HttpRequest, rows: QuerySet[Template]) -> HttpResponse | None:
        """Opens the page of the selected template."""
        if len(rows) == 1:
            return HttpResponseRedirect(self._url("smsverify_template_many", rows[0].pk))
        self.message_user(request, gettext("Choose one template."), messages.ERROR)
        return None

    def many_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Shows the form and the preview; queues a batch that was previewed."""
        if not self.has_send_permission(request):
            raise PermissionDenied
        template = get_object_or_404(Template.objects.select_related("provider", "signature"), pk=pk)
        if why := _why_not(template):
            self.message_user(request, why, messages.ERROR)
            return HttpResponseRedirect(self._url("smsverify_template_changelist"))
        if request.POST.get("sealed"):
            return self._queue(request, template)
        form = ListForm(template, request.POST or None, request.FILES or None)
        shown = _preview(template, form) if form.is_valid() else {"batches": self._batches(request, template)}
        dress(form.fields, self, request)
        context = {
            "template": template,
            "form": form,
            "problems": [_told(one) for one in form.found.problems[:MOST_PROBLEMS]],
            "example": example_of(template),
            "limits": limits_of(template),
            "more_problems": len(form.found.problems[MOST_PROBLEMS:]),
            "workers": conf.DISPATCH != "inline",
            **shown,
        }
        title = gettext("Send “%s” to many numbers") % template
        return render(self, request, "template/send_to_many.html", title, **context)

    def _queue(self, request: HttpRequest, template: Template) -> HttpResponse:
        """Queues the batch of one preview; repeated calls send one message to each number."""
        try:
            batch, numbers = _unsealed(request.POST["sealed"], template)
            queued = queue_up(template, numbers, batch)
        except (ValueError, SMSVerifyError, ImproperlyConfigured) as error:
            self.message_user(request, words_for_operators(error), messages.ERROR)
            return HttpResponseRedirect(request.path)
        facts = {"count": queued.waiting, "batch": batch}
        self.log_change(request, template, gettext("Sent to %(count)d numbers, batch %(batch)s") % facts)
        self.message_user(request, gettext("%d numbers are queued.") % queued.waiting, messages.SUCCESS)
        if count := queued.left_out:
            words = ngettext(
                "%(count)d number gets none: it has opted out of notices or is on the block list.",
                "%(count)d numbers get none: they have opted out of notices or are on the block list.",
                count,
            )
            self.message_user(request, words % {"count": count}, messages.WARNING)
        return HttpResponseRedirect(batch_url(batch, self.admin_site.name))

    def _batches(self, request: HttpRequest, template: Template) -> list[dict[str, Any]]:
        """Those that were sent lately, with links for those who may follow them."""
        site = self.admin_site.name if may_see(request, "message") else ""
        return [{"told": one, "url": site and batch_url(one.name, site)} for one in sent_lately(template)]

    def _url(self, name: str, *args: int) -> str:
        return reverse(f"admin:{name}", args=args, current_app=self.admin_site.name)


def _why_not(template: Template) -> str:
    """Why a template cannot be sent to many numbers now, the first thing that is in the way; blank when it can."""
    words = {
        gettext("“%s” has a code, which each number asks for itself: it is not sent to many."): template.carries_code,
        gettext("“%s” is not approved: the vendor reviews it first."): template.status != ReviewStatus.APPROVED,
        gettext("“%s” cannot be sent before its signature is approved."): (
            template.signature is not None and template.signature.status != ReviewStatus.APPROVED
        ),
        gettext("“%s” is not active: switch it on first."): not template.is_active,
        gettext("“%s” cannot be sent, as its provider is switched off."): not template.provider.is_active,
    }
    return next((why % template for why, is_so in words.items() if is_so), "")


def _told(problem: Problem) -> Problem:
    """The same in the operator's language: gateways speak English."""
    return problem._replace(words=in_own_language(problem.words))


def _preview(template: Template, form: ListForm) -> dict[str, Any]:
    numbers = form.found.recipients
    batch = batch_name(template, numbers, again=form.cleaned_data["again"])
    expected = estimate(template, numbers, batch)
    return {
        "batch": batch,
        "expected": expected,
        "left_out": [(count, in_own_language(why)) for why, count in expected.left_out.items()],
        "lately": expected.lately.most_common(5),
        "sealed": _sealed(template, numbers, batch) if expected.numbers else "",
    }


def _sealed(template: Template, numbers: number_list.Recipients, batch: str) -> str:
    """The previewed batch, encrypted for the form, so that the page shows no number."""
    packed = Secret(base64.b64encode(zlib.compress(json.dumps(dict(numbers)).encode())).decode())
    return encrypt({"template": str(template.pk), "batch": batch, "numbers": packed})


def _unsealed(sealed: str, template: Template) -> tuple[str, number_list.Recipients]:
    """Decrypts a batch; raises ValueError if it was not encrypted by this site for this template."""
    try:
        found = decrypt(Ciphertext(sealed))
    except UndecryptableValue:
        found = {}
    if found.get("template") != str(template.pk):
        raise ValueError(gettext("This list is no longer valid: give it again."))
    return str(found["batch"]), PerNumber(json.loads(zlib.decompress(base64.b64decode(found["numbers"]))))
