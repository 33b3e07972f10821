"""The URLs for load balancers and Prometheus; include them where these can reach them."""

from __future__ import annotations

from django.urls import path

from django_smsverify.http.endpoints import endpoint

from .views import health, live, metrics

app_name = "smsverify_operations"

urlpatterns = [
    path("health/", endpoint(health), name="health"),
    path("health/live/", endpoint(live), name="live"),
    path("metrics/", endpoint(metrics), name="metrics"),
]
