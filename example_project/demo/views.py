"""The page of a site that uses the app, and what the page asks once a second."""

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
from demo.vendors import Mood, choices, moods, put
from demo.words import words
from django_smsverify import phones
from django_smsverify.enums import DeliveryOutcome
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.models import Message

CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
SHOWN = 20

View = Callable[[HttpRequest], HttpResponse]


def shielded(view: View) -> View:
    """Lets the page load what this site serves, and nothing else."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        response = never_cache(view)(request)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return answer


@shielded
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    vendors = [(account, moods[account.slug], choices(account.slug)) for account in ACCOUNTS]
    context = {
        "vendors": vendors,
        "words": words(),
        "languages": settings.LANGUAGES,
        "longest_reply": visitor.LONGEST_REPLY,
    }
    return render(request, "demo/home.html", context)


@shielded
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """What is on the screen of the phone with the number `phone`, oldest first."""
    try:
        phone = phones.parse(request.GET.get("phone", ""))
    except SMSVerifyError as error:
        return JsonResponse({"detail": str(error), "code": error.code}, status=400)
    return JsonResponse(visitor.screen(phone))


@shielded
@require_safe
def wire(request: HttpRequest) -> HttpResponse:
    """The latest messages, newest first."""
    latest = Message.objects.select_related("provider").prefetch_related("reports")[:SHOWN]
    return JsonResponse({"messages": [_on_wire(message) for message in latest]})


def _on_wire(message: Message) -> dict[str, Any]:
    answered_at = message.sent_at or message.settled_at
    failures = [report for report in message.reports.all() if report.outcome == DeliveryOutcome.UNDELIVERED]
    said = [message.error_code, message.error_message]
    said += [word for report in failures for word in (report.code, report.detail)]
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
        "error": " ".join(filter(None, said)),
    }


def _asked(request: HttpRequest) -> Any:
    """What stands in a request that is JSON and says so; another site's form cannot send that."""
    return json.loads(request.body) if request.content_type == "application/json" else {}


def _refusal(detail: str) -> HttpResponse:
    return JsonResponse({"detail": detail, "code": "invalid"}, status=400)


@csrf_exempt
@shielded
@require_POST
def reply(request: HttpRequest) -> HttpResponse:
    """The phone's owner answers the newest SMS."""
    try:
        asked = _asked(request)
        phone, content = phones.parse(asked["phone"]), visitor.one_line(asked["content"])
    except (KeyError, TypeError, ValueError, SMSVerifyError):
        return _refusal(f"Send JSON with phone and content, of 1 to {visitor.LONGEST_REPLY} characters.")
    came = visitor.inbox(phone)
    problem = visitor.closed(came[-1]) if came else _("There is no SMS to answer.")
    if problem:
        return _refusal(problem)
    visitor.answer(came[-1], content)
    return JsonResponse(visitor.screen(phone))


@csrf_exempt
@shielded
@require_POST
def trouble(request: HttpRequest) -> HttpResponse:
    """Puts a vendor in a mood."""
    try:
        asked = _asked(request)
        put(asked["vendor"], Mood(asked["mood"]))
    except (KeyError, TypeError, ValueError):
        return _refusal(f"Send JSON with vendor: {', '.join(moods)}; mood: {', '.join(Mood.values)}.")
    return JsonResponse({"moods": moods})
