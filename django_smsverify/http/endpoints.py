"""What is around each endpoint: no transaction of the request, no database connection that stays open under ASGI."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver

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


def endpoint(view: View) -> View:
    """Returns a view as an endpoint for front ends: outside ATOMIC_REQUESTS, with connections closed under ASGI."""
    return _non_atomic(_close_connections(view))


def without_transaction(urls: list[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """Returns the URLs, whose views are outside ATOMIC_REQUESTS from now on."""
    for url in urls:
        if isinstance(url, URLResolver):
            without_transaction(url.url_patterns)
        else:
            _non_atomic(url.callback)
    return urls
