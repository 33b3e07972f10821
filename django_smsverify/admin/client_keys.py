"""Keys of apps in the admin; a secret is shown once, on the page that answers its making."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.models import ClientKey


@admin.register(ClientKey)
class ClientKeyAdmin(admin.ModelAdmin):
    """A key is made with its name; a new secret leaves the one before valid for a while."""

    list_display = ("name", "key_id", "is_active", "created_at", "rotated_at", "previous_until")
    list_filter = ("is_active",)
    show_facets = admin.ShowFacets.NEVER
    fields = ("name", "key_id", "is_active", "created_at", "rotated_at", "previous_until")
    readonly_fields = ("key_id", "created_at", "rotated_at", "previous_until")
    actions = ("rotate", "retire_previous", "revoke")

    def response_add(self, request: HttpRequest, obj: ClientKey, post_url_continue: str | None = None) -> HttpResponse:
        return self._show(request, [(obj, obj.new_secret(timezone.now()))])

    @admin.action(description=_("Make a new secret; the one before works on for 30 days"), permissions=["change"])
    def rotate(self, request: HttpRequest, rows: QuerySet[ClientKey]) -> HttpResponse | None:
        """Shows the new secrets of the keys whose secret before the current one is over."""
        now = timezone.now()
        if waiting := [str(key) for key in rows if key.has_previous(now)]:
            why = gettext("%s: the secret before still works; end that first.") % ", ".join(waiting)
            self.message_user(request, why, messages.ERROR)
            return None
        return self._show(request, [(key, key.new_secret(now)) for key in rows])

    @admin.action(description=_("End the secret before the current one"), permissions=["change"])
    def retire_previous(self, request: HttpRequest, rows: QuerySet[ClientKey]) -> None:
        """Makes the secrets before the current ones invalid."""
        for key in rows:
            key.retire_previous()
        self.message_user(request, gettext("Only the newest secrets work now."), messages.SUCCESS)

    @admin.action(description=_("Revoke: requests with this key count as unsigned"), permissions=["change"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ClientKey]) -> None:
        """Makes the keys invalid until they are active again."""
        rows.update(is_active=False)
        self.message_user(request, gettext("The keys do not work any more."), messages.SUCCESS)

    def _show(self, request: HttpRequest, secrets: Sequence[tuple[ClientKey, str]]) -> HttpResponse:
        """Shows the secrets at once: a redirect would have to store them. The admin answers with no-store."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("New secret"),
            "secrets": secrets,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/smsverify/clientkey/secrets.html", context)
