"""What the scripts of every page poll once a second, and what the visitor does to the phone and to the vendors."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from demo import phone as visitor
from demo.vendors import Mood, moods, set_mood
from demo.words import took
from django_smsverify import phones
from django_smsverify.enums import DeliveryOutcome
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.journal.story import tell
from django_smsverify.models import Message

SHOWN = 20
SENTENCES = 12


@never_cache
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """The screen of the phone with the number `phone`, oldest first."""
    try:
        phone = phones.parse(request.GET.get("phone", ""))
    except SMSVerifyError as error:
        return JsonResponse({"detail": str(error), "code": error.code}, status=400)
    return JsonResponse(visitor.screen(phone))


@never_cache
@require_safe
def story(request: HttpRequest) -> HttpResponse:
    """What happened to the number `phone`, newest first, and why: what an operator reads in the admin."""
    try:
        told = tell(phones.parse(request.GET.get("phone", "")), days=1)
    except SMSVerifyError as error:
        return JsonResponse({"detail": str(error), "code": error.code}, status=400)
    entries = [{"at": one.at, "sentence": one.sentence, "advice": str(one.advice)} for one in told.entries[:SENTENCES]]
    return JsonResponse({"phone": told.phone, "present": list(told.present), "entries": entries})


@never_cache
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
        "took": took(answered_at - message.created_at) if answered_at else "",
        "error": " ".join(filter(None, texts)),
    }


def _json_body(request: HttpRequest) -> Any:
    """The JSON body of a request; another site's form cannot send this content type. Raises ValueError."""
    try:
        return json.loads(request.body) if request.content_type == "application/json" else {}
    except RecursionError as error:
        raise ValueError(error) from None


def _refusal(detail: str) -> HttpResponse:
    return JsonResponse({"detail": detail, "code": "invalid"}, status=400)


@csrf_exempt
@require_POST
def reply(request: HttpRequest) -> HttpResponse:
    """The visitor replies to the newest SMS."""
    try:
        body = _json_body(request)
        phone, content = phones.parse(str(body["phone"])), visitor.one_line(body["content"])
    except (KeyError, TypeError, ValueError, SMSVerifyError):
        return _refusal(f"Send JSON with phone and content, of 1 to {visitor.LONGEST_REPLY} characters.")
    received = visitor.inbox(phone)
    problem = visitor.why_closed(received[-1]) if received else _("There is no SMS to answer.")
    if problem:
        return _refusal(problem)
    visitor.send_reply(received[-1], content)
    return JsonResponse(visitor.screen(phone))


@csrf_exempt
@require_POST
def trouble(request: HttpRequest) -> HttpResponse:
    """Sets the mood of a vendor."""
    try:
        body = _json_body(request)
        set_mood(body["vendor"], Mood(body["mood"]))
    except (KeyError, TypeError, ValueError):
        return _refusal(f"Send JSON with vendor: {', '.join(moods)}; mood: {', '.join(Mood.values)}.")
    return JsonResponse({"moods": moods})
