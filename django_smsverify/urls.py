"""The endpoints; include them where front ends can reach them."""

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
from .views import SendStatusView, SendView, TicketView, VerifyView
from .webhooks import webhook

app_name = "smsverify"


class SecretConverter(StringConverter):
    """A path segment that is masked wherever the arguments of a view are shown."""

    def to_python(self, value: str) -> Secret:
        return Secret(value)


register_converter(SecretConverter, "smsverify_secret")

View = Callable[..., Any]


def _non_atomic(view: View) -> View:
    """Excludes the view from ATOMIC_REQUESTS on every database.

    A sent SMS and a counted guess cannot be rolled back, and a vendor must get its acknowledgement after the commit.
    """
    for alias in connections:
        view = non_atomic_requests(using=alias)(view)
    return view


def _close_connections(view: View) -> View:
    """Under ASGI, closes the database connections that the view opened.

    There each request has its own thread: a connection that stays open would serve no other request.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        open_before = {one.alias for one in connections.all(initialized_only=True) if one.connection is not None}
        try:
            return view(request, *args, **kwargs)
        finally:
            if isinstance(request, ASGIRequest):
                for one in connections.all(initialized_only=True):
                    if one.alias not in open_before:
                        one.close()

    return wrapper


def _endpoint(view: View) -> View:
    return _non_atomic(_close_connections(view))


urlpatterns = [
    path("send/", _endpoint(SendView.as_view()), name="send"),
    path("send/<str:verification_id>/", _endpoint(SendStatusView.as_view()), name="send-status"),
    path("verify/", _endpoint(VerifyView.as_view()), name="verify"),
    path("ticket/", _endpoint(TicketView.as_view()), name="ticket"),
    path("webhooks/<slug:slug>/<smsverify_secret:secret>/", _endpoint(webhook), name="webhook"),
    # For consoles that remove the last slash: Django would redirect the push, and no vendor follows redirects.
    path("webhooks/<slug:slug>/<smsverify_secret:secret>", _endpoint(webhook)),
]
