"""The endpoints for load balancers and Prometheus; nothing of them speaks of one number."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from django_smsverify.conf import conf

from .health import State, overall
from .health import health as parts_of_health

NO_STORE = {"Cache-Control": "no-store"}
PERMISSION = "smsverify.view_message"


@login_not_required
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Answers 503 when nothing can be sent from here; a warning is no reason to take a server out."""
    parts = parts_of_health()
    state = overall(parts)
    status = 503 if state == State.FAIL else 200
    return JsonResponse({"status": state, "parts": parts}, status=status, headers=NO_STORE)


@login_not_required
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Answers as long as this process does."""
    return JsonResponse({"status": State.OK}, headers=NO_STORE)


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics, for who sends METRICS_TOKEN, and for staff who may view messages."""
    if not _may_see_metrics(request):
        headers = {**NO_STORE, "WWW-Authenticate": "Bearer"}
        words = 'Send SMSVERIFY["METRICS_TOKEN"] after “Authorization: Bearer”, or log in as staff.'
        return HttpResponse(words, status=401, content_type="text/plain; charset=utf-8", headers=headers)
    if find_spec("prometheus_client") is None:
        words = 'pip install "django-smsverify[metrics]"'
        return HttpResponse(words, status=501, content_type="text/plain; charset=utf-8", headers=NO_STORE)
    # Imported here: it need not be installed.
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    from .metrics import Collector

    registry = CollectorRegistry()
    registry.register(Collector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type, headers=NO_STORE)


def _may_see_metrics(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if conf.METRICS_TOKEN is not None and scheme.lower() == "bearer":
        return constant_time_compare(token.strip(), conf.METRICS_TOKEN)
    user = getattr(request, "user", None)
    return bool(user and user.is_active and user.is_staff and user.has_perm(PERMISSION))
