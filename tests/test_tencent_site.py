"""A site with an account at Tencent Cloud: what its own interface makes possible, over real sockets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from sandbox import catalogue
from sandbox.server import Fault, Sandbox, Travel

from django_smsverify.enums import BalanceState, MessageStatus, ReviewStatus
from django_smsverify.gateways import base
from django_smsverify.models import Message, Signature, Template
from django_smsverify.money.balances import ask_balance, check_balances
from django_smsverify.polling.poll import poll
from django_smsverify.reviews.actions import delete, fetch, resubmit, submit
from django_smsverify.sending import send_message
from django_smsverify.testing import FakeTransport

from .conftest import PHONE, MakeProvider, Site, add_template

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_PHONE = "+8613900139000"


def poll_when_due() -> None:
    Message.objects.update(poll_at=timezone.now() - timedelta(seconds=1))
    poll()


@pytest.mark.parametrize(("arrives", "status"), [(True, "delivered"), (False, "undelivered")])
def test_a_message_whose_answer_was_lost_is_found_and_its_fate_is_asked_for(
    arrives: bool, status: str, vendor: MakeProvider, sandbox: Sandbox, site: Site
) -> None:
    vendor("tencent")
    sandbox.travel("tencent", Travel(delay=3600, copies=0, arrives=arrives))
    sandbox.misbehave("tencent", Fault.deliver_then_status(502), times=1)
    assert site.send().status_code == 202
    assert Message.objects.get().status == MessageStatus.UNKNOWN

    poll_when_due()
    assert Message.objects.get().status == MessageStatus.UNKNOWN
    sandbox.flush()
    poll_when_due()

    message = Message.objects.get()
    (sms,) = sandbox.inbox.all()
    assert (message.status, message.remote_id) == (status, sms.remote_id)


def test_many_numbers_go_in_one_call_and_each_has_its_verdict(vendor: MakeProvider, sandbox: Sandbox) -> None:
    provider = vendor("tencent")
    template = add_template(provider, "notice", catalogue.NOTICE_TEXT, catalogue.TENCENT_NOTICE.id)
    sandbox.set_credits("tencent", 2)
    before = len(sandbox.exchanges)

    found = send_message(template, {phone: {"name": "李雷"} for phone in (PHONE, OTHER_PHONE, "+8615900159000")})

    assert len(sandbox.exchanges) == before + 1
    outcomes = [(message.status, message.error_reason) for message in found]
    assert sorted(outcomes) == [("accepted", ""), ("accepted", ""), ("not_sent", "account")]
    assert {sms.phone: sms.remote_id for sms in sandbox.inbox.all()} == {
        message.phone[3:]: message.remote_id for message in found if message.remote_id
    }


def test_an_account_without_its_application_sends_nothing_and_says_what_to_do(
    vendor: MakeProvider, sandbox: Sandbox, site: Site
) -> None:
    vendor("tencent", options={"sdk_app_id": ""})

    assert site.send().status_code == 503

    message = Message.objects.get()
    assert (message.status, message.error_reason) == ("not_sent", "account")
    assert "the provider has no sdk_app_id" in message.error_message
    assert sandbox.inbox.all() == ()


def test_a_clock_that_is_wrong_is_the_accounts_fault(vendor: MakeProvider, sandbox: Sandbox, site: Site) -> None:
    vendor("tencent")
    sandbox.misbehave("tencent", Fault.refuse("AuthFailure.SignatureExpire"), times=1)

    assert site.send().status_code == 503
    assert Message.objects.get().error_reason == "account"


def test_a_template_from_draft_to_deletion(vendor: MakeProvider, sandbox: Sandbox) -> None:
    content = "{minutes}分钟内有效的登录验证码：{code}"
    text = Template.objects.create(
        provider=vendor("tencent"), purpose="payment", name="支付", content=content, remark="网站支付"
    )

    submit(text)
    assert (text.status, sandbox.submitted("tencent", "template")[-1][:2]) == (
        ReviewStatus.PENDING,
        (text.remote_id, "{1}分钟内有效的登录验证码：{2}"),
    )
    sandbox.judge("tencent", "template", text.remote_id, approved=False, reason="请提供网址")
    fetch(text)
    assert (text.status, text.reason, text.content) == (ReviewStatus.REJECTED, "请提供网址", content)
    resubmit(text)
    sandbox.judge("tencent", "template", text.remote_id, approved=True)
    Template.objects.filter(pk=text.pk).update(poll_at=timezone.now())
    poll()
    text.refresh_from_db()
    assert (text.status, text.content) == (ReviewStatus.APPROVED, content)
    delete(text)
    assert (text.status, text.remote_id) == (ReviewStatus.DRAFT, "")


def test_a_signature_is_imported_by_its_number(vendor: MakeProvider) -> None:
    sign = catalogue.TENCENT_UNAPPROVED_SIGN

    found = fetch(Signature(provider=vendor("tencent"), remote_id=sign.id))

    assert (found.text, found.status) == (sign.name, ReviewStatus.PENDING)


def test_the_balance_is_what_is_left_of_the_package(vendor: MakeProvider, sandbox: Sandbox, site: Site) -> None:
    provider = vendor("tencent")
    sandbox.set_credits("tencent", 242)
    site.send()

    ask_balance(provider)

    provider.refresh_from_db()
    assert provider.balance == 241


def test_a_reply_is_linked_to_the_newest_message(vendor: MakeProvider, sandbox: Sandbox, site: Site) -> None:
    provider = vendor("tencent")
    sandbox.travel("tencent", Travel(delay=3600))
    sandbox.webhooks["tencent"] = site.url + provider.webhook_path
    site.send()
    sandbox.reply(PHONE[3:], "TD")

    sandbox.flush()

    reply = provider.replies.get()
    assert (reply.message, reply.content) == (Message.objects.get(), "TD")
    assert {(pushed.status, pushed.answer) for pushed in sandbox.pushes} == {(200, '{"result":0,"errmsg":"OK"}')}


def test_an_account_that_pays_afterwards_has_no_balance_and_is_asked_at_intervals(
    vendor: MakeProvider, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = vendor("tencent", balance=0, balance_checked_at=timezone.now() - timedelta(days=1))
    nothing = b'{"Response":{"SmsPackagesStatisticsSet":null,"RequestId":"1"}}'
    transport = FakeTransport(*[nothing] * 5)
    monkeypatch.setattr(base, "_http_transport", lambda: transport)

    assert [check.state for check in check_balances()] == [BalanceState.UNASKABLE]
    for _ in range(3):
        poll()

    provider.refresh_from_db()
    assert (provider.balance, provider.is_empty, len(transport.requests)) == (None, False, 1)
    page = admin_client.get(reverse("admin:smsverify_provider_change", args=[provider.pk])).content.decode()
    assert "none: the account pays afterwards" in page
