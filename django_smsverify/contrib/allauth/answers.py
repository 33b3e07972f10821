"""The answer to a request of allauth whose SMS is refused."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from django_smsverify.exceptions import SMSVerifyError, Throttled
from django_smsverify.views import STATUSES


def refusal(request: HttpRequest, adapter: Any, error: SMSVerifyError) -> HttpResponse:
    """Returns JSON for allauth's headless API, else a redirect to the page of the form, which shows the error as a
    message."""
    if hasattr(request.allauth, "headless"):  # type: ignore[attr-defined]
        return _as_json(request, error)
    adapter.add_message(request, messages.ERROR, message=str(error))
    # A GET that sends a code is no page, but the end of a login elsewhere.
    return HttpResponseRedirect(request.get_full_path() if request.method == "POST" else reverse("account_login"))


def _as_json(request: HttpRequest, error: SMSVerifyError) -> HttpResponse:
    from allauth.headless.base.response import APIResponse  # here: it needs what a site may not have

    errors = [{"message": str(error), "code": error.code, "param": "phone", **error.extra()}]
    response: HttpResponse = APIResponse(request, errors=errors, status=STATUSES.get(type(error), 400))
    if isinstance(error, Throttled):
        response["Retry-After"] = str(error.retry_after)
    return response
