"""Probes in the admin: the operator's own numbers, what became of the last probes, and a filter of messages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from django_smsverify import phones
from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.models import Probe, ProbeNumber, Provider
from django_smsverify.money.balances import local
from django_smsverify.operations.canary import last_probes
from django_smsverify.operations.route_alarms import why_of

from .columns import NOTHING, time_column
from .looks import ModelAdmin

PERMISSION = "smsverify.probe_routes"
SHOWN = 500
"""Probes in the list of messages, as many as its pages show."""


class ProbeNumberForm(forms.ModelForm):
    """A new number, as people write it."""

    phone = forms.CharField(
        label=_("phone"),
        max_length=32,
        help_text=_("A number of your own, whose phone is on. It gets a code now and then, which nobody needs."),
    )

    class Meta:
        model = ProbeNumber
        fields = ("phone", "is_active")

    def clean_phone(self) -> str:
        """The number in E.164."""
        try:
            number = phones.parse(self.cleaned_data["phone"])
        except SMSVerifyError as error:
            raise ValidationError(str(error)) from None
        if carrier_of(number) is None:
            raise ValidationError(_("Write a number of a carrier of mainland China."))
        return number


@admin.register(ProbeNumber)
class ProbeNumberAdmin(ModelAdmin):
    """Only for users with a permission of its own. A number is entered once, and masked from then on."""

    list_display = ("masked_phone", "carrier", "is_active", "added_by", time_column(ProbeNumber, "created_at"))
    list_filter = ("carrier", "is_active")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return sensitive_post_parameters()(super().changeform_view)(request, *args, **kwargs)

    def get_form(
        self, request: HttpRequest, obj: ProbeNumber | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = forms.ModelForm if change else ProbeNumberForm
        return super().get_form(request, obj, change, **{"form": form, **kwargs})

    def get_fields(self, request: HttpRequest, obj: ProbeNumber | None = None) -> Any:
        return ("phone", "is_active") if obj is None else ("masked_phone", "carrier", "is_active", "added_by")

    def get_readonly_fields(self, request: HttpRequest, obj: ProbeNumber | None = None) -> Any:
        return () if obj is None else ("masked_phone", "carrier", "added_by")

    def save_model(self, request: HttpRequest, obj: ProbeNumber, form: Any, change: bool) -> None:
        if not change:
            obj.added_by = phones.masked(request.user.get_username())[:150]
        super().save_model(request, obj, form, change)

    @admin.display(description=_("phone"))
    def masked_phone(self, row: ProbeNumber) -> str:
        """The number without its middle digits."""
        return phones.mask(row.phone)


class ProbeFilter(admin.SimpleListFilter):
    """The newest probes, by their ids: the table of messages has no index for them."""

    title = _("probe")
    parameter_name = "probe"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(pk__in=list(Probe.objects.order_by("-pk").values_list("message", flat=True)[:SHOWN]))


def told_probes(provider: Provider) -> str:
    """The last probe of a provider to each carrier, as a table; `none yet` without one."""
    probes = sorted(last_probes([provider]).values(), key=lambda probe: probe.carrier)
    if not probes:
        return gettext("none yet")
    heads = [gettext("carrier"), gettext("when"), gettext("what became of it"), gettext("seconds to the report")]
    head = format_html_join("", "<th>{}</th>", ((word,) for word in heads))
    cells = "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
    rows = format_html_join("", cells, (_cells(probe) for probe in probes))
    return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, rows)


def _cells(probe: Probe) -> tuple[str, ...]:
    state: Any = f"{probe.get_state_display()}: {why_of(probe)}" if probe.is_bad else probe.get_state_display()
    if probe.is_bad:
        state = format_html("<strong>⚠ {}</strong>", state)
    seconds = NOTHING if probe.seconds is None else f"{probe.seconds:g}"
    return probe.get_carrier_display(), f"{local(probe.created_at):%Y-%m-%d %H:%M:%S}", state, seconds
