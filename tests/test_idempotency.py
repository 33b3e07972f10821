"""A lost answer: the same Idempotency-Key gets the same verification or the same proof, and never a second SMS."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, RememberedRequest, Verification
from django_smsverify.signals import phone_verified
from django_smsverify.verifying import redeem_proof

from .conftest import PHONE, MakeProvider, Site, last_code, refusal, wrong
from .test_storing_reports import values_sent

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "press-1_of-the-button"
ROUNDS = int(os.environ.get("ROUNDS", "20"))
"""Each round loses the answers of a send and of a verify."""
NOW = datetime(2026, 11, 21, 12, 1, tzinfo=UTC)
Answer = requests.Response


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


def send(site: Site, key: str = KEY, **changes: Any) -> Answer:
    return site.post("send", {"phone": PHONE, "purpose": "login", **changes}, Idempotency_Key=key)


def resend(site: Site, verification_id: str, key: str) -> Answer:
    return site.post("send", {"verification_id": verification_id}, Idempotency_Key=key)


def verify(site: Site, verification_id: str, code: str, key: str = KEY) -> Answer:
    return site.post("verify", {"verification_id": verification_id, "code": code}, Idempotency_Key=key)


class TestSend:
    def test_a_repeated_send_has_the_same_verification_and_no_sms(
        self, site: Site, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send(site).json()
        clock.shift(7)

        again = send(site)

        assert again.status_code == 202
        assert again.json() == {**first, "expires_in": 293, "resend_in": 53}
        assert len(MemoryGateway.outbox) == 1

    def test_without_a_key_every_send_is_another(self, site: Site, memory: MakeProvider) -> None:
        memory()
        with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0}):
            ids = {site.send().json()["verification_id"] for _time in range(2)}
        assert (len(ids), len(MemoryGateway.outbox), RememberedRequest.objects.count()) == (2, 2, 0)

    @pytest.mark.parametrize(
        "changes", [{"purpose": "payment"}, {"phone": "+8613900139000"}, {"context": {"amount": 1}}]
    )
    def test_another_body_is_refused(self, changes: dict[str, Any], site: Site, memory: MakeProvider) -> None:
        memory("login", "payment")
        send(site)

        answer = send(site, **changes)

        assert refusal(answer) == (422, "idempotency_mismatch")
        assert len(MemoryGateway.outbox) == 1

    @pytest.mark.parametrize("changes", [{"phone": "138 0013 8000"}, {"context": {}}])
    def test_another_spelling_of_the_body_is_the_same(
        self, changes: dict[str, Any], site: Site, memory: MakeProvider
    ) -> None:
        memory()
        first = send(site).json()["verification_id"]
        assert send(site, **changes).json()["verification_id"] == first

    @pytest.mark.parametrize("key", ["", "short-7", "x" * 65, "with space", "with/slash", "é" * 10])
    def test_a_key_that_cannot_be_used_is_explained(self, key: str, client: Client, memory: MakeProvider) -> None:
        memory()
        body = {"phone": PHONE, "purpose": "login"}
        for path, sent in (("send", body), ("verify", {"verification_id": str(Verification().pk), "code": "123456"})):
            answer = client.post(f"/sms/{path}/", sent, "application/json", headers={"Idempotency-Key": key})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
            assert list(answer.json()["errors"]) == ["Idempotency-Key"]
        assert not MemoryGateway.outbox

    def test_after_a_refusal_the_key_is_fresh(
        self, site: Site, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        site.send()
        assert refusal(send(site)) == (429, "throttled")
        clock.shift(60)
        assert send(site).status_code == 202

    @pytest.mark.parametrize("fault", [Fault.status(403), Fault.refuse("400")], ids=["http", "business"])
    def test_after_a_vendors_refusal_the_key_is_fresh(
        self, fault: Fault, site: Site, vendor: MakeProvider, sandbox: Sandbox
    ) -> None:
        vendor("topthink")
        sandbox.misbehave("topthink", fault)
        assert refusal(send(site)) == (503, "gateway_unavailable")
        sandbox.behave()

        assert send(site).status_code == 202
        assert len(sandbox.inbox.of(PHONE[3:])) == 1

    def test_after_a_refused_resend_the_key_is_fresh(
        self, site: Site, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
    ) -> None:
        vendor("topthink")
        first = site.send().json()["verification_id"]
        clock.shift(61)
        sandbox.misbehave("topthink", Fault.status(403))
        assert refusal(resend(site, first, KEY)) == (503, "gateway_unavailable")
        sandbox.behave()

        assert resend(site, first, KEY).status_code == 202
        assert len(sandbox.inbox.of(PHONE[3:])) == 2

    def test_a_failover_is_repeated_as_a_success(self, site: Site, vendor: MakeProvider, sandbox: Sandbox) -> None:
        vendor("ihuyi", priority=1)
        vendor("topthink", priority=2)
        sandbox.misbehave("ihuyi", Fault.refuse("4051"))
        first = send(site).json()["verification_id"]

        assert send(site).json()["verification_id"] == first
        assert Message.objects.count() == 2

    @pytest.mark.parametrize("end", ["expired", "verified"])
    def test_after_the_end_of_the_code_the_key_is_fresh(
        self, end: str, site: Site, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send(site).json()["verification_id"]
        if end == "verified":
            site.verify(first, last_code())
        clock.shift(61 if end == "verified" else 301)

        assert send(site).json()["verification_id"] != first
        assert len(MemoryGateway.outbox) == 2

    def test_a_repeated_resend_sends_once(
        self, site: Site, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send(site).json()["verification_id"]
        clock.shift(60)

        answers = [resend(site, first, "resend-1") for _time in range(3)]

        assert [answer.json()["verification_id"] for answer in answers] == [first] * 3
        assert len(MemoryGateway.outbox) == 2
        assert refusal(resend(site, first, KEY)) == (422, "idempotency_mismatch")

    def test_a_repeat_asks_for_no_captcha_and_spends_no_limit(self, site: Site, memory: MakeProvider) -> None:
        memory()
        first = send(site).json()["verification_id"]
        with override_settings(SMSVERIFY={"CAPTCHA": f"{__name__}.refuse_all", "IP_LIMITS": ("1/h",)}):
            answers = [send(site) for _time in range(3)]
        assert [answer.json().get("verification_id") for answer in answers] == [first] * 3

    def test_a_repeated_join_without_sms_is_the_same(self, site: Site, memory: MakeProvider) -> None:
        memory()
        site.send()
        with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_one_code.accept_all"}):
            answers = [send(site).json() for _time in range(2)]
        assert {answer["verification_id"] for answer in answers} == {answers[0]["verification_id"]}
        assert [answer["sent"] for answer in answers] == [False, False]

    def test_a_rotated_key_still_finds_the_request(self, site: Site, memory: MakeProvider) -> None:
        memory()
        first = send(site).json()["verification_id"]
        with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
            assert send(site).json()["verification_id"] == first
            assert refusal(send(site, purpose="payment")) == (422, "idempotency_mismatch")

    def test_only_keyed_digests_are_stored(self, site: Site, memory: MakeProvider) -> None:
        memory()
        send(site)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM smsverify_rememberedrequest")
            stored = repr(cursor.fetchall())
        assert KEY not in stored
        assert PHONE[3:] not in stored
        row = RememberedRequest.objects.get()
        assert (len(row.key), len(row.body)) == (64, 64)


def refuse_all(request: Any, data: Any) -> bool:
    return False


class HeldGateway(MemoryGateway):
    """Waits in the call until it is released."""

    called, released = threading.Event(), threading.Event()

    def transmit(self, sms: Any) -> Any:
        self.called.set()
        assert self.released.wait(60)
        return super().transmit(sms)


class TestUnderWay:
    @pytest.fixture
    def held(self, memory: MakeProvider) -> Iterator[None]:
        HeldGateway.called.clear()
        HeldGateway.released.clear()
        provider = memory()
        with override_settings(SMSVERIFY={"GATEWAYS": {"held": f"{__name__}.HeldGateway"}}):
            type(provider).objects.update(gateway="held")
            yield
            HeldGateway.released.set()

    def test_a_repeat_while_the_first_calls_the_vendor_is_in_progress(self, held: None, site: Site) -> None:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(send, site)
            assert HeldGateway.called.wait(60)
            answer = send(site)
            HeldGateway.released.set()
            verification_id = first.result().json()["verification_id"]

        assert refusal(answer) == (409, "in_progress")
        assert answer.headers["Retry-After"] == "1"
        assert send(site).json()["verification_id"] == verification_id
        assert len(MemoryGateway.outbox) == 1

    @pytest.mark.parametrize(("seconds", "status"), [(14, 409), (16, 202)])
    @pytest.mark.parametrize("left", ["queued", "sending"])
    def test_a_dead_process_holds_a_key_no_longer_than_a_call_takes(
        self, left: str, seconds: int, status: int, site: Site, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send(site).json()["verification_id"]
        Message.objects.update(status=left)
        clock.shift(seconds)

        answer = send(site)

        assert answer.status_code == status
        assert answer.json().get("verification_id", first) == first

    def test_a_worker_that_has_not_come_yet_holds_nobody_up(
        self, site: Site, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory()
        tasks: list[list[str]] = []
        monkeypatch.setattr("django_smsverify.sending.dispatch._enqueue", tasks.append)
        with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
            answers = [send(site) for _time in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert len(tasks) == 1


class TestVerify:
    @pytest.fixture
    def sent(self, site: Site, memory: MakeProvider, clock: time_machine.Traveller) -> str:
        memory()
        return str(site.send().json()["verification_id"])

    def test_a_repeated_verify_has_the_same_proof(self, sent: str, site: Site, clock: time_machine.Traveller) -> None:
        with values_sent(phone_verified, "verification") as verified:
            first = verify(site, sent, last_code()).json()
            clock.shift(100)
            again = verify(site, sent, last_code())

        assert again.status_code == 200
        assert again.json() == {**first, "proof_expires_in": 500}
        assert len(verified) == 1
        assert redeem_proof(first["proof"], "login") == PHONE

    def test_after_the_proofs_life_the_code_is_used(self, sent: str, site: Site, clock: time_machine.Traveller) -> None:
        proof = verify(site, sent, last_code()).json()["proof"]
        clock.shift(600)
        assert refusal(verify(site, sent, last_code())) == (400, "already_used")
        assert proof

    def test_without_its_key_a_used_code_is_used(self, sent: str, site: Site) -> None:
        verify(site, sent, last_code())
        assert refusal(site.verify(sent, last_code())) == (400, "already_used")
        assert refusal(verify(site, sent, last_code(), key="another-key")) == (400, "already_used")

    def test_a_wrong_code_with_the_key_is_refused_and_counted(self, sent: str, site: Site) -> None:
        verify(site, sent, last_code())
        answers = [verify(site, sent, wrong(last_code())) for _guess in range(9)]

        assert {refusal(answer) for answer in answers} == {(400, "already_used")}
        assert Verification.objects.get().attempts == 6
        assert refusal(verify(site, sent, last_code())) == (400, "already_used")

    def test_a_wrong_guess_leaves_the_key_fresh(self, sent: str, site: Site) -> None:
        assert refusal(verify(site, sent, wrong(last_code()))) == (400, "wrong_code")
        assert verify(site, sent, last_code()).status_code == 200

    def test_a_right_last_guess_can_be_repeated(self, sent: str, site: Site) -> None:
        for _guess in range(4):
            verify(site, sent, wrong(last_code()))
        assert [verify(site, sent, last_code()).status_code for _time in range(3)] == [200] * 3

    def test_the_key_of_another_verification_is_refused(
        self, sent: str, site: Site, clock: time_machine.Traveller
    ) -> None:
        verify(site, sent, last_code())
        clock.shift(60)
        other = site.send().json()["verification_id"]

        for code in (last_code(), wrong(last_code())):
            assert refusal(verify(site, other, code)) == (422, "idempotency_mismatch")
        assert Verification.objects.get(pk=other).attempts == 0
        assert verify(site, other, last_code(), key="another-key").status_code == 200

    def test_send_and_verify_may_have_the_same_key(self, site: Site, memory: MakeProvider) -> None:
        memory()
        sent = send(site).json()["verification_id"]
        assert verify(site, sent, last_code()).status_code == 200

    def test_the_context_is_compared_again(self, site: Site, memory: MakeProvider) -> None:
        memory()
        sent = send(site, context={"amount": 10}).json()["verification_id"]
        guess = {"verification_id": sent, "code": last_code(), "context": {"amount": 10}}
        assert site.post("verify", guess, Idempotency_Key=KEY).status_code == 200
        assert site.post("verify", guess, Idempotency_Key=KEY).status_code == 200
        guess["context"] = {"amount": 11}
        assert refusal(site.post("verify", guess, Idempotency_Key=KEY)) == (400, "already_used")


def at_once(times: int, act: Callable[[], Answer]) -> list[Answer]:
    barrier = threading.Barrier(times)

    def one(_index: int) -> Answer:
        barrier.wait(60)
        return act()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


@pytest.mark.parametrize("pause", [0, 60])
def test_of_parallel_sends_with_one_key_one_sends(pause: int, site: Site, memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": pause}):
        answers = at_once(8, lambda: send(site))
        ids = {answer.json()["verification_id"] for answer in answers if answer.status_code == 202}

        assert {answer.status_code for answer in answers} <= {202, 409}
        assert len(MemoryGateway.outbox) == Message.objects.count() == 1
        assert {*ids, send(site).json()["verification_id"]} == {str(Verification.objects.get().pk)}


def test_of_parallel_verifies_with_one_key_all_get_the_proof(site: Site, memory: MakeProvider) -> None:
    memory()
    sent = site.send().json()["verification_id"]
    with values_sent(phone_verified, "verification") as verified:
        answers = at_once(8, lambda: verify(site, sent, last_code()))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["proof"] for answer in answers}) == 1
    assert len(verified) == 1


def drop_answer(site: Site, path: str, body: str, key: str) -> None:
    """Sends a request and closes the connection without reading the answer."""
    url = urlsplit(site.url)
    head = f"POST /sms/{path}/ HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\nIdempotency-Key: {key}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((url.hostname, url.port)) as wire:
        wire.sendall((head + body).encode())
        wire.recv(1)  # the server has answered


@pytest.mark.slow
def test_of_many_lost_answers_none_is_missed(site: Site, memory: MakeProvider) -> None:
    memory()
    limits: dict[str, Any] = dict.fromkeys(("IP_LIMITS", "PREFIX_LIMITS", "GLOBAL_LIMITS"), ())
    with override_settings(SMSVERIFY=limits):
        for number in range(ROUNDS):
            phone, key = f"+86138{number:08}", f"button-{number}"
            drop_answer(site, "send", f'{{"phone": "{phone}", "purpose": "login"}}', key)
            sent = send(site, key=key, phone=phone).json()["verification_id"]
            code = last_code()
            drop_answer(site, "verify", f'{{"verification_id": "{sent}", "code": "{code}"}}', key)
            proof = verify(site, sent, code, key=key).json()["proof"]
            assert redeem_proof(proof, "login") == phone

    assert Message.objects.count() == Verification.objects.count() == ROUNDS


def test_a_remembered_request_is_forgotten_with_its_verification(site: Site, memory: MakeProvider) -> None:
    memory()
    send(site)
    assert str(RememberedRequest.objects.get()).startswith("138****8000")
    assert RememberedRequest.objects.get().created_at > timezone.now() - timedelta(minutes=1)
    Message.objects.all().delete()
    Verification.objects.all().delete()
    assert not RememberedRequest.objects.exists()
