from __future__ import annotations

from django.urls import include, path

from .urls import urlpatterns as of_the_suite

urlpatterns = [*of_the_suite, path("ops/", include("django_smsverify.operations.urls"))]
