"""A clock that is set back: no wait exceeds its window, no window holds one more SMS, no code lives longer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db.models import QuerySet
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.exceptions import CodeExpired, GatewayUnavailable, ProofRejected, Throttled
from django_smsverify.models import Message, Verification
from django_smsverify.models.history import MAX_CLOCK_SKEW
from django_smsverify.sending import choosing, circuits, resend_code, send_code
from django_smsverify.verifying import redeem_proof, verify_code
from django_smsverify.verifying.proofs import make_proof

from .conftest import PHONE, MakeProvider, age_cache, last_code

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NO_OTHER_LIMITS: dict[str, Any] = {"PREFIX_LIMITS": (), "GUESS_LIMIT": "1000/d"}


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def refused() -> int:
    """The wait that the refusal names."""
    with pytest.raises(Throttled) as caught:
        send_code(PHONE, "login")
    return caught.value.retry_after


def messages() -> QuerySet[Message]:
    return Message.objects.filter(phone=PHONE).order_by("created_at")


class TestLimits:
    def test_the_pause_is_as_long_as_before_and_the_wait_is_correct(
        self, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        send_code(PHONE, "login")
        clock.shift(15 - 3600)

        assert refused() == 60
        clock.shift(59)
        assert refused() == 1
        clock.shift(1)
        send_code(PHONE, "login")

    def test_a_long_window_loses_no_more_than_is_due(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        with override_settings(SMSVERIFY={"PHONE_LIMITS": ("3/h",)}):
            for _ in range(3):
                send_code(PHONE, "login")
                clock.shift(600)
            clock.shift(-2 * HOUR)

            # The third was sent ten minutes ago, but counts as sent now; the first was sent twenty minutes before it.
            assert refused() == 3600 - 1200
            clock.shift(3600 - 1200)
            send_code(PHONE, "login")

    def test_the_order_and_the_intervals_are_kept(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        for _ in range(3):
            send_code(PHONE, "login")
            clock.shift(100)
        before = list(messages().values_list("pk", "created_at"))
        clock.shift(-HOUR)
        refused()

        after = list(messages().values_list("pk", "created_at"))

        assert [pk for pk, _ in after] == [pk for pk, _ in before]
        assert {old - new for (_, old), (_, new) in zip(before, after, strict=True)} == {before[-1][1] - timezone.now()}

    def test_a_small_clock_skew_changes_no_row(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        send_code(PHONE, "login")
        (sent,) = messages().values_list("created_at", flat=True)
        clock.shift(-30)

        assert refused() == 60, "never more than the pause"
        assert messages().get().created_at == sent

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(3))
    def test_no_window_holds_more_in_true_time(
        self, seed: int, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        rng = random.Random(seed)
        true_time, sent, waits = 0.0, list[float](), list[int]()

        def advance(seconds: float) -> None:
            nonlocal true_time
            true_time += seconds
            clock.shift(seconds)
            age_cache(int(seconds))

        with override_settings(SMSVERIFY={**NO_OTHER_LIMITS, "PHONE_LIMITS": ("3/10m",)}):
            for _ in range(80):
                advance(rng.choice([0.5, 10, 30, 59, 61, 200]))
                if rng.random() < 0.1:
                    clock.shift(-rng.choice([61, 600, 3600, 86400]))
                try:
                    send_code(PHONE, "login")
                except Throttled as throttled:
                    waits.append(throttled.retry_after)
                    if rng.random() < 0.5:
                        continue
                    advance(throttled.retry_after)
                    send_code(PHONE, "login")  # the wait that was returned is enough
                sent.append(true_time)

        assert 0 < min(waits) <= max(waits) <= 600
        for times, seconds in ((1, 60), (3, 600)):
            assert all(late - early >= seconds for early, late in zip(sent, sent[times:], strict=False))
        assert len(sent) > 10

    def test_the_status_shows_no_longer_wait(
        self, client: Client, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        verification = send_code(PHONE, "login")
        clock.shift(-HOUR)

        status = client.get(f"/sms/send/{verification.pk}/").json()

        assert status["expires_in"] == 0
        assert status["resend_in"] <= 60


class TestCodes:
    def test_a_code_of_unknown_age_has_expired(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        verification = send_code(PHONE, "login")
        clock.shift(10 - 3600)

        with pytest.raises(CodeExpired):
            verify_code(verification.pk, last_code())
        with pytest.raises(CodeExpired):
            resend_code(verification.pk)
        assert Verification.objects.get().attempts == 0
        assert not Verification.objects.with_live_code(timezone.now()).exists(), "it reserves no guesses"

    def test_a_code_is_valid_with_a_small_clock_skew(self, memory: MakeProvider, clock: time_machine.Traveller) -> None:
        memory()
        verification = send_code(PHONE, "login")
        clock.shift(-MAX_CLOCK_SKEW)

        verify_code(verification.pk, last_code())

    @pytest.mark.parametrize(("back", "redeemed"), [(HOUR, False), (MAX_CLOCK_SKEW, True)])
    def test_a_proof_expires_like_a_code(
        self, back: timedelta, redeemed: bool, memory: MakeProvider, clock: time_machine.Traveller
    ) -> None:
        memory()
        proof = make_proof(verify_code(send_code(PHONE, "login").pk, last_code()))
        clock.shift(-back)

        if redeemed:
            assert redeem_proof(proof, "login") == PHONE
        else:
            with pytest.raises(ProofRejected):
                redeem_proof(proof, "login")


def test_a_circuit_is_open_no_longer_than_the_longest_pause(
    memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    provider = memory()
    for _ in range(circuits.FAILURES):
        circuits.note(provider, [GatewayUnavailable("no answer")])
    assert circuits.open_circuits([provider.pk])[provider.pk].is_resting
    clock.shift(-timedelta(seconds=circuits.LONGEST_PAUSE))
    assert circuits.open_circuits([provider.pk])[provider.pk].is_resting
    clock.shift(-HOUR)

    assert choosing.choose(list(provider.templates.all())) is not None
