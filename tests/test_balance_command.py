"""smsverify_balance and its tasks, as operators and monitors run them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import translation
from sandbox.server import Fault, Sandbox

from django_smsverify import tasks
from django_smsverify.models import Provider

from .conftest import MakeProvider, addressee

pytestmark = pytest.mark.django_db(transaction=True)

WHEN = "2026-11-21T20:00:00+08:00"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(datetime(2026, 11, 21, 12, tzinfo=UTC), tick=False):
        yield


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("smsverify_balance", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def accounts(vendor: MakeProvider, sandbox: Sandbox) -> None:
    vendor("veesing", priority=1, balance_alert="300.5")
    vendor("ihuyi", priority=2)
    vendor("qixuntong", priority=3)
    sandbox.set_credits("veesing", 241)


@pytest.mark.usefixtures("accounts")
class TestCommand:
    def test_prints_a_line_for_each_provider(self) -> None:
        with translation.override("zh-hans"):
            output = run()

        assert output.splitlines() == [
            f"veesing          low · 241 SMS credits at {WHEN} · alert below 300.5",
            f"ihuyi            ok · 1000000 SMS credits at {WHEN}",
            "qixuntong        cannot be asked",
        ]

    def test_prints_json_for_a_monitor(self) -> None:
        assert json.loads(run("--json", "veesing", "qixuntong")) == [
            {
                "provider": "veesing",
                "balance": "241",
                "unit": "SMS credits",
                "checked_at": WHEN,
                "alert": "300.5",
                "state": "low",
                "error": None,
            },
            {
                "provider": "qixuntong",
                "balance": None,
                "unit": "SMS credits",
                "checked_at": None,
                "alert": None,
                "state": "cannot be asked",
                "error": None,
            },
        ]

    def test_asks_a_named_provider_even_if_it_is_inactive(self) -> None:
        Provider.objects.update(is_active=False)

        assert run() == "there is no active provider\n"
        assert run("ihuyi").startswith("ihuyi            ok · 1000000 SMS credits")
        assert Provider.objects.get(slug="veesing").balance is None

    def test_shows_an_empty_balance(self, sandbox: Sandbox) -> None:
        sandbox.set_credits("veesing", 0)

        assert run("veesing").startswith("veesing          empty · 0 SMS credits")

    def test_fails_if_one_provider_fails_and_shows_the_others(self, sandbox: Sandbox) -> None:
        sandbox.misbehave("veesing", Fault.refuse("您的账户已被锁定，请联系您的专属客服"))
        out = io.StringIO()

        with pytest.raises(CommandError, match=r"No balance was told by: veesing") as caught:
            call_command("smsverify_balance", stdout=out)

        assert caught.value.returncode == 1
        first, second, _ = out.getvalue().splitlines()
        assert first == "veesing          error · alert below 300.5 · 0 您的账户已被锁定，请联系您的专属客服"
        assert second.startswith("ihuyi            ok")

    def test_fails_with_readable_output_for_a_monitor(self, sandbox: Sandbox) -> None:
        sandbox.misbehave("veesing", Fault.status(503))
        out = io.StringIO()

        with pytest.raises(CommandError):
            call_command("smsverify_balance", "--json", stdout=out)

        states = {row["provider"]: row["state"] for row in json.loads(out.getvalue())}
        assert states == {"veesing": "error", "ihuyi": "ok", "qixuntong": "cannot be asked"}

    def test_an_unknown_name_lists_the_providers(self) -> None:
        why = "There is no provider veesig; there are: veesing, ihuyi, qixuntong."
        with pytest.raises(CommandError, match=re.escape(why)):
            run("veesig")

    def test_mails_a_low_balance(self) -> None:
        with override_settings(MANAGERS=[addressee("boss@example.com")]):
            run()
            run()

        assert [sent.subject for sent in mail.outbox] == ["[Django] SMS balance of veesing is low: 241 SMS credits"]


def test_without_a_provider_a_message_is_shown() -> None:
    assert run() == "there is no active provider\n"


@pytest.mark.usefixtures("accounts")
@override_settings(MANAGERS=[addressee("boss@example.com")])
def test_celery_runs_it_as_a_task() -> None:
    celery = pytest.importorskip("django_smsverify.tasks.for_celery")

    assert celery.balance.name == "smsverify.balance"
    assert celery.balance() == {"veesing": "low", "ihuyi": "ok", "qixuntong": "cannot be asked"}
    assert len(mail.outbox) == 1


@pytest.mark.usefixtures("accounts")
def test_django_tasks_runs_it_as_a_task() -> None:
    enqueue: Callable[[], Any] = tasks.balance.enqueue

    assert enqueue().return_value == {"veesing": "low", "ihuyi": "ok", "qixuntong": "cannot be asked"}
