"""The endpoints; include them where front ends may reach them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.transaction import non_atomic_requests
from django.urls import path

from .views import SendStatusView, SendView, VerifyView
from .webhooks import webhook

app_name = "smsverify"

View = Callable[..., Any]


def _outside(view: View) -> View:
    """Outside ATOMIC_REQUESTS on every database.

    An SMS that left and a guess that was made cannot be rolled back, and a vendor is told "taken" after the commit.
    """
    for alias in connections:
        view = non_atomic_requests(using=alias)(view)
    return view


urlpatterns = [
    path("send/", _outside(SendView.as_view()), name="send"),
    path("send/<str:verification_id>/", _outside(SendStatusView.as_view()), name="send-status"),
    path("verify/", _outside(VerifyView.as_view()), name="verify"),
    path("webhooks/<slug:slug>/<str:secret>/", _outside(webhook), name="webhook"),
    # Consoles that cut the last slash off: Django would redirect the push, and no vendor follows.
    path("webhooks/<slug:slug>/<str:secret>", _outside(webhook)),
]
