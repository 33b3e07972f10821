"""Vendors push reports, replies and verdicts over real sockets to the webhooks of a site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.test import override_settings
from django.urls import reverse
from sandbox.server import Sandbox, Travel

from django_smsverify.enums import MessageStatus, ReviewStatus
from django_smsverify.models import DeliveryReport, Message, Provider, Reply
from django_smsverify.models.gateway_classes import gateway_class
from django_smsverify.polling.poll import poll

from . import services
from .conftest import PHONE, MakeProvider, Site, add_template, quickly

pytestmark = pytest.mark.django_db(transaction=True)

PUSHING = ("topthink", "veesing", "ihuyi", "aliyun", "tencent", "twilio")
CALLS = {"twilio": 3}
"""How often a vendor calls about one SMS, if not once: it tells the statuses on the way, too."""
ANSWERS = {"twilio": ""}
"""The answer to a report, if it is another than to all else."""
LATER = Travel(delay=3600)


@pytest.fixture
def listening(vendor: MakeProvider, sandbox: Sandbox, site: Site) -> Callable[[str], Provider]:
    """Makes a provider whose vendor has the URL of its webhook."""

    def make(gateway: str) -> Provider:
        provider = vendor(gateway, f"login-{gateway}")
        path = reverse("smsverify:webhook", args=[provider.slug, provider.webhook_secret])
        sandbox.webhooks[gateway] = site.url + path
        sandbox.travel(None, LATER)
        return provider

    return make


def status_of(site: Site, sent: Any) -> str:
    answer = requests.get(f"{site.url}/sms/send/{sent.json()['verification_id']}/", timeout=20)
    return str(answer.json()["status"])


@pytest.mark.parametrize("gateway", quickly(PUSHING))
@pytest.mark.parametrize(
    ("travel", "status"),
    [
        (Travel(delay=3600), "delivered"),
        (Travel(delay=3600, arrives=False), "undelivered"),
        (Travel(delay=3600, copies=3), "delivered"),
        (Travel(early=True), "delivered"),
        (Travel(early=True, copies=2, arrives=False), "undelivered"),
        (Travel(delay=3600, copies=0), "accepted"),
    ],
    ids=str,
)
def test_the_delivery_of_a_code_is_pushed_and_returned(
    listening: Callable[[str], Provider], sandbox: Sandbox, site: Site, gateway: str, travel: Travel, status: str
) -> None:
    listening(gateway)
    sandbox.travel(None, travel)

    sent = site.send(purpose=f"login-{gateway}")
    sandbox.flush()

    assert status_of(site, sent) == status
    assert {(pushed.status, pushed.answer) for pushed in sandbox.pushes} <= {
        (200, ANSWERS.get(gateway, gateway_class(gateway).acknowledgement))
    }
    assert len(sandbox.pushes) == travel.copies * CALLS.get(gateway, 1)
    assert DeliveryReport.objects.filter(message__isnull=False).count() == min(1, travel.copies)
    assert Message.objects.get().sent_at is not None


def test_pushes_in_any_order_have_the_same_result(
    listening: Callable[[str], Provider], sandbox: Sandbox, site: Site
) -> None:
    listening("topthink")
    sandbox.travel(None, Travel(delay=3600, backwards=True, copies=2))
    for number in range(8):
        site.send(f"1380013800{number}", "login-topthink")

    sandbox.flush()

    assert len(sandbox.pushes) == 16
    assert Message.objects.filter(status=MessageStatus.DELIVERED).count() == DeliveryReport.objects.count() == 8


@pytest.mark.parametrize("gateway", ["veesing", "ihuyi", "tencent", "twilio"])
def test_a_reply_is_stored(listening: Callable[[str], Provider], sandbox: Sandbox, site: Site, gateway: str) -> None:
    provider = listening(gateway)
    site.send(purpose=f"login-{gateway}")
    sandbox.flush()

    assert sandbox.reply(PHONE[3:], "谢谢 😀\n再见")
    sandbox.flush()

    reply = Reply.objects.get()
    stored = services.as_stored("谢谢 😀\n再见")
    assert (reply.provider, reply.message, reply.content) == (provider, Message.objects.get(), stored)


@pytest.mark.parametrize(("approved", "status"), [(True, ReviewStatus.APPROVED), (False, ReviewStatus.REJECTED)])
@pytest.mark.parametrize(("gateway", "remote_id"), [("topthink", "238"), ("ihuyi", "2004")])
def test_a_pushed_verdict_is_confirmed_and_stored(
    listening: Callable[[str], Provider],
    sandbox: Sandbox,
    gateway: str,
    remote_id: str,
    approved: bool,
    status: ReviewStatus,
) -> None:
    template = add_template(
        listening(gateway), "register", "动态码{code}，请勿转发。", remote_id, status=ReviewStatus.PENDING
    )

    sandbox.judge(gateway, "template", remote_id, approved=approved, reason="" if approved else "请提供网址")
    sandbox.flush()

    template.refresh_from_db()
    assert template.status == status
    assert ("请提供网址" in template.reason) is not approved


def test_a_verdict_that_cannot_be_confirmed_now_is_confirmed_later(
    listening: Callable[[str], Provider], sandbox: Sandbox
) -> None:
    provider = listening("topthink")
    template = add_template(provider, "register", "动态码{code}，请勿转发。", "238")
    Provider.objects.update(base_url="http://127.0.0.1:9")
    sandbox.judge("topthink", "template", "238", approved=False, reason="请提供网址")
    sandbox.flush()
    template.refresh_from_db()
    assert (template.status, sandbox.pushes[-1].answer) == (ReviewStatus.APPROVED, "success")

    Provider.objects.update(base_url=sandbox.base_urls["topthink"])
    poll()

    template.refresh_from_db()
    assert (template.status, template.reason, template.poll_at) == (ReviewStatus.REJECTED, "请提供网址", None)


def test_a_push_that_repeats_a_verdict_causes_one_query(listening: Callable[[str], Provider], sandbox: Sandbox) -> None:
    add_template(listening("topthink"), "register", "动态码{code}，请勿转发。", "238")
    verdict = {"action": "template", "sign": {"id": "238", "status": 1}}

    before = len(sandbox.exchanges)

    answer = requests.post(sandbox.webhooks["topthink"], json=[verdict] * 100, timeout=60)

    assert (answer.status_code, answer.text) == (200, "success")
    assert [exchange.path for exchange in sandbox.exchanges[before:]] == ["/topthink/sms/query_template"]


def test_a_push_over_the_sites_own_limit_is_too_large(listening: Callable[[str], Provider], sandbox: Sandbox) -> None:
    listening("topthink")

    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10):
        answer = requests.post(sandbox.webhooks["topthink"], json=[{"action": "report"}], timeout=60)

    assert answer.status_code == 413
