"""Bulk sending in the admin: enter a list, preview the batch, and send it once."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from django_smsverify.conf import conf
from django_smsverify.exceptions import SMSVerifyError, UndecryptableValue, words_for_operators
from django_smsverify.masked import PerNumber, Secret
from django_smsverify.models import Template
from django_smsverify.models.fields import Ciphertext, decrypt, encrypt
from django_smsverify.sending import number_list
from django_smsverify.sending.bulk import queue_up
from django_smsverify.sending.number_list import NumberList, UnreadableList, batch_name, estimate

MOST_BYTES = 1024 * 1024
"""Of a list; its sealed form must stay below Django's limit for a request."""
MOST_PROBLEMS = 100
"""Problems that are shown at once."""


class ListForm(forms.Form):
    """A list of numbers, as a file or as lines."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("CSV in UTF-8 or GB18030, at most 1 MB: a column phone, and one for each placeholder of the text."),
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
            raise ValidationError(_("The file is larger than 1 MB: use manage.py smsverify_send --file."))
        try:
            self.found = number_list.read(self._text(), self.template)
        except (UnreadableList, ImproperlyConfigured) as error:
            raise ValidationError(str(error)) from None
        if self.found.problems and not self.cleaned_data["skip_bad"]:
            raise ValidationError(_("Nothing is sent: correct the lines that are named here, or leave them out."))
        return self.cleaned_data

    def _text(self) -> Secret:
        file = self.cleaned_data["file"]
        return number_list.decoded(file.read() if file else self.cleaned_data["lines"].encode())


class SendsToMany(admin.ModelAdmin):
    """Adds bulk sending of templates without a code, for users who may add messages."""

    def get_urls(self) -> list[Any]:
        # Each chunk of rows is committed separately, also with ATOMIC_REQUESTS.
        view = transaction.non_atomic_requests(self.admin_site.admin_view(sensitive_post_parameters()(self.many_view)))
        return [path("<int:pk>/many/", view, name="smsverify_template_many"), *super().get_urls()]

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whether the user may send to many numbers."""
        return request.user.has_perm("smsverify.add_message")

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
        if template.carries_code or not Template.objects.routable().filter(pk=pk).exists():
            why = gettext("%s has a code, or it, its signature or its provider is not approved and active.") % template
            self.message_user(request, why, messages.ERROR)
            return HttpResponseRedirect(self._url("smsverify_template_changelist"))
        if request.POST.get("sealed"):
            return self._queue(request, template)
        form = ListForm(template, request.POST or None, request.FILES or None)
        shown = _preview(template, form) if form.is_valid() else {}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Send “%s” to many numbers") % template,
            "template": template,
            "form": form,
            "problems": form.found.problems[:MOST_PROBLEMS],
            "more_problems": len(form.found.problems[MOST_PROBLEMS:]),
            "workers": conf.DISPATCH != "inline",
            **shown,
        }
        request.current_app = self.admin_site.name  # a site may have several admins
        return TemplateResponse(request, "admin/smsverify/template/send_to_many.html", context)

    def _queue(self, request: HttpRequest, template: Template) -> HttpResponse:
        """Queues the batch of one preview; repeated calls send one message to each number."""
        try:
            batch, numbers = _unsealed(request.POST["sealed"], template)
            queue_up(template, numbers, batch)
        except (ValueError, SMSVerifyError, ImproperlyConfigured) as error:
            self.message_user(request, words_for_operators(error), messages.ERROR)
            return HttpResponseRedirect(request.path)
        facts = {"count": len(numbers), "batch": batch}
        self.log_change(request, template, gettext("Sent to %(count)d numbers, batch %(batch)s") % facts)
        self.message_user(request, gettext("%d numbers are queued.") % len(numbers), messages.SUCCESS)
        return HttpResponseRedirect(f"{self._url('smsverify_message_changelist')}?{urlencode({'batch': batch})}")

    def _url(self, name: str, *args: int) -> str:
        return reverse(f"admin:{name}", args=args, current_app=self.admin_site.name)


def _preview(template: Template, form: ListForm) -> dict[str, Any]:
    numbers = form.found.recipients
    batch = batch_name(template, numbers, again=form.cleaned_data["again"])
    expected = estimate(template, numbers, batch)
    return {
        "batch": batch,
        "expected": expected,
        "lately": expected.lately.most_common(5),
        "sealed": _sealed(template, numbers, batch) if numbers else "",
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
