"""The lists of the site: entered one by one, or many lines at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.enums import ListKind
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.journal.finding import masked_number
from django_smsverify.limits.lists import entry_of, store
from django_smsverify.models import ListEntry

from .columns import masked_column, time_column
from .entered import Entered

MOST_LINES = 20_000
MOST_ERRORS = 10
NOTE = masked_column(ListEntry, "note")
EXPIRES, SINCE = (time_column(ListEntry, name) for name in ("expires_at", "created_at"))


class ListEntryForm(forms.ModelForm):
    """What is listed, a line each, and what happens to it."""

    subjects = forms.CharField(
        label=_("subjects"),
        widget=forms.Textarea(attrs={"rows": 6, "cols": 40}),
        help_text=_(
            "One in each line: a number as people write it; the first digits of a block, such as 1380013; a network, "
            "such as 203.0.113.0/24; or a region, such as HK. What is listed already is replaced."
        ),
    )

    class Meta:
        model = ListEntry
        fields = ("kind", "action", "expires_at", "note")

    field_order = ("kind", "subjects", "action", "expires_at", "note")

    def clean(self) -> dict[str, Any]:
        """The entries of all lines."""
        found = super().clean() or {}
        lines = [line for line in found.get("subjects", "").splitlines() if line.strip()]
        if len(lines) > MOST_LINES:
            raise ValidationError(_("At most %(most)d lines at once."), params={"most": MOST_LINES})
        if kind := found.get("kind"):
            errors = list(self._parse(ListKind(kind), lines))
            for error in errors[:MOST_ERRORS]:
                self.add_error("subjects", error)
        return found

    def _parse(self, kind: ListKind, lines: list[str]) -> Iterator[str]:
        """Reads the entries; yields the errors."""
        entries: dict[str, ListEntry] = {}
        for number, line in enumerate(lines, 1):
            try:
                entry = entry_of(kind, line)
            except (SMSVerifyError, ValueError) as error:
                facts = {"number": number, "line": phones.masked(line)[:60], "error": error}
                yield gettext("Line %(number)d, “%(line)s”: %(error)s") % facts
            else:
                entries[entry.subject] = entry
        self.entries = list(entries.values())

    def save(self, commit: bool = True) -> ListEntry:
        """Returns the first entry, unsaved; the admin stores all."""
        given = {name: self.cleaned_data[name] for name in ("action", "expires_at", "note")}
        for entry in self.entries:
            for name, value in given.items():
                setattr(entry, name, value)
        return self.entries[0]

    def save_m2m(self) -> None:
        """There is nothing to do, as the admin expects it after `save`."""


@admin.register(ListEntry)
class ListEntryAdmin(Entered):
    """A listed number is masked from the moment it is entered."""

    list_display = ("shown_subject", "kind", "shown_action", EXPIRES, NOTE, "added_by", SINCE)
    list_filter = ("kind", "action", "expires_at")
    search_fields = ("subject__exact",)
    search_help_text = _("A number, whole or as it is shown masked (138****8000), a block, a network or a region")
    form = ListEntryForm

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if not search_term:
            return queryset, False
        if shown := masked_number(search_term):
            first, last = shown
            numbers = queryset.filter(kind=ListKind.NUMBER)
            return numbers.filter(subject__startswith=first, subject__endswith=last), False
        subjects = []
        for kind in ListKind:
            try:
                subjects.append(entry_of(kind, search_term).subject)
            except (SMSVerifyError, ValueError):
                continue
        return queryset.filter(subject__in=subjects), False

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kind":
            kwargs["help_text"] = _(
                "A number that is refused gets neither codes nor notices. Blocks, networks and regions concern "
                "requests for codes only, and so do the other actions."
            )
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_fields(self, request: HttpRequest, obj: ListEntry | None = None) -> Any:
        return self.form.field_order if obj is None else self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: ListEntry | None = None) -> Any:
        return () if obj is None else self.list_display

    def save_model(self, request: HttpRequest, obj: ListEntry, form: Any, change: bool) -> None:
        name = phones.masked(request.user.get_username())[:150]
        count = store(form.entries, added_by=name)
        obj.pk = ListEntry.objects.get(kind=obj.kind, subject=obj.subject).pk
        words = ngettext("%(count)d entry is stored.", "%(count)d entries are stored.", count)
        self.message_user(request, words % {"count": count}, messages.SUCCESS)

    def response_add(self, request: HttpRequest, obj: ListEntry, post_url_continue: str | None = None) -> HttpResponse:
        """Leads where Django would, without its message, which names one entry of many: how many was said already."""
        if "_addanother" in request.POST:
            return HttpResponseRedirect(request.get_full_path())
        if "_continue" in request.POST:
            site = self.admin_site.name
            return HttpResponseRedirect(reverse("admin:smsverify_listentry_change", args=[obj.pk], current_app=site))
        return self.response_post_save_add(request, obj)

    @admin.display(description=_("action"))
    def shown_action(self, entry: ListEntry) -> str:
        """What happens; Django would show the help text of the field, which is about another action."""
        return entry.get_action_display()

    @admin.display(description=_("subject"))
    def shown_subject(self, entry: ListEntry) -> str:
        """A number without its middle digits, or what else is listed."""
        return entry.shown_subject
