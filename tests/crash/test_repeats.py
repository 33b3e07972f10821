"""Guesses and requests with an Idempotency-Key whose process is killed before any statement, commit or request.

The front end repeats what it got no answer to. A guess is counted once, a code succeeds once, a key causes one SMS at
most, and the repeat gets what the first request caused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sandbox.server import Fault, Sandbox

from tests.conftest import code_in, wrong

from .site import Site

KEY = "press-of-a-button"
EARLIER, JUST_NOW = timedelta(seconds=-90), timedelta(seconds=-30)
"""When the code was sent, so long ago that another SMS may be sent, or not."""
DEAD, OVERDUE = timedelta(seconds=66), timedelta(seconds=70)
"""When a request is under way no more, and when the poll sends what stayed queued."""
PAGES = ("first", "joined", "joined without SMS")
SENDS = ("send", "join", "join without SMS", "resend", "refused")

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def front_end(site: Site) -> Iterator[FrontEnd]:
    with Sandbox() as vendors:
        yield FrontEnd(site, vendors)


class FrontEnd:
    """A client of a site with one vendor; each scene has a new number."""

    def __init__(self, site: Site, vendors: Sandbox) -> None:
        self.site, self.vendors, self.now = site, vendors, datetime.now(UTC)
        self._phones = (f"+86138{number:04}0000" for number in count())  # each in its own number block
        site.do("set_up", vendors.base_urls, at=self.now)

    def new_phone(self) -> str:
        self.phone = next(self._phones)
        return self.phone

    def post(self, path: str, body: dict[str, str], key: str = "", after: timedelta = timedelta()) -> tuple[int, Any]:
        status, answer = self.site.do("post", path, body, key, at=self.now + after)
        return status, answer

    def dies(self, path: str, body: dict[str, str], key: str, event: int) -> bool:
        """Whether the request's process was killed before the event, and not complete by then."""
        return not self.site.survives("post", path, body, key, at=self.now, event=event)

    def ask(self, after: timedelta = timedelta(), **device: str) -> str:
        """Asks for a code; returns the verification."""
        status, answer = self.post("send", {"phone": self.phone, "purpose": "login", **device}, after=after)
        assert status == 202, answer
        return str(answer["verification_id"])

    def open_page(self, page: str) -> str:
        """A verification of the live code of a new number."""
        phone = self.new_phone()
        if page == "joined without SMS":
            device = self.site.do("make_known", phone, at=self.now + EARLIER)
            self.ask(JUST_NOW)
            return self.ask(device=device)
        first = self.ask(EARLIER)
        return first if page == "first" else self.ask()

    def codes(self) -> list[str]:
        """The codes that the phone got."""
        return [code_in(sms.text) for sms in self.vendors.inbox.of(self.phone[3:])]

    def caused(self) -> tuple[int, int]:
        """How many verifications and SMS the number has got."""
        return len(self.pages()), len(self.codes())

    def pages(self) -> list[str]:
        return list(self.site.do("pages", self.phone, at=self.now))

    def newest_status(self) -> str:
        """The status of the newest message to the number; empty without one."""
        rows = self.site.do("rows", at=self.now)
        return next((str(row["status"]) for row in reversed(rows) if row["phone"] == self.phone), "")

    def guessed(self) -> tuple[int, int, bool]:
        attempts, successes, known = self.site.do("guessed", self.phone, at=self.now)
        return attempts, successes, known


@pytest.mark.parametrize("has_key", [False, True])
@pytest.mark.parametrize("page", PAGES)
def test_a_killed_right_guess_is_a_success_or_was_never_made(page: str, has_key: bool, front_end: FrontEnd) -> None:
    was_known = page == "joined without SMS"
    for event in count(1):
        key = f"{KEY}-{event}" if has_key else ""
        body = {"verification_id": front_end.open_page(page), "code": front_end.codes()[-1]}
        if not front_end.dies("verify", body, key, event):
            break
        attempts, successes, known = front_end.guessed()
        assert attempts == successes <= 1
        assert known == (was_known or successes == 1)

        status, answer = front_end.post("verify", body, key)

        expected = (400, "already_used") if successes and not key else (200, None)
        assert (status, answer.get("code")) == expected
        assert front_end.guessed() == (1, 1, True)
        assert_used_up(front_end, body, answer, key)
    assert event > 3


def assert_used_up(front_end: FrontEnd, body: dict[str, str], answer: dict[str, Any], key: str) -> None:
    """No page of the code succeeds, a repeat has the same proof, and that is redeemed once."""
    for pk in front_end.pages():
        status, refused = front_end.post("verify", {**body, "verification_id": pk})
        assert (status, refused["code"]) == (400, "already_used")
    if "proof" in answer:
        redeemed = [front_end.site.do("redeem", answer["proof"], at=front_end.now) for _time in range(2)]
        assert redeemed == [front_end.phone, "proof_rejected"]
    if key:
        status, again = front_end.post("verify", body, key)
        assert (status, again["proof"]) == (200, answer["proof"])


@pytest.mark.parametrize("page", PAGES)
def test_a_killed_wrong_guess_is_counted_once_at_most(page: str, front_end: FrontEnd) -> None:
    for event in count(1):
        pk = front_end.open_page(page)
        code = front_end.codes()[-1]
        died = front_end.dies("verify", {"verification_id": pk, "code": wrong(code)}, "", event)
        counted, successes, _known = front_end.guessed()
        assert (counted in {0, 1}, successes) == (True, 0)

        status, answer = front_end.post("verify", {"verification_id": pk, "code": code})

        assert (status, front_end.guessed()) == (200, (counted + 1, 1, True)), answer
        if not died:
            assert counted == 1
            break
    assert event > 2, "it is killed before it reads, and before it writes"


@pytest.mark.parametrize("verb", SENDS)
def test_a_killed_send_is_repeated_with_its_key(verb: str, front_end: FrontEnd) -> None:
    for event in count(1):
        body, key = prepare(front_end, verb), f"{KEY}-{event}"
        before = front_end.caused()
        if not front_end.dies("send", body, key, event):
            break
        front_end.vendors.behave()
        left = front_end.newest_status()
        status, at_once = front_end.post("send", body, key)
        assert status == (409 if left in {"queued", "sending"} else 202), at_once
        status, answer = front_end.post("send", body, key, after=DEAD)
        assert status == 202, answer
        assert at_once.get("verification_id", answer["verification_id"]) == answer["verification_id"]
        front_end.site.do("poll", at=front_end.now + OVERDUE)
        assert_caused_once(verb, left, before, front_end.caused())
        assert_verifies(front_end, body, key, answer["verification_id"])
    assert event > 3


def prepare(front_end: FrontEnd, verb: str) -> dict[str, str]:
    """Returns a request for a code of a new number."""
    phone = front_end.new_phone()
    body = {"phone": phone, "purpose": "login"}
    if verb == "join without SMS":
        body["device"] = front_end.site.do("make_known", phone, at=front_end.now + EARLIER)
        front_end.ask(JUST_NOW)
    elif verb in {"join", "resend"}:
        pk = front_end.ask(EARLIER)
        return {"verification_id": pk} if verb == "resend" else body
    elif verb == "refused":
        front_end.vendors.misbehave("topthink", Fault.status(403))
    return body


def assert_caused_once(verb: str, left: str, before: tuple[int, int], after: tuple[int, int]) -> None:
    """One key causes one verification and one SMS.

    None, for good, where the process died before the request had left: nobody can know that. After a refusal the key
    is fresh.
    """
    opened, sms = after[0] - before[0], after[1] - before[1]
    assert opened == (0 if verb == "resend" else 2 if left == "not_sent" else 1)
    assert sms in ({0} if verb == "join without SMS" else {0, 1} if left == "sending" else {1})


def assert_verifies(front_end: FrontEnd, body: dict[str, str], key: str, pk: str) -> None:
    """Once more the same answer; then every code that the phone got is the one of this verification."""
    status, again = front_end.post("send", body, key, after=OVERDUE)
    assert (status, again["verification_id"]) == (202, pk)
    codes = front_end.codes()
    assert len(set(codes)) <= 1
    if codes:
        status, verified = front_end.post("verify", {"verification_id": pk, "code": codes[0]}, after=OVERDUE)
        assert status == 200, verified
