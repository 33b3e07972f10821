"""The login for apps; include it beside `django_smsverify.urls`."""

from __future__ import annotations

from django.urls import path

from .views import PhoneLoginEndpoint

app_name = "smsverify_login"
urlpatterns = [path("login/", PhoneLoginEndpoint.as_view(), name="login")]
