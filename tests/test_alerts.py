"""What operators are told: by which channels, how often, with what, and without a key or a number."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.utils import timezone
from django.views.debug import ExceptionReporter

from django_smsverify import conf as conf_module
from django_smsverify.checks.alerts import check_alerts, check_metrics
from django_smsverify.checks.settings import check_settings
from django_smsverify.conf import conf
from django_smsverify.enums import Cause, Guarded, MessageStatus
from django_smsverify.limits.guard import closures
from django_smsverify.limits.guard.rules import Figures
from django_smsverify.models import Alert, Message, Probe, ProbeNumber, Provider, Spending
from django_smsverify.money.balances import note_balance
from django_smsverify.operations import alerts, channels
from django_smsverify.operations.job_runs import POLL, noted
from django_smsverify.operations.watching import POLL_LATE_AFTER, watch
from django_smsverify.operations.webhook_silence import SMS
from django_smsverify.polling.poll import poll
from django_smsverify.sending import circuits

from .conftest import LogRecorder, MakeProvider, addressee
from .folding import folded
from .listening import Listener, listening
from .test_storing_reports import in_parallel
from .test_webhook_silence import LATE, report, send

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KEY = "hunter2hunter2"
SITE = "https://www.example.com"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with (
        time_machine.travel(NOW, tick=False) as traveller,
        override_settings(MANAGERS=[addressee("boss@example.com")], LANGUAGE_CODE="en"),
    ):
        yield traveller


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


@pytest.fixture
def site(listener: Listener) -> Iterator[dict[str, Any]]:
    """A site with a channel on this machine, whose URL holds a key."""
    own = {"ALERTS": [f"json://user:{KEY}@127.0.0.1:{listener.port}/ops"], "SITE_URL": SITE}
    with override_settings(SMSVERIFY=own):
        yield own


@pytest.fixture
def acme(vendor: MakeProvider) -> Provider:
    return vendor("ihuyi", slug="acme")


def told(listener: Listener) -> list[str]:
    """The titles that the channel got."""
    return [body["title"] for _, body in listener.posts]


def low_balance(provider: Provider) -> None:
    Provider.objects.filter(pk=provider.pk).update(balance_alert=10)
    provider.refresh_from_db()
    note_balance(provider, Decimal(3), timezone.now())


def spent_budget(provider: Provider) -> None:
    values = {"spent": 9, "alarm": "spent", "alarm_budget": 9, "starts_on": NOW.date()}
    Spending.objects.create(subject=f"provider:{provider.pk}", period="day", **values)
    Provider.objects.filter(pk=provider.pk).update(budget_day=9, price="0.05")


def closure(provider: Provider) -> None:
    closures.close(Guarded.BLOCK, "+861390013", Figures(20, 20, 3, 3))


def silent_route(provider: Provider) -> None:
    send(provider, HOUR, status=MessageStatus.UNDELIVERED, cause=Cause.PHONE_OFF, is_probe=True)
    ProbeNumber.objects.create(phone="+8613800138000")
    Probe.objects.create(message=Message.objects.get(), provider=provider, carrier="mobile", number=1)


def open_circuit(provider: Provider) -> None:
    why = "api.example.com could not be reached, call 13900139000"
    cache.set(circuits.Way(provider.pk).key(), (time.time() + 60, 1, why))


def failure(provider: Provider) -> None:
    words = {"error_code": "4051", "error_message": "余额不足 13800138000"}
    send(provider, MINUTE, SMS, status=MessageStatus.NOT_SENT, claimed_at=timezone.now(), **words)


def silence(provider: Provider) -> None:
    report(provider, DAY)
    send(provider, LATE, SMS)


CAUSES: dict[str, tuple[Callable[[Provider], None], str, str, str]] = {
    "balance": (low_balance, "SMS balance of acme is low: 3", "Top up the account", "provider/{pk}/change/"),
    "budget": (spent_budget, "SMS budget of the provider acme: the day is spent", "pump SMS", "spending/"),
    "guard": (closure, "SMS guard: too few codes come back", "lift the closure", "closure/"),
    "route": (
        silent_route,
        "SMS of acme do not arrive at China Mobile",
        "smsverify_check acme",
        "provider/{pk}/change/",
    ),
    "circuit": (
        open_circuit,
        "SMS of acme are not sent: its circuit is open",
        "could not be reached, call 139****9000",
        "provider/{pk}",
    ),
    "failing": (failure, "acme has sent no SMS for an hour", "not sent · 4051 · 余额不足 138****8000", "provider/{pk}"),
    "webhook": (silence, "acme pushes no SMS reports any more", "smsverify_webhooks acme --test", "provider/{pk}"),
}


@pytest.mark.parametrize("kind", CAUSES)
def test_each_cause_is_told_by_mail_and_by_the_channel(
    kind: str, acme: Provider, site: dict[str, Any], listener: Listener, log: LogRecorder
) -> None:
    happen, title, todo, page = CAUSES[kind]
    happen(acme)

    tally = poll()

    assert (tally[f"{kind} alert"], tally["mailed"], tally["alert sent"]) == (1, 1, 1)
    ((path, posted),) = listener.posts
    (sent,) = mail.outbox
    assert (path, posted["title"]) == ("/ops", sent.subject.removeprefix("[Django] "))
    assert posted["title"].startswith(title)
    assert posted["message"].strip() == sent.body.strip()
    assert todo in sent.body
    assert f"{SITE}/admin/smsverify/{page.format(pk=acme.pk)}" in sent.body
    assert "13800138000" not in sent.body
    assert KEY not in log.text
    poll()
    assert len(listener.posts) == len(mail.outbox) == 1


def test_a_circuit_of_one_carrier_names_it(acme: Provider, site: dict[str, Any], listener: Listener) -> None:
    circuits.open_by_reports(acme, circuits.Way(acme.pk, "unicom"), Cause.ROUTE_FAULT, "MK:0001")

    poll()

    assert told(listener) == ["SMS of acme are not sent to China Unicom: its circuit is open"]


def test_a_provider_that_took_one_sms_is_not_failing(acme: Provider) -> None:
    failure(acme)
    send(acme, 30 * MINUTE)

    assert poll()["failing alert"] == 0


def test_one_number_that_is_refused_is_no_failing_provider(acme: Provider) -> None:
    words = {"phone": "+8613800138000", "claimed_at": timezone.now()}
    send(acme, MINUTE, 3 * SMS, status=MessageStatus.NOT_SENT, **words)

    assert poll()["failing alert"] == 0


@folded("ago, is_told", [(POLL_LATE_AFTER, False), (POLL_LATE_AFTER + MINUTE, True)])
def test_a_poll_that_does_not_run_is_told_by_another_job(ago: timedelta, is_told: bool) -> None:
    mail.outbox.clear()
    Alert.objects.all().delete()
    with time_machine.travel(NOW - ago, tick=False), noted(POLL):
        pass

    call_command("smsverify_alert", stdout=StringIO())

    titles = [one.subject for one in mail.outbox]
    assert titles == (["[Django] SMS: the poll has not run for 15 minutes"] if is_told else [])


def test_a_poll_that_never_ran_is_told(site: dict[str, Any], listener: Listener) -> None:
    call_command("smsverify_alert", stdout=StringIO())

    assert "It has never run." in listener.posts[0][1]["message"]
    assert f"{SITE}/admin/smsverify/" in listener.posts[0][1]["message"]


class TestHowOften:
    def test_a_cause_is_told_once_an_hour_and_another_at_once(
        self, acme: Provider, vendor: MakeProvider, site: dict[str, Any], listener: Listener, clock: Any
    ) -> None:
        other = vendor("ihuyi", slug="other")
        low_balance(acme)
        poll()
        note_balance(acme, Decimal(50), timezone.now() + MINUTE)
        clock.shift(HOUR - MINUTE)
        low_balance(acme)
        low_balance(other)
        poll()
        assert [title[:23] for title in told(listener)] == ["SMS balance of acme is ", "SMS balance of other is"]

        clock.shift(MINUTE)
        poll()
        assert len(listener.posts) == len(mail.outbox) == 3, "what was postponed is told later"

    @pytest.mark.slow
    def test_what_lasts_is_told_once_a_day(
        self, acme: Provider, site: dict[str, Any], listener: Listener, clock: Any
    ) -> None:
        for _ in range(25):
            send(acme, LATE, SMS)
            report(acme, DAY)
            poll()
            clock.shift(HOUR)

        assert told(listener) == ["acme pushes no SMS reports any more"] * 2

    def test_what_was_over_is_told_again_after_an_hour(
        self, acme: Provider, site: dict[str, Any], listener: Listener, clock: Any
    ) -> None:
        silence(acme)
        poll()
        report(acme, timedelta(0))
        poll()
        clock.shift(LATE)
        send(acme, LATE - MINUTE, SMS)
        poll()
        assert len(listener.posts) == 1

        clock.shift(HOUR)
        poll()
        assert len(listener.posts) == 2

    def test_parallel_runs_tell_it_once(self, acme: Provider, site: dict[str, Any], listener: Listener) -> None:
        silence(acme)

        def run() -> None:
            for _word in watch():
                pass

        in_parallel(*[run] * 6)

        assert told(listener).count("acme pushes no SMS reports any more") == 1

    def test_old_alerts_are_forgotten(self, acme: Provider, clock: Any) -> None:
        low_balance(acme)
        poll()
        clock.shift(alerts.KEPT_FOR + DAY)

        assert poll()["alert forgotten"] == 1
        assert not Alert.objects.exists()


class TestChannelsThatFail:
    def test_mail_goes_and_the_channel_is_tried_again(
        self, acme: Provider, site: dict[str, Any], listener: Listener, log: LogRecorder
    ) -> None:
        low_balance(acme)
        listener.status = 500
        tally = poll()
        assert (tally["mailed"], tally["alert failed"], Alert.objects.get().waiting) == (1, 1, names(site))
        assert 'SMSVERIFY["ALERTS"][0] (json://…) about balance acme failed' in log.text
        assert KEY not in log.text

        listener.status = 200
        tally = poll()
        assert (tally["mailed"], tally["alert sent"], len(listener.posts)) == (0, 1, 1)
        assert Alert.objects.get().waiting == ""

    def test_the_channel_is_told_although_mail_fails(
        self, acme: Provider, site: dict[str, Any], listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        low_balance(acme)
        with monkeypatch.context() as patch:
            patch.setattr(channels, "mail_managers", lambda *words: 1 / 0)
            poll()
        assert (len(listener.posts), mail.outbox) == (1, [])

        poll()
        assert (len(listener.posts), len(mail.outbox)) == (1, 1)

    def test_a_channel_that_does_not_answer_is_left_alone_after_seconds(
        self, acme: Provider, vendor: MakeProvider, site: dict[str, Any], listener: Listener, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(channels, "SECONDS", 0.2)
        low_balance(acme)
        low_balance(vendor("ihuyi", slug="other"))
        listener.go_on.clear()

        tally = poll()

        assert (tally["mailed"], tally["alert failed"]) == (2, 1), "it is not waited for twice in a run"

    def test_a_channel_that_is_taken_away_is_not_waited_for(
        self, acme: Provider, site: Any, listener: Listener
    ) -> None:
        low_balance(acme)
        listener.status = 500
        poll()
        with override_settings(SMSVERIFY={}):
            poll()

        assert Alert.objects.get().waiting == ""

    def test_after_a_crash_another_run_tells_it(
        self, acme: Provider, site: dict[str, Any], listener: Listener, monkeypatch: pytest.MonkeyPatch, clock: Any
    ) -> None:
        def die(*args: object) -> None:
            raise KeyboardInterrupt

        low_balance(acme)
        with monkeypatch.context() as patch:
            patch.setattr(alerts, "send_to", die)
            with pytest.raises(KeyboardInterrupt):
                poll()
        assert poll()["alert sent"] == 0, "the other run may still be at it"

        clock.shift(alerts.TAKEN_FOR + MINUTE)
        assert poll()["alert sent"] == 1


def names(site: dict[str, Any]) -> str:
    return " ".join(channel.name for channel in channels.configured())


class TestServices:
    """Apprise writes what each service wants; only their hosts are replaced."""

    @pytest.mark.parametrize(
        ("url", "plugin", "path"),
        [
            (f"dingtalk://{KEY}", "dingtalk.NotifyDingTalk", "robot/send?access_token={token}"),
            (f"feishu://{KEY}", "feishu.NotifyFeishu", "hook/{token}/"),
            (f"wecombot://{KEY}", "wecombot.NotifyWeComBot", "webhook/send?key={key}"),
        ],
    )
    def test_it_gets_title_text_and_link(
        self, url: str, plugin: str, path: str, acme: Provider, listener: Listener, monkeypatch: Any, log: LogRecorder
    ) -> None:
        pytest.importorskip("apprise")
        here = f"http://127.0.0.1:{listener.port}/{path}"
        monkeypatch.setattr(f"apprise.plugins.{plugin}.notify_url", here)
        low_balance(acme)

        with override_settings(SMSVERIFY={"ALERTS": [url], "SITE_URL": SITE}):
            assert poll()["alert sent"] == 1

        ((called, posted),) = listener.posts
        assert KEY in called
        for words in ("SMS balance of acme is low: 3", "Top up the account", f"{SITE}/admin/smsverify/provider/"):
            assert words in str(posted)
        assert KEY not in log.text


class TestSecrets:
    def test_no_key_is_shown(self, site: dict[str, Any]) -> None:
        (channel,) = channels.configured()
        shown = f"{channel!r} {channel} {conf.ALERTS!r} {channel.name} {channel.place}"

        assert KEY not in shown
        assert channel.place == 'SMSVERIFY["ALERTS"][0] (json://…)'

    def test_django_shows_none_on_its_pages_and_in_its_mails(self) -> None:
        own = {"ALERTS": [f"dingtalk://{KEY}"], "METRICS_TOKEN": f"{KEY}-metrics"}
        with override_settings(SMSVERIFY=own):
            conf_module.hide_alerts()
            reporter = ExceptionReporter(None, None, None, None)
            shown = reporter.get_traceback_text() + reporter.get_traceback_html()

            assert "ALERTS" in shown
            assert KEY not in shown
            assert f"dingtalk://{KEY}" == conf.ALERTS[0]

    @folded("url", [f"nonsense://{KEY}", f"dingtalk://{KEY}%%", f"slack://{KEY}"])
    def test_a_url_that_apprise_does_not_understand_is_named_by_its_place(self, url: str) -> None:
        scheme = url.partition(":")[0]
        with override_settings(SMSVERIFY={"ALERTS": ["json://127.0.0.1/", url]}):
            (problem,) = check_alerts()

        assert problem.id == "smsverify.E021"
        assert problem.msg == f'SMSVERIFY["ALERTS"][1] ({scheme}://…) is no URL that apprise understands.'

    @folded("value", [f"dingtalk://{KEY}", [KEY], [f"dingtalk:{KEY}", None], {f"x://{KEY}"}])
    def test_a_bad_value_is_not_shown(self, value: object) -> None:
        with override_settings(SMSVERIFY={"ALERTS": value, "METRICS_TOKEN": f"{KEY} "}):
            problems = check_settings()

        assert [problem.id for problem in problems] == ["smsverify.E003"] * 2
        assert KEY not in str(problems)

    def test_without_apprise_a_check_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "apprise", None)
        monkeypatch.setattr("django_smsverify.checks.alerts.is_installed", lambda: False)
        with override_settings(SMSVERIFY={"ALERTS": [f"dingtalk://{KEY}"]}):
            (problem,) = check_alerts()

        assert (problem.id, problem.hint) == ("smsverify.E020", 'pip install "django-smsverify[alerts]"')
        assert KEY not in str(problem)

    def test_without_apprise_mail_goes(self, acme: Provider, site: dict[str, Any], monkeypatch: Any) -> None:
        monkeypatch.setitem(sys.modules, "apprise", None)
        low_balance(acme)

        tally = poll()

        assert (tally["mailed"], tally["alert failed"]) == (1, 1)

    def test_without_prometheus_a_check_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with override_settings(SMSVERIFY={"METRICS_TOKEN": "x" * 20}):
            assert check_metrics() == []
            monkeypatch.setattr("django_smsverify.checks.alerts.find_spec", lambda name: None)
            (problem,) = check_metrics()

        assert (problem.id, problem.hint) == ("smsverify.E022", 'pip install "django-smsverify[metrics]"')

    def test_good_settings_pass(self, site: dict[str, Any]) -> None:
        assert [*check_settings(), *check_alerts(), *check_metrics()] == []


class TestLink:
    def test_without_the_address_of_the_site_it_is_a_path(self, acme: Provider) -> None:
        low_balance(acme)
        poll()

        assert f"\n/admin/smsverify/provider/{acme.pk}/change/" in mail.outbox[0].body

    @override_settings(ROOT_URLCONF="tests.other_urls", SMSVERIFY={"SITE_URL": SITE})
    def test_without_an_admin_there_is_none(self, acme: Provider) -> None:
        low_balance(acme)
        poll()

        assert len(mail.outbox) == 1
        assert SITE not in mail.outbox[0].body


class TestCommand:
    def run(self, *arguments: str) -> str:
        output = StringIO()
        call_command("smsverify_alert", *arguments, stdout=output)
        return output.getvalue()

    def test_it_tells_what_nobody_has_heard_of(self, acme: Provider) -> None:
        low_balance(acme)

        assert self.run() == "balance alert 1, mailed 2, poll alert 1\n"
        assert self.run() == "nothing to tell\n"

    def test_a_test_goes_to_every_channel(self, site: dict[str, Any], listener: Listener) -> None:
        assert self.run("--test") == 'mail: sent\nSMSVERIFY["ALERTS"][0] (json://…): sent\n'
        assert told(listener) == ["SMS: a test"]
        assert f"{SITE}/admin/smsverify/" in mail.outbox[0].body
        assert not Alert.objects.exists()

    def test_a_test_that_fails_says_where(self, site: dict[str, Any], listener: Listener) -> None:
        listener.status = 403
        with pytest.raises(CommandError, match=r"cannot be told: SMSVERIFY\[\"ALERTS\"\]\[0\] \(json://…\)$"):
            self.run("--test")

    @override_settings(MANAGERS=[], ADMINS=[])
    def test_without_anybody_to_tell_it_says_what_to_set(self) -> None:
        with pytest.raises(CommandError, match="set MANAGERS"):
            self.run("--test")

    def test_without_apprise_it_says_what_to_install(self, site: dict[str, Any], monkeypatch: Any) -> None:
        command = "django_smsverify.management.commands.smsverify_alert.is_installed"
        monkeypatch.setattr(command, lambda: False)
        with pytest.raises(CommandError, match="pip install"):
            self.run("--test")


def test_the_admin_lists_what_was_told_and_who_waits(
    acme: Provider, site: dict[str, Any], listener: Listener, admin_client: Client
) -> None:
    low_balance(acme)
    listener.status = 500
    poll()

    page = admin_client.get("/admin/smsverify/alert/").content.decode()
    detail = admin_client.get(f"/admin/smsverify/alert/{Alert.objects.get().pk}/change/").content.decode()

    assert "SMS balance of acme is low" in page
    assert "json://…" in page
    assert "Top up the account" in detail
    assert KEY not in page + detail
