"""Laws 6 and 7: limits are exact over every rolling window, and nothing disables them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client, override_settings
from django.utils import timezone
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.enums import Scope
from django_smsverify.exceptions import NoRoute, Throttled, ThrottleUnavailable, WrongCode
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits import redis_script
from django_smsverify.limits.shared import Charge
from django_smsverify.limits.windows import Window
from django_smsverify.models import Message, Provider, Verification
from django_smsverify.sending import circuits, resend_code, send_code
from django_smsverify.verifying import verify_code

from .conftest import PHONE, MakeProvider, Site, cached, code_in, last_code, refusal, wrong

NO_LIMITS: dict[str, Any] = {
    "RESEND_INTERVAL": 0,
    "PHONE_LIMITS": (),
    "IP_LIMITS": (),
    "PREFIX_LIMITS": (),
    "GLOBAL_LIMITS": (),
}


def seeds(count: int) -> list[Any]:
    """Seeds of random sequences, of which one is enough on other databases."""
    return [0, *(pytest.param(seed, marks=pytest.mark.any_database) for seed in range(1, count))]


class DeadCache(LocMemCache):
    """A cache whose server does not answer."""

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("no server at redis://:password@10.0.0.1")

    add = get = get_many = incr = set = delete = delete_many = _fail


class SilentCache(LocMemCache):
    """A cache whose client hides that its server is down, as memcached clients may."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return None

    def get_many(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {}

    def set(self, *args: Any, **kwargs: Any) -> None:
        return None

    def incr(self, *args: Any, **kwargs: Any) -> int:
        raise ValueError("key not found")


class FlushedCache(LocMemCache):
    """A cache that is flushed just before a counter is incremented."""

    flushes = 1

    def incr(self, *args: Any, **kwargs: Any) -> int:
        if self.flushes:
            self.flushes -= 1
            self.clear()
        return super().incr(*args, **kwargs)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=timezone.get_current_timezone()), tick=False) as traveller:
        yield traveller


def throttled(phone: str = PHONE, purpose: str = "login", **kwargs: Any) -> tuple[str, int]:
    with pytest.raises(Throttled) as caught:
        send_code(phone, purpose, **kwargs)
    return caught.value.scope.value, caught.value.retry_after


# -------------------------------------------------------------------------------- limits of a number


def test_the_pause_between_two_sms_is_exact(site: Site, memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory("login", "payment")
    assert site.send().json()["resend_in"] == 60

    clock.shift(59.5)
    response = site.send(purpose="payment")
    assert refusal(response) == (429, "throttled")
    assert (response.json()["scope"], response.json()["retry_after"]) == ("resend", 1)
    assert response.headers["Retry-After"] == "1"

    clock.shift(0.5)
    assert site.send(purpose="payment").status_code == 202


def status(site: Site, verification_id: object) -> dict[str, Any]:
    response = requests.get(f"{site.url}/sms/send/{verification_id}/", timeout=60)
    assert response.status_code == 200
    return dict(response.json())


def test_a_status_returns_only_the_pause_after_its_own_sms(
    site: Site, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    memory("login", "payment")
    own = site.send().json()["verification_id"]
    clock.shift(20)
    assert status(site, own)["resend_in"] == 40

    clock.shift(60)
    assert status(site, own)["resend_in"] == 0
    other = site.send(purpose="payment").json()["verification_id"]
    clock.shift(10)

    assert (status(site, own)["resend_in"], status(site, other)["resend_in"]) == (0, 50)
    refused = site.resend(own)
    assert (refusal(refused), refused.json()["retry_after"]) == ((429, "throttled"), 50)
    clock.shift(50)
    assert site.resend(own).json()["resend_in"] == 60
    assert (status(site, own)["resend_in"], status(site, other)["resend_in"]) == (60, 0)


def test_a_status_after_a_refused_resend_returns_the_pause_of_the_previous_sms(
    site: Site, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    provider = memory()
    verification = send_code(PHONE, "login")
    Provider.objects.filter(pk=provider.pk).update(gateway="gone")
    clock.shift(20)
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0}), pytest.raises(NoRoute):
        resend_code(verification.pk)

    assert status(site, verification.pk)["resend_in"] == 40


@pytest.mark.parametrize("end", ["verified", "expired", "exhausted", "key-gone"])
def test_the_status_of_a_finished_verification_does_not_show_later_sms(
    end: str, site: Site, memory: MakeProvider, clock: time_machine.Traveller, settings: Any
) -> None:
    memory("login", "payment")
    settings.SMSVERIFY = {"RESEND_INTERVAL": 300}
    verification = send_code(PHONE, "login")
    if end == "verified":
        verify_code(verification.pk, last_code())
    elif end == "exhausted":
        guess_wrong(verification, verification.max_attempts)
    elif end == "key-gone":
        settings.SECRET_KEY = "another"
    else:
        clock.shift(300)
    finished = status(site, verification.pk)
    clock.shift(0 if end == "expired" else 300)

    send_code(PHONE, "payment")

    after = status(site, verification.pk)
    assert finished["resend_in"] == after["resend_in"] == 0
    assert {**finished, "expires_in": 0} == {**after, "expires_in": 0}
    refused = site.resend(str(verification.pk))
    assert refused.status_code == 400
    assert refused.json().keys() == {"detail", "code"}
    assert throttled() == ("resend", 300)


def test_a_number_is_counted_over_all_providers_purposes_and_resends(
    memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    memory("login")
    memory("payment", slug="other")
    first = send_code(PHONE, "login")
    for purpose in ("payment", "again", "login", "payment"):
        clock.shift(60)
        resend_code(first.pk) if purpose == "again" else send_code(PHONE, purpose)

    clock.shift(60)

    assert throttled() == ("phone", 3600 - 5 * 60)


def test_the_longest_wait_is_returned(memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory()
    with override_settings(SMSVERIFY={"PHONE_LIMITS": ("1/10m", "1/2h")}):
        send_code(PHONE, "login")
        clock.shift(30)
        assert throttled() == ("phone", 7170)


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(4))
def test_no_rolling_window_exceeds_its_limit(seed: int, memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory()
    rng = random.Random(seed)
    limits = {"PHONE_LIMITS": ("3/m", "7/10m"), "RESEND_INTERVAL": 5, "PREFIX_LIMITS": (), "GUESS_LIMIT": "20/d"}
    sent: list[datetime] = []

    with override_settings(SMSVERIFY=limits):
        for _ in range(120):
            clock.shift(rng.choice([0, 0.4, 1, 3, 7, 20, 59]))
            if rng.random() < 0.05:
                cache.clear()
            try:
                send_code(PHONE, "login")
                sent.append(timezone.now())
            except Throttled as refused:
                if rng.random() < 0.3:
                    clock.shift(refused.retry_after)
                    send_code(PHONE, "login")  # the returned wait is enough
                    sent.append(timezone.now())

    for times, seconds in ((1, 5), (3, 60), (7, 600)):
        for index in range(len(sent) - times):
            assert sent[index + times] - sent[index] >= timedelta(seconds=seconds)
    assert len(sent) > 10


def test_a_flushed_cache_gives_no_number_an_extra_sms(memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory()
    for _ in range(5):
        send_code(PHONE, "login")
        clock.shift(60)
        cache.clear()

    assert throttled()[0] == "phone"


def test_a_refused_send_is_not_counted_and_an_unknown_outcome_is(
    vendor: MakeProvider, sandbox: Sandbox, clock: time_machine.Traveller
) -> None:
    vendor("topthink", priority=1)
    vendor("veesing", priority=2)
    sandbox.misbehave("topthink", Fault.status(404))
    send_code(PHONE, "login")
    assert {m.provider.slug: m.status for m in Message.objects.all()} == {"topthink": "not_sent", "veesing": "accepted"}
    assert throttled() == ("resend", 60)

    clock.shift(60)
    sandbox.misbehave("topthink", Fault.status(500))
    send_code(PHONE, "login")

    assert throttled() == ("resend", 60)


def test_notices_of_the_site_are_neither_limited_nor_counted(
    memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    from django_smsverify.sending import send_message

    from .conftest import add_template

    provider = memory()
    notice = add_template(provider, "notice", "{name}，您的订单已发货，请注意查收。", "")
    send_code(PHONE, "login")

    for _ in range(20):
        send_message(notice, {PHONE: {"name": "王先生"}})

    clock.shift(60)
    send_code(PHONE, "login")


# ------------------------------------------------------------------------------ address, block, site


def test_an_address_is_limited(site: Site, memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"IP_LIMITS": ("2/h",)}):
        for number in range(2):
            assert site.send(f"1380013800{number}").status_code == 202
        response = site.send("13800138009")
    assert refusal(response) == (429, "throttled")
    body = response.json()
    assert body["scope"] == "ip"
    assert 0 < body["retry_after"] <= 3900
    assert response.headers["Retry-After"] == str(body["retry_after"])


def test_the_wait_of_a_window_is_exact_to_the_second(memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory()
    with override_settings(SMSVERIFY={"GLOBAL_LIMITS": ("1/h",)}):
        send_code("13800138001", "login")
        scope, seconds = throttled("13800138002")
        assert scope == "global"
        clock.shift(seconds - 1)
        assert throttled("13800138002") == ("global", 1)
        clock.shift(1)
        send_code("13800138002", "login")


def test_a_number_block_is_limited(memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"PREFIX_LIMITS": ("2/h",)}):
        send_code("13800138001", "login")
        send_code("13800138002", "login")
        assert throttled("13800138003")[0] == "prefix"
        send_code("13800148003", "login")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
    ],
)
def test_ipv6_is_counted_by_its_network(one: str, other: str, same: bool, memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"IP_LIMITS": ("1/h",)}):
        send_code("13800138001", "login", ip=one)
        if same:
            assert throttled("13800138002", ip=other)[0] == "ip"
        else:
            send_code("13800138002", "login", ip=other)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        (0, "198.51.100.1", "127.0.0.1"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (2, "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "198.51.100.1", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "unknown", "127.0.0.1"),
        (1, "198.51.100.1:4711", "198.51.100.1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_client_address_comes_from_trusted_proxies(proxies: int, forwarded: str, client: str) -> None:
    from django.test import RequestFactory

    from django_smsverify.http.client_address import client_ip

    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR=forwarded)
    with override_settings(SMSVERIFY={"TRUSTED_PROXIES": proxies}):
        assert client_ip(request) == client


def test_a_forged_header_gives_no_extra_sms(site: Site, memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"IP_LIMITS": ("3/h",), "TRUSTED_PROXIES": 1}):
        answers = [
            site.send(f"1380013800{n}", X_Forwarded_For=f"{n}.{n}.{n}.{n}, 198.51.100.1").status_code for n in range(6)
        ]
    assert answers == [202] * 3 + [429] * 3


def test_a_refused_request_is_not_counted_in_shared_windows(
    memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    memory()
    limits = {"IP_LIMITS": ("3/h",), "PREFIX_LIMITS": ("3/h",), "GLOBAL_LIMITS": ("4/h",)}
    with override_settings(SMSVERIFY=limits):
        send_code("13800138001", "login", ip="203.0.113.7")
        for _ in range(10):
            assert throttled("13800138001", ip="203.0.113.7")[0] == "resend"
        send_code("13800138002", "login", ip="203.0.113.7")
        send_code("13800138003", "login", ip="203.0.113.7")
        for _ in range(10):
            assert throttled("13800138004", ip="203.0.113.8")[0] == "prefix"
            assert throttled("13900138004", ip="203.0.113.7")[0] == "ip"
        send_code("13900138001", "login", ip="203.0.113.8")
        for _ in range(10):
            assert throttled("13700138001", ip="203.0.113.8")[0] == "global"
            assert throttled("13700138001", ip="203.0.113.9")[0] == "global"


def test_a_refused_send_is_refunded_to_block_and_site_but_not_to_the_address(memory: MakeProvider) -> None:
    provider = memory()
    limits = {"IP_LIMITS": ("2/h",), "PREFIX_LIMITS": ("1/h",), "GLOBAL_LIMITS": ("1/h",)}
    with override_settings(SMSVERIFY=limits):
        Provider.objects.filter(pk=provider.pk).update(gateway="gone")
        with pytest.raises(NoRoute):
            send_code(PHONE, "login", ip="203.0.113.7")
        Provider.objects.filter(pk=provider.pk).update(gateway="memory")
        circuits.close(provider)

        send_code("13800138001", "login", ip="203.0.113.7")

        assert throttled("13900138001", ip="203.0.113.7")[0] == "ip"
        assert throttled("13800138002", ip="203.0.113.8")[0] == "prefix"


@pytest.mark.parametrize("switch", [{"RATELIMIT_ENABLE": False}, {"RATELIMIT_FAIL_OPEN": True}])
def test_settings_of_django_ratelimit_do_not_disable_the_limits(switch: dict[str, bool], memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"GLOBAL_LIMITS": ("1/h",)}, **switch):
        send_code("13800138001", "login")
        assert throttled("13900138001")[0] == "global"


# ------------------------------------------------------------------------------ caches that are down


@pytest.mark.parametrize("backend", ["DeadCache", "SilentCache"])
@pytest.mark.parametrize("limits", [{}, NO_LIMITS], ids=["limits", "no-limits"])
def test_nothing_is_sent_while_the_cache_is_down(
    backend: str, limits: dict[str, Any], site: Site, memory: MakeProvider, log: Any
) -> None:
    memory()
    broken = {"default": {"BACKEND": f"tests.test_limits.{backend}"}}
    with override_settings(CACHES=broken, SMSVERIFY=limits, RATELIMIT_FAIL_OPEN=True):
        assert refusal(site.send()) == (503, "throttle_unavailable")
        with pytest.raises(ThrottleUnavailable):
            send_code(PHONE, "login")
    assert not Message.objects.exists()
    assert not MemoryGateway.outbox
    assert "password" not in log.text
    assert site.send().status_code == 202, "recovers by itself"


def test_a_flushed_cache_does_not_count_as_down(memory: MakeProvider, log: Any) -> None:
    memory()
    busy = {"default": {"BACKEND": "tests.test_limits.FlushedCache", "LOCATION": "flushed"}}
    with override_settings(CACHES=busy):
        send_code("13800138001", "login")
        send_code("13800138002", "login")
    assert Message.objects.count() == 2
    assert "failed" not in log.text


def test_the_limits_are_stored_in_the_cache_of_django_ratelimit(memory: MakeProvider) -> None:
    memory()
    two = {name: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name} for name in "ab"}
    with override_settings(
        CACHES={"default": two["a"], "limits": two["b"]},
        RATELIMIT_USE_CACHE="limits",
        SMSVERIFY={"GLOBAL_LIMITS": ("1/h",)},
    ):
        caches["limits"].clear()
        send_code("13800138001", "login")
        caches["default"].clear()
        assert throttled("13900138001")[0] == "global"
        caches["limits"].clear()
        send_code("13900138001", "login")


# ------------------------------------------------------------------------------------------- guesses


def guess_wrong(verification: Verification, times: int) -> None:
    code = last_code()
    for _ in range(times):
        with pytest.raises(WrongCode):
            verify_code(verification.pk, wrong(code))


def test_guesses_for_one_number_are_limited_over_all_verifications(
    memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    memory()
    allowed = []
    with override_settings(SMSVERIFY={"PHONE_LIMITS": ("100/d",), "PREFIX_LIMITS": (), "GUESS_LIMIT": "12/d"}):
        for _ in range(6):
            verification = send_code(PHONE, "login")
            allowed.append(verification.max_attempts)
            guess_wrong(verification, verification.max_attempts)
            clock.shift(60)
        assert allowed == [5, 5, 2, 1, 1, 1]

        clock.shift(86400 - 6 * 60 + 1)

        assert send_code(PHONE, "login").max_attempts == 2, "the first five of fifteen guesses are a day old"


def test_by_default_a_number_has_25_guesses_a_day_at_most(memory: MakeProvider, clock: time_machine.Traveller) -> None:
    """Fifteen, and one for each of ten SMS: the chance to guess a code within a day is 2.5 in 100,000."""
    memory()
    allowed = []
    for _ in range(10):
        verification = send_code(PHONE, "login")
        allowed.append(verification.max_attempts)
        guess_wrong(verification, verification.max_attempts)
        clock.shift(12 * 60)

    assert allowed == [5, 5, 5, 1, 1, 1, 1, 1, 1, 1]
    assert throttled()[0] == "phone"


def test_open_guesses_are_counted_until_they_expire(memory: MakeProvider, clock: time_machine.Traveller) -> None:
    memory()
    with override_settings(SMSVERIFY={"GUESS_LIMIT": "7/d"}):
        assert send_code(PHONE, "login").max_attempts == 5
        clock.shift(60)
        assert send_code(PHONE, "login").max_attempts == 2
        clock.shift(600)
        assert send_code(PHONE, "login").max_attempts == 5


def test_a_late_guess_about_a_long_lived_code_counts(memory: MakeProvider, clock: time_machine.Traveller) -> None:
    """Two days of a code, and one of its proof, in which a request with its key may be repeated."""
    memory()
    longest = {"GUESS_LIMIT": "7/d", "CODE_LIFETIME": 86400, "PROOF_LIFETIME": 86400}
    with override_settings(SMSVERIFY=longest):
        verification = send_code(PHONE, "login")
        Verification.objects.filter(pk=verification.pk).update(
            attempts=6, attempted_at=timezone.now() + timedelta(days=3), verified_at=timezone.now() + timedelta(days=2)
        )
        clock.shift(timedelta(days=3, hours=23))

        assert send_code(PHONE, "login").max_attempts == 1


def test_guesses_do_not_block_another_number(memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"GUESS_LIMIT": "5/d"}):
        guess_wrong(send_code(PHONE, "login"), 5)
        assert send_code("13900139000", "login").max_attempts == 5


def test_an_attacker_who_knows_only_the_number_cannot_end_a_verification(
    memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    memory()
    owner = send_code(PHONE, "login")
    code = code_in(MemoryGateway.outbox[0].text)
    clock.shift(60)

    attacker = send_code(PHONE, "login")
    guess_wrong(attacker, attacker.max_attempts)

    assert verify_code(owner.pk, code).phone == PHONE


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(3))
def test_no_window_has_more_checked_guesses_than_the_limit_allows(
    seed: int, memory: MakeProvider, clock: time_machine.Traveller
) -> None:
    memory()
    rng = random.Random(seed)
    checked: list[datetime] = []
    sent: list[datetime] = []
    live: list[Verification] = []
    with override_settings(SMSVERIFY={"GUESS_LIMIT": "8/h", "PHONE_LIMITS": ("40/h",), "PREFIX_LIMITS": ()}):
        for _ in range(150):
            clock.shift(rng.choice([1, 20, 61, 200]))
            if rng.random() < 0.5:
                try:
                    live.append(send_code(PHONE, "login"))
                    sent.append(timezone.now())
                except Throttled:
                    pass
            for verification in rng.sample(live, min(2, len(live))):
                try:
                    verify_code(verification.pk, wrong(verification.derive_code()))
                except WrongCode:
                    checked.append(timezone.now())
                except Exception:
                    live.remove(verification)
    hour = timedelta(hours=1)
    for start in checked:
        guesses = sum(start <= moment < start + hour for moment in checked)
        # A guess may be made on an SMS that was sent up to two lifetimes before the window.
        allowance = 8 + sum(start - timedelta(seconds=600) <= moment < start + hour for moment in sent)
        assert guesses <= allowance
    assert len(checked) > 15


SITE_ONCE = [Window(Scope.GLOBAL, "site", 1, 3600)]


def test_a_flush_between_charge_and_refund_gives_no_extra_send(db: None) -> None:
    charge, another = Charge(), Charge()
    charge.count(SITE_ONCE)
    cache.clear()
    another.count(SITE_ONCE)
    charge.refund(Scope.GLOBAL)
    another.refund(Scope.GLOBAL)

    assert Charge().count(SITE_ONCE) == {}
    assert Charge().count(SITE_ONCE) != {}


def test_a_negative_counter_does_not_block(db: None) -> None:
    Charge().count(SITE_ONCE)
    (key,) = [key for key in cached() if "smsverify:global" in key]
    if (client := redis_script._client(caches["default"])) is None:
        cache.set(key.removeprefix(":1:"), -1)
    else:
        client.hset(key, mapping=dict.fromkeys(client.hkeys(key), -1))

    assert Charge().count(SITE_ONCE) == {}


def test_clients_without_an_address_share_one_limit(client: Client, memory: MakeProvider) -> None:
    memory()
    with override_settings(SMSVERIFY={"IP_LIMITS": ("1/h",)}):
        answers = [
            client.post(
                "/sms/send/", {"phone": f"1380013800{n}", "purpose": "login"}, "application/json", REMOTE_ADDR=""
            ).status_code
            for n in range(3)
        ]
    assert answers == [202, 429, 429]


@pytest.mark.parametrize(
    ("scope", "second", "limits"),
    [
        ("resend", "13800138000", {}),
        ("phone", "13800138000", {"RESEND_INTERVAL": 0, "PHONE_LIMITS": ("1/h",)}),
        ("ip", "13900139000", {"IP_LIMITS": ("1/h",)}),
        ("prefix", "13800138999", {"PREFIX_LIMITS": ("1/h",)}),
        ("global", "13900139000", {"GLOBAL_LIMITS": ("1/h",)}),
    ],
)
def test_a_throttled_response_has_the_scope_and_the_wait(
    scope: str, second: str, limits: dict[str, Any], site: Site, memory: MakeProvider
) -> None:
    memory()
    with override_settings(SMSVERIFY=limits):
        assert site.send("13800138000").status_code == 202
        response = site.send(second)

    assert refusal(response) == (429, "throttled")
    body = response.json()
    assert body["scope"] == scope
    assert response.headers["Retry-After"] == str(body["retry_after"])
    assert 0 < body["retry_after"] <= (60 if scope == "resend" else 3900)
