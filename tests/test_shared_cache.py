"""A cache that hangs delays a request by two seconds at most, and its late counts are undone."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.db import connection, connections
from django.test import override_settings

from django_smsverify.exceptions import GatewayUnavailable, Throttled, ThrottleUnavailable
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.limits import cache
from django_smsverify.limits.cache import call_cache, time_limit
from django_smsverify.models import Message
from django_smsverify.sending import circuits, resend_code, send_code
from django_smsverify.signals import circuit_changed

from .caches import HangingCache
from .conftest import PHONE, MakeProvider, Site, refusal
from .test_storing_reports import values_sent

SHORT = 0.5
QUICK = SHORT + 3
"""The seconds that a slow machine may take when it waits for SHORT once."""
caller_name: ContextVar[str] = ContextVar("caller_name", default="")


def shared(name: str) -> dict[str, Any]:
    return {"default": {"BACKEND": f"tests.caches.{name}", "LOCATION": name}}


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[HangingCache]]:
    """A cache whose server answers until `answers` is cleared; a request waits SHORT seconds for it."""
    monkeypatch.setattr(cache, "MAX_SECONDS", SHORT)
    HangingCache.answers.set()
    HangingCache.closed.clear()
    cache._hung.clear()  # of other tests
    with override_settings(CACHES=shared("HangingCache")):
        caches["default"].clear()
        yield HangingCache
        finish_hung_calls()


def finish_hung_calls() -> None:
    """Lets the hung calls finish, and waits for them."""
    HangingCache.answers.set()
    for call in tuple(cache._hung):
        assert call.wait(30)
    cache._hung.clear()


def read_cache(key: str = "key") -> Any:
    return call_cache(lambda cache: cache.get(key))


@pytest.mark.slow
class TestCall:
    def test_a_call_times_out(self, hanging: type[HangingCache]) -> None:
        hanging.answers.clear()
        started = time.monotonic()

        with pytest.raises(TimeoutError, match=r"^the cache did not answer within 0\.5 seconds$"):
            read_cache()

        assert SHORT <= time.monotonic() - started < QUICK

    def test_the_time_limit_is_two_seconds(self) -> None:
        assert cache.MAX_SECONDS == 2

    @pytest.mark.parametrize("body", ["one", "many"])
    def test_the_calls_of_one_request_share_the_time_limit(self, body: str, hanging: type[HangingCache]) -> None:
        hanging.answers.clear()
        started = time.monotonic()

        with time_limit(), time_limit():
            for _ in range({"one": 1, "many": 50}[body]):
                with pytest.raises(TimeoutError):
                    read_cache()

        assert SHORT <= time.monotonic() - started < QUICK
        assert len(cache._hung) == 1, "the others were not even made"

    def test_a_call_after_a_request_has_its_own_time_limit(self, hanging: type[HangingCache]) -> None:
        hanging.answers.clear()
        with pytest.raises(TimeoutError), time_limit():
            read_cache()
        finish_hung_calls()

        assert read_cache() is None
        with time_limit():
            assert read_cache() is None

    def test_only_the_time_of_the_cache_counts(self, hanging: type[HangingCache]) -> None:
        with time_limit():
            read_cache()
            threading.Event().wait(2 * SHORT)  # a vendor that is slow
            assert read_cache() is None

    def test_after_a_call_in_vain_nothing_is_left(
        self, hanging: type[HangingCache], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Although the system may end a wait a moment early."""
        monkeypatch.setattr(cache._Call, "is_answered", lambda *args: False)
        with time_limit():
            assert cache._time_left.get().seconds == SHORT
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    read_cache()

        assert len(cache._hung) == 1

    def test_all_calls_share_the_time(self, hanging: type[HangingCache]) -> None:
        with time_limit():
            hanging.answers.clear()
            with pytest.raises(TimeoutError):
                call_cache(lambda cache: cache.get("key"))
            with pytest.raises(TimeoutError, match="used up"):
                read_cache()

    def test_an_error_of_the_client_is_raised(self) -> None:
        with override_settings(CACHES=shared("UncountingCache")), pytest.raises(NotImplementedError):
            call_cache(lambda cache: cache.incr("key"))

    def test_an_error_keeps_no_cache(self) -> None:
        """Its open sockets would be closed at some time by the garbage collector."""
        gone = threading.Event()

        def fail() -> None:
            weakref.finalize(caches["default"], gone.set)
            with pytest.raises(ValueError, match="not found"):
                call_cache(lambda cache: cache.incr("nothing"))

        gc.collect()
        gc.disable()
        try:
            with override_settings(CACHES=shared("SharedCache")):
                thread = threading.Thread(target=fail)
                thread.start()
                thread.join()
            assert gone.wait(10)
        finally:
            gc.enable()

    def test_a_hung_call_keeps_its_connection_and_the_next_gets_a_new_one(self, hanging: type[HangingCache]) -> None:
        before = caches["default"]
        hanging.answers.clear()
        with pytest.raises(TimeoutError):
            read_cache()

        assert caches["default"] is not before
        assert not hanging.closed.is_set()
        finish_hung_calls()
        assert hanging.closed.is_set()

    def test_a_call_has_the_context_of_its_caller(self) -> None:
        caller_name.set("me")
        with override_settings(CACHES=shared("SharedCache")):
            assert call_cache(lambda cache: caller_name.get()) == "me"

    def test_a_call_leaves_no_database_connection(self, transactional_db: None) -> None:
        opened = []

        def work(cache: BaseCache) -> int:
            opened.append(connections[connection.alias])
            opened[0].ensure_connection()
            return threading.get_ident()

        with override_settings(CACHES=shared("SharedCache")):
            assert call_cache(work) != threading.get_ident()

        assert opened[0].connection is None

    @pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache", "db.DatabaseCache"])
    def test_a_cache_without_a_server_is_called_directly(self, backend: str) -> None:
        with override_settings(CACHES={"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}):
            assert call_cache(lambda cache: threading.get_ident()) == threading.get_ident()


@pytest.mark.slow
class TestManyHungCalls:
    def hang(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(TimeoutError, match="did not answer"):
                read_cache()

    def test_hung_calls_are_limited_and_the_next_fails_at_once(
        self, hanging: type[HangingCache], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cache, "MAX_HUNG_CALLS", 3)
        hanging.answers.clear()
        self.hang(3)
        before = threading.active_count()

        with pytest.raises(TimeoutError, match="3 calls of the cache hang"):
            read_cache()

        assert threading.active_count() == before
        hanging.answers.set()
        for call in tuple(cache._hung):
            assert call.wait(30)
        assert read_cache() is None, "recovers by itself"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    @pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
    def test_hung_calls_of_the_parent_do_not_count_after_a_fork(
        self, hanging: type[HangingCache], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cache, "MAX_HUNG_CALLS", 2)
        hanging.answers.clear()
        self.hang(2)

        child = os.fork()
        if not child:
            try:
                HangingCache.answers = threading.Event()  # the parent's may be in use at this moment
                HangingCache.answers.set()
                os._exit(0 if read_cache() is None else 1)
            finally:
                os._exit(2)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.django_db(transaction=True)
class TestRequests:
    def test_nothing_is_sent_and_the_client_gets_503_soon(
        self, hanging: type[HangingCache], memory: MakeProvider, site: Site
    ) -> None:
        memory()
        hanging.answers.clear()
        started = time.monotonic()

        assert refusal(site.send()) == (503, "throttle_unavailable")

        assert time.monotonic() - started < QUICK
        assert not MemoryGateway.outbox
        assert not Message.objects.exists()

    @pytest.mark.slow
    def test_a_late_count_is_undone(self, hanging: type[HangingCache], memory: MakeProvider) -> None:
        memory()
        hanging.answers.clear()
        ip = "203.0.113.7"
        with override_settings(SMSVERIFY={"IP_LIMITS": ("1/h",)}):
            with pytest.raises(ThrottleUnavailable):
                send_code(PHONE, "login", ip=ip)
            finish_hung_calls()

            send_code(PHONE, "login", ip=ip)
            with pytest.raises(Throttled):
                send_code("13800138001", "login", ip=ip)

    @pytest.mark.slow
    def test_a_second_request_of_the_same_thread_has_its_own_time_limit(
        self, hanging: type[HangingCache], memory: MakeProvider
    ) -> None:
        memory()
        hanging.answers.clear()
        with pytest.raises(ThrottleUnavailable):
            send_code(PHONE, "login")
        finish_hung_calls()

        verification = send_code(PHONE, "login")
        hanging.answers.clear()
        with pytest.raises(ThrottleUnavailable):
            resend_code(verification.pk)

    @pytest.mark.slow
    def test_a_cache_that_hangs_after_the_sms_left_is_no_refusal(
        self, hanging: type[HangingCache], memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory()
        transmit = MemoryGateway.transmit

        def transmit_and_hang(*args: Any) -> Any:
            hanging.answers.clear()
            return transmit(*args)

        monkeypatch.setattr(MemoryGateway, "transmit", transmit_and_hang)
        started = time.monotonic()

        verification = send_code(PHONE, "login")

        assert time.monotonic() - started < QUICK
        assert verification.messages.get().status == "accepted"
        assert len(cache._hung) == 1

    def test_receivers_of_circuit_changed_run_in_the_thread_of_the_request(self, memory: MakeProvider) -> None:
        provider = memory()
        threads = []

        def receiver(**kwargs: Any) -> None:
            threads.append(threading.get_ident())

        with override_settings(CACHES=shared("SharedCache")):
            caches["default"].clear()
            with values_sent(circuit_changed, "circuit") as changes:
                circuit_changed.connect(receiver)
                try:
                    for _ in range(circuits.FAILURES):
                        circuits.note(provider, [GatewayUnavailable("no answer")])
                    circuits.close(provider)
                finally:
                    circuit_changed.disconnect(receiver)

        assert len(changes) == 2
        assert threads == [threading.get_ident()] * 2
