"""Who looked at personal data, took it away or had it forgotten."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from django_smsverify.enums import Accessed
from django_smsverify.models import Access

from .columns import time_column
from .looks import ModelAdmin
from .records import ReadOnly


@admin.register(Access)
class AccessAdmin(ReadOnly, ModelAdmin):
    """Newest first; `smsverify_prune` deletes them after RETENTION_DAYS."""

    list_display = (time_column(Access, "at"), "who", "what", "concerned", "rows")
    list_filter = ("what", "at")
    list_per_page = 50
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    search_fields = ("who__exact",)
    search_help_text = _("A whole user name")
    fields = list_display
    readonly_fields = fields

    @admin.display(description=Access._meta.get_field("about").verbose_name)
    def concerned(self, row: Access) -> str:
        """The masked number, or the list, as the admin calls it."""
        if row.what not in (Accessed.EXPORTED_LIST, Accessed.EXPORTED_NUMBERS):
            return row.about
        try:
            return capfirst(str(apps.get_model("smsverify", row.about)._meta.verbose_name_plural))
        except LookupError:
            return row.about  # a list of an earlier version
