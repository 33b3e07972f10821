"""When the pushes leave, how often, and in which order."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from sandbox import travel as travelling
from sandbox.inbox import SMS
from sandbox.server import Sandbox, Travel
from sandbox.travel import DeliveryState, DeliveryStates

from .conftest import LATER, PHONE, PUSHING, App, pull, query, send, until


def phones(site: App) -> list[str]:
    return [call.body.partition("mobile=")[2][:11] for call in site.all()]


def test_by_itself_a_report_leaves_after_its_delay(sandbox: Sandbox, app: App) -> None:
    app.register(sandbox)
    sandbox.travel("veesing", Travel(delay=0.1))
    before = time.monotonic()
    send(sandbox, "veesing")
    app.next()
    assert time.monotonic() - before >= 0.1


def test_a_second_is_the_usual_delay() -> None:
    assert Travel() == Travel(delay=1.0, copies=1, early=False, backwards=False, arrives=True)


def test_a_short_delay_overtakes_a_long_one(sandbox: Sandbox, site: App) -> None:
    send(sandbox, "veesing")
    sandbox.travel("ihuyi", Travel(delay=0))
    send(sandbox, "ihuyi")
    assert site.next().path == "/ihuyi/"
    assert sandbox.flush() == 1
    assert site.next().path == "/veesing/"


def test_a_plan_holds_from_now_on_and_outlives_good_behaviour(sandbox: Sandbox, site: App) -> None:
    first = send(sandbox, "topthink")
    sandbox.travel("topthink", Travel(delay=3600, arrives=False))
    sandbox.behave()
    second = send(sandbox, "topthink")
    sandbox.travel(None, LATER)
    third = send(sandbox, "topthink")
    sandbox.flush()
    assert [query(sandbox, "status", task)["status"] for task in (first, second, third)] == [1, -1, 1]
    with pytest.raises(KeyError):
        sandbox.travel("nobody", Travel())


@pytest.mark.parametrize("vendor", PUSHING)
def test_an_early_report_is_answered_before_the_send_is(sandbox: Sandbox, site: App, vendor: str) -> None:
    sandbox.travel(vendor, Travel(early=True))
    seen: list[bool] = []
    site.on_call = lambda: seen.append(sandbox.exchanges[-1].answered)
    send(sandbox, vendor)
    assert seen == [False]
    assert [(push.kind, push.status) for push in sandbox.pushes] == [("report", 200)]
    assert sandbox.flush() == 0


def test_what_is_early_can_be_asked_for_at_once(sandbox: Sandbox) -> None:
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
def test_the_newest_can_go_first(sandbox: Sandbox, site: App, backwards: bool) -> None:
    sandbox.travel("veesing", Travel(delay=3600, backwards=backwards))
    numbers = [f"1380013800{digit}" for digit in range(4)]
    for number in numbers:
        send(sandbox, "veesing", number)
    assert sandbox.flush() == 4
    assert phones(site) == (numbers[::-1] if backwards else numbers)


def test_the_newest_goes_first_by_itself_too(sandbox: Sandbox, site: App) -> None:
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


def test_going_backwards_is_one_vendor_s_own_matter(sandbox: Sandbox, site: App) -> None:
    sandbox.travel("veesing", Travel(delay=3600, backwards=True))
    for vendor in ("veesing", "ihuyi", "veesing", "ihuyi"):
        send(sandbox, vendor)
    newest = sandbox.inbox.all()[2].remote_id
    assert sandbox.flush() == 4
    calls = site.all()
    assert [call.path for call in calls] == ["/veesing/", "/ihuyi/", "/veesing/", "/ihuyi/"]
    assert newest in calls[0].body


def test_only_the_latest_states_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(travelling, "_KEPT", 2)
    states = DeliveryStates()
    for serial in "123":
        sms = SMS("topthink", PHONE, "text", serial, datetime.now(UTC))
        states.store(DeliveryState(sms, sms.received_at))
    assert [states.of(serial) is None for serial in "123"] == [True, False, False]
