"""The page of a site that uses the app, and the data that the page polls once a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from demo import phone as visitor
from demo.seed import ACCOUNTS
from demo.vendors import Mood, moods, moods_of, set_mood
from demo.words import words
from django_smsverify import phones
from django_smsverify.enums import DeliveryOutcome
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.models import Message

CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
SHOWN = 20

View = Callable[[HttpRequest], HttpResponse]


def with_csp(view: View) -> View:
    """Sets a policy under which the page loads only files of this site."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        response = never_cache(view)(request)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return answer


@with_csp
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    vendors = [(account, moods[account.slug], moods_of(account.slug)) for account in ACCOUNTS]
    context = {
        "vendors": vendors,
        "words": words(),
        "languages": settings.LANGUAGES,
        "longest_reply": visitor.LONGEST_REPLY,
        "next_browser": 1 if request.GET.get("browser") == "2" else 2,
    }
    return render(request, "demo/home.html", context)


@with_csp
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """The screen of the phone with the number `phone`, oldest first."""
    try:
        phone = phones.parse(request.GET.get("phone", ""))
    except SMSVerifyError as error:
        return JsonResponse({"detail": str(error), "code": error.code}, status=400)
    return JsonResponse(visitor.screen(phone))


@with_csp
@require_safe
def wire(request: HttpRequest) -> HttpResponse:
    """The latest messages, newest first."""
    latest = Message.objects.select_related("provider").prefetch_related("reports")[:SHOWN]
    return JsonResponse({"messages": [_on_wire(message) for message in latest]})


def _on_wire(message: Message) -> dict[str, Any]:
    answered_at = message.sent_at or message.settled_at
    failures = [report for report in message.reports.all() if report.outcome == DeliveryOutcome.UNDELIVERED]
    texts = [message.error_code, message.error_message]
    texts += [text for report in failures for text in (report.code, report.detail)]
    return {
        "id": message.pk,
        "created_at": message.created_at,
        "vendor": message.provider.name,
        "phone": phones.mask(message.phone),
        "status": message.status,
        "outcome": message.get_status_display(),
        "segments": message.segments,
        "cost": message.cost,
        "milliseconds": answered_at and round((answered_at - message.created_at).total_seconds() * 1000),
        "error": " ".join(filter(None, texts)),
    }


def _json_body(request: HttpRequest) -> Any:
    """The JSON body of a request; another site's form cannot send this content type."""
    return json.loads(request.body) if request.content_type == "application/json" else {}


def _refusal(detail: str) -> HttpResponse:
    return JsonResponse({"detail": detail, "code": "invalid"}, status=400)


@csrf_exempt
@with_csp
@require_POST
def reply(request: HttpRequest) -> HttpResponse:
    """The visitor replies to the newest SMS."""
    try:
        body = _json_body(request)
        phone, content = phones.parse(body["phone"]), visitor.one_line(body["content"])
    except (KeyError, TypeError, ValueError, SMSVerifyError):
        return _refusal(f"Send JSON with phone and content, of 1 to {visitor.LONGEST_REPLY} characters.")
    received = visitor.inbox(phone)
    problem = visitor.why_closed(received[-1]) if received else _("There is no SMS to answer.")
    if problem:
        return _refusal(problem)
    visitor.send_reply(received[-1], content)
    return JsonResponse(visitor.screen(phone))


@csrf_exempt
@with_csp
@require_POST
def trouble(request: HttpRequest) -> HttpResponse:
    """Sets the mood of a vendor."""
    try:
        body = _json_body(request)
        set_mood(body["vendor"], Mood(body["mood"]))
    except (KeyError, TypeError, ValueError):
        return _refusal(f"Send JSON with vendor: {', '.join(moods)}; mood: {', '.join(Mood.values)}.")
    return JsonResponse({"moods": moods})
