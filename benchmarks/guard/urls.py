"""The URLs of the simulated site."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("sms/", include("django_smsverify.urls"))]
