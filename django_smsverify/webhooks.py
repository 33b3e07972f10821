"""The webhooks that vendors call. A call is untrusted until the secret in its URL has been compared."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from . import events
from .diagnosis.pushes import note_push, note_test_push
from .enums import ReportSource
from .exceptions import ForgedCallback, Throttled, TooEarly, describe
from .gateways.base import PUBLIC_URL, Gateway
from .http.client_address import client_ip
from .http.request_body import BodyError, BodyTooLarge, LengthRequired, read_body
from .limits.flood import check_flood
from .masked import Secret
from .models import Provider
from .models.statements import find_provider
from .reports.storing import store_events
from .types import DeliveryEvent, Push, ReplyEvent, ReviewEvent

logger = logging.getLogger("django_smsverify")

MAX_PUSH_BODY = 256 * 1024
UNKNOWN_CALLER = (404, 429, 500)
"""The statuses of answers to who does not know the secret, or may not."""
TEST = b"smsverify=test"
"""The body of the harmless push that `smsverify_webhooks --test` sends: it is only acknowledged."""


@csrf_exempt
@login_not_required
def webhook(request: HttpRequest, slug: str, secret: str) -> HttpResponse:
    """Receives every kind of push of one provider; acknowledges it after everything is committed."""
    target = Secret(request.get_full_path())
    request.path = request.path.replace(secret, "***")  # the request's repr shows the path
    bug = ""
    try:
        response = _answer(request, target, slug, secret)
    except Throttled as error:
        response = _throttled(error)
    except TooEarly as error:
        response = _text(503, str(error), **{"Retry-After": "60"})
    except (LengthRequired, BodyTooLarge) as error:
        logger.warning("A call of the webhook of %s was refused: %s", slug, error)
        response = _text(411 if isinstance(error, LengthRequired) else 413, str(error))
    except ForgedCallback as error:
        logger.warning("A call of the webhook of %s is refused: %s", slug, error)
        response = _text(403, str(error))
    except (SuspiciousOperation, BodyError) as error:  # that it cannot be read, or a host that is not allowed
        logger.warning("A call of the webhook of %s cannot be read: %s", slug, error)
        response = _text(400, f"This call cannot be read: {error}")
    except Exception as error:
        response, bug = _text(500, "Nothing was lost here; please send this again."), describe(error)
    if bug:
        # Django itself would log and mail the URL with its secret, and the values of the rows.
        logger.error("The webhook of %s failed with %s", slug, bug)
    _emit_refusal(response.status_code, slug)
    if request.method == "HEAD":
        response.content = b""  # not every server removes it
    return _unlogged(response)


def _emit_refusal(status: int, slug: str) -> None:
    if status >= 400:
        # A stranger may have written anything as the slug.
        events.emit("webhook.received", status=status, provider=None if status in UNKNOWN_CALLER else slug)


def _answer(request: HttpRequest, target: Secret, slug: str, secret: str) -> HttpResponse:
    """The response to a call; `target` is its path and query."""
    provider = _provider(slug, secret)
    if provider is None:
        # Calls with the right secret are not limited: some vendors push only once.
        check_flood("webhook", client_ip(request))
        return _text(404, "There is no such webhook.")
    # A vendor's console may probe an address before it saves it. A query string means a push by GET and no probe:
    # it must not be acknowledged.
    if request.method in ("GET", "HEAD") and not request.META.get("QUERY_STRING"):
        return _text(200, "This webhook works. The vendor calls it by POST.")
    if request.method != "POST":
        return _text(405, "A webhook is called by POST.", Allow="GET, HEAD, POST")
    gateway = _reading_gateway(provider)
    push = _push(request, _called_url(request, target, provider, gateway))
    if push.body == TEST:
        note_test_push(provider)
        return _text(200, gateway.acknowledgement, **{"Content-Type": gateway.acknowledgement_type})
    news = gateway.read_push(push)
    new = store_events(provider, news, ReportSource.PUSH)
    if events.is_wanted():
        kinds = {"reports": DeliveryEvent, "replies": ReplyEvent, "reviews": ReviewEvent}
        counts: dict[str, Any] = {name: events.counted(news.events, kind) for name, kind in kinds.items()}
        events.emit("webhook.received", status=200, provider=slug, new=new, **counts)
    note_push(provider, secret)
    words, content_type = gateway.acknowledge(push)
    return _text(200, words, **{"Content-Type": content_type})


def _push(request: HttpRequest, url: Secret) -> Push:
    return Push(
        content_type=request.headers.get("Content-Type", ""),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=read_body(request, MAX_PUSH_BODY),
        url=url,
    )


def _called_url(request: HttpRequest, target: Secret, provider: Provider, gateway: Gateway) -> Secret:
    """The URL as the vendor called it, for a vendor that signs it; behind a proxy only the operator knows its host."""
    if PUBLIC_URL not in gateway.options:
        return Secret("")
    public = provider.options.get(PUBLIC_URL.name) or f"{request.scheme}://{request.get_host()}"
    return Secret(public.rstrip("/") + target)


def _reading_gateway(provider: Provider) -> Gateway:
    """The gateway that reads the push; it needs the keys to mask them in what is stored, or to check a signature."""
    if not provider.has_keys:
        logger.error(
            "The credentials of %s cannot be decrypted: what it pushes is stored all the same, with whatever may be a "
            'key masked, unless it must be signed. Add the old key to SMSVERIFY["ENCRYPTION_KEYS"] (or to '
            "SECRET_KEY_FALLBACKS), or enter the credentials again in the admin.",
            provider.slug,
        )
    return provider.gateway_client(with_keys=provider.has_keys)


def _provider(slug: str, secret: str) -> Provider | None:
    """The provider with this slug and secret; an unknown slug costs the same comparisons as a wrong secret."""
    # A MySQL collation takes "Main" for "main".
    found = next((provider for provider in find_provider(slug=slug) if provider.slug == slug), None)
    own = (found.webhook_secret, found.previous_webhook_secret) if found else ("", "")
    fits = [constant_time_compare(secret, one or _UNGUESSABLE) for one in own]
    return found if any(fits) else None


_UNGUESSABLE = secrets.token_urlsafe(32)
"""Replaces a secret that does not exist; nobody can guess it."""


def _text(status: int, words: str, **headers: str) -> HttpResponse:
    standard = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
    return HttpResponse(words, status=status, headers=standard | headers)


def _throttled(error: Throttled) -> HttpResponse:
    """The same refusal as for front ends."""
    body = {"detail": str(error), "code": error.code, **error.extra()}
    headers = {"Retry-After": str(error.retry_after), "Cache-Control": "no-store"}
    return JsonResponse(body, status=429, headers=headers)


def _unlogged(response: HttpResponse) -> HttpResponse:
    """Marks the response as logged, because Django would log the URL of every refusal."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
