from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django_otp.decorators import otp_required

from django_smsverify.contrib.otp.admin import SMSAdminSite


@otp_required
def safe(request: HttpRequest) -> HttpResponse:
    return HttpResponse("safe")


urlpatterns = [
    path("", include("members.urls")),
    path("safe/", safe),
    path("admin/", admin.site.urls),
    path("safe-admin/", SMSAdminSite().urls),
]
