"""What every page of ours is built from: the site's skin with its widgets, and states in colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.apps import apps
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.db import models
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_smsverify.diagnosis.findings import State
from django_smsverify.enums import DeliveryOutcome, MessageStatus, ProbeState, ReviewStatus

from .closed_links import PlainWhereClosed
from .filtering import filtered_by

if TYPE_CHECKING or not apps.is_installed("unfold"):
    from django.contrib.admin import ModelAdmin as _ModelAdmin
    from django.contrib.admin import TabularInline as _TabularInline
else:
    # A page of django-unfold needs its classes: they choose the widgets and the templates.
    from unfold.admin import ModelAdmin as _UnfoldModelAdmin
    from unfold.admin import TabularInline as _TabularInline

    class _ModelAdmin(_UnfoldModelAdmin):
        list_before_template = "admin/smsverify/tools_above_list.html"
        """The head of its lists, where Django has the links of `list_tools`, has room for one button."""


STYLES = "smsverify/admin.css"


class ModelAdmin(PlainWhereClosed, _ModelAdmin):
    """The site's own ModelAdmin, with our styles, and lists of which the URL reveals nothing that is hidden."""

    change_list_template: ClassVar[Any] = "admin/smsverify/change_list.html"
    list_tools: ClassVar[str] = ""
    """The template of the links above the list, each an item of a list."""

    class Media:
        css: ClassVar = {"all": [STYLES]}

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allows the list's own filters only."""
        return filtered_by(self, lookup)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        """Leads to the list, also for who may not change rows, whom Django leads to the first page of the admin."""
        answer: HttpResponse = super().response_delete(request, obj_display, obj_id)
        if IS_POPUP_VAR in request.POST or self.has_change_permission(request) or not self.has_view_permission(request):
            return answer
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        url = reverse(name, current_app=self.admin_site.name)
        kept = self.get_preserved_filters(request)
        return HttpResponseRedirect(add_preserved_filters({"preserved_filters": kept, "opts": self.opts}, url))

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        dress(form.declared_fields, self, request)
        return form


class TabularInline(_TabularInline):
    """The site's own inline."""


class Tone(TextChoices):
    """What a state means for an operator, and with it its colour."""

    GOOD = "good", _("good")
    WARN = "warn", _("look at it")
    BAD = "bad", _("wrong")
    QUIET = "quiet", _("nothing to do")


TONES: Mapping[TextChoices, Tone] = {
    MessageStatus.QUEUED: Tone.QUIET,
    MessageStatus.SENDING: Tone.QUIET,
    MessageStatus.UNKNOWN: Tone.WARN,
    MessageStatus.NOT_SENT: Tone.BAD,
    MessageStatus.ACCEPTED: Tone.QUIET,
    MessageStatus.UNDELIVERED: Tone.BAD,
    MessageStatus.DELIVERED: Tone.GOOD,
    DeliveryOutcome.DELIVERED: Tone.GOOD,
    DeliveryOutcome.UNDELIVERED: Tone.BAD,
    ReviewStatus.DRAFT: Tone.QUIET,
    ReviewStatus.PENDING: Tone.WARN,
    ReviewStatus.APPROVED: Tone.GOOD,
    ReviewStatus.REJECTED: Tone.BAD,
    ProbeState.UNDER_WAY: Tone.QUIET,
    ProbeState.DELIVERED: Tone.GOOD,
    ProbeState.ACCEPTED: Tone.QUIET,
    ProbeState.SILENT: Tone.BAD,
    ProbeState.FAILED: Tone.BAD,
    State.OK: Tone.GOOD,
    State.NOTABLE: Tone.WARN,
    State.WRONG: Tone.BAD,
    State.MISSING: Tone.WARN,
    State.UNKNOWN: Tone.WARN,
}
"""A state that is told in words and colour."""


def badge(words: object, tone: Tone, more: str = "") -> SafeString:
    """Words with the colour of their meaning; who sees no colours reads the words. `more` is told under the pointer."""
    title = format_html(' title="{}"', more) if more else ""
    return format_html('<span class="smsverify-state {}"{}>{}</span>', tone.value, title, words)


def state_badge(state: TextChoices, more: str = "") -> SafeString:
    """A stored state, in the active language."""
    return badge(state.label, TONES[state], more)


def finding_badges() -> dict[State, SafeString]:
    """What a template shows for each state of a finding."""
    return {state: state_badge(state) for state in State}


def dress(fields: Mapping[str, forms.Field], own: Any, request: HttpRequest) -> None:
    """Gives fields that belong to no model the look that the site's skin gives to those of models."""
    for field in fields.values():
        column = _column_like(field.widget)
        if column is not None:
            look = own.formfield_for_dbfield(column, request).widget
            field.widget.attrs = {**look.attrs, **field.widget.attrs}


def _column_like(widget: forms.Widget) -> models.Field | None:
    """A column whose widget is of the same kind; None for what a skin leaves as it is."""
    match widget:
        case forms.Textarea():
            return models.TextField()
        case forms.CheckboxInput():
            return models.BooleanField()
        case forms.Select(allow_multiple_selected=False):
            return models.CharField(choices=[("", "")])
        case forms.NumberInput():
            return models.IntegerField()
        case forms.TextInput() | forms.PasswordInput() | forms.DateInput():
            return models.CharField()
    return None


def render(own: Any, request: HttpRequest, template: str, title: object, /, **context: Any) -> TemplateResponse:
    """A page of ours in the admin of the model of `own`; the template extends `admin/smsverify/page.html`."""
    request.current_app = own.admin_site.name  # a site may have several admins
    around = {**own.admin_site.each_context(request), "opts": own.opts, "title": title, "media": own.media}
    return TemplateResponse(request, f"admin/smsverify/{template}", {**around, **context})
