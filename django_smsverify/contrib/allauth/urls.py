"""allauth's URLs outside ATOMIC_REQUESTS; include it in place of `allauth.urls`."""

from __future__ import annotations

from allauth.urls import urlpatterns as of_allauth

from django_smsverify.http.endpoints import without_transaction

urlpatterns = without_transaction(of_allauth)
