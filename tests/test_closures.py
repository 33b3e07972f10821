"""What operators see of the guard: its page, its mail, and the end of old rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import Client, override_settings
from django.utils import timezone

from django_smsverify.enums import Guarded
from django_smsverify.limits.guard import closures
from django_smsverify.limits.guard.rules import Figures
from django_smsverify.models import Closure
from django_smsverify.polling.poll import poll

from .conftest import LogRecorder, addressee

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
PAGE = "/admin/smsverify/closure/"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller, override_settings(MANAGERS=[addressee("ops")]):
        yield traveller


def close(kind: Guarded = Guarded.BLOCK, subject: str = "+861390013") -> Closure:
    closure = closures.close(kind, subject, Figures(20, 20, 3, 3))
    assert closure is not None
    return closure


class TestMail:
    def test_it_says_what_is_closed_and_what_follows(self) -> None:
        close()

        assert poll()["mailed"] == 1

        (sent,) = mail.outbox
        assert sent.subject.endswith("SMS guard: too few codes come back (number block)")
        assert "number block +861390013: 3 of 20 were verified; until 2026-11-20 12:15" in sent.body
        assert "Who is new here gets no code there until then" in sent.body

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"GUARD": "watch"}, "Nothing is refused"),
            ({"CAPTCHA": "tests.test_one_code.accept_all"}, "must solve a captcha"),
        ],
    )
    def test_what_follows_depends_on_the_settings(self, settings: dict[str, Any], words: str) -> None:
        with override_settings(SMSVERIFY=settings):
            close()
            poll()

        assert words in mail.outbox[0].body

    def test_at_most_one_an_hour_of_each_kind(self, clock: time_machine.Traveller) -> None:
        close()
        close(Guarded.SITE, "")
        poll()
        close(subject="+861390014")
        close(subject="+861390015")
        clock.shift(3599)
        poll()
        assert len(mail.outbox) == 2

        clock.shift(2)
        poll()
        poll()

        assert len(mail.outbox) == 3
        assert "+861390014" in mail.outbox[2].body
        assert "+861390015" in mail.outbox[2].body

    def test_a_mail_that_fails_is_tried_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object) -> None:
            raise OSError

        close()
        with monkeypatch.context() as patch:
            patch.setattr("django_smsverify.operations.channels.mail_managers", fail)
            assert poll()["mail failed"] == 1

        assert poll()["mailed"] == 1

    def test_a_long_list_is_cut(self) -> None:
        for number in range(25):
            close(subject=f"+8613900{number:02}")

        poll()

        assert mail.outbox[0].body.count("of 20 were verified") == 20
        assert "… and 5 more" in mail.outbox[0].body


class TestPage:
    def lift(self, client: Client, closure: Closure) -> Any:
        data = {"action": "lift", "_selected_action": [closure.pk]}
        return client.post(PAGE, data, follow=True)

    def test_it_shows_what_the_guard_saw(self, admin_client: Client) -> None:
        close(Guarded.SITE, "")
        text = admin_client.get(PAGE).content.decode()

        assert "3 / 20" in text
        assert "the site" in text
        assert "closed" in text
        assert admin_client.get(f"{PAGE}{Closure.objects.get().pk}/change/").status_code == 200

    def test_it_is_lifted_at_once(self, admin_client: Client, clock: time_machine.Traveller) -> None:
        closure = close()
        assert closures.lately([(Guarded.BLOCK, "+861390013")])

        text = self.lift(admin_client, closure).content.decode()

        assert "1 closure is lifted." in text
        assert "lifted by admin" in text
        assert not closures.lately([(Guarded.BLOCK, "+861390013")])
        clock.shift(60)
        assert close().level == 0, "it was a mistake: the next is a first one"

    def test_only_what_holds_or_may_go_on_is_lifted(self, admin_client: Client, clock: time_machine.Traveller) -> None:
        closure = close()
        clock.shift(timedelta(hours=2))
        assert "over" in admin_client.get(PAGE).content.decode()
        clock.shift(timedelta(days=1))

        assert "0 closures are lifted." in self.lift(admin_client, closure).content.decode()

    def test_what_would_go_on_with_the_next_request_is_lifted_too(
        self, admin_client: Client, clock: time_machine.Traveller
    ) -> None:
        closure = close()
        clock.shift(timedelta(minutes=16))

        assert "1 closure is lifted." in self.lift(admin_client, closure).content.decode()

    @pytest.mark.parametrize("may", [False, True])
    def test_who_may_change_closures_may_lift_them(self, may: bool, client: Client) -> None:
        clerk = User.objects.create_user("clerk", is_staff=True)
        names = ["view_closure", *["change_closure"] * may]
        clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(clerk)

        self.lift(client, close())

        assert bool(Closure.objects.get().lifted_at) is may


def test_old_rows_are_forgotten(clock: time_machine.Traveller) -> None:
    close()
    clock.shift(timedelta(days=190))
    assert poll()["closure forgotten"] == 0

    clock.shift(timedelta(hours=1))

    assert poll()["closure forgotten"] == 1
    assert close().level == 0


def test_the_log_tells_of_each_closure_once(log: LogRecorder) -> None:
    close()
    close()

    assert len([line for line in log.lines if "The guard closes" in line]) == 1
    assert Closure.objects.get().since == timezone.now()
