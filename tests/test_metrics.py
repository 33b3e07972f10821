"""The metrics: equal to what is stored, with few labels and few queries, and closed to strangers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from django_smsverify.enums import Guarded, MessageStatus
from django_smsverify.exceptions import Throttled
from django_smsverify.limits.guard import closures
from django_smsverify.limits.guard.rules import Figures
from django_smsverify.models import Message
from django_smsverify.operations.job_runs import POLL, noted
from django_smsverify.operations.metrics import WINDOW
from django_smsverify.sending import circuits, send_code
from django_smsverify.verifying import verify_code

from .conftest import PHONE, MakeProvider, last_code
from .test_webhook_silence import LATE, report, send

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TOKEN = "a-token-of-the-suite-0123456789"
MINUTE = timedelta(minutes=1)
RULES = Path(__file__).parent.parent / "docs" / "prometheus-alerts.yml"
LABELS = ("provider", "carrier", "status", "purpose", "result", "subject", "period", "reason", "job", "kind")


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    own = {"METRICS_TOKEN": TOKEN, "PREFIX_LIMITS": (), "PURPOSES": {"login": {"BUDGET": {"day": 1}}}}
    with (
        time_machine.travel(NOW, tick=False) as traveller,
        override_settings(ROOT_URLCONF="tests.operations_urls", SMSVERIFY=own),
    ):
        yield traveller


def scrape(client: Client) -> str:
    answer = client.get("/ops/metrics/", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Type"].startswith("text/plain; version=")
    return answer.content.decode()


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The values of a metric, by its labels."""
    found = [one for one in every_sample(text) if one.name == f"smsverify_{name}"]
    return {tuple(one.labels[label] for label in LABELS if label in one.labels): one.value for one in found}


def every_sample(text: str) -> list[Any]:
    return [one for family in text_string_to_metric_families(text) for one in family.samples]


def test_messages_by_provider_carrier_and_status(memory: MakeProvider, client: Client) -> None:
    one, two = memory(), memory("login", slug="two")
    send(one, MINUTE, 3, status=MessageStatus.DELIVERED)
    send(one, MINUTE, 1, status=MessageStatus.NOT_SENT, phone="+8618600138000")
    send(two, MINUTE, 2)
    send(two, WINDOW, 5)
    send(two, MINUTE, 7, is_probe=True)

    assert samples(scrape(client), "recent_messages") == {
        ("memory", "mobile", "delivered"): 3,
        ("memory", "unicom", "not_sent"): 1,
        ("two", "mobile", "accepted"): 2,
    }


def test_how_long_vendors_and_deliveries_take(memory: MakeProvider, client: Client) -> None:
    provider, begun = memory(), timezone.now() - 5 * MINUTE
    for milliseconds, seconds in ((50, 1), (150, 4), (900, 70), (20000, 400)):
        taken = begun + timedelta(milliseconds=milliseconds)
        times: dict[str, Any] = {
            "claimed_at": begun,
            "sent_at": taken,
            "delivery_seconds": seconds,
        }
        send(provider, 5 * MINUTE, status=MessageStatus.DELIVERED, **times)
    send(provider, 5 * MINUTE, claimed_at=begun, sent_at=begun + timedelta(seconds=4))

    text = scrape(client)

    assert buckets(text, "vendor_seconds") == {"0.1": 1, "0.2": 2, "0.5": 2, "1.0": 3, "5.0": 4, "10.0": 4, "+Inf": 5}
    assert buckets(text, "delivery_seconds") == {"2.0": 1, "5.0": 2, "60.0": 2, "120.0": 3, "600.0": 4, "+Inf": 4}
    assert samples(text, "vendor_seconds_gsum") == {("memory",): pytest.approx(25.1)}
    assert samples(text, "delivery_seconds_gcount") == {("memory", "mobile"): 4}


def buckets(text: str, name: str) -> dict[str, float]:
    """The counts below some of the limits."""
    shown = {"0.1", "0.2", "0.5", "1.0", "5.0", "10.0", "+Inf"}
    if name == "delivery_seconds":
        shown = {"2.0", "5.0", "60.0", "120.0", "600.0", "+Inf"}
    lines = re.findall(rf'^smsverify_{name}_bucket{{.*?le="([^"]+)".*?}} (\S+)$', text, re.MULTILINE)
    return {limit: float(count) for limit, count in lines if limit in shown}


def test_conversion_and_refusals(memory: MakeProvider, client: Client, clock: Any) -> None:
    memory(price="0.05")
    for number in range(4):
        verification = send_code(f"+861380013800{number}", "login")
    verify_code(verification.pk, last_code())
    with pytest.raises(Throttled):
        send_code("+8613800138000", "login")
    text = scrape(client)
    assert samples(text, "recent_refusals") == {("resend",): 1}
    assert samples(text, "conversion_ratio") == {}, "people are about to enter them"

    clock.shift(6 * MINUTE)
    text = scrape(client)
    assert samples(text, "recent_verifications") == {("login", "started"): 4, ("login", "verified"): 1}
    assert samples(text, "conversion_ratio") == {("login",): 0.25}

    clock.shift(WINDOW)
    assert samples(scrape(client), "recent_refusals") == {}


def test_circuits_balances_and_budgets(memory: MakeProvider, client: Client) -> None:
    provider = memory(price="0.05", balance=Decimal("12.5"), balance_alert=20, budget_month=9)
    send_code(PHONE, "login")
    cache.set(circuits.Way(provider.pk, "unicom").key(), (time.time() + 60, 1, "x"))

    text = scrape(client)

    opened = {labels for labels, value in samples(text, "circuit_open").items() if value}
    assert len(samples(text, "circuit_open")) == 5
    assert opened == {("memory", "unicom")}
    assert samples(text, "balance") == {("memory",): 12.5}
    assert samples(text, "balance_alert") == {("memory",): 20}
    assert samples(text, "budget_left_yuan") == {("purpose:login", "day"): 0.95, ("provider:memory", "month"): 8.95}


def test_what_a_site_runs_on(vendor: MakeProvider, client: Client, clock: Any) -> None:
    acme = vendor("ihuyi", slug="acme")
    report(acme, timedelta(days=1))
    send(acme, LATE, 5)
    closures.close(Guarded.BLOCK, "+861390013", Figures(20, 20, 3, 3))
    with noted(POLL):
        pass
    clock.shift(MINUTE)
    text = scrape(client)

    assert samples(text, "job_age_seconds") == {("poll",): 60}
    assert samples(text, "webhook_silent") == {("acme",): 1}
    assert samples(text, "guard_closed") == {("block",): 1}
    assert samples(text, "queue_age_seconds") == {(): 0}


def test_a_code_that_waits_for_a_worker(memory: MakeProvider, client: Client, clock: Any) -> None:
    memory(price="0.05")
    send_code(PHONE, "login")
    Message.objects.update(status=MessageStatus.QUEUED)
    clock.shift(90)

    assert samples(scrape(client), "queue_age_seconds") == {(): 90}


def test_a_scrape_takes_few_queries_however_many_providers(vendor: MakeProvider, client: Client) -> None:
    for number in range(6):
        provider = vendor("ihuyi", slug=f"acme-{number}")
        send(provider, LATE, 5)
        report(provider, MINUTE)

    with CaptureQueriesContext(connection) as seen:
        scrape(client)

    assert len(seen) == 10


def test_labels_name_rows_and_words_only(memory: MakeProvider, client: Client) -> None:
    provider = memory(price="0.05")
    send_code(PHONE, "login")
    Message.objects.update(remote_id="13800138000", error_message="13800138000")
    cache.set(circuits.Way(provider.pk).key(), (time.time() + 60, 1, "13800138000"))

    text = scrape(client)

    labels = {label for one in every_sample(text) for label in one.labels}
    assert labels <= {*LABELS, "le"}
    assert "13800138000" not in text
    assert last_code() not in text


class TestWhoMayLook:
    def status(self, client: Client, **headers: str) -> int:
        return client.get("/ops/metrics/", headers=headers).status_code

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}é"])
    def test_a_stranger_sees_nothing(self, header: str, client: Client) -> None:
        answer = client.get("/ops/metrics/", headers={"authorization": header})

        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"
        assert "smsverify_" not in answer.content.decode()

    def test_without_a_token_in_the_settings_none_is_right(self, client: Client) -> None:
        for token in ("None", "", TOKEN):
            with override_settings(SMSVERIFY={}):
                assert self.status(client, authorization=f"Bearer {token}") == 401

    def test_staff_with_the_permission_may(self, client: Client) -> None:
        user = User.objects.create_user("eve")
        client.force_login(user)
        assert self.status(client) == 401
        user.user_permissions.add(Permission.objects.get(codename="view_message"))
        assert self.status(client) == 401, "not staff"

        User.objects.update(is_staff=True)
        assert self.status(client) == 200

    def test_without_prometheus_it_says_what_to_install(self, admin_client: Client, monkeypatch: Any) -> None:
        monkeypatch.setattr("django_smsverify.operations.views.find_spec", lambda name: None)
        answer = admin_client.get("/ops/metrics/")

        assert (answer.status_code, answer.content.decode()) == (501, 'pip install "django-smsverify[metrics]"')

    def test_it_is_only_read(self, admin_client: Client) -> None:
        assert admin_client.post("/ops/metrics/").status_code == 405


def test_the_sample_of_alert_rules_names_metrics_that_exist(
    vendor: MakeProvider, memory: MakeProvider, client: Client
) -> None:
    memory(price="0.05", balance=1, balance_alert=2, budget_day=5)
    acme = vendor("ihuyi", slug="acme")
    report(acme, timedelta(days=1))
    begun = NOW - 5 * MINUTE
    times: dict[str, Any] = {"claimed_at": begun, "sent_at": begun, "delivery_seconds": 0}
    send(acme, 5 * MINUTE, 6, status=MessageStatus.DELIVERED, **times)
    with noted(POLL):
        pass
    existing = {one.name for one in every_sample(scrape(client))}

    named = set(re.findall(r"smsverify_\w+", "\n".join(expressions())))

    assert len(named) >= 8
    optional = {"smsverify_recent_refusals", "smsverify_conversion_ratio", "smsverify_recent_verifications"}
    assert named - existing <= optional


def expressions() -> list[str]:
    """The PromQL of the sample."""
    return re.findall(r"^ +expr: (.+)$", RULES.read_text(), re.MULTILINE)


def test_the_sample_of_alert_rules_is_yaml_that_prometheus_reads() -> None:
    yaml = pytest.importorskip("yaml")
    (group,) = yaml.safe_load(RULES.read_text())["groups"]

    assert [rule["expr"] for rule in group["rules"]] == expressions()
    for rule in group["rules"]:
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["expr"].count("(") == rule["expr"].count(")")
