"""Law 5: parallel requests have the same result as one after the other; here in threads with a connection each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models import F
from django.test import override_settings
from django.utils import timezone
from sandbox.server import Sandbox

from django_smsverify.exceptions import ProofRejected, SMSVerifyError
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.idempotency import keyed_request
from django_smsverify.models import KnownNumber, Message, Recipient, Verification
from django_smsverify.numbers import forget, requester_of
from django_smsverify.phones import E164
from django_smsverify.sending import resend_code, send_code
from django_smsverify.sending.repeats import send_once
from django_smsverify.sending.request import CodeRequest
from django_smsverify.sending.single import send_code_to
from django_smsverify.verifying import redeem_proof, verify_code
from django_smsverify.verifying.context import canonical
from django_smsverify.verifying.proofs import make_proof

from .conftest import PHONE, MakeProvider, last_code, wrong
from .services import CONNECTIONS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred threads of one process wait for each other longer than a request waits for the cache."""
    monkeypatch.setattr("django_smsverify.limits.cache.MAX_SECONDS", 60)


def at_once(times: int, act: Callable[[int], Any]) -> Counter[str]:
    """Runs `act` so many times, in threads that start together; counts the results."""
    threads = min(times, CONNECTIONS)
    barrier = threading.Barrier(threads)

    def one(index: int) -> str:
        try:
            if index < threads:
                barrier.wait(60)
            act(index)
        except SMSVerifyError as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(one, range(times)))


@pytest.mark.slow
def test_of_200_parallel_verifies_of_the_right_code_one_succeeds(memory: MakeProvider) -> None:
    memory()
    verification = send_code(PHONE, "login")
    code = last_code()

    outcomes = at_once(200, lambda index: verify_code(verification.pk, code))

    assert outcomes == {"done": 1, "already_used": 199}
    assert Verification.objects.get().attempts == 1


@pytest.mark.slow
def test_of_200_parallel_guesses_no_more_are_checked_than_allowed(memory: MakeProvider) -> None:
    memory()
    verification = send_code(PHONE, "login")
    code = last_code()
    guesses = [wrong(code)] * 20 + [code] + [wrong(code)] * 179

    outcomes = at_once(200, lambda index: verify_code(verification.pk, guesses[index]))

    verification.refresh_from_db()
    checked = outcomes["wrong_code"] + outcomes["done"]
    assert checked == verification.attempts <= 5
    assert outcomes["done"] == (verification.verified_at is not None)


def test_each_wrong_guess_returns_its_own_count(memory: MakeProvider) -> None:
    from django_smsverify.exceptions import WrongCode

    memory()
    verification = send_code(PHONE, "login")
    left: list[int] = []

    def guess(index: int) -> None:
        try:
            verify_code(verification.pk, wrong(verification.derive_code()))
        except WrongCode as error:
            left.append(error.attempts_left)

    at_once(30, guess)
    assert sorted(left) == [0, 1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("flushed", [False, True])
def test_of_100_parallel_sends_to_one_number_one_succeeds(
    flushed: bool, vendor: MakeProvider, sandbox: Sandbox
) -> None:
    vendor("topthink", "login", "payment")

    def send(index: int) -> None:
        if flushed and index % 10 == 0:
            cache.clear()
        send_code(PHONE, ("login", "payment")[index % 2])

    with override_settings(SMSVERIFY={"PREFIX_LIMITS": ()}):
        outcomes = at_once(100, send)

    assert outcomes == {"done": 1, "throttled": 99}
    assert len(sandbox.inbox.of(PHONE[3:])) == 1
    assert (Message.objects.count(), Verification.objects.count(), Recipient.objects.count()) == (1, 1, 1)


@pytest.mark.slow
def test_parallel_sends_to_many_numbers_all_succeed(memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"PREFIX_LIMITS": ()}):
        outcomes = at_once(40, lambda index: send_code(f"138001380{index:02}", "login"))
    assert outcomes == {"done": 40}
    assert len({sms.phone for sms in MemoryGateway.outbox}) == 40


def test_of_parallel_resends_one_succeeds(memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0, "PHONE_LIMITS": ("2/d",)}):
        verification = send_code(PHONE, "login")
        outcomes = at_once(20, lambda index: resend_code(verification.pk))
    assert outcomes == {"done": 1, "throttled": 19}


@pytest.mark.slow
def test_of_parallel_redemptions_one_succeeds(memory: MakeProvider) -> None:
    memory()
    proof = make_proof(verify_code(send_code(PHONE, "login").pk, last_code()))

    assert at_once(50, lambda index: redeem_proof(proof, "login")) == {"done": 1, ProofRejected.code: 49}


@pytest.mark.slow
def test_of_200_right_guesses_over_ten_verifications_of_one_code_one_succeeds(memory: MakeProvider) -> None:
    memory()
    first = send_code(PHONE, "login")
    pages = [first, *(send_code(PHONE, "login", trusted=True) for _page in range(9))]
    code = last_code()

    outcomes = at_once(200, lambda index: verify_code(pages[index % 10].pk, code))

    assert outcomes["done"] == 1
    assert outcomes.keys() <= {"done", "already_used", "too_many_attempts"}
    assert Verification.objects.filter(verified_at__isnull=False).get() == first
    assert sum(Verification.objects.values_list("attempts", flat=True)) <= 15


@pytest.mark.slow
@pytest.mark.parametrize("with_sms", [True, False])
def test_of_200_guesses_over_ten_verifications_no_more_are_checked_than_the_number_has(
    with_sms: bool, memory: MakeProvider
) -> None:
    """Law 7: fifteen guesses a day, and one for each SMS; without an SMS none is added."""
    memory()
    limits = {"RESEND_INTERVAL": 0, "PHONE_LIMITS": ("100/d",) if with_sms else ("1/d",), "MAX_ATTEMPTS": 9}
    with override_settings(SMSVERIFY=limits):
        pages = [send_code(PHONE, "login", trusted=True) for _page in range(10)]
        code = last_code()
        guesses = [wrong(code)] * 20 + [code] + [wrong(code)] * 179
        outcomes = at_once(200, lambda index: verify_code(pages[index % 10].pk, guesses[index]))

    checked = outcomes["wrong_code"] + outcomes["done"]
    assert checked == sum(Verification.objects.values_list("attempts", flat=True)) <= (15 + 8 if with_sms else 15)
    assert outcomes["done"] == Verification.objects.filter(verified_at__isnull=False).count()
    assert len(MemoryGateway.outbox) == (10 if with_sms else 1)


def test_joins_while_a_code_is_verified_get_that_code_or_a_new_one(memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0, "PHONE_LIMITS": ("100/d",)}):
        first = send_code(PHONE, "login")
        code = last_code()
        verified: list[Verification] = []
        joined: list[Verification] = []

        def act(index: int) -> None:
            if index == 10:
                verified.append(verify_code(first.pk, code))
            else:
                joined.append(send_code(PHONE, "login"))

        assert at_once(20, act) == {"done": 20}

    assert [row.pk for row in verified] == [first.pk]
    roots = Verification.objects.filter(root=None).exclude(pk=first.pk)
    assert roots.count() == 1 or (not roots and {row.root_id for row in joined} == {first.pk})
    assert {row.root_id for row in joined if row.root_id} <= {first.pk, *roots.values_list("pk", flat=True)}
    for row in Verification.objects.filter(root__in=roots):
        assert row.created_at >= verified[0].verified_at  # type: ignore[operator]


@pytest.mark.slow
def test_a_number_may_be_forgotten_while_it_is_verified(memory: MakeProvider) -> None:
    memory()
    phones = [f"+86138001380{index:02}" for index in range(10)]
    pages = [send_code(phone, "login") for phone in phones]
    for phone in phones[::2]:
        KnownNumber.objects.remember(phone, timezone.now(), before=None)

    def act(index: int) -> None:
        if index < 10:
            verify_code(pages[index].pk, pages[index].derive_code())
        else:
            forget(phones[index % 10])

    assert at_once(80, act) == {"done": 80}
    for phone in phones:
        KnownNumber.objects.remember(phone, timezone.now(), before=None)
        assert forget(phone)
        assert not forget(phone)


@pytest.mark.slow
def test_a_key_whose_code_has_ended_is_fresh_for_one_of_many(memory: MakeProvider) -> None:
    memory()
    ids: list[UUID] = []
    keyed = keyed_request("send", "press-one", PHONE)
    request = CodeRequest(
        phone=E164(PHONE), purpose="login", context=canonical(None), requester=requester_of(PHONE), ip=None, keyed=keyed
    )

    def press(index: int) -> None:
        ids.append(send_once(keyed, lambda: send_code_to(request)).pk)

    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 1, "PHONE_LIMITS": ()}):
        press(0)
        Verification.objects.update(expires_at=timezone.now())
        Message.objects.update(created_at=F("created_at") - timedelta(seconds=2))

        assert at_once(40, press).keys() <= {"done", "in_progress"}

    assert len(set(ids)) == len(MemoryGateway.outbox) == 2
