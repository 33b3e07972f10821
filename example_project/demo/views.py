"""The page of a site that uses the app, and what the page asks once a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from sandbox.server import SMS

from demo.seed import ACCOUNTS
from demo.vendors import Mood, moods, put, sandbox
from demo.words import words
from django_smsverify import phones
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
    vendors = [(account, moods[account.slug]) for account in ACCOUNTS]
    context = {"vendors": vendors, "moods": Mood.choices, "words": words(), "languages": settings.LANGUAGES}
    return render(request, "demo/home.html", context)


@shielded
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """The SMS that reached the phone with the number `phone`, oldest first."""
    try:
        phone = phones.parse(request.GET.get("phone", ""))
    except SMSVerifyError as error:
        return JsonResponse({"detail": str(error), "code": error.code}, status=400)
    return JsonResponse({"messages": [_on_screen(sms) for sms in sandbox.inbox.of(phone.removeprefix("+86"))]})


def _on_screen(sms: SMS) -> dict[str, Any]:
    return {
        "id": f"{sms.vendor}-{sms.remote_id}",
        "vendor": sms.vendor,
        "text": sms.text,
        "received_at": sms.received_at,
        "age": (timezone.now() - sms.received_at).total_seconds(),
    }


@shielded
@require_safe
def wire(request: HttpRequest) -> HttpResponse:
    """The latest messages, newest first."""
    latest = Message.objects.select_related("provider")[:SHOWN]
    return JsonResponse({"messages": [_on_wire(message) for message in latest]})


def _on_wire(message: Message) -> dict[str, Any]:
    answered_at = message.sent_at or message.settled_at
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
        "error": " ".join(filter(None, [message.error_code, message.error_message])),
    }


@csrf_exempt
@shielded
@require_POST
def trouble(request: HttpRequest) -> HttpResponse:
    """Puts a vendor in a mood; JSON only, as another site's form cannot send that."""
    try:
        asked = json.loads(request.body) if request.content_type == "application/json" else {}
        put(asked["vendor"], Mood(asked["mood"]))
    except (KeyError, TypeError, ValueError):
        known = f"vendor: {', '.join(moods)}; mood: {', '.join(Mood.values)}"
        return JsonResponse({"detail": f"Send JSON with {known}.", "code": "invalid"}, status=400)
    return JsonResponse({"moods": moods})
