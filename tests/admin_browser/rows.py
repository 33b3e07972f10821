"""What a site has after some weeks: providers that work and that fail, 200 messages, and rows of every other kind."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.utils import timezone
from sandbox import catalogue

from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.enums import (
    Accessed,
    AlertKind,
    Carrier,
    Cause,
    DeliveryOutcome,
    Guarded,
    ListAction,
    ListKind,
    MessageStatus,
    Period,
    Reason,
    Refused,
    ReportSource,
    ReviewStatus,
)
from django_smsverify.limits.lists import entry_of, store
from django_smsverify.models import (
    Access,
    Alert,
    CarrierFiling,
    ClientKey,
    Closure,
    DeliveryReport,
    Message,
    OptOut,
    ProbeNumber,
    Provider,
    Recipient,
    Refusal,
    Reply,
    ReportBatch,
    Signature,
    Spending,
    Template,
    TestNumber,
    Verification,
)
from django_smsverify.models.identifiers import new_id
from django_smsverify.models.test_numbers import new_codes
from django_smsverify.sending import circuits
from django_smsverify.statistics.sums import sum_days

NAMES = {"tencent": "腾讯云", "aliyun": "阿里云", "topthink": "TopThink 顶想云", "ihuyi": "互亿无线"}
TEMPLATE_IDS = {"tencent": "3001", "aliyun": "SMS_234", "topthink": "234", "ihuyi": "2001"}
NOTICE_IDS = {"tencent": "3002", "aliyun": "SMS_236", "topthink": "236", "ihuyi": "2002"}
CODE, NOTICE = "您的验证码是{code}，{minutes}分钟内有效。", catalogue.NOTICE_TEXT
NUMBERS = [f"+86{block}{place:05}" for place in range(25) for block in ("138001", "130001", "189001")]
TAIL = "+8613900138765"
"""A number whose last four digits no other one has."""
FAILURES = [
    ("MK:0012", Cause.PHONE_OFF, "关机或不在服务区"),
    ("DB:0141", Cause.RECIPIENT_BLACKLIST, "号码在运营商黑名单中"),
    ("FailedOperation.SignatureIncorrectOrUnapproved", Cause.SIGNATURE_UNFILED, "签名未报备"),
]


def fill(base_urls: Mapping[str, str]) -> None:
    """Stores all rows."""
    rng, now = random.Random(1), timezone.now()
    user = User.objects.create_superuser("operator", "operator@example.com", "long-enough-1")
    user.groups.add(Group.objects.create(name="People who support customers on weekdays and answer their questions"))
    providers = [_provider(slug, base_urls[slug], priority) for priority, slug in enumerate(NAMES, 1)]
    for place in range(200):
        at = now - timedelta(minutes=place * rng.choice([3, 40, 200]) % 40_000)
        _message(rng, providers[place % 3], TAIL if place == 30 else rng.choice(NUMBERS), at)
    _of_providers(providers, now)
    _of_numbers(now)
    for _day in sum_days():
        pass


def session_of_the_operator() -> str:
    """The value of the cookie of a user who may do everything."""
    user, session = User.objects.get(username="operator"), SessionStore()
    session["_auth_user_id"], session["_auth_user_hash"] = str(user.pk), user.get_session_auth_hash()
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session.create()
    return str(session.session_key)


def _provider(slug: str, base_url: str, priority: int) -> Provider:
    """One with a template for codes and one for notices; the last one is not ready yet."""
    is_ready = slug != "ihuyi"
    status = ReviewStatus.APPROVED if is_ready else ReviewStatus.PENDING
    options = dict(catalogue.OPTIONS.get(slug, {}))
    provider = Provider.objects.create(
        name=NAMES[slug],
        slug=slug,
        gateway=slug,
        credentials=dict(catalogue.CREDENTIALS[slug]),
        options=options,
        base_url=base_url,
        priority=priority,
        price=Decimal("0.0450"),
        budget_day=100 if is_ready else None,
        balance=Decimal("42.50"),
        balance_checked_at=timezone.now(),
    )
    signature = Signature.objects.create(provider=provider, text=catalogue.SIGNATURE, remote_id="78", status=status)
    common: dict[str, Any] = {"provider": provider, "signature": signature, "status": status}
    for purpose, content, ids in (("login", CODE, TEMPLATE_IDS), ("shipped", NOTICE, NOTICE_IDS)):
        Template.objects.create(
            purpose=purpose, name=f"{slug} {purpose}", content=content, remote_id=ids[slug], **common
        )
    Template.objects.create(
        purpose="register",
        name=f"{slug} Cloud 短信服务 register-by-phone",
        content=CODE,
        **{**common, "status": "draft"},
    )
    return provider


def _message(rng: random.Random, provider: Provider, phone: str, at: datetime) -> None:
    """A code that was asked for, what became of its SMS, and whether it was entered."""
    statuses = [*MessageStatus, *([MessageStatus.DELIVERED] * 12)]
    status = rng.choice(statuses)
    if provider.slug == "topthink" and rng.random() < 0.5:
        status = MessageStatus.NOT_SENT
    recipient, _ = Recipient.objects.get_or_create(phone=phone, defaults={"created_at": at})
    is_entered = status == MessageStatus.DELIVERED and rng.random() < 0.8
    code = Verification.objects.create(
        nonce=f"{rng.getrandbits(128):032x}",
        recipient=recipient,
        phone=phone,
        purpose="login",
        code_length=6,
        max_attempts=5,
        attempts=int(is_entered),
        created_at=at,
        expires_at=at + timedelta(minutes=5),
        verified_at=at + timedelta(seconds=20) if is_entered else None,
    )
    is_taken = status in (MessageStatus.ACCEPTED, MessageStatus.DELIVERED, MessageStatus.UNDELIVERED)
    failure = rng.choice(FAILURES)
    failed: dict[str, Any] = {}
    if status == MessageStatus.NOT_SENT:
        failed = {"error_reason": Reason.ACCOUNT, "error_code": "10003", "error_message": "账户余额不足，请充值后再试"}
    elif status == MessageStatus.UNDELIVERED:
        failed = {"error_code": failure[0], "error_message": failure[2], "cause": failure[1]}
    seconds = rng.randint(1, 9)
    message = Message.objects.create(
        verification=code,
        provider=provider,
        template=provider.templates.get(purpose="login"),
        phone=phone,
        purpose="login",
        status=status,
        segments=1,
        price=provider.price,
        cost=provider.price if is_taken else None,
        carrier=carrier_of(phone) or "",
        remote_id=f"{rng.getrandbits(60)}" if is_taken else "",
        created_at=at,
        claimed_at=at,
        sent_at=at if is_taken else None,
        settled_at=at + timedelta(seconds=seconds) if status != MessageStatus.ACCEPTED else None,
        delivery_seconds=seconds if status == MessageStatus.DELIVERED else None,
        **failed,
    )
    if status in (MessageStatus.DELIVERED, MessageStatus.UNDELIVERED):
        _report(message, at + timedelta(seconds=seconds), failure)


def _report(message: Message, at: datetime, failure: tuple[str, Cause, str]) -> None:
    is_delivered = message.status == MessageStatus.DELIVERED
    code, cause, detail = ("DELIVRD", Cause.DELIVERED, "") if is_delivered else failure
    DeliveryReport.objects.create(
        provider=message.provider,
        message=message,
        remote_id=message.remote_id,
        phone=message.phone,
        outcome=DeliveryOutcome.DELIVERED if is_delivered else DeliveryOutcome.UNDELIVERED,
        code=code,
        detail=detail,
        cause=cause,
        occurred_at=at,
        received_at=at + timedelta(seconds=1),
        source=ReportSource.PUSH,
        payload={"id": message.remote_id, "status": code},
        fingerprint=uuid4(),
    )


def _of_providers(providers: list[Provider], now: datetime) -> None:
    """What stands beside them: an open circuit, filings, budgets, replies, alerts, and reports that nobody can read."""
    failing = providers[2]
    open_for_an_hour = circuits.Circuit(time.time() + 3600, 3, "10003 账户余额不足，请充值后再试")
    cache.set(circuits.Way(failing.pk).key(), tuple(open_for_an_hour), 7200)
    signature = Signature.objects.get(provider=providers[0])
    CarrierFiling.objects.create(signature=signature, carrier=Carrier.MOBILE, status="filed", source="hand")
    CarrierFiling.objects.create(signature=signature, carrier=Carrier.UNICOM, status="suspected", source="reports")
    ReportBatch.objects.create(provider=failing, body='{"id": "7"', problems="row 1: no number", received_at=now)
    words = {"title": "顶想云：熔断已打开", "body": "连续 5 次失败。", "told_at": now, "lasts": True}
    Alert.objects.create(kind=AlertKind.CIRCUIT, subject="topthink", **words)
    spent = {"spent": Decimal("41.0850"), "starts_on": timezone.localdate()}
    Spending.objects.create(subject="", period=Period.DAY, **spent)
    for place, phone in enumerate(NUMBERS[:6]):
        reply = Reply.objects.create(
            provider=providers[0],
            phone=phone,
            content="退订" if place else "你好，我没有收到验证码，请问什么时候能到？",
            occurred_at=now,
            received_at=now,
            payload={},
            fingerprint=uuid4(),
        )
        if place:
            OptOut.objects.create(phone=phone, reply=reply)
    ClientKey.objects.create(name="Android").new_secret(now)
    for carrier, phone in zip(Carrier, NUMBERS[-3:], strict=False):
        ProbeNumber.objects.create(phone=phone, carrier=carrier, added_by="operator")


def _verified_test_number(now: datetime) -> None:
    """A code with the longest words that a list has for its number, state and purpose."""
    phone = "+4915112345678"
    Verification.objects.create(
        nonce=f"{0:032x}",
        recipient=Recipient.objects.create(phone=phone, created_at=now),
        phone=phone,
        purpose="change-the-number-of-an-account",
        code_length=6,
        max_attempts=5,
        attempts=1,
        created_at=now,
        expires_at=now + timedelta(days=1),
        simulated_at=now,
        verified_at=now,
    )


def _of_numbers(now: datetime) -> None:
    """Refusals, closures, lists, test numbers, and who looked at what."""
    for place, reason in enumerate(Refused):
        at = now - timedelta(hours=place)
        fields: dict[str, Any] = {"reason": reason, "count": place + 1, "first_at": at, "last_at": at}
        Refusal.objects.create(id=new_id(), phone=NUMBERS[place], purpose="login", **fields)
    for kind, subject in ((Guarded.BLOCK, "+8613800100"), (Guarded.NETWORK, "203.0.113.0/24")):
        hour = timedelta(hours=1)
        facts = {"sent": 80, "verified": 3, "since": now - hour, "until": now + hour}
        Closure.objects.create(kind=kind, subject=subject, level=1, **facts)
    listed = [
        entry_of(ListKind.NUMBER, NUMBERS[9], action=ListAction.BLOCK, note="投诉过的用户，2026-11"),
        entry_of(ListKind.REGION, "HK", action=ListAction.CHALLENGE),
    ]
    store(listed, added_by="operator")
    _verified_test_number(now)
    TestNumber.objects.create(
        phone=NUMBERS[10], codes=new_codes(), expires_at=now + timedelta(days=9), note="App Store"
    )
    for what in Accessed:
        Access.objects.create(at=now, who="operator", what=what, about="138****0000", rows=1)
