"""One code for one number, purpose and context at a time: whoever asks again gets a verification of the same code."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError
from django.test import Client, override_settings
from django.utils import timezone
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.enums import Scope
from django_smsverify.exceptions import (
    AlreadyUsed,
    CodeExpired,
    NoRoute,
    ProofRejected,
    Throttled,
    TooManyAttempts,
    VerificationNotFound,
    WrongCode,
)
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits import shared
from django_smsverify.models import Message, Recipient, Verification
from django_smsverify.models.inserts import insert
from django_smsverify.sending import attempt, dispatch, resend_code, send_code
from django_smsverify.sending.worker import send_waiting
from django_smsverify.signals import phone_verified
from django_smsverify.types import OutgoingSMS
from django_smsverify.verifying import redeem_proof, verify_code
from django_smsverify.verifying.proofs import make_proof

from .conftest import PHONE, MakeProvider, Site, code_in, last_code, refusal, wrong
from .test_races import at_once
from .test_storing_reports import values_sent

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "+8613900139000"
NOW = datetime(2026, 11, 21, 12, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


def accept_all(request: Any, data: Any) -> bool:
    return True


CAPTCHA = {"CAPTCHA": f"{__name__}.accept_all"}


def codes_sent() -> list[str]:
    return [code_in(sms.text) for sms in MemoryGateway.outbox]


def send_twice(clock: time_machine.Traveller, seconds: int = 60) -> tuple[Verification, Verification]:
    first = send_code(PHONE, "login")
    clock.shift(seconds)
    return first, send_code(PHONE, "login")


class TestJoining:
    def test_the_newest_sms_fits_every_page(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        first, second = send_twice(clock)

        assert first.pk != second.pk
        assert len(set(codes_sent())) == 1
        assert verify_code(first.pk, last_code()).pk == first.pk

    def test_the_first_success_ends_the_code_for_all(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        first, second = send_twice(clock)
        with values_sent(phone_verified, "verification") as verified:
            proof = make_proof(verify_code(second.pk, last_code()))

        assert [verification.pk for verification in verified] == [second.pk]
        assert verified[0].verified_at == NOW.replace(minute=2)
        for pk in (first.pk, second.pk):
            with pytest.raises(AlreadyUsed):
                verify_code(pk, last_code())
        with pytest.raises(AlreadyUsed):
            resend_code(first.pk)
        assert redeem_proof(proof, "login") == PHONE
        with pytest.raises(ProofRejected):
            redeem_proof(make_proof(first), "login")

    def test_each_verification_counts_its_own_guesses(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first, second = send_twice(clock)
        for _guess in range(5):
            with pytest.raises(WrongCode):
                verify_code(second.pk, wrong(last_code()))
        with pytest.raises(TooManyAttempts):
            verify_code(second.pk, last_code())

        assert verify_code(first.pk, last_code()).attempts == 1

    def test_after_a_success_a_new_code_begins(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        verify_code(send_code(PHONE, "login").pk, last_code())
        old = last_code()
        clock.shift(60)

        verification = send_code(PHONE, "login")

        assert verification.root is None
        with pytest.raises(WrongCode):
            verify_code(verification.pk, old if old != last_code() else wrong(old))

    @pytest.mark.parametrize(("phone", "purpose"), [(PHONE, "payment"), (OTHER, "login")])
    def test_another_number_or_purpose_has_a_code_of_its_own(
        self, phone: str, purpose: str, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory("login", "payment")
        send_code(PHONE, "login")
        clock.shift(60)

        assert send_code(phone, purpose).root is None

    def test_a_resend_by_any_id_sends_the_same_code(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        first, second = send_twice(clock)
        for pk in (first.pk, second.pk):
            clock.shift(60)
            assert resend_code(pk).pk == pk

        assert len(codes_sent()) == 4
        assert len(set(codes_sent())) == 1

    def test_a_code_whose_sms_all_failed_is_not_joined(
        self, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
    ) -> None:
        vendor("topthink")
        sandbox.misbehave("topthink", Fault.status(403))
        with pytest.raises(NoRoute):
            send_code(PHONE, "login")
        sandbox.behave()

        assert send_code(PHONE, "login").root is None


class TestLifetime:
    def test_a_code_lives_for_twice_its_lifetime_at_most(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send_code(PHONE, "login")
        with override_settings(SMSVERIFY={"PHONE_LIMITS": ()}):
            joined = []
            for _minute in range(12):
                clock.shift(60)
                joined.append(send_code(PHONE, "login"))
        roots = [verification.root_id for verification in joined]

        # After nine minutes the code has 60 seconds left, after ten it is over.
        assert roots == [first.pk] * 9 + [None] + [joined[9].pk] * 2
        assert len(set(codes_sent()[:10])) == 1
        with pytest.raises(CodeExpired):
            verify_code(first.pk, codes_sent()[0])

    def test_a_joined_sms_extends_the_life_for_all(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        first, second = send_twice(clock, 240)
        clock.shift(290)

        assert verify_code(first.pk, last_code()).verified_at
        assert second.seconds_left(NOW.replace(minute=9, second=50)) == 10

    def test_a_code_is_joined_after_its_key_became_a_fallback(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send_code(PHONE, "login", context={"amount": 10})
        clock.shift(60)
        rotated = {"SECRET_KEY": "another", "SECRET_KEY_FALLBACKS": [settings.SECRET_KEY]}
        with override_settings(**rotated):
            second = send_code(PHONE, "login", context={"amount": 10})
            assert second.root == first
            assert verify_code(second.pk, last_code(), context={"amount": 10}).verified_at

    def test_a_code_whose_key_is_gone_is_not_joined(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        first = send_code(PHONE, "login")
        clock.shift(60)
        with override_settings(SECRET_KEY="another"):
            second = send_code(PHONE, "login")
            assert second.root is None
            with pytest.raises(CodeExpired):
                verify_code(first.pk, last_code())
            assert verify_code(second.pk, last_code()).verified_at

    def test_a_changed_length_keeps_the_code(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        first = send_code(PHONE, "login")
        clock.shift(60)
        with override_settings(SMSVERIFY={"CODE_LENGTH": 8}):
            second = send_code(PHONE, "login")
            assert (second.code_length, second.root) == (6, first)
            assert verify_code(second.pk, last_code()).verified_at


class TestWithoutSMS:
    def test_a_trusted_request_joins_while_the_number_may_get_no_sms(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send_code(PHONE, "login")
        clock.shift(10)

        joined = send_code(PHONE, "login", trusted=True)

        assert (joined.root, joined.sms_sent, len(codes_sent())) == (first, False, 1)
        assert verify_code(joined.pk, last_code()).pk == joined.pk

    def test_a_code_that_is_almost_over_is_not_joined(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        first = send_code(PHONE, "login")
        for seconds in (270, 270):
            clock.shift(seconds)
            resend_code(first.pk)
        assert send_code(PHONE, "login", trusted=True).root == first
        clock.shift(1)

        with pytest.raises(Throttled):
            send_code(PHONE, "login", trusted=True)

    def test_a_request_that_is_not_trusted_is_refused(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        send_code(PHONE, "login")
        with pytest.raises(Throttled):
            send_code(PHONE, "login")
        assert Verification.objects.count() == 1

    @pytest.mark.parametrize("other", [{"purpose": "payment"}, {"context": {"amount": 1}}])
    def test_only_the_code_of_the_purpose_and_context_is_joined(
        self, other: dict[str, Any], memory: MakeProvider
    ) -> None:
        memory("login", "payment")
        send_code(PHONE, "login")
        with pytest.raises(Throttled):
            send_code(PHONE, **{"purpose": "login", **other}, trusted=True)
        assert Verification.objects.count() == 1

    def test_a_solved_captcha_makes_a_request_trusted(
        self, site: Site, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        with override_settings(SMSVERIFY=CAPTCHA):
            first = site.send().json()
            clock.shift(10)
            answer = site.send()

        assert answer.status_code == 202
        joined = answer.json()
        assert joined == {**first, "verification_id": joined["verification_id"], "sent": False} | {
            "expires_in": 290,
            "resend_in": 50,
        }
        assert "sent" not in first
        assert site.verify(joined["verification_id"], last_code()).status_code == 200

    def test_it_counts_for_the_address(self, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        """With the room that a solved captcha has."""
        monkeypatch.setitem(shared.SOLVED, Scope.IP, 1)
        memory()
        with override_settings(SMSVERIFY={"IP_LIMITS": ("3/h",)}):
            send_code(PHONE, "login", ip="203.0.113.7")
            for _time in range(2):
                assert not send_code(PHONE, "login", ip="203.0.113.7", trusted=True).sms_sent
            with pytest.raises(Throttled) as refused:
                send_code(PHONE, "login", ip="203.0.113.7", trusted=True)
            assert refused.value.scope == "ip"

    def test_it_reserves_no_guesses(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory("login", "payment")
        with override_settings(SMSVERIFY={"GUESS_LIMIT": "7/d"}):
            send_code(PHONE, "login")
            for _page in range(3):
                send_code(PHONE, "login", trusted=True)
            clock.shift(60)

            assert send_code(PHONE, "payment").max_attempts == 2, "seven less the five of the first"

    def test_its_guesses_are_taken_from_what_the_number_has_left(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        with override_settings(SMSVERIFY={"GUESS_LIMIT": "7/d"}):
            first = send_code(PHONE, "login")
            pages = [send_code(PHONE, "login", trusted=True) for _page in range(2)]
            left = []
            for page in pages:
                with pytest.raises(WrongCode) as error:
                    verify_code(page.pk, wrong(last_code()))
                left.append(error.value.attempts_left)
            assert left == [1, 0]
            for page in pages:
                with pytest.raises(TooManyAttempts):
                    verify_code(page.pk, last_code())
            with pytest.raises(Throttled):
                send_code(PHONE, "login", trusted=True)

            assert verify_code(first.pk, last_code()).verified_at, "nobody else used its guesses"

    def test_an_sms_for_it_adds_guesses(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        with override_settings(SMSVERIFY={"GUESS_LIMIT": "5/d"}):
            send_code(PHONE, "login")
            with override_settings(SMSVERIFY={"GUESS_LIMIT": "6/d"}):
                page = send_code(PHONE, "login", trusted=True)
                with pytest.raises(WrongCode):
                    verify_code(page.pk, wrong(last_code()))
            clock.shift(60)
            with pytest.raises(TooManyAttempts):
                verify_code(page.pk, last_code())

            resent = resend_code(page.pk)

            assert (resent.is_reserved, resent.attempts, resent.max_attempts) == (True, 1, 2)
            assert verify_code(page.pk, last_code()).verified_at

    def test_a_resend_that_is_repeated_after_a_deadlock_adds_them_too(
        self, memory: MakeProvider, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory()
        send_code(PHONE, "login")
        page = send_code(PHONE, "login", trusted=True)
        clock.shift(60)
        deadlocks = iter([OperationalError(1213, "Deadlock found")])

        def insert_after_a_deadlock(row: Message) -> None:
            if deadlock := next(deadlocks, None):
                raise deadlock
            insert(row)

        monkeypatch.setattr(attempt, "insert", insert_after_a_deadlock)
        resend_code(page.pk)

        page.refresh_from_db()
        assert page.is_reserved


class TestFailedSMS:
    @pytest.mark.slow
    def test_a_join_whose_sms_failed_reserves_nothing(
        self, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
    ) -> None:
        vendor("topthink")
        first = send_code(PHONE, "login")
        clock.shift(60)
        sandbox.misbehave("topthink", Fault.status(403))
        for _time in range(20):
            with pytest.raises(NoRoute):
                send_code(PHONE, "login")

        joined = Verification.objects.filter(root=first)
        assert [row.is_reserved for row in joined] == [False] * 20
        assert Verification.objects.get(pk=first.pk).is_live(NOW)
        judged = 0
        for row in joined:
            try:
                verify_code(row.pk, "0000")
            except WrongCode:
                judged += 1
            except TooManyAttempts:
                pass
        assert judged == 10, "fifteen less the five of the SMS"
        assert verify_code(first.pk, first.derive_code()).verified_at

    def test_a_code_whose_first_sms_was_withdrawn_is_valid_by_a_later_one(
        self, memory: MakeProvider, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory()
        tasks: list[list[str]] = []
        monkeypatch.setattr(dispatch, "_enqueue", tasks.append)
        with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
            first = send_code(PHONE, "login")
            clock.shift(60)
            second = send_code(PHONE, "login")
            send_waiting(tasks[1])
            send_waiting(tasks[0])

        assert list(Message.objects.order_by("created_at").values_list("status", flat=True)) == ["not_sent", "accepted"]
        assert [Verification.objects.get(pk=v.pk).is_reserved for v in (first, second)] == [False, True]
        assert verify_code(first.pk, last_code()).verified_at


class TestPages:
    def test_the_status_is_that_of_the_newest_sms_with_the_code(
        self, site: Site, vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
    ) -> None:
        vendor("topthink")
        first = site.send().json()["verification_id"]
        clock.shift(60)
        sandbox.misbehave("topthink", Fault.status(500))
        second = site.send().json()["verification_id"]

        found = [site.status(pk).json() for pk in (first, second)]

        assert [(answer["status"], answer["resend_in"]) for answer in found] == [("unknown", 60)] * 2

    def test_the_admin_shows_the_state_of_the_code(
        self, memory: MakeProvider, admin_client: Client, clock: time_machine.Traveller
    ) -> None:
        memory()
        first, second = send_twice(clock)
        verify_code(first.pk, last_code())

        listed = admin_client.get("/admin/smsverify/verification/").content.decode()
        page = admin_client.get(f"/admin/smsverify/verification/{second.pk}/change/").content.decode()

        assert listed.count(">verified</span>") == 2
        assert "verified" in page
        assert f"/admin/smsverify/verification/{first.pk}/change/" in page

    def test_an_unknown_id_is_not_found(self, db: None) -> None:
        with pytest.raises(VerificationNotFound):
            verify_code("5f0c9e0e-4a0c-4d0e-9a55-0d6d3c1c9d1f", "123456")  # type: ignore[arg-type]
        assert not Recipient.objects.exists()


def test_a_refused_join_shows_the_wait(site: Site, memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory()
    site.send()
    clock.shift(10)

    answer = site.send()

    assert refusal(answer) == (429, "throttled")
    assert answer.json()["retry_after"] == 50


class SMSByThread:
    """Asks for codes in threads, and keeps which code each page was sent, and when. Each SMS takes 0.2 seconds."""

    def __init__(self, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
        self._clock, self._lock, self._last = clock, threading.Lock(), threading.local()
        self._transmit = MemoryGateway.transmit
        monkeypatch.setattr(MemoryGateway, "transmit", lambda gateway, sms: self._keep(gateway, sms))
        self.pages: dict[UUID, tuple[str, datetime]] = {}

    def _keep(self, gateway: MemoryGateway, sms: OutgoingSMS) -> Mapping[str, Outcome]:
        with self._lock:
            outcomes = self._transmit(gateway, sms)
            self._last.sent = last_code(), timezone.now()
            self._clock.shift(0.2)
        return outcomes

    def ask(self) -> None:
        page = send_code(PHONE, "login")
        self.pages[page.pk] = self._last.sent


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "seconds"),
    [
        pytest.param([], 300, id="end of its life"),
        pytest.param([270], 540, id="last minute, which is too short for an SMS"),
        pytest.param([270, 539], 600, id="end of its longest life"),
    ],
)
def test_joins_while_a_code_expires_get_an_sms_that_fits_their_page(
    before: list[int],
    seconds: int,
    memory: MakeProvider,
    clock: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory()
    asked = SMSByThread(clock, monkeypatch)
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0, "PHONE_LIMITS": ()}):
        for second in [0, *before]:
            clock.move_to(NOW + timedelta(seconds=second))
            asked.ask()
        clock.move_to(NOW + timedelta(seconds=seconds - 2))

        assert at_once(20, lambda index: asked.ask()) == {"done": 20}

    assert len(MemoryGateway.outbox) == len(asked.pages) == 21 + len(before)
    codes = {Verification.objects.find(pk).holder.pk for pk in asked.pages}
    assert len(codes) == (1 if seconds == 300 else 2), "an SMS before its end extends it; else one new code begins"
    for pk, (code, at) in asked.pages.items():
        page = Verification.objects.find(pk)
        assert page.holder.expires_at <= page.holder.created_at + timedelta(seconds=600)
        assert page.holder.expires_at - at >= timedelta(seconds=56), "the clock went on for four seconds"
        clock.move_to(min(NOW + timedelta(seconds=seconds + 2), page.holder.expires_at - timedelta(seconds=1)))
        assert_fits(page, code)


@pytest.mark.slow
def test_joins_while_a_code_is_verified_get_an_sms_that_fits_their_page(
    memory: MakeProvider, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory()
    asked = SMSByThread(clock, monkeypatch)

    def act(index: int) -> None:
        if index == 10:
            verify_code(first.pk, first.derive_code())
        else:
            asked.ask()

    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0, "PHONE_LIMITS": ()}):
        first = send_code(PHONE, "login")
        assert at_once(20, act) == {"done": 20}

        asked.ask()

    pages = [Verification.objects.find(pk) for pk in asked.pages]
    assert len({page.holder.pk for page in pages} - {first.pk}) == 1, "one new code"
    for page in pages:
        if page.holder.pk == first.pk:
            with pytest.raises(AlreadyUsed):
                verify_code(page.pk, asked.pages[page.pk][0])
        else:
            assert_fits(page, asked.pages[page.pk][0])


def assert_fits(page: Verification, code: str) -> None:
    """A code verifies a page; then the code is live again, for the next page."""
    assert verify_code(page.pk, code).pk == page.pk
    Verification.objects.filter(pk=page.holder.pk).update(verified_at=None)
