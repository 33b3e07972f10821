"""What the guard has closed, and a way to lift it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_smsverify import phones
from django_smsverify.limits.guard.rules import FORGIVEN_AFTER
from django_smsverify.models import Closure

from .columns import time_column
from .looks import ModelAdmin
from .records import ReadOnly


@admin.register(Closure)
class ClosureAdmin(ReadOnly, ModelAdmin):
    """Newest first; the guard writes the rows."""

    list_display = (time_column(Closure, "since"), "kind", "what", "figures", time_column(Closure, "until"), "state")
    list_filter = ("kind", "since", "is_watched")
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    fields = list_display
    readonly_fields = fields
    actions = ("lift",)

    def has_lift_permission(self, request: HttpRequest) -> bool:
        """Who may change closures may lift them, though not edit them."""
        return request.user.has_perm("smsverify.change_closure")

    @admin.action(description=_("Lift: open at once, and judge by what is sent from now on"), permissions=["lift"])
    def lift(self, request: HttpRequest, queryset: Any) -> None:
        """Ends the selected closures that hold, or would go on with the next request."""
        now = timezone.now()
        name = phones.masked(request.user.get_username())[:150]
        count = queryset.filter(lifted_at=None, until__gt=now - FORGIVEN_AFTER).update(lifted_at=now, lifted_by=name)
        words = ngettext("%(count)d closure is lifted.", "%(count)d closures are lifted.", count)
        self.message_user(request, words % {"count": count}, messages.SUCCESS if count else messages.WARNING)

    @admin.display(description=_("what"))
    def what(self, closure: Closure) -> str:
        """The block, the network or the site."""
        return closure.subject or gettext("the site")

    @admin.display(description=_("verified of sent"))
    def figures(self, closure: Closure) -> str:
        """What the guard saw when it closed it."""
        return f"{closure.verified} / {closure.sent}"

    @admin.display(description=_("state"))
    def state(self, closure: Closure) -> str:
        """Whether it holds."""
        if closure.lifted_at:
            return gettext("lifted by %(name)s") % {"name": closure.lifted_by}
        if closure.is_watched:
            return gettext("only watched")
        return gettext("closed") if closure.until > timezone.now() else gettext("over")
