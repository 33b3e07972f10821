"""What the processes do. They import it after they have set up their own site."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from uuid import UUID
from wsgiref.simple_server import WSGIRequestHandler

from django.core.cache import cache
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.db.models import F
from django.test import Client
from sandbox import catalogue

from django_smsverify.limits.budget import amount_of
from django_smsverify.models import Message, Provider, Spending, Verification
from django_smsverify.sending import send_code
from django_smsverify.verifying import verify_code
from tests.conftest import CODE_TEXT, REMOTE_IDS, add_template


def create_provider(gateway: str, base_url: str, slug: str = "") -> None:
    """A provider of the site, with an approved template for two purposes."""
    credentials = dict(catalogue.CREDENTIALS[gateway])
    provider = Provider.objects.create(
        slug=slug or gateway, gateway=gateway, base_url=base_url, credentials=credentials
    )
    for purpose in ("login", "payment"):
        add_template(provider, purpose, CODE_TEXT, REMOTE_IDS[gateway])


def send(phone: str, purpose: str = "login", flush: bool = False) -> UUID:
    """Sends a code; with `flush`, empties the cache of all processes just before."""
    if flush:
        cache.clear()
    return send_code(phone, purpose).pk


def join(phone: str) -> UUID:
    """A verification of the number's live code, without an SMS."""
    return send_code(phone, "login", trusted=True).pk


def end_pause(phone: str) -> None:
    """Lets the SMS of a number be a minute old."""
    minute = {"created_at": F("created_at") - timedelta(seconds=61)}
    Message.objects.filter(phone=f"+86{phone}").update(**minute)
    Verification.objects.filter(phone=f"+86{phone}").update(**minute)


def send_or_verify(phone: str, verification_id: UUID | None, code: str) -> UUID:
    """Sends to a number, or verifies where an id is given; returns the verification's id."""
    if verification_id is None:
        return send_code(phone, "login").pk
    return verify_code(verification_id, code).pk


def post_with_key(path: str, body: dict[str, str], key: str, address: str) -> tuple[int, dict[str, str]]:
    """The status and the answer of a request that its client, at this address, may repeat."""
    client = Client(REMOTE_ADDR=address)
    answer = client.post(f"/sms/{path}/", body, "application/json", headers={"Idempotency-Key": key})
    return answer.status_code, answer.json()


def verify(verification_id: UUID, code: str) -> None:
    verify_code(verification_id, code)


def pages_by_sms(phone: str) -> list[tuple[str, UUID, UUID]]:
    """Of each SMS to a number: the vendor's id, the verification it was sent for, and the one that holds its code."""
    messages = Message.objects.filter(phone=f"+86{phone}").select_related("verification__root")
    rows = [(message.remote_id, message.verification) for message in messages]
    return [(remote_id, page.pk, page.holder.pk) for remote_id, page in rows if page]


def verify_each(codes: Mapping[UUID, str]) -> None:
    """A right guess on each verification; the code is live again after it, so that its other verifications follow."""
    for verification_id, code in codes.items():
        holder = verify_code(verification_id, code).holder
        Verification.objects.filter(pk=holder.pk).update(verified_at=None)


def attempts_and_verified(verification_id: UUID) -> tuple[int, bool]:
    """The guesses that were counted, and whether one verified."""
    verification = Verification.objects.get(pk=verification_id)
    return verification.attempts, verification.verified_at is not None


def attempts_of_number(phone: str) -> int:
    """The guesses that were counted for a number."""
    return sum(Verification.objects.filter(phone=f"+86{phone}").values_list("attempts", flat=True))


def root_of(verification_id: UUID) -> UUID:
    """The verification that holds the code."""
    return Verification.objects.find(verification_id).holder.pk


def rows(phone: str) -> tuple[int, int]:
    """Verifications and messages of a number."""
    number = {"phone": f"+86{phone}"}
    return Verification.objects.filter(**number).count(), Message.objects.filter(**number).count()


def serve() -> str:
    """Serves the site over HTTP from this process for as long as it lives."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def set_budget(purpose: str, yuan: str | None, price: str | None) -> None:
    """Gives the providers of a purpose a price and a budget of the month."""
    providers = Provider.objects.filter(templates__purpose=purpose)
    Provider.objects.filter(pk__in=list(providers.values_list("pk", flat=True))).update(price=price, budget_month=yuan)


def spent_and_sent() -> tuple[Decimal, Decimal]:
    """What is stored as spent of budgets, and what the messages that are counted cost."""
    counted = Message.objects.exclude(counted_in="").exclude(status__in=("queued", "not_sent"))
    rows = Spending.objects.values_list("spent", flat=True)
    return sum(rows, Decimal(0)), sum(map(amount_of, counted), Decimal(0))
