"""A Redis that accepts requests and does not answer, with each client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from django.core.cache import caches
from django.core.checks import CheckMessage, run_checks
from django.test import override_settings

from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits import cache
from django_smsverify.models import Message
from django_smsverify.sending import send_code
from tests.conftest import PHONE, MakeProvider, Site, refusal
from tests.servers import missing

from .redis import Redis

SOON = cache.MAX_SECONDS + 3
CLIENTS: dict[str, dict[str, Any]] = {
    "Django": {"BACKEND": "django.core.cache.backends.redis.RedisCache"},
    "Django, for ever": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "OPTIONS": {"socket_timeout": None, "socket_connect_timeout": None},
    },
    "django-redis": {"BACKEND": "django_redis.cache.RedisCache"},
    "django-redis, ignoring": {
        "BACKEND": "django_redis.cache.RedisCache",
        "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_TIMEOUT": 5},
    },
}


def require_django_redis() -> None:
    if not find_spec("django_redis"):
        missing("django-redis is not installed: pip install --group services")


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, redis: Redis) -> Iterator[None]:
    """The site's cache by each client; one SMS an hour for an IP address, and a high limit for a number block."""
    if "django-redis" in request.param:
        require_django_redis()
    limits = {"IP_LIMITS": ("1/h",), "PREFIX_LIMITS": ("100/h",)}
    cache = {**CLIENTS[request.param], "LOCATION": redis.url}
    with override_settings(CACHES={"default": cache}, SMSVERIFY=limits):
        caches["default"].clear()
        yield


def end_late_calls() -> None:
    """Waits for the calls that began during the silence, which end after it in their own threads."""
    for call in tuple(cache._hung):
        assert call.wait(30)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("client")
class TestSilence:
    def test_a_request_is_refused_soon_and_nothing_is_sent(
        self, redis: Redis, memory: MakeProvider, site: Site
    ) -> None:
        memory()
        with redis.silent():
            started = time.monotonic()
            assert refusal(site.send()) == (503, "throttle_unavailable")
            assert time.monotonic() - started < SOON
        assert not MemoryGateway.outbox
        assert not Message.objects.exists()
        end_late_calls()

        assert site.send().status_code == 202, "the number is not locked, and no SMS was counted for the IP address"
        assert refusal(site.send("13800138001")) == (429, "throttled")

    def test_a_silence_after_the_sms_left_is_no_refusal(
        self, redis: Redis, memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory()
        transmit = MemoryGateway.transmit

        def transmit_and_pause(*args: Any) -> Any:
            redis.pause()
            return transmit(*args)

        monkeypatch.setattr(MemoryGateway, "transmit", transmit_and_pause)
        try:
            started = time.monotonic()
            verification = send_code(PHONE, "login")
            assert time.monotonic() - started < SOON
        finally:
            redis.resume()

        assert verification.messages.get().status == "accepted"
        end_late_calls()


def found(cache: dict[str, Any]) -> list[CheckMessage]:
    """The messages of a deployment check about a cache."""
    with override_settings(CACHES={"default": cache}):
        messages = run_checks(tags=["caches"], include_deployment_checks=True)
    return sorted((m for m in messages if str(m.id).startswith("smsverify.")), key=lambda m: str(m.id))


class TestChecks:
    @pytest.mark.parametrize("client", CLIENTS)
    def test_a_redis_that_counts_is_clean(self, client: str, redis: Redis) -> None:
        if "django-redis" in client:
            require_django_redis()

        assert found({**CLIENTS[client], "LOCATION": redis.url}) == []

    @pytest.mark.parametrize("ignoring", [False, True])
    def test_e010_herd_client(self, ignoring: bool, redis: Redis) -> None:
        require_django_redis()
        options = {"CLIENT_CLASS": "django_redis.client.HerdClient", "IGNORE_EXCEPTIONS": ignoring}
        cache = {**CLIENTS["django-redis"], "LOCATION": redis.url, "OPTIONS": options}

        messages = {str(message.id): message for message in found(cache)}

        assert list(messages) == ["smsverify.E007", "smsverify.E010", "smsverify.W005"]
        counting = messages["smsverify.E010"]
        assert "answers incr with NotImplementedError" in counting.msg
        assert "django_redis.client.DefaultClient" in str(counting.hint)

    @pytest.mark.parametrize(
        ("client", "expected"),
        [
            ("Django", ("smsverify.E010", "answers add with ReadOnlyError")),
            ("django-redis", ("smsverify.E010", "answers add with ReadOnlyError")),
            ("django-redis, ignoring", ("smsverify.W006", "it keeps nothing")),
        ],
    )
    def test_a_replica_is_reported(self, client: str, expected: tuple[str, str], redis: Redis) -> None:
        if "django-redis" in client:
            require_django_redis()
        replica = Redis("--replicaof", "127.0.0.1", str(redis.port))
        replica.start()
        try:
            (message,) = found({**CLIENTS[client], "LOCATION": replica.url})
        finally:
            replica.stop()

        assert message.id == expected[0]
        assert expected[1] in message.msg
        assert "primary" in str(message.hint)

    @pytest.mark.parametrize("client", ["Django, for ever", "django-redis, ignoring"])
    def test_w006_a_silent_redis_is_only_a_warning(self, client: str, redis: Redis) -> None:
        if "django-redis" in client:
            require_django_redis()
        with redis.silent():
            started = time.monotonic()
            (message,) = found({**CLIENTS[client], "LOCATION": redis.url})
            assert time.monotonic() - started < SOON
        end_late_calls()

        assert message.id == "smsverify.W006"
        assert "TimeoutError" in message.msg
