"""What a person may ask for, by clicks: all that is stored about a number, and that it be forgotten."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from django_smsverify import phones
from django_smsverify.conf import conf
from django_smsverify.enums import Accessed
from django_smsverify.exceptions import SMSVerifyError, UndecryptableValue
from django_smsverify.journal.finding import find
from django_smsverify.journal.story import MOST_DAYS
from django_smsverify.journal.words import moment
from django_smsverify.masked import Secret
from django_smsverify.models import Forgetting, Recipient
from django_smsverify.models.fields import Ciphertext, decrypt, encrypt
from django_smsverify.privacy.access_log import log_access
from django_smsverify.privacy.exporting import as_json, export_person, file_name, rows_about
from django_smsverify.privacy.forgetting import Forgotten, forget_person
from django_smsverify.privacy.pseudonyms import names_of

from .looks import ModelAdmin, dress, render

LONGEST_ID = 19
"""Digits of a primary key."""
EXPORT, FORGET = "smsverify.export_person", "smsverify.forget_person"


class PersonForm(forms.Form):
    """A number, as people write it. Posted, so that it is in no address that is logged."""

    phone = forms.CharField(
        label=_("phone"), max_length=32, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )

    def clean_phone(self) -> str:
        """The number in E.164."""
        try:
            return phones.parse(self.cleaned_data["phone"])
        except SMSVerifyError as error:
            raise ValidationError(str(error)) from None


def may_serve_persons(request: HttpRequest) -> bool:
    """Whether a user may do something of what a person may ask for."""
    return request.user.has_perm(EXPORT) or request.user.has_perm(FORGET)


def sealed(phone: str) -> str:
    """A number as a page may hold it."""
    return encrypt({"phone": phone})


def _opened(posted: str) -> str:
    try:
        return Secret(decrypt(Ciphertext(posted))["phone"])
    except (UndecryptableValue, KeyError):
        raise Http404 from None  # changed on its way, or sealed before a key was taken away


class ServesPersons(ModelAdmin):
    """Adds the pages to the admin of recipients."""

    change_form_template = "admin/smsverify/recipient/change_form.html"
    list_tools = "admin/smsverify/recipient/tools.html"

    def get_urls(self) -> list[Any]:
        def page(view: Any) -> Any:
            # Outside ATOMIC_REQUESTS, because what is forgotten must be committed.
            return transaction.non_atomic_requests(self.admin_site.admin_view(sensitive_post_parameters()(view)))

        return [
            path("person/", page(self.person_view), name="smsverify_recipient_person"),
            path("person/export/", page(require_POST(self.export_view)), name="smsverify_recipient_export"),
            path("person/forget/", page(require_POST(self.forget_view)), name="smsverify_recipient_forget"),
            *super().get_urls(),
        ]

    def person_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for a number, and shows how much is stored about it; or about the one of a row in the address."""
        if not may_serve_persons(request):
            raise PermissionDenied
        form = PersonForm(request.POST if request.method == "POST" else None)
        dress(form.fields, self, request)
        phone = form.cleaned_data["phone"] if form.is_valid() else _phone_of(request.GET)
        if phone:
            return self._about(request, phone)
        return render(self, request, "recipient/person.html", gettext("All about one number"), form=form)

    def _about(self, request: HttpRequest, phone: str) -> HttpResponse:
        every = [rows for rows in rows_about(phone) if rows.model is not Forgetting]
        counts = [(rows.model._meta.verbose_name_plural, rows.count()) for rows in every]
        context = {
            "forgotten": _told_forgotten(phone),
            "masked": phones.mask(phone),
            "sealed": sealed(phone),
            "counts": [(name, count) for name, count in counts if count],
            "may_export": request.user.has_perm(EXPORT),
            "may_forget": request.user.has_perm(FORGET),
        }
        return render(self, request, "recipient/person.html", gettext("All about one number"), **context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """The file for the number's owner."""
        if not request.user.has_perm(EXPORT):
            raise PermissionDenied
        phone = _opened(request.POST.get("whom", ""))
        text = as_json(export_person(phone))
        log_access(request.user.get_username(), Accessed.EXPORTED_PERSON, phones.mask(phone))
        named = f'attachment; filename="{file_name()}"'
        headers = {"Content-Disposition": named, "Cache-Control": "no-store"}
        return HttpResponse(text, "application/json; charset=utf-8", headers=headers)

    def forget_view(self, request: HttpRequest) -> HttpResponse:
        """Asks whether the number shall be forgotten, and then forgets it."""
        if not request.user.has_perm(FORGET):
            raise PermissionDenied
        phone = _opened(request.POST.get("whom", ""))
        masked = phones.mask(phone)
        if "confirmed" not in request.POST:
            context = {"masked": masked, "sealed": sealed(phone)}
            return render(self, request, "recipient/forget.html", gettext("Forget this number"), **context)
        result = forget_person(phone, deletes_records="records" in request.POST)
        log_access(request.user.get_username(), Accessed.FORGOT_PERSON, masked)
        for level, words in _told(masked, result):
            messages.add_message(request, level, words)
        return HttpResponseRedirect(reverse("admin:smsverify_recipient_person", current_app=self.admin_site.name))


def _phone_of(sought: Any) -> str:
    """The number of the row that an address names by an id of ours; empty if it names none."""
    if "recipient" in sought:
        pk = sought["recipient"]
        if not (pk.isascii() and pk.isdecimal() and len(pk) < LONGEST_ID):
            raise Http404
        found = [get_object_or_404(Recipient, pk=pk).phone]
    elif "whom" in sought:
        try:
            found = [one.phone for one in find(str(UUID(sought["whom"])), MOST_DAYS)]
        except (ValueError, SMSVerifyError):
            raise Http404 from None
    else:
        return ""
    if phones.is_forgotten(found[0]):
        raise Http404
    return found[0]


def _told_forgotten(phone: str) -> str:
    """That a number was forgotten, and what stays for how long; blank for one that was not, or is back since."""
    words = gettext("Records stay under a digest for %d days, because the law wants logs; nobody reads a number there.")
    kept, pending = words % conf.RETENTION_DAYS, Forgetting.objects.filter(phone=phone).first()
    if pending is not None:
        words = gettext(
            "This number was forgotten at %(asked)s. Its limits, and SMS under way, still need the rest, which goes by "
            "itself at %(due)s: nothing more is to be done."
        )
        told = words % {"asked": moment(pending.asked_at), "due": moment(pending.due_at)}
        return told if pending.deletes_records else f"{told} {kept}"
    rows = set(Recipient.objects.filter(phone__in=names_of(phone)).values_list("phone", flat=True))
    if not rows or phone in rows:
        return ""
    told = gettext("No record names this number any more: nothing more is to be done.")
    return f"{told} {kept}"


def _told(masked: str, result: Forgotten) -> list[tuple[int, str]]:
    """What was done about a number, and what was not, each with the level of its message."""
    told = [(messages.SUCCESS, gettext("%s is forgotten.") % masked)]
    if result.due_at:
        words = gettext("What its limits and SMS under way still need is forgotten by the poll at %s.")
        told.append((messages.INFO, words % moment(result.due_at)))
    if result.kept:
        words = gettext("Entered on purpose, and kept until you delete it: %s")
        told.append((messages.WARNING, words % ", ".join(result.kept)))
    return told
