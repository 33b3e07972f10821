"""The login for apps; include it beside `django_smsverify.urls`."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.urls import path

from django_smsverify.http.endpoints import endpoint

from .views import PhoneLoginEndpoint

if apps.is_installed("drf_spectacular"):
    import_module("django_smsverify.contrib.openapi")  # drf-spectacular finds what is imported

app_name = "smsverify_login"
urlpatterns = [path("login/", endpoint(PhoneLoginEndpoint.as_view()), name="login")]
