"""Every path on which the app uses its big tables, run once by the public functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from html import unescape
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import models
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from benchmarks.plan_rows import BIG
from django_smsverify import phones
from django_smsverify.admin import exporting
from django_smsverify.admin.batches import sent_lately
from django_smsverify.admin.spans import SpanFilter
from django_smsverify.conf import written
from django_smsverify.enums import DeliveryOutcome, ReportSource, ReviewStatus
from django_smsverify.exceptions import WrongCode
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.journal import finding
from django_smsverify.models import Message, Provider, Recipient, Template, Verification
from django_smsverify.money.costs import today
from django_smsverify.operations.doctor import examine_purposes, what_to_do
from django_smsverify.operations.failing import failing_providers
from django_smsverify.operations.metrics import Collector
from django_smsverify.operations.webhook_silence import silent_webhooks
from django_smsverify.polling.poll import poll
from django_smsverify.reports.storing import store_events
from django_smsverify.sending import BulkResult, resend_code, send_code, send_message
from django_smsverify.sending.number_list import estimate
from django_smsverify.types import Answer, DeliveryEvent, News, SentSMS
from django_smsverify.verifying import redeem_proof, verify_code
from django_smsverify.verifying.proofs import make_proof

Path = Callable[[], object]
POLL_LIMIT = 200
MOST_READ = 50_000
"""Bounds of what reads many rows on purpose, here below what is a finding."""
BULK_SEND = "a-bulk-send"
CONTROL = "a query that no index serves"
"""It must be found, which shows that the plans are read."""


class AskedGateway(MemoryGateway):
    """Answers status queries, as TopThink does."""

    answers_status = True

    def ask_status(self, sent: SentSMS) -> DeliveryEvent | None:
        return DeliveryEvent(remote_id=sent.remote_id, phone=sent.phone, outcome=DeliveryOutcome.DELIVERED)


class FetchedGateway(MemoryGateway):
    """Returns a list of reports, here an empty one, as APISpace does."""

    hands_out_reports = True

    def pull_reports(self) -> Answer:
        return Answer(200, b"")

    def read_reports(self, answer: Answer) -> News:
        return News()


def paths() -> Iterator[tuple[str, Path]]:
    """Each path with its name, in an order in which each path finds the rows that it needs."""
    busy = Recipient.objects.order_by("pk")[0].phone
    finding.LOOKED_THROUGH = exporting.MOST_ROWS = MOST_READ
    yield CONTROL, lambda: Message.objects.filter(segments=70).count()
    yield from visitor_paths(busy)
    yield from vendor_paths()
    yield from command_paths()
    yield from bulk_paths()
    client = Client()
    client.force_login(User.objects.get_or_create(username="operator", is_staff=True, is_superuser=True)[0])
    for model in BIG:
        yield from list_paths(client, model)
        yield from detail_paths(client, model)
    yield "what to do", what_to_do
    yield "doctor", examine_purposes
    yield "provider list", partial(get, client, reverse("admin:smsverify_provider_changelist"))
    for slug in ("pushing", "new"):
        provider = Provider.objects.get(slug=slug)
        url = reverse("admin:smsverify_provider_change", args=[provider.pk])
        yield f"provider {slug}, page", partial(get, client, url)
        for row in (provider, provider.templates.all()[0]):
            url = reverse(f"admin:smsverify_{row._meta.model_name}_delete", args=[row.pk])
            yield f"{row._meta.model_name} {slug}, deletion", partial(get, client, url)
    yield "smsverify_prune", clean_up


def visitor_paths(phone: str) -> Iterator[tuple[str, Path]]:
    yield "send", lambda: send_code(phone, "login", ip="192.0.2.1")
    verification = Verification.objects.order_by("-created_at")[0]
    yield "send again", lambda: resend_code(verification.pk, ip="192.0.2.1")
    yield "send, HTTP", lambda: post("smsverify:send", {"phone": "+8613000000599", "purpose": "login"}, 202)
    yield "status, HTTP", partial(get, Client(), reverse("smsverify:send-status", args=[verification.pk]))
    code = verification.derive_code()
    yield "verify, wrong", lambda: guess(verification.pk, str((int(code) + 1) % 10**6).zfill(6))
    yield "verify, right", lambda: verify_code(verification.pk, code)
    yield "redeem", lambda: redeem_proof(make_proof(verification), "login")


def vendor_paths() -> Iterator[tuple[str, Path]]:
    silent = Message.objects.silent().filter(provider__slug="pushing", poll_at__isnull=False).order_by("-created_at")
    known, named = silent[:2]
    number = {"mobilephone": known.phone[3:]}
    report = {**number, "code": "2", "msg": "DELIVRD", "report_time": "2026-11-21 10:00:00"}
    reply = {**number, "content": "TD", "reply_time": "2026-11-21 10:00:00"}
    yield "webhook, report", lambda: push({**report, "smsid": known.remote_id})
    yield "webhook, again", lambda: push({**report, "smsid": known.remote_id})
    yield "webhook, unknown", lambda: push({**report, "smsid": "unknown"})
    yield "webhook, many reports", partial(push_many, [*silent[2:302]])
    yield "webhook, reply", lambda: push(reply)
    yield "webhook, reply named", lambda: push({**reply, "mobilephone": named.phone[3:], "smsid": named.remote_id})


def command_paths() -> Iterator[tuple[str, Path]]:
    yield "poll", lambda: poll(limit=POLL_LIMIT)
    yield "silent webhooks", lambda: silent_webhooks(timezone.now())
    yield "failing providers", lambda: failing_providers(timezone.now())
    yield "metrics", lambda: [*Collector().collect()]
    yield "smsverify_poll", lambda: call_command("smsverify_poll", limit=1)
    for slug in Provider.objects.values_list("slug", flat=True):
        yield f"smsverify_webhooks {slug}", partial(call_command, "smsverify_webhooks", slug)
    yesterday = today() - timedelta(days=1)
    for by in ("provider", "provider,purpose", "day", "provider,purpose,day"):
        period = {"start": yesterday, "end": today(), "by": by.split(",")}
        yield f"smsverify_costs of two days by {by}", partial(call_command, "smsverify_costs", **period)


def bulk_paths() -> Iterator[tuple[str, Path]]:
    provider = Provider.objects.filter(gateway="memory")[0]
    notice = Template.objects.create(
        provider=provider, purpose="notice", content="您好。", status=ReviewStatus.APPROVED
    )
    numbers: dict[str, dict[str, str]] = {recipient.phone: {} for recipient in Recipient.objects.order_by("-pk")[:20]}
    client = Client()
    client.force_login(User.objects.get_or_create(username="operator", is_staff=True, is_superuser=True)[0])
    yield "many numbers", lambda: send_message(notice, numbers, batch=BULK_SEND)
    yield "many numbers, again", lambda: send_message(notice, numbers, batch=BULK_SEND)
    result = BulkResult(BULK_SEND, len(numbers), "")
    yield "many numbers, counts", lambda: result.counts
    yield "many numbers, troubles", lambda: [*result.troubles]
    yield "many numbers, estimate", lambda: estimate(notice, numbers, "another")
    yield "batches of a template", lambda: sent_lately(notice)
    url = reverse("admin:smsverify_message_changelist")
    yield "message list of a bulk send", partial(get, client, url, batch=BULK_SEND)


def list_paths(client: Client, model: type[models.Model]) -> Iterator[tuple[str, Path]]:
    """The first page of a list, later pages, each link of its filters and column heads, and each kind of search."""
    name = model._meta.model_name
    url = reverse(f"admin:smsverify_{name}_changelist")
    opened = get(client, url)
    last = opened.context["cl"].paginator.num_pages
    for query in dict.fromkeys(["", "?p=2", f"?p={last}", "?_facets=True", *offered(opened)]):
        yield f"{name} list {query}", partial(get, client, url + query)
    for kind, term in searches(model):
        yield f"{name} search by {kind}", partial(get, client, url, q=term)
    for spec in opened.context["cl"].filter_specs:
        if isinstance(spec, SpanFilter):
            span = {spec.first_name: str(today() - timedelta(days=1)), spec.last_name: str(today())}
            yield f"{name} list of two days", partial(get, client, url, **span)
    if opened.context["most_rows"]:
        yield f"{name} export", partial(export, client, f"{url}export/")


def offered(response: Any) -> Iterator[str]:
    """Every link of the filters and of the column heads."""
    cl = response.context["cl"]
    for spec in cl.filter_specs:
        yield from (choice["query_string"] for choice in spec.choices(cl))
    yield from map(unescape, re.findall(r'href="(\?o=[^"]+)"', response.content.decode()))


def searches(model: type[models.Model]) -> Iterator[tuple[str, str]]:
    row: Any = model._default_manager.order_by("-pk")[0]
    yield "phone", row.phone
    yield "busy phone", Recipient.objects.order_by("pk")[0].phone
    yield "unknown phone", "+8619999999999"
    yield "uuid", str(row.pk) if isinstance(row.pk, UUID) else str(UUID(int=1))
    yield "a vendor's id", getattr(row, "remote_id", "") or "0123456789"
    yield "text", "something else"
    yield "last digits", row.phone[-4:]
    yield "last digits of none", "0000"
    yield "masked phone", phones.mask(row.phone)
    yield "a message's id", str(Message.objects.order_by("-pk")[0].pk)
    yield "a verification's id", str(Verification.objects.order_by("-pk")[0].pk)


def detail_paths(client: Client, model: type[models.Model]) -> Iterator[tuple[str, Path]]:
    name, row = model._meta.model_name, model._default_manager.order_by("pk")[0]
    yield f"{name} page", partial(get, client, reverse(f"admin:smsverify_{name}_change", args=[row.pk]))


def clean_up() -> None:
    """Deletes what is older than 178 days, and forgets the numbers of three days more."""
    with override_settings(SMSVERIFY={**written(), "RETENTION_DAYS": 178, "NUMBER_DAYS": 175}):
        call_command("smsverify_prune")


def get(client: Client, url: str, **query: str) -> Any:
    return checked(client.get(url, query or None))


def export(client: Client, url: str) -> int:
    """The length of a list as CSV."""
    return sum(map(len, get(client, url).streaming_content))


def guess(verification_id: UUID, code: str) -> None:
    try:
        verify_code(verification_id, code)
    except WrongCode:
        return
    raise RuntimeError("a wrong code was accepted")


def push(fields: dict[str, str]) -> Any:
    provider = Provider.objects.get(slug="pushing")
    url = reverse("smsverify:webhook", args=[provider.slug, provider.webhook_secret])
    return checked(Client().post(url, urlencode(fields), content_type="application/x-www-form-urlencoded"))


def push_many(messages: Sequence[Message]) -> int:
    """Stores at once reports for these messages, and as many for unknown messages."""
    known = [(message.remote_id, message.phone) for message in messages]
    events = [
        DeliveryEvent(remote_id=remote_id, phone=phone, outcome=DeliveryOutcome.DELIVERED)
        for remote_id, phone in (*known, *((f"unknown-{remote_id}", phone) for remote_id, phone in known))
    ]
    return store_events(messages[0].provider, News(events=tuple(events)), ReportSource.PUSH)


def post(name: str, body: dict[str, str], status: int) -> Any:
    return checked(Client().post(reverse(name), body, content_type="application/json"), status)


def checked(response: Any, status: int = 200) -> Any:
    if response.status_code != status:
        raise RuntimeError(f"HTTP {response.status_code}, not {status}: {response.content[:500]}")
    return response
