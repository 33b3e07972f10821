"""Pages that Django makes all by itself, with what ours have, too: a search with a hint, rows in rows, long names."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


class Members(admin.TabularInline):  # type: ignore[type-arg]
    model = User.groups.through
    extra = 1


admin.site.unregister(Group)


@admin.register(Group)
class GroupsWithMembers(GroupAdmin):
    search_help_text = "The name of a group, or a part of it"
    inlines = (Members,)


@login_not_required
def icon(request: HttpRequest) -> HttpResponse:
    """The icon that a browser asks for."""
    return HttpResponse(status=204)


urlpatterns = [
    path("admin/", admin.site.urls),
    path("favicon.ico", icon),
    path("sms/", include("django_smsverify.urls")),
]
