"""The windows of addresses, blocks and the site: never exceeded, almost fully usable, with few calls of the cache."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import IPv6Address
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import BaseCache, caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from django_smsverify.enums import Scope
from django_smsverify.exceptions import Throttled
from django_smsverify.limits import redis_script, tally
from django_smsverify.limits.shared import Charge, address_windows, networks, shared_windows
from django_smsverify.limits.tally import Tallied, Tally
from django_smsverify.limits.windows import BUCKETS, Counting, Window
from django_smsverify.models import Refusal
from django_smsverify.sending import send_code

from .conftest import PHONE, MakeProvider
from .servers import require

NOW = 1_790_000_000.0
OTHER, ADDRESS = "+8613900139000", "203.0.113.7"
ROOMY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 1_000_000}}


def window(times: int, seconds: int, subject: str = "x") -> Window:
    return Window(Scope.GLOBAL, subject, times, seconds)


def passes(cache: BaseCache, windows: list[Window], now: float) -> bool:
    return not any(Counting(windows, now).count(cache))


def most_within(passed: list[float], seconds: int) -> int:
    """The largest number of requests in any rolling window."""
    most = first = 0
    for last, moment in enumerate(passed):
        while moment - passed[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


class TestAnyCache:
    @pytest.fixture
    def roomy(self) -> Iterator[BaseCache]:
        with override_settings(CACHES={"default": ROOMY}):
            caches["default"].clear()
            yield caches["default"]

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(6))
    def test_90000_requests_never_exceed_the_limit(self, seed: int, roomy: BaseCache) -> None:
        rng = random.Random(seed)
        rule = window(rng.randint(1, 60), rng.choice([1, 7, 60, 3600, 86400]))
        now, passed = NOW, []
        for _ in range(15_000):
            now += rng.expovariate(3 * rule.times / rule.seconds) * rng.choice([0.01, 1, 1, 4])
            if passes(roomy, [rule], now):
                passed.append(now)

        assert most_within(passed, rule.seconds) == rule.times
        assert len(passed) > 1000

    @pytest.mark.slow
    @pytest.mark.parametrize("times", [1, 3, 60])
    def test_eleven_twelfths_of_a_limit_are_usable(self, times: int, roomy: BaseCache) -> None:
        """With a request each second, over a hundred windows."""
        rule = window(times, 120)
        moments = [NOW + second for second in range(120 * 100)]

        passed = [now for now in moments if passes(roomy, [rule], now)]

        assert len(passed) >= 100 * times * 11 / 12
        assert most_within(passed, 120) == times

    @pytest.mark.parametrize("seed", range(3))
    def test_a_wait_is_exact_to_the_second(self, seed: int, roomy: BaseCache) -> None:
        rng = random.Random(seed)
        rule, now = window(rng.randint(1, 5), rng.choice([60, 3600])), NOW
        for _ in range(300):
            now += rng.random() * rule.seconds / rule.times / 2
            (wait,) = Counting([rule], now).count(roomy)
            if wait:
                assert Counting([rule], now + wait - 1).count(roomy) in ([1], [2])
                now += wait
                assert passes(roomy, [rule], now)

    def test_of_several_windows_all_count_or_none(self, roomy: BaseCache) -> None:
        wide, narrow = window(3, 60, "wide"), window(1, 60, "narrow")
        assert passes(roomy, [wide, narrow], NOW)
        for _ in range(10):
            assert not passes(roomy, [wide, narrow], NOW)

        assert passes(roomy, [wide], NOW)
        assert passes(roomy, [wide], NOW)
        assert not passes(roomy, [wide], NOW)

    def test_parallel_requests_never_exceed_the_limit(self, roomy: BaseCache) -> None:
        rules = [window(20, 3600)]
        with ThreadPoolExecutor(16) as pool:
            passed = sum(pool.map(lambda _: passes(roomy, rules, NOW), range(200)))

        assert 0 < passed <= 20
        # Two parallel requests may both find it full; their counts are refunded.
        assert passed + sum(passes(roomy, rules, NOW) for _ in range(20)) == 20

    def test_counts_of_a_clock_that_is_ahead_are_included(self, roomy: BaseCache) -> None:
        rule = window(1, 120)

        assert passes(roomy, [rule], NOW + 10)
        assert not passes(roomy, [rule], NOW)

    def test_a_cache_that_stores_nothing_allows_no_request(self) -> None:
        class Forgetful(LocMemCache):
            def get_many(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
                return {}

        with pytest.raises(ConnectionError, match="does not keep what it counts"):
            passes(Forgetful("forgetful", {}), [window(2, 3600)], NOW)

    def test_a_window_costs_three_calls_and_a_refusal_one_more(self) -> None:
        calls: Counter[str] = Counter()

        class Counted(LocMemCache):
            def __getattribute__(self, name: str) -> Any:
                if name in {"add", "incr", "decr", "get", "set", "get_many", "delete"}:
                    calls[name] += 1
                return super().__getattribute__(name)

        watched, rule = Counted("counted", {}), window(2, 3600)
        watched.clear()
        for expected in ({"add": 1, "get_many": 1}, {"add": 1, "incr": 1, "get_many": 1}):
            calls.clear()
            assert passes(watched, [rule], NOW)
            assert {name: calls[name] for name in expected} == expected
        calls.clear()

        assert not passes(watched, [rule], NOW)
        assert (calls["add"], calls["get_many"], calls["decr"]) == (1, 1, 1)
        assert calls["incr"] == 1 + calls["decr"], "LocMem's decr is an incr"


REDIS = {
    "Django's": "django.core.cache.backends.redis.RedisCache",
    "django-redis": "django_redis.cache.RedisCache",
}


@pytest.fixture(params=REDIS)
def redis(request: pytest.FixtureRequest) -> Iterator[BaseCache]:
    where = require("Redis")
    if request.param == "django-redis":
        pytest.importorskip("django_redis")
    redis_script._without_scripts.clear()
    own = {"BACKEND": REDIS[request.param], "LOCATION": where, "KEY_PREFIX": uuid4().hex}
    with override_settings(CACHES={"default": own}):
        yield caches["default"]
    redis_script._without_scripts.clear()


@pytest.fixture
def commands(redis: BaseCache) -> Iterator[list[str]]:
    """The commands sent to the server, one for each round trip."""
    sent: list[str] = []
    client = redis_script._client(redis)
    run_command = client.execute_command

    def execute(*args: Any, **options: Any) -> Any:
        sent.append(str(args[0]))
        return run_command(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(client), "execute_command", lambda self, *args, **options: execute(*args, **options))
        yield sent


@pytest.mark.slow
class TestRedis:
    def test_many_requests_never_exceed_the_limit(self, redis: BaseCache) -> None:
        rng, rule, now, passed = random.Random(1), window(7, 60), NOW, []
        for _ in range(5000):
            now += rng.expovariate(0.5)
            if passes(redis, [rule], now):
                passed.append(now)

        assert most_within(passed, 60) == 7
        assert len(passed) >= (now - NOW) / 60 * 7 * 0.8

    def test_a_request_is_one_round_trip_and_a_refusal_counts_nothing(
        self, redis: BaseCache, commands: list[str]
    ) -> None:
        rules = [window(2, 60, "a"), window(1, 3600, "b")]
        assert passes(redis, rules, NOW)  # the script is loaded
        commands.clear()

        assert not passes(redis, rules, NOW)
        assert commands == ["EVALSHA"]
        assert passes(redis, rules[:1], NOW)
        assert not passes(redis, rules[:1], NOW)

    def test_counts_of_a_script_are_refunded_once(self, redis: BaseCache, commands: list[str]) -> None:
        rules = [window(1, 60, "a"), window(1, 3600, "b")]
        counting = Counting(rules, NOW)
        counting.count(redis)
        counting.undo(redis)
        assert passes(redis, rules, NOW)
        commands.clear()

        Counting(rules, NOW).undo(redis)
        assert commands == []
        assert not passes(redis, rules, NOW)

    def test_a_bucket_expires_after_its_window(self, redis: BaseCache) -> None:
        rule = window(1, 60)
        passes(redis, [rule], NOW)

        assert 60 < redis_script._client(redis).ttl(redis.make_key(rule.key)) <= rule.lifetime

    def test_a_window_that_is_always_used_keeps_few_buckets(self, redis: BaseCache) -> None:
        rule, most = window(10**6, 60), 0
        for turn in range(10 * BUCKETS):
            assert passes(redis, [rule], NOW + turn * 60 / BUCKETS)
            most = max(most, redis_script._client(redis).hlen(redis.make_key(rule.key)))

        assert BUCKETS + 2 <= most <= 4 * BUCKETS + 1

    def test_a_window_of_a_second_has_large_numbers_of_buckets(self, redis: BaseCache) -> None:
        rule = window(1, 1)

        assert passes(redis, [rule], NOW)
        assert not passes(redis, [rule], NOW + 0.9)
        assert passes(redis, [rule], NOW + 1.1)

    def test_a_server_without_scripts_receives_single_commands(
        self, redis: BaseCache, monkeypatch: pytest.MonkeyPatch, log: Any
    ) -> None:
        monkeypatch.setattr(redis_script, "COUNT", "return redis.call('NOSUCHCOMMAND')")

        assert passes(redis, [window(1, 60)], NOW)
        assert not passes(redis, [window(1, 60)], NOW)
        assert redis_script._client(redis) is None
        assert log.text.count("runs no scripts") == 1

    def test_scripts_are_used_again_after_a_temporary_write_error(
        self, redis: BaseCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(redis_script, "COUNT", "return redis.error_reply('READONLY You cannot write')")
            with pytest.raises(Exception, match="You cannot write"):
                passes(redis, [window(1, 60)], NOW)

        assert redis_script._client(redis) is not None
        assert passes(redis, [window(1, 60)], NOW)

    def test_a_script_that_the_server_has_forgotten_is_sent_again(self, redis: BaseCache, commands: list[str]) -> None:
        rules = [window(2, 60)]
        assert passes(redis, rules, NOW)
        redis_script._client(redis).script_flush()
        commands.clear()

        assert passes(redis, rules, NOW)
        assert commands == ["EVALSHA", "EVAL"]
        assert not passes(redis, rules, NOW)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
class TestRefusals:
    """The script counts a refusal in the trip that is made anyway."""

    def test_by_address_in_one_trip_and_by_number_in_two(self, memory: MakeProvider, commands: list[str]) -> None:
        def refused(ip: str | None = None) -> None:
            with pytest.raises(Throttled):
                send_code(PHONE, "login", ip=ip)

        memory("login")
        changed = {"IP_LIMITS": ("1/h",), "PHONE_LIMITS": ("1/h",), "GLOBAL_LIMITS": ("9/h",), "RESEND_INTERVAL": 0}
        with override_settings(SMSVERIFY=changed):
            send_code(PHONE, "login", ip=ADDRESS)
            refused()  # loads the scripts
            commands.clear()
            refused(ip=ADDRESS)
            assert commands == ["EVALSHA"]
            commands.clear()
            refused()

        assert commands == ["EVALSHA", "EVALSHA"]
        assert set(Refusal.objects.values_list("reason", "count")) == {("ip", 1), ("phone", 2)}

    def test_scripts_and_single_commands_count_alike(self, redis: BaseCache) -> None:
        def tallied(phone: str, because: str = "") -> Tallied | None:
            charge = Charge(Tally(phone, 1_800_000_000))
            if because:
                charge.refund(because=because)
            else:
                charge.count(full)
            return charge.tallied

        full = [Window(Scope.IP, "address", 1, 3600), Window(Scope.GLOBAL, "site", 1, 3600)]
        Charge().count(full)

        assert tallied(PHONE) == ("ip", 1, 1)
        assert tallied(OTHER, "captcha") == ("captcha", 1, 2)
        redis_script._without_scripts.add(redis_script._name(redis))
        Charge().count(full)
        assert tallied(PHONE) == ("ip", 2, 0)
        assert tallied(OTHER, "captcha") == ("captcha", 2, 0)
        assert tallied(OTHER) == ("ip", 1, 3)
        redis_script._without_scripts.clear()
        assert tallied(OTHER) == ("ip", 2, 0)

    def test_many_numbers_are_counted_together(self, redis: BaseCache, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tally, "MOST_SUBJECTS", 1)
        counted = []
        for phone in (PHONE, OTHER, OTHER, PHONE):
            charge = Charge(Tally(phone, 1_800_000_000))
            charge.refund(because="captcha")
            counted.append(charge.tallied)

        assert counted == [("captcha", 1, 1), ("captcha", 0, 2), ("captcha", 0, 3), ("captcha", 2, 0)]
        client = redis_script._client(redis)
        assert len(list(client.scan_iter(f"{redis.key_prefix}*"))) == 2

    def test_a_refusal_that_cannot_be_counted_is_one(self, redis: BaseCache, monkeypatch: pytest.MonkeyPatch) -> None:
        """Such as by a server whose memory is full."""
        full = [Window(Scope.IP, "address", 1, 3600)]
        Charge().count(full)
        for name in ("COUNT", "GIVE_BACK"):
            broken = getattr(redis_script, name).replace("redis.call('EXISTS', key)", "redis.call('NOSUCHCOMMAND')")
            monkeypatch.setattr(redis_script, name, broken)
        charge = Charge(Tally(PHONE, 1_800_000_000))

        assert charge.count(full).keys() == {Scope.IP}
        assert charge.tallied is None

    def test_the_counts_of_an_hour_expire(self, redis: BaseCache) -> None:
        Charge(Tally(PHONE, 1_800_000_000)).refund(because="captcha")
        client = redis_script._client(redis)

        assert [client.ttl(redis.make_key(key)) for key in Tally(PHONE, 1_800_000_000).keys(["captcha"])] == [7200] * 2


class TestSubjects:
    def test_ipv6_is_counted_by_three_networks(self) -> None:
        assert list(networks("2001:db8:1:2::9")) == [
            ("2001:db8:1:2::/64", 1),
            ("2001:db8:1::/56", 10),
            ("2001:db8:1::/48", 100),
        ]

    @pytest.mark.parametrize(("apart", "allowance"), [(1, 2), (1 << 64, 20), (1 << 72, 200)])
    def test_a_whole_network_shares_one_limit(self, apart: int, allowance: int) -> None:
        """Addresses of one network of 64, 56 or 48 bits, as far apart as possible."""
        first = int(IPv6Address("2001:db8::"))
        with override_settings(SMSVERIFY={"IP_LIMITS": ("2/h",)}, CACHES={"default": ROOMY}):
            caches["default"].clear()
            addresses = [str(IPv6Address(first + apart * number)) for number in range(250)]
            passed = sum(not Charge().count(address_windows(ip)) for ip in addresses)

        assert passed == allowance

    def test_the_shared_windows_are_those_of_the_block_and_the_site(self) -> None:
        with override_settings(SMSVERIFY={"PREFIX_LIMITS": ("60/h", "9/m"), "GLOBAL_LIMITS": ("5/s",)}):
            found = [(rule.scope, rule.times, rule.seconds) for rule in shared_windows(PHONE)]

        assert found == [(Scope.PREFIX, 60, 3600), (Scope.PREFIX, 9, 60), (Scope.GLOBAL, 5, 1)]


class TestLaterRefunds:
    RULES = {"PREFIX_LIMITS": (), "GLOBAL_LIMITS": ("1/h",)}
    BUCKET = 3600 / BUCKETS

    @override_settings(SMSVERIFY=RULES)
    def test_a_worker_refunds_the_charge_of_the_request(self, time_machine: Any) -> None:
        edge = (NOW // self.BUCKET) * self.BUCKET
        time_machine.move_to(edge + 60, tick=False)
        Charge().count(shared_windows(PHONE))

        Charge.of(PHONE, datetime.fromtimestamp(edge + 61, UTC)).refund(Scope.GLOBAL)

        assert Charge().count(shared_windows(PHONE)) == {}

    @override_settings(SMSVERIFY=RULES)
    def test_a_charge_from_a_possibly_older_bucket_is_not_refunded(self, time_machine: Any) -> None:
        edge = (NOW // self.BUCKET) * self.BUCKET
        time_machine.move_to(edge - 1, tick=False)
        Charge().count(shared_windows(PHONE))

        Charge.of(PHONE, datetime.fromtimestamp(edge + 1, UTC)).refund(Scope.GLOBAL)

        time_machine.move_to(edge + 2, tick=False)
        assert Charge().count(shared_windows(PHONE)) != {}
