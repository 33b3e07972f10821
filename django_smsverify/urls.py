"""The endpoints; include them where front ends may reach them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest
from django.urls import path, register_converter
from django.urls.converters import StringConverter

from .masked import Secret
from .views import SendStatusView, SendView, VerifyView
from .webhooks import webhook

app_name = "smsverify"


class SecretConverter(StringConverter):
    """A part of a path that shows itself masked wherever the arguments of a view are shown."""

    def to_python(self, value: str) -> Secret:
        return Secret(value)


register_converter(SecretConverter, "smsverify_secret")

View = Callable[..., Any]


def _outside(view: View) -> View:
    """Outside ATOMIC_REQUESTS on every database.

    An SMS that left and a guess that was made cannot be rolled back, and a vendor is told "taken" after the commit.
    """
    for alias in connections:
        view = non_atomic_requests(using=alias)(view)
    return view


def _closing(view: View) -> View:
    """Under ASGI, closes the database connections that the view opened.

    There each request has a thread of its own: a connection that is kept is kept for no other request.
    """

    @wraps(view)
    def closing(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        open_before = {one.alias for one in connections.all(initialized_only=True) if one.connection is not None}
        try:
            return view(request, *args, **kwargs)
        finally:
            if isinstance(request, ASGIRequest):
                for one in connections.all(initialized_only=True):
                    if one.alias not in open_before:
                        one.close()

    return closing


def _endpoint(view: View) -> View:
    return _outside(_closing(view))


urlpatterns = [
    path("send/", _endpoint(SendView.as_view()), name="send"),
    path("send/<str:verification_id>/", _endpoint(SendStatusView.as_view()), name="send-status"),
    path("verify/", _endpoint(VerifyView.as_view()), name="verify"),
    path("webhooks/<slug:slug>/<smsverify_secret:secret>/", _endpoint(webhook), name="webhook"),
    # Consoles that cut the last slash off: Django would redirect the push, and no vendor follows.
    path("webhooks/<slug:slug>/<smsverify_secret:secret>", _endpoint(webhook)),
]
