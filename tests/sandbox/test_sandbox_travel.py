"""The time, the number and the order of the pushes."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from sandbox import travel as travel_module
from sandbox.inbox import SMS
from sandbox.server import Sandbox, Travel
from sandbox.travel import DeliveryState, DeliveryStates

from .conftest import LATER, PHONE, PUSHING, App, pull, query, send, until


def phones(site: App) -> list[str]:
    return [call.body.partition("mobile=")[2][:11] for call in site.all()]


def test_a_report_is_pushed_after_its_delay(sandbox: Sandbox, app: App) -> None:
    app.register(sandbox)
    sandbox.travel("veesing", Travel(delay=0.1))
    before = time.monotonic()
    send(sandbox, "veesing")
    app.next()
    assert time.monotonic() - before >= 0.1


def test_the_default_delay_is_one_second() -> None:
    assert Travel() == Travel(delay=1.0, copies=1, early=False, backwards=False, arrives=True)


def test_what_fails_for_a_number_is_not_received(sandbox: Sandbox, app: App) -> None:
    app.register(sandbox)
    sandbox.travel("ihuyi", Travel(delay=0, failure=lambda phone: "SIGNERR" if phone == PHONE else ""))
    with pytest.raises(StopIteration):  # no SMS has come
        send(sandbox, "ihuyi")
    assert "SIGNERR" in app.next().body

    send(sandbox, "ihuyi", "13000130000")
    assert "DELIVRD" in app.next().body


def test_a_short_delay_overtakes_a_long_one(sandbox: Sandbox, site: App) -> None:
    send(sandbox, "veesing")
    sandbox.travel("ihuyi", Travel(delay=0))
    send(sandbox, "ihuyi")
    assert site.next().path == "/ihuyi/"
    assert sandbox.flush() == 1
    assert site.next().path == "/veesing/"


def test_a_plan_applies_to_later_sends_and_behave_keeps_it(sandbox: Sandbox, site: App) -> None:
    first = send(sandbox, "topthink")
    sandbox.travel("topthink", Travel(delay=3600, arrives=False))
    sandbox.behave()
    second = send(sandbox, "topthink")
    sandbox.travel(None, LATER)
    third = send(sandbox, "topthink")
    sandbox.flush()
    assert [query(sandbox, "status", task)["status"] for task in (first, second, third)] == [1, -1, 1]
    with pytest.raises(KeyError):
        sandbox.travel("unknown", Travel())


@pytest.mark.parametrize("vendor", PUSHING)
def test_an_early_report_is_answered_before_the_send(sandbox: Sandbox, site: App, vendor: str) -> None:
    sandbox.travel(vendor, Travel(early=True))
    seen: list[bool] = []
    site.on_call = lambda: seen.append(sandbox.exchanges[-1].answered)
    send(sandbox, vendor)
    assert seen == [False]
    assert [(push.kind, push.status) for push in sandbox.pushes] == [("report", 200)]
    assert sandbox.flush() == 0


def test_an_early_report_can_be_queried_at_once(sandbox: Sandbox) -> None:
    sandbox.travel(None, Travel(early=True))
    assert query(sandbox, "status", send(sandbox, "topthink"))["status"] == 1
    remote_id = send(sandbox, "apispace")
    assert [report["msgId"] for report in pull(sandbox).json()["data"]] == [remote_id]


@pytest.mark.parametrize("copies", [0, 1, 3])
def test_a_push_can_be_lost_or_repeated(sandbox: Sandbox, site: App, copies: int) -> None:
    sandbox.travel("topthink", Travel(delay=3600, copies=copies))
    remote_id = send(sandbox, "topthink")
    assert sandbox.flush() == copies
    assert len({call.body for call in site.all()}) == min(copies, 1)
    assert len(sandbox.pushes) == copies
    assert query(sandbox, "status", remote_id)["status"] == 1


@pytest.mark.parametrize("backwards", [False, True])
def test_the_newest_push_can_be_made_first(sandbox: Sandbox, site: App, backwards: bool) -> None:
    sandbox.travel("veesing", Travel(delay=3600, backwards=backwards))
    numbers = [f"1380013800{digit}" for digit in range(4)]
    for number in numbers:
        send(sandbox, "veesing", number)
    assert sandbox.flush() == 4
    assert phones(site) == (numbers[::-1] if backwards else numbers)


def test_the_newest_push_is_made_first_without_a_flush(sandbox: Sandbox, site: App) -> None:
    numbers = [f"1380013800{digit}" for digit in range(4)]
    sandbox.travel("veesing", Travel(delay=0, backwards=True))
    entered, go_on = site.hold()
    send(sandbox, "veesing", numbers[0])
    assert entered.wait(10)
    for number in numbers[1:]:
        send(sandbox, "veesing", number)
    go_on.set()
    until(lambda: len(sandbox.pushes) == 4)
    assert phones(site) == [numbers[0], *numbers[:0:-1]]


def test_backwards_order_applies_to_one_vendor(sandbox: Sandbox, site: App) -> None:
    sandbox.travel("veesing", Travel(delay=3600, backwards=True))
    for vendor in ("veesing", "ihuyi", "veesing", "ihuyi"):
        send(sandbox, vendor)
    newest = sandbox.inbox.all()[2].remote_id
    assert sandbox.flush() == 4
    calls = site.all()
    assert [call.path for call in calls] == ["/veesing/", "/ihuyi/", "/veesing/", "/ihuyi/"]
    assert newest in calls[0].body


def test_only_the_latest_states_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(travel_module, "_KEPT", 2)
    states = DeliveryStates()
    for serial in "123":
        sms = SMS("topthink", PHONE, "text", serial, datetime.now(UTC))
        states.store(DeliveryState(sms, sms.received_at))
    assert [states.find(serial) is None for serial in "123"] == [True, False, False]
