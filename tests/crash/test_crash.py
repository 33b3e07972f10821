"""Law 9: kill -9 at any point loses no row, sends nothing twice, leaves nothing unsettled once the poll ran, and every
code that a phone received verifies while it lives.

Each point of the table runs RUNS times (1), each event of each verb once, on every database that can be reached.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sandbox.server import Fault, Sandbox

from django_smsverify.models.querysets import LONGEST_PAUSE
from tests.conftest import code_in

from .points import TABLE, Point
from .site import Site

RUNS = int(os.environ.get("RUNS", "1"))
SENDS = {("/topthink/sms/send", ""), ("/ihuyi/webservice/sms.php", "Submit"), ("/qixuntong/release/qxt_yzm_sms/", "")}
FROZEN_ACCOUNT = Fault.refuse("4050")
EARLIER = timedelta(seconds=-90)
"""When a first SMS was sent, so long ago that the next may be sent."""
OVERDUE, READ = timedelta(seconds=70), timedelta(seconds=75)
"""When the poll sends what stayed queued, and when people type the codes that they have got by then."""
STUCK, SILENT = timedelta(minutes=20), timedelta(hours=73)
"""When the poll gives up messages that are being sent, also by an earlier poll, and when no report is awaited."""
VERBS = ("send", "failover", "resend", "join", "worker", "webhook", "overtaken", "failed")

pytestmark = pytest.mark.timeout(180 + 120 * RUNS)


@pytest.fixture
def scene(site: Site) -> Iterator[Scene]:
    with Sandbox() as vendors:
        yield Scene(site, vendors)


class Scene:
    """A site, two vendors of which the first refuses, and the phones that request a code, each once.

    `used` are the phones whose code was verified before the kill.
    """

    def __init__(self, site: Site, vendors: Sandbox) -> None:
        self.site, self.vendors, self.now = site, vendors, datetime.now(UTC)
        self._phones = (f"+86138{number:04}0000" for number in count())  # each in its own number block
        self.requests: Counter[str] = Counter()
        self.used: set[str] = set()
        vendors.misbehave("ihuyi", FROZEN_ACCOUNT)
        site.do("set_up", vendors.base_urls, at=self.now)

    def new_phones(self, verb: str, number: int) -> list[str]:
        """Phones in the state in which the verb comes next."""
        phones = [next(self._phones) for _ in range(number)]
        self.requests.update(phones)
        if verb in {"resend", "join", "webhook", "overtaken", "verify", "verify_joined"}:
            self.site.do("send", phones, at=self.now + EARLIER)
        if verb in {"resend", "join", "verify_joined"}:
            self.requests.update(phones)
        if verb == "verify_joined":
            self.site.do("send", phones, at=self.now)
        if verb == "failed":  # a report allows one more without a request
            self.requests.update(phones)
            self.site.do("send_for_two_ways", phones, at=self.now + EARLIER)
        if verb == "worker":
            for phone in phones:
                kill_at = "enqueue: after COMMIT, before the queue has it"
                self.site.run_and_kill("enqueue", phone, at=self.now + EARLIER, kill_at=kill_at)
        return phones

    def rows(self, after: timedelta = timedelta()) -> list[dict[str, Any]]:
        return self.site.do("rows", at=self.now + after)  # type: ignore[no-any-return]

    def statuses(self, rows: list[dict[str, Any]], phones: list[str]) -> dict[str, str]:
        by_phone: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            by_phone[row["phone"]].append(row["status"])
        return {phone: " ".join(by_phone[phone]) for phone in phones}

    def inbox(self) -> dict[str, list[str]]:
        """The codes that each phone has got."""
        codes: dict[str, list[str]] = defaultdict(list)
        for sms in self.vendors.inbox.all():
            codes[f"+86{sms.phone}"].append(code_in(sms.text))
        return codes

    def poll(self, after: timedelta) -> None:
        self.site.do("poll", at=self.now + after)

    def poll_and_kill(self, after: timedelta) -> None:
        """A killed run may have counted a question that it did not ask; a last run asks what is due again."""
        assert self.site.run_and_kill_everywhere("poll", at=self.now + after)
        if after == SILENT:
            self.poll(after + LONGEST_PAUSE)

    def recover(self, poll: Callable[[timedelta], None]) -> list[dict[str, Any]]:
        """Lets time pass and the poll run, and checks the laws after each poll; returns the final rows."""
        left = self.rows()
        self.vendors.flush()
        poll(OVERDUE)
        self._assert_all_verify()
        self.vendors.flush()
        poll(STUCK)
        rows = self.rows(STUCK)
        self._assert_none_lost(left, rows)
        self._assert_none_doubled(rows)
        assert [row for row in rows if row["status"] in {"queued", "sending"}] == []
        poll(SILENT)
        rows = self.rows(SILENT)
        assert [row for row in rows if not row["settled"]] == []
        self._assert_none_doubled(rows)
        return rows

    def _assert_all_verify(self) -> None:
        inbox = self.inbox()
        assert {phone: set(codes) for phone, codes in inbox.items() if len(set(codes)) > 1} == {}
        newest = {phone: codes[-1] for phone, codes in inbox.items()}
        outcomes = self.site.do("verify_each", newest, at=self.now + READ)
        assert outcomes == {phone: "already_used" if phone in self.used else "verified" for phone in inbox}

    def _assert_none_lost(self, left: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
        with_rows = {row["phone"] for row in rows}
        assert {row["id"] for row in left} <= {row["id"] for row in rows}
        assert set(self.inbox()) <= with_rows
        assert set(self.site.do("requested_phones", at=self.now)) == with_rows

    def _assert_none_doubled(self, rows: list[dict[str, Any]]) -> None:
        """No message was sent to its vendor twice, and no SMS to its phone."""
        may_have_left = Counter(row["phone"] for row in rows if row["status"] not in {"queued", "not_sent"})
        got = Counter({phone: len(codes) for phone, codes in self.inbox().items()})
        assert not got - may_have_left
        assert not got - self.requests
        asked = sum((exchange.path, exchange.operation) in SENDS for exchange in self.vendors.exchanges)
        assert asked <= sum(row["claimed"] for row in rows)


def assert_got(scene: Scene, phones: list[str], sms: int) -> None:
    inbox = scene.inbox()
    assert {phone: len(inbox[phone]) for phone in phones} == dict.fromkeys(phones, sms)


def kill_at(scene: Scene, point: Point, times: int) -> list[str]:
    """Kills so many processes at the point and checks the table; returns their phones."""
    phones = scene.new_phones(point.verb, times)
    for phone in phones:
        argument = [phone] if point.verb == "send" else phone
        scene.site.run_and_kill(point.verb, argument, at=scene.now, kill_at=point.name)
    assert scene.statuses(scene.rows(), phones) == dict.fromkeys(phones, point.left)
    reported = Counter(scene.site.do("reports", at=scene.now))
    assert {phone: reported[phone] for phone in phones} == dict.fromkeys(phones, point.reports)
    assert_got(scene, phones, point.sms)
    scene.used.update(phones if point.verified else ())
    return phones


@pytest.mark.parametrize("verb", dict.fromkeys(point.verb for point in TABLE))
def test_the_poll_completes_what_killed_processes_leave(verb: str, scene: Scene) -> None:
    phones = {point: kill_at(scene, point, RUNS) for point in TABLE if point.verb == verb}

    rows = scene.recover(scene.poll)

    left = {point.name: set(scene.statuses(rows, own).values()) for point, own in phones.items()}
    assert left == {point.name: {point.after_poll} for point in phones}
    for point, own in phones.items():
        assert_got(scene, own, point.sms_after_poll)


@pytest.mark.parametrize("verb", VERBS)
def test_a_process_may_be_killed_before_any_statement_commit_or_request(verb: str, scene: Scene) -> None:
    for event in count(1):
        (phone,) = scene.new_phones(verb, 1)
        argument = [phone] if verb == "send" else phone
        if scene.site.survives(verb, argument, at=scene.now, event=event):
            break

    assert event > 3
    scene.recover(scene.poll)


def test_the_poll_may_also_be_killed_anywhere(scene: Scene) -> None:
    for point in TABLE:
        kill_at(scene, point, 1)

    scene.recover(scene.poll_and_kill)


def test_a_killed_submission_is_not_repeated(scene: Scene) -> None:
    """What the vendor may have received is no draft any more, and only a draft is submitted."""
    drafts = {}
    for event in count(1):
        drafts[f"站{event}"] = pk = scene.site.do("draft", f"站{event}", at=scene.now)
        if scene.site.survives("submit", pk, at=scene.now, event=event):
            break
    left = scene.site.do("submissions", at=scene.now)
    at_vendor = Counter(text for _, text, _ in scene.vendors.submitted("topthink", "sign"))

    for text, pk in drafts.items():
        submitted_now = scene.site.do("submit", pk, at=scene.now) == "submitted"
        assert submitted_now == (left[text] == ["draft", ""])
    submitted = Counter(text for _, text, _ in scene.vendors.submitted("topthink", "sign"))

    assert event > 3
    assert {text: submitted[text] for text in drafts if at_vendor[text]} == dict.fromkeys(
        set(drafts) & set(at_vendor), 1
    )
    assert max(submitted.values()) == 1


@pytest.mark.parametrize("verb", ["send", "failover", "worker", "failed"])
def test_a_budget_counts_what_was_sent_or_may_have_been_wherever_a_process_is_killed(verb: str, scene: Scene) -> None:
    scene.site.do("set_budgets", at=scene.now)
    for event in count(1):
        (phone,) = scene.new_phones(verb, 1)
        if scene.site.survives(verb, [phone] if verb == "send" else phone, at=scene.now, event=event):
            break

    rows = scene.recover(scene.poll)

    assert event > 3
    assert {row["counted"] for row in rows if row["status"] in {"queued", "not_sent"}} <= {False}
    assert {row["counted"] for row in rows if row["status"] not in {"queued", "not_sent"}} == {True}
    spent = scene.site.do("budgets", at=scene.now)
    assert [stored for stored, _ in spent] == [counted for _, counted in spent]
    assert any(float(stored) for stored, _ in spent)
