"""What operators were told of, and who could not be told yet."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.characters import listed
from django_smsverify.models import Alert
from django_smsverify.operations.channels import MAIL, configured

from .columns import time_column
from .looks import ModelAdmin
from .records import ReadOnly

TOLD = time_column(Alert, "told_at")


@admin.register(Alert)
class AlertAdmin(ReadOnly, ModelAdmin):
    """Newest first; one row for each cause."""

    list_display = (TOLD, "kind", "title", "not_told_yet")
    list_filter = ("kind", "told_at")
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    fields = (TOLD, "kind", "subject", "title", "body", "lasts", "not_told_yet")
    readonly_fields = fields

    @admin.display(description=_("not told yet"), empty_value="-")
    def not_told_yet(self, alert: Alert) -> str:
        """The channels that wait for it, which the next run tries."""
        places = {MAIL: gettext("mail"), **{channel.name: channel.place for channel in configured()}}
        return listed(places[name] for name in alert.waiting.split() if name in places)
