"""The URLs in docs/adapters.rst, and a page for members."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(getattr(request.user, "phone", ""))


urlpatterns = [path("", include("members.urls")), path("who/", who, name="who")]
