"""The endpoints; include them where front ends may reach them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.transaction import non_atomic_requests
from django.urls import path

from .views import FrontEndView, SendStatusView, SendView, VerifyView

app_name = "smsverify"


def _view(view_class: type[FrontEndView]) -> Callable[..., Any]:
    """Outside ATOMIC_REQUESTS on every database: an SMS that left and a guess that was made cannot be rolled back."""
    view: Callable[..., Any] = view_class.as_view()
    for alias in connections:
        view = non_atomic_requests(using=alias)(view)
    return view


urlpatterns = [
    path("send/", _view(SendView), name="send"),
    path("send/<str:verification_id>/", _view(SendStatusView), name="send-status"),
    path("verify/", _view(VerifyView), name="verify"),
]
