"""The floor's webhook for delivery reports."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from . import tables

site: Any = settings  # with settings of its own
OUTCOMES = {"1": "delivered", "-1": "undelivered"}


@csrf_exempt
def report(request: HttpRequest, secret: str) -> HttpResponse:
    """Stores a report once, and what it says of its message."""
    if request.method != "POST" or not constant_time_compare(secret, site.WEBHOOK_SECRET):
        return HttpResponse(status=404)
    try:
        sms = json.loads(request.body)["sms"]
        remote_id, phone, status = str(sms["id"]), f"+86{sms['phone']}", str(sms["status"])
    except (ValueError, KeyError, TypeError):
        return HttpResponse(status=400)
    if outcome := OUTCOMES.get(status):
        fingerprint = hashlib.sha256(f"{remote_id}:{phone}:{status}".encode()).hexdigest()
        now = time.time()
        with transaction.atomic():
            if tables.change(tables.INSERT_REPORT, fingerprint, remote_id, phone, outcome, json.dumps(sms), now):
                tables.change(tables.MATCH_REPORT, outcome, now, remote_id, phone)
    return HttpResponse("success")
