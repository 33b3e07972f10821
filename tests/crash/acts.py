"""What a process of the site does. Each function runs in its own process, with arguments and a result in JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from io import StringIO
from typing import Any
from unittest.mock import patch

from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from sandbox.catalogue import CREDENTIALS, PLAIN_TEXT

from django_smsverify import phones
from django_smsverify.exceptions import SMSVerifyError, SubmissionRefused
from django_smsverify.gateways import transport  # noqa: F401 - slow to import
from django_smsverify.limits.budget import amount_of
from django_smsverify.models import (
    DeliveryReport,
    KnownNumber,
    Message,
    Provider,
    Signature,
    Spending,
    Template,
    Verification,
)
from django_smsverify.models.fields import encrypt
from django_smsverify.numbers.devices import make_device_token
from django_smsverify.reports import single
from django_smsverify.reviews import actions
from django_smsverify.sending import later, resend_code, send_code
from django_smsverify.sending.worker import send_waiting
from django_smsverify.verifying import redeem_proof, verify_code
from tests.conftest import CODE_TEXT, PLAIN_IDS, REMOTE_IDS, add_template

from .deaths import before, until_answered
from .points import ANSWER

SECRET = "A-SECRET-of-these-tests-alone"
PURPOSES = {"ihuyi": ("payment",), "topthink": ("login", "payment", "two-ways"), "qixuntong": ("two-ways",)}
"""The purposes of each provider; the first provider is tried first."""
OPTIONS = {"topthink": {"http_method": "POST"}}
"""With POST a request has a body, which may be missing."""
BULK_OPTIONS = {"apispace": {"report_host": "http://127.0.0.1:9"}}
"""Without reports, only the result of the process itself is stored."""


def warm_up() -> None:
    """Does slow work without a database once, before the processes are forked."""
    encrypt({"key": "value"})
    phones.parse("13800138000")
    reverse("smsverify:send")


def create() -> None:
    connection.creation.create_test_db(verbosity=0, autoclobber=True)


def drop() -> None:
    connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def empty_tables() -> None:
    """Removes every row of the app; a model is defined after those that it refers to."""
    for model in reversed(list(apps.get_app_config("smsverify").get_models())):
        model._default_manager.all().delete()


def set_up(base_urls: Mapping[str, str]) -> None:
    """A site with two providers and no messages."""
    empty_tables()
    for priority, (vendor, purposes) in enumerate(PURPOSES.items()):
        provider = Provider.objects.create(
            name=vendor,
            slug=vendor,
            gateway=vendor,
            base_url=base_urls[vendor],
            credentials=dict(CREDENTIALS[vendor]),
            priority=priority,
            options=OPTIONS.get(vendor, {}),
            webhook_secret=SECRET,
        )
        for purpose in purposes:
            add_template(provider, purpose, CODE_TEXT, REMOTE_IDS.get(vendor, ""))


def set_budgets() -> None:
    """Gives every provider a price, and a budget that is not spent."""
    Provider.objects.update(price="0.045", budget_day=100, budget_month=100)


def budgets() -> list[tuple[str, str]]:
    """What is stored as spent of each budget, and what the messages cost that are counted in it."""
    counted: dict[str, Decimal] = defaultdict(Decimal)
    for message in Message.objects.exclude(counted_in=""):
        for pk in message.counted_in.split():
            counted[pk] += amount_of(message)
    return [(str(row.spent), f"{counted[str(row.pk)]:.4f}") for row in Spending.objects.all()]


def send(phones: Iterable[str]) -> None:
    for phone in phones:
        send_code(phone, "login")


def send_for_two_ways(phones: Iterable[str]) -> None:
    """Codes that another vendor can send too."""
    for phone in phones:
        send_code(phone, "two-ways")


def enqueue(phone: str) -> None:
    """Requests a code that a worker is to send."""
    with override_settings(SMSVERIFY={"DISPATCH": "tasks"}):
        send_code(phone, "login")


def failover(phone: str) -> None:
    send_code(phone, "payment")


def resend(phone: str) -> None:
    resend_code(Verification.objects.get(phone=phone).pk)


def join(phone: str) -> None:
    """Requests a code while an earlier one is live."""
    send_code(phone, "login")


def worker(phone: str) -> None:
    send_waiting(list(Message.objects.filter(phone=phone).values_list("pk", flat=True)))


def webhook(phone: str) -> None:
    """TopThink pushes that the SMS has arrived."""
    _push(phone, status=1, message="")


def failed(phone: str) -> None:
    """TopThink pushes that the SMS has not arrived, and a thread sends the code by another vendor."""
    _push(phone, status=-1, message="SIGNERR")
    later._threads.shutdown()


def _push(phone: str, **result: Any) -> None:
    message = Message.objects.get(phone=phone, provider__slug="topthink")
    task = {"id": message.remote_id, "phone": phone[3:], **result}
    dates = dict.fromkeys(("sendDate", "receiveDate"), "2026-11-22 12:00:00")
    body = json.dumps({"action": "report", "sms": task | dates})
    answer = Client().post(f"/sms/webhooks/topthink/{SECRET}/", body, content_type="application/json")
    assert answer.status_code == 200, answer.content


def overtaken(phone: str) -> None:
    """The same push; the id of its message is stored after it was searched, and before the report."""
    with patch.object(single, "_message_of", return_value=None):
        webhook(phone)


def draft(text: str) -> int:
    """A signature that is not submitted yet."""
    provider = Provider.objects.get(slug="topthink")
    return Signature.objects.create(provider=provider, text=text, remark="用于示例站登录").pk


def submit(pk: int) -> str:
    """Submits a signature; returns the reason when it is refused."""
    try:
        actions.submit(Signature.objects.get(pk=pk))
    except SubmissionRefused as error:
        return str(error)
    return "submitted"


def submissions() -> dict[str, tuple[str, str]]:
    """Each signature's state and its id at the vendor."""
    return {row.text: (row.status, row.remote_id) for row in Signature.objects.all()}


def poll() -> str:
    output = StringIO()
    call_command("smsverify_poll", stdout=output)
    return output.getvalue()


def verify(phone: str) -> None:
    """A right guess on the newest verification of a number."""
    verification = Verification.objects.filter(phone=phone).latest("created_at")
    verify_code(verification.pk, verification.derive_code())


verify_joined = verify


def verify_each(codes: Mapping[str, str]) -> dict[str, str]:
    """The result of verifying the code of each of these phones."""
    return {phone: _verified(phone, code) for phone, code in codes.items()}


def _verified(phone: str, code: str) -> str:
    try:
        verify_code(Verification.objects.get(phone=phone, root=None).pk, code)
    except SMSVerifyError as error:
        return error.code
    except Verification.DoesNotExist as error:
        return repr(error)
    return "verified"


def make_known(phone: str) -> str:
    """Lets a number have been verified here; returns its device token."""
    now = timezone.now()
    KnownNumber.objects.remember(phone, now, before=None)
    return make_device_token(phone, now)


def post(path: str, body: Mapping[str, str], key: str) -> tuple[int, dict[str, Any]]:
    """The status and the answer of a request of a front end, which it may repeat if it has a key."""
    headers = {"Idempotency-Key": key} if key else {}
    answer = Client().post(f"/sms/{path}/", body, "application/json", headers=headers)
    return answer.status_code, answer.json()


def pages(phone: str) -> list[str]:
    """The verifications of a number, oldest first."""
    return [
        str(pk) for pk in Verification.objects.filter(phone=phone).order_by("created_at").values_list("pk", flat=True)
    ]


def guessed(phone: str) -> tuple[int, int, bool]:
    """The guesses that were counted for a number, how many of its codes were verified, and whether it is known."""
    rows = Verification.objects.filter(phone=phone)
    attempts = sum(rows.values_list("attempts", flat=True))
    return attempts, rows.filter(verified_at__isnull=False).count(), KnownNumber.objects.of(phone).exists()


def redeem(proof: str) -> str:
    """The number that was proved; the code of the refusal if the proof was used."""
    try:
        return redeem_proof(proof, "login")
    except SMSVerifyError as error:
        return error.code


def rows() -> list[dict[str, Any]]:
    """The messages, oldest first."""
    return [
        {
            "id": str(message.pk),
            "phone": message.phone,
            "status": message.status,
            "counted": bool(message.counted_in),
            "claimed": message.claimed_at is not None,
            "settled": message.settled_at is not None,
        }
        for message in Message.objects.filter(verification__isnull=False).order_by("created_at", "attempt")
    ]


def reports() -> list[str]:
    """The numbers on which a vendor has reported."""
    return list(DeliveryReport.objects.values_list("phone", flat=True))


def requested_phones() -> list[str]:
    """The numbers for which a code was requested."""
    return list(Verification.objects.values_list("phone", flat=True))


def set_up_bulk(gateway: str, base_url: str) -> None:
    """A site with one provider, a text without a code, and no messages."""
    empty_tables()
    provider = Provider.objects.create(
        name=gateway,
        slug=gateway,
        gateway=gateway,
        base_url=base_url,
        credentials=dict(CREDENTIALS[gateway]),
        options={"pace": "999", **BULK_OPTIONS.get(gateway, {})},
    )
    add_template(provider, "notice", PLAIN_TEXT, PLAIN_IDS.get(gateway, ""))


def send_bulk(file: str) -> str:
    """The output of the operator's command, and its error."""
    output = StringIO()
    try:
        call_command("smsverify_send", file=file, template=str(Template.objects.get().pk), stdout=output)
    except CommandError as error:
        print(error, file=output)
    return output.getvalue()


def send_bulk_and_kill(file: str, nth: int) -> str:
    """Killed when the answer to the nth call has arrived, but is not read."""
    before(ANSWER, nth, first=until_answered)()
    return send_bulk(file)


def bulk_statuses() -> dict[str, str]:
    """The status of each number's message; raises when a number has two."""
    found = list(Message.objects.values_list("phone", "status"))
    assert len(found) == len(dict(found))
    return dict(found)
