"""System checks of the cache, the connections and the clock of a site."""

from __future__ import annotations

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connections
from django.test import override_settings

from django_smsverify.checks import site

pytestmark = pytest.mark.django_db  # other checks query the database


def found(tag: str, *, deploy: bool = False) -> list[CheckMessage]:
    messages = run_checks(tags=[tag], include_deployment_checks=deploy, databases=["default"])
    # W012 is about the database that the suite happens to run on.
    ours = [message for message in messages if str(message.id).startswith("smsverify.")]
    return [message for message in ours if message.id != "smsverify.W012"]


class TestLiveCache:
    def message_for(self, cache: str) -> CheckMessage:
        with override_settings(CACHES={"default": {"BACKEND": f"tests.caches.{cache}", "LOCATION": cache}}):
            assert found("caches") == [], "only a deployment check calls the cache"
            (message,) = found("caches", deploy=True)
        return message

    def test_a_cache_that_counts_is_clean(self) -> None:
        with override_settings(CACHES={"default": {"BACKEND": "tests.caches.SharedCache"}}):
            assert found("caches", deploy=True) == []

    @pytest.mark.parametrize(
        ("cache", "answer"),
        [
            ("UncountingCache", "answers incr with NotImplementedError."),
            ("ReplicaCache", "answers incr with ReadOnlyError."),
            ("NothingCountedCache", "answers incr with None."),
            ("AlwaysAddingCache", "answers a second add with True."),
        ],
    )
    def test_e010_a_cache_that_does_not_count(self, cache: str, answer: str) -> None:
        message = self.message_for(cache)

        assert message.id == "smsverify.E010"
        assert message.msg.endswith(answer)
        assert "primary" in str(message.hint)

    @pytest.mark.parametrize(
        ("cache", "why"),
        [("SwallowingCache", "it keeps nothing, or its client hides why"), ("AbsentCache", "ConnectionRefusedError")],
    )
    def test_w006_an_unreachable_cache_is_only_a_warning(self, cache: str, why: str) -> None:
        message = self.message_for(cache)

        assert message.id == "smsverify.W006"
        assert f"cannot be tried now ({why})" in message.msg
        assert "password" not in message.msg

    def test_a_cache_that_is_not_configured_is_left_to_e005(self) -> None:
        with override_settings(RATELIMIT_USE_CACHE="nowhere"):
            assert [message.id for message in found("caches", deploy=True)] == ["smsverify.E005"]

    @pytest.mark.parametrize("deploy", [False, True])
    def test_w005_herd_client_is_recognised_by_its_name(self, deploy: bool) -> None:
        options = {"CLIENT_CLASS": "django_redis.client.HerdClient"}
        cache = {"BACKEND": "tests.caches.UncountingCache", "OPTIONS": options}
        with override_settings(CACHES={"default": cache}):
            ids = {message.id for message in found("caches", deploy=deploy)}

        assert ids == {"smsverify.W005"} | ({"smsverify.E007", "smsverify.E010"} if deploy else set())


class TestPersistentConnections:
    @pytest.fixture(autouse=True)
    def servers(self, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        """The ASGI servers that are installed; a test may add some."""
        installed: set[str] = set()
        monkeypatch.setattr(site, "find_spec", lambda name: name in installed or None)
        return installed

    @pytest.fixture(autouse=True, params=[600, None], ids=["for ten minutes", "for ever"])
    def age(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", request.param)

    def test_they_are_allowed_under_wsgi(self) -> None:
        assert found("database", deploy=True) == []

    @pytest.mark.parametrize("server", ["uvicorn", "daphne", "hypercorn"])
    def test_w007_an_asgi_server_is_installed(self, server: str, servers: set[str]) -> None:
        servers.add(server)

        (message,) = found("database", deploy=True)

        assert message.id == "smsverify.W007"
        assert f"and {server} is installed: under ASGI" in message.msg
        assert "CONN_MAX_AGE = 0" in str(message.hint)
        assert found("database") == []

    @override_settings(ASGI_APPLICATION="site.asgi.application")
    def test_w007_the_settings_name_an_asgi_application(self) -> None:
        (message,) = found("database", deploy=True)

        assert "ASGI_APPLICATION is set" in message.msg

    def test_connections_closed_after_each_request_are_allowed(
        self, servers: set[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        servers.add("uvicorn")
        monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)

        assert found("database", deploy=True) == []


class TestClock:
    @pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
    def test_e011_local_time_with_clock_changes(self, zone: str) -> None:
        with override_settings(USE_TZ=False, TIME_ZONE=zone):
            (message,) = found("compatibility")

        assert message.id == "smsverify.E011"
        assert zone in message.msg
        assert "USE_TZ = True" in str(message.hint)

    @pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", "Asia/Tokyo", "Asia/Urumqi"])
    def test_local_time_without_clock_changes_is_clean(self, zone: str) -> None:
        with override_settings(USE_TZ=False, TIME_ZONE=zone):
            assert found("compatibility") == []

    def test_use_tz_is_clean_in_any_zone(self) -> None:
        with override_settings(USE_TZ=True, TIME_ZONE="Europe/Berlin"):
            assert found("compatibility") == []
