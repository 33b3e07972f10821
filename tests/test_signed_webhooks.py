"""A vendor that signs its pushes, takes our ids and wants an answer of its own, over real HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.enums import MessageStatus
from django_smsverify.gateways import base
from django_smsverify.models import DeliveryReport, Message, Provider
from django_smsverify.polling.poll import poll
from django_smsverify.sending.vendor_call import send_to_vendor
from django_smsverify.testing import FakeTransport

from .bureau_sms import push_of
from .conftest import PHONE, LogRecorder, add_template

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_bureau"),
]
KEY, PUBLIC = "the-key-of-the-bureau", "https://www.example.com"


@pytest.fixture
def _bureau() -> Any:
    with override_settings(SMSVERIFY={"GATEWAYS": {"bureau": "tests.bureau_sms.BureauGateway"}}):
        yield


@pytest.fixture
def bureau() -> Provider:
    provider = Provider.objects.create(name="Bureau", slug="bureau", gateway="bureau", credentials={"key": KEY})
    add_template(provider, "login", "您的验证码是{code}。", "")
    return provider


def sent(provider: Provider, status: MessageStatus, **fields: Any) -> Message:
    template, now = provider.templates.all()[0], timezone.now()
    fields = {"phone": PHONE, "purpose": "login", "status": status, "claimed_at": now, **fields}
    return Message.objects.create(provider=provider, template=template, **fields)


def call(
    provider: Provider,
    public: str = "http://testserver",
    query: str = "",
    rows: Sequence[Mapping[str, str]] = (),
    **fields: str,
) -> HttpResponse:
    target = provider.webhook_path + query
    push = push_of(KEY, public + target, *rows, **fields)
    headers = {"X-Signature": push.headers["x-signature"]}
    return Client().post(target, push.body, content_type="application/json", headers=headers)  # type: ignore[return-value]


def test_a_signed_push_is_stored_and_acknowledged_in_the_vendors_way(bureau: Provider) -> None:
    message = sent(bureau, MessageStatus.ACCEPTED, remote_id="42")

    answer = call(bureau, query="?a=1&b=%E4%BD%A0")

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b'{"ok":true}', "application/json")
    message.refresh_from_db()
    assert message.status == MessageStatus.DELIVERED


def test_a_forged_push_is_refused_and_not_stored(bureau: Provider, caplog: LogRecorder) -> None:
    sent(bureau, MessageStatus.ACCEPTED, remote_id="42")

    answer = call(bureau, "https://attacker.example")

    assert (answer.status_code, answer.content) == (403, b"This call is not signed by the vendor.")
    assert not DeliveryReport.objects.exists()
    assert bureau.webhook_secret not in caplog.text


def test_behind_a_proxy_the_operator_says_by_which_address_the_vendor_calls(bureau: Provider) -> None:
    assert call(bureau, PUBLIC).status_code == 403
    bureau.options = {"public_url": f"{PUBLIC}/"}
    bureau.save()

    assert call(bureau, PUBLIC, query="?a=1").status_code == 200
    assert call(bureau).status_code == 403


def test_a_call_by_an_unknown_host_is_refused_where_the_address_counts(bureau: Provider) -> None:
    # Django's own middleware would refuse every call by this host.
    with override_settings(ALLOWED_HOSTS=["www.example.com"], MIDDLEWARE=[]):
        assert call(bureau).status_code == 400
        Provider.objects.update(options={"public_url": PUBLIC})
        assert call(bureau, PUBLIC).status_code == 200


@pytest.mark.parametrize("public", ["", PUBLIC])
def test_an_sms_names_the_webhook_where_its_address_is_known(public: str, bureau: Provider) -> None:
    bureau.options = {"public_url": public}
    bureau.full_clean()

    expected = public + bureau.webhook_path if public else ""
    assert bureau.gateway_client().account.webhook_url == expected
    assert bureau.webhook_secret not in repr(bureau.gateway_client().account)


def test_each_sms_of_its_own_call_carries_our_id(bureau: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = FakeTransport(b'{"code": "ok", "id": "42"}')
    monkeypatch.setattr(base, "_http_transport", lambda: transport)
    message = sent(bureau, MessageStatus.QUEUED, claimed_at=None)

    send_to_vendor([message], {PHONE: {"code": "471102"}})

    assert message.pk.hex.encode() in transport.requests[0].body  # type: ignore[operator]


@pytest.mark.parametrize("others", [0, 2])
def test_a_report_with_our_id_finds_the_message_that_lost_its_own(others: int, bureau: Provider) -> None:
    for _ in range(others):
        sent(bureau, MessageStatus.UNKNOWN)
    message = sent(bureau, MessageStatus.UNKNOWN)

    call(bureau, own=message.pk.hex)

    message.refresh_from_db()
    assert (message.status, message.remote_id) == (MessageStatus.DELIVERED, "42")
    assert Message.objects.filter(status=MessageStatus.UNKNOWN).count() == others


def test_many_reports_with_our_ids_find_their_messages(bureau: Provider) -> None:
    messages = [sent(bureau, MessageStatus.UNKNOWN) for _ in range(3)]

    rows = [{"id": str(place), "own": message.pk.hex} for place, message in enumerate(messages)]
    assert call(bureau, rows=rows).status_code == 200

    found = Message.objects.order_by("remote_id").values_list("remote_id", "status", "pk")
    assert list(found) == [(str(place), "delivered", one.pk) for place, one in enumerate(messages)]


@pytest.mark.parametrize("own", ["0" * 32, "no id", "4\u0000", "x" * 5000])
def test_a_report_with_an_id_that_is_not_ours_takes_no_message(own: str, bureau: Provider) -> None:
    message = sent(bureau, MessageStatus.UNKNOWN)

    assert call(bureau, own=own).status_code == 200

    message.refresh_from_db()
    assert (message.status, message.remote_id) == (MessageStatus.UNKNOWN, "")
    assert DeliveryReport.objects.get().message is None


def test_a_message_without_an_id_is_asked_about_by_ours(bureau: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = sent(bureau, MessageStatus.UNKNOWN, poll_at=timezone.now() - timedelta(minutes=1))
    sent(bureau, MessageStatus.UNKNOWN, poll_at=timezone.now() + timedelta(minutes=1))  # to the same number
    sent(bureau, MessageStatus.UNKNOWN, batch="b", phone="+8613900139000")  # one of a call with many numbers
    transport = FakeTransport(
        f'{{"id": "77", "to": "{PHONE}", "state": "arrived"}}'.encode(),
    )
    monkeypatch.setattr(base, "_http_transport", lambda: transport)

    assert poll()["reported"] == 1

    lost.refresh_from_db()
    assert (lost.status, lost.remote_id) == (MessageStatus.DELIVERED, "77")
    assert [request.url for request in transport.requests] == [
        f"https://sms.bureau.example/status?id=&own={lost.pk.hex}&day={lost.claimed_at:%Y%m%d}"
    ]
