"""A site with the ready logins."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from django_smsverify.contrib.views import PhoneLoginView


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.get_username())


urlpatterns = [
    path("sms/", include("django_smsverify.urls")),
    path("sms/", include("django_smsverify.contrib.urls")),
    path("login/", PhoneLoginView.as_view(next_page="/who/"), name="login"),
    path("remember/", PhoneLoginView.as_view(remember=True)),
    path("no-register/", PhoneLoginView.as_view(creates=False)),
    path("who/", who),
]
