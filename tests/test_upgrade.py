"""An upgrade from 0.1: what it has stored goes on, and so do its processes while the new ones start."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from sandbox import catalogue
from sandbox.server import Sandbox

from django_smsverify import models
from django_smsverify.enums import MessageStatus
from django_smsverify.models import DeliveryReport, KnownNumber, Message, Provider, Verification
from django_smsverify.models.fields import Ciphertext
from django_smsverify.polling.poll import poll
from django_smsverify.sending.worker import run_task
from django_smsverify.verifying import redeem_proof

from . import services
from .conftest import CODE_TEXT, PHONE, code_in
from .test_webhooks import JSON, topthink_report

pytestmark = pytest.mark.django_db(transaction=True)

# Written by 0.1.0, with the secret key of the suite.
NONCE, KEY_ID, CODE = "5e0f6cd3d1a84c0a9d4d0a9c1a6c2b77", "025a2b43dfd7b4d4", "001310"
CREDENTIALS = Ciphertext(
    "gAAAAABrC4UCleepdf29WKkUkNkga7OrEidBz-oDf5Sf1tjD2RqEsdSGxbMM9_Rr8ddY_rE49SN6fq5ASnkeMNuzHNayJMNXhYdti6Y6WSjNJ8t2HEdn"
    "yA2cTvvcIMbLmpeefrzR8oMB"
)
VALUES = Ciphertext(
    "gAAAAABrC4UCVFBV8oCBu_rmbJPHXtx4VgiBc0oUugMYzJhCw6R5300-S-kQ2kUB76-tTKo_J5YMRD3zAXNScUzxHUb5VU_LgWUg1-95HB79M-NQQVgz"
    "k9Y="
)
DIGEST = "9f07fe3e72df2c1a49e88d2cec0e90bdc87885d0c2a12798713b28766868956b"
"""That of PHONE, as a known number."""

QUEUED, TAKEN, FULL, NOTIFIED, OLD = (f"+861390013900{digit}" for digit in range(5))
OURS = "smsverify"


class Release01:
    """Writes as 0.1 did: its INSERTs name the columns that it knew, and no other."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._apps = MigrationLoader(connection).project_state((OURS, "0001_initial")).apps
        self._now = timezone.now()
        self.provider = self.add(
            "Provider",
            name="topthink",
            slug="topthink",
            gateway="topthink",
            credentials=CREDENTIALS,
            base_url=sandbox.base_urls["topthink"],
            price=Decimal("0.0450"),
        )
        signature = self.add("Signature", provider=self.provider, text="示例站", remote_id="78", status="approved")
        texts = {"provider": self.provider, "signature": signature, "status": "approved"}
        self.template = self.add("Template", **texts, purpose="login", name="login", content=CODE_TEXT, remote_id="234")
        self.notice = self.add(
            "Template",
            **texts,
            purpose="notice",
            name="n",
            content="{name}，您的订单已发货，请注意查收。",
            remote_id="236",
        )

    @property
    def names(self) -> set[str]:
        return {model.__name__ for model in self._apps.get_app_config(OURS).get_models()}

    def add(self, model: str, **fields: Any) -> Any:
        return self._apps.get_model(OURS, model)._default_manager.create(**fields)

    def ago(self, **time: float) -> Any:
        return self._now - timedelta(**time)

    def verification(self, phone: str, **fields: Any) -> Any:
        recipients = self._apps.get_model(OURS, "Recipient")._default_manager
        recipient, _ = recipients.get_or_create(phone=phone, defaults={"claimed_at": self.ago(minutes=2)})
        own = {"created_at": self.ago(minutes=2), "expires_at": self.ago(minutes=-3), "max_attempts": 5}
        named = {"phone": phone, "purpose": "login", "code_length": 6}
        return self.add("Verification", recipient=recipient, **{**own, **named, **fields})

    def message(self, phone: str, status: str, **fields: Any) -> Any:
        own = {"purpose": "login", "template": self.template, "created_at": self.ago(minutes=2), "segments": 1}
        sent = {"provider": self.provider, "price": Decimal("0.0450"), "sent_at": self.ago(minutes=2)}
        return self.add("Message", phone=phone, status=status, **{**own, **sent, **fields})

    def write(self) -> None:
        """Rows of each model: codes that live, messages in every status, and what came back."""
        live = self.verification(PHONE, nonce=NONCE, key_id=KEY_ID)
        self.message(PHONE, "accepted", verification=live, remote_id="1001")
        joined = self.verification(PHONE, root=live, nonce="", key_id="", is_reserved=False)
        self.add("RememberedRequest", key="k" * 64, body="b" * 64, verification=joined)
        self.add("KnownNumber", digest=DIGEST, verified_at=self.ago(days=10), devices_from=self.ago(days=10))
        self.add("KnownNumber", digest="0" * 64, verified_at=self.ago(days=200))
        for phone in (QUEUED, TAKEN):
            self.message(phone, "queued", verification=self.verification(phone), sent_at=None)
        self.message(NOTIFIED, "queued", template=self.notice, purpose="notice", values=VALUES, sent_at=None)
        for hours in range(5):
            once = self.ago(minutes=5 + hours)
            used = self.verification(FULL, created_at=once, verified_at=once, redeemed_at=once)
            self.message(FULL, "delivered", verification=used, created_at=once, settled_at=once)
        self._old_messages()
        self.add("LateChange", moment=self.ago(days=2))
        day = self.add("SummedDay", starts_at=self.ago(days=9), ends_at=self.ago(days=8), summed_at=self._now)
        sums = {"status": "delivered", "messages": 7, "segments": 7, "cost": Decimal("0.3150"), "unpriced": 0}
        self.add("DailySum", day=day, provider=self.provider, purpose="login", **sums)

    def _old_messages(self) -> None:
        once = {"created_at": self.ago(days=4), "claimed_at": self.ago(days=4), "polls": 3}
        ended = self.verification(OLD, created_at=self.ago(days=4), expires_at=self.ago(days=4))
        for number, status in enumerate(("sending", "unknown", "not_sent", "accepted", "undelivered", "delivered")):
            settled = None if status in ("sending", "unknown", "accepted") else self.ago(days=4)
            message = self.message(OLD, status, verification=ended, remote_id=f"90{number}", settled_at=settled, **once)
        report = {"provider": self.provider, "message": message, "remote_id": message.remote_id, "phone": OLD}
        self.add("DeliveryReport", **report, outcome="delivered", source="push", fingerprint=uuid4())
        self.add("Reply", **report, content="收到", fingerprint=uuid4())
        self.add("ReportBatch", provider=self.provider, body="[", problems="cannot be read")


@pytest.fixture
def _at_0_1() -> Iterator[None]:
    """The tables of 0.1; afterwards those of the suite."""
    migrate("zero")
    migrate("0001")
    yield
    migrate()


def migrate(*target: str) -> None:
    call_command("migrate", OURS, *target, verbosity=0)


@pytest.mark.slow
@pytest.mark.usefixtures("_at_0_1")
def test_a_database_of_0_1_is_upgraded(sandbox: Sandbox) -> None:
    old = Release01(sandbox)
    old.write()

    migrate()

    assert_that_checks_and_pages_are_well(old.names)
    assert_that_all_goes_on(old, sandbox)


@pytest.mark.slow
def test_processes_of_0_1_run_on_after_the_migration(sandbox: Sandbox) -> None:
    old = Release01(sandbox)

    old.write()

    assert_that_all_goes_on(old, sandbox)


def assert_that_all_goes_on(old: Release01, sandbox: Sandbox) -> None:
    assert {name for name in old.names if not getattr(models, name).objects.exists()} == set()
    assert_that_limits_count_what_was_sent()
    assert_that_a_code_is_resent_and_verified(sandbox)
    assert_that_an_accepted_message_gets_its_report()
    assert_that_queued_messages_are_sent_and_old_ones_settled(sandbox)


def assert_that_checks_and_pages_are_well(names: set[str]) -> None:
    problems = io.StringIO()
    # A connection without emoji is warned of, whatever wrote the tables.
    silenced = [] if services.HAS_EMOJI else ["smsverify.W012"]
    with override_settings(SILENCED_SYSTEM_CHECKS=silenced):
        call_command("check", databases=["default"], fail_level="WARNING", stderr=problems)
    assert problems.getvalue() == ""
    browser = Client()
    browser.force_login(User.objects.create_superuser("operator"))
    for model in admin.site._registry:
        if model.__name__ in names:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            assert browser.get(reverse(f"{name}_changelist")).status_code == 200
            # Of messages one in each status.
            rows = Message.objects.filter(phone=OLD) if model is Message else model._default_manager.all()[:1]
            for row in rows:
                assert browser.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200, row


def call(address: str, **body: str) -> tuple[int, Any]:
    answer = Client().post(f"/sms/{address}/", body, JSON)
    return answer.status_code, answer.json()


def assert_that_limits_count_what_was_sent() -> None:
    status, answer = call("send", phone=FULL, purpose="login")
    assert (status, answer["code"], answer["scope"]) == (429, "throttled", "phone")


def assert_that_a_code_is_resent_and_verified(sandbox: Sandbox) -> None:
    code = Verification.objects.get(nonce=NONCE)
    assert call("send", verification_id=str(code.pk))[0] == 202
    (sms,) = sandbox.inbox.of(PHONE[3:])
    assert code_in(sms.text) == CODE
    status, answer = call("verify", verification_id=str(code.joined.get().pk), code=CODE)
    assert status == 200
    assert redeem_proof(answer["proof"], "login") == PHONE
    known = KnownNumber.objects.get(digest=DIGEST)
    assert timezone.now() - known.verified_at < timedelta(minutes=1)


def assert_that_an_accepted_message_gets_its_report() -> None:
    message = Message.objects.get(remote_id="1001")
    secret = Provider.objects.get().webhook_secret
    body = topthink_report(id="1001", phone=PHONE[3:])
    assert Client().post(f"/sms/webhooks/topthink/{secret}/", body, JSON).status_code == 200
    message.refresh_from_db()
    assert (message.status, message.reports.get().outcome) == ("delivered", "delivered")


def assert_that_queued_messages_are_sent_and_old_ones_settled(sandbox: Sandbox) -> None:
    run_task([str(Message.objects.get(phone=TAKEN).pk)])
    poll()

    for phone in (QUEUED, TAKEN):
        (sms,) = sandbox.inbox.of(phone[3:])
        verification = Verification.objects.get(phone=phone)
        assert call("verify", verification_id=str(verification.pk), code=code_in(sms.text))[0] == 200
    assert [sms.text for sms in sandbox.inbox.of(NOTIFIED[3:])] == [
        f"【示例站】{catalogue.NOTICE_TEXT.format(name='王先生')}"
    ]
    ended = Message.objects.filter(phone=OLD)
    assert dict(ended.values_list("remote_id", "status")) == {
        "900": MessageStatus.UNKNOWN,
        "901": MessageStatus.UNKNOWN,
        "902": MessageStatus.NOT_SENT,
        "903": MessageStatus.ACCEPTED,
        "904": MessageStatus.UNDELIVERED,
        "905": MessageStatus.DELIVERED,
    }
    assert not ended.filter(settled_at=None).exists()
    assert not KnownNumber.objects.filter(digest="0" * 64).exists()
    assert DeliveryReport.objects.filter(remote_id="905").count() == 1
