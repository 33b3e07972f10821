"""Client keys in the admin; a secret is shown once, on the page that answers its making."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_smsverify.characters import listed
from django_smsverify.models import ClientKey
from django_smsverify.models.client_keys import new_key_id

from .columns import time_column
from .looks import ModelAdmin, render

TIMES: tuple[Any, ...] = tuple(time_column(ClientKey, name) for name in ("created_at", "rotated_at", "previous_until"))


class NewClientKeyForm(forms.ModelForm):
    """A form that makes one key, however often it is posted, because it has chosen the key's id."""

    nonce = forms.CharField(
        initial=new_key_id, required=False, widget=forms.HiddenInput, validators=[RegexValidator(r"^[0-9a-f]{16}\Z")]
    )

    class Meta:
        model = ClientKey
        fields = ("name", "is_active")

    def save(self, commit: bool = True) -> Any:
        self.instance.key_id = self.cleaned_data["nonce"] or self.instance.key_id
        return super().save(commit)


@admin.register(ClientKey)
class ClientKeyAdmin(ModelAdmin):
    """A key is made with its name; a new secret leaves the one before valid for a while."""

    list_display = ("name", "key_id", "is_active", *TIMES[1:])
    list_filter = ("is_active",)
    show_facets = admin.ShowFacets.NEVER
    fields = ("name", "key_id", "is_active", *TIMES)
    readonly_fields = ("key_id", *TIMES)
    actions = ("rotate", "retire_previous", "revoke")

    def get_form(self, request: HttpRequest, obj: ClientKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        own = {} if change else {"form": NewClientKeyForm}
        return super().get_form(request, obj, change, **{**own, **kwargs})

    def get_fields(self, request: HttpRequest, obj: ClientKey | None = None) -> Any:
        return self.fields if obj is not None else ("name", "is_active", "nonce")

    def get_readonly_fields(self, request: HttpRequest, obj: ClientKey | None = None) -> Any:
        return self.readonly_fields if obj is not None else ()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Leads to the key that this form has made already, as when its answer is loaded again."""
        nonce = request.POST.get("nonce", "")
        made = ClientKey.objects.filter(key_id=nonce).first() if nonce else None
        if made is None or not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)
        words = gettext(
            "The key %s was made already, and its secret was shown once. If it was lost, make a new secret."
        )
        self.message_user(request, words % made, messages.WARNING)
        name, args = ("change", [made.pk]) if self.has_view_or_change_permission(request) else ("add", [])
        url = reverse(f"admin:smsverify_clientkey_{name}", args=args, current_app=self.admin_site.name)
        return HttpResponseRedirect(url)

    def response_add(self, request: HttpRequest, obj: ClientKey, post_url_continue: str | None = None) -> HttpResponse:
        return self._show(request, [(obj, obj.new_secret(timezone.now()))])

    @admin.action(description=_("Make a new secret; the one before works on for 30 days"), permissions=["change"])
    def rotate(self, request: HttpRequest, rows: QuerySet[ClientKey]) -> HttpResponse | None:
        """Shows the new secrets of the keys whose secret before the current one is over."""
        now = timezone.now()
        if waiting := [str(key) for key in rows if key.has_previous(now)]:
            why = gettext("%s: the secret before still works; end that first.") % listed(waiting)
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
        return render(self, request, "clientkey/secrets.html", _("New secret"), secrets=secrets)
