"""A text to many numbers, killed in the middle and begun again: nobody gets two, and all get it but those whose call
was under way, which are unknown and left alone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sandbox.server import Sandbox

from .databases import DATABASES, database
from .site import Site

MANY = {"SQLite": 10_000, "PostgreSQL": 2_000, "MariaDB": 2_000}
PER_CALL = {"apispace": 500, "qixuntong": 200}
CHUNK = 1000
THREADS = 8
STUCK = timedelta(minutes=20)
"""When the poll gives up what was being sent."""

pytestmark = pytest.mark.timeout(300)


class Mailing:
    """A site with one provider, the file that its operator sends to, and the phones."""

    def __init__(self, site: Site, settings: dict[str, Any], most: int, directory: Path, vendors: Sandbox) -> None:
        self.site, self.settings, self.most, self.vendors = site, settings, most, vendors
        self.now = datetime.now(UTC)
        self._file = directory / "numbers.csv"

    def stage(self, gateway: str, numbers: int) -> None:
        self.site.do("stage_mailing", gateway, self.vendors.base_urls[gateway], at=self.now)
        self.phones = [f"138{number:08}" for number in range(numbers)]
        self._file.write_text("phone\n" + "\n".join(self.phones))

    @property
    def file(self) -> str:
        return str(self._file)

    def got(self) -> Counter[str]:
        return Counter(sms.phone for sms in self.vendors.inbox.all())

    def rows(self) -> dict[str, str]:
        return {phone[3:]: status for phone, status in self.site.do("mailed", at=self.now).items()}

    def is_killed(self, act: str, *args: Any, event: int = 10**9) -> bool:
        return not self.site.survives(act, self.file, *args, at=self.now, event=event)

    def go_on(self) -> str:
        return str(self.site.do("mail", self.file, at=self.now))

    def settle(self) -> None:
        self.site.do("poll", at=self.now + STUCK)


@pytest.fixture(scope="module", params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Any, int]]:
    now, settings = datetime.now(UTC), database(request.param, tmp_path_factory.mktemp("mailing"))
    with Site(settings) as running:
        running.do("create", at=now)
        yield running, settings, MANY[request.param]
        running.do("drop", at=now)


@pytest.fixture
def mailing(site: tuple[Site, Any, int], tmp_path: Path) -> Iterator[Mailing]:
    with Sandbox() as vendors:
        yield Mailing(*site, tmp_path, vendors)


@pytest.mark.parametrize("gateway", PER_CALL)
def test_killed_with_an_answer_unread_it_goes_on_and_nobody_gets_two(gateway: str, mailing: Mailing) -> None:
    most = PER_CALL[gateway]
    mailing.stage(gateway, mailing.most)
    nth = random.randint(1, mailing.most // most)

    assert mailing.is_killed("mail_and_die", nth)
    assert len(mailing.got()) == nth * most, "all calls were made whole, and the last was not heard"
    under_way = [phone for phone, status in mailing.rows().items() if status == "sending"]
    assert len(under_way) == most
    assert len(mailing.rows()) <= nth * most + CHUNK, "no rows far ahead"
    mailing.go_on()

    rows = mailing.rows()
    assert mailing.got() == dict.fromkeys(mailing.phones, 1)
    assert [phone for phone, status in rows.items() if status != "accepted"] == under_way
    mailing.settle()
    settled = mailing.rows()
    assert {settled[phone] for phone in under_way} == {"unknown"}
    said = mailing.go_on()
    assert mailing.got() == dict.fromkeys(mailing.phones, 1)
    assert said.count(": unknown the process that handed it over ended") == most


@pytest.mark.parametrize("gateway", PER_CALL)
def test_killed_anywhere_again_and_again_it_ends_with_one_for_each(gateway: str, mailing: Mailing) -> None:
    mailing.stage(gateway, CHUNK)
    assert mailing.is_killed("mail", event=random.randint(5, 20))
    while mailing.is_killed("mail", event=random.randint(5, 60)):
        pass

    mailing.settle()
    rows, got = mailing.rows(), mailing.got()

    assert set(got.values()) == {1}
    assert set(rows) == set(mailing.phones)
    assert set(rows.values()) <= {"accepted", "delivered", "unknown"}
    assert {phone for phone, status in rows.items() if status != "unknown"} <= set(got)


@pytest.mark.parametrize("gateway", ["topthink", "ihuyi"])
def test_threads_that_are_killed_leave_no_more_than_they_had_in_hand(gateway: str, mailing: Mailing) -> None:
    mailing.stage(gateway, 100)

    assert mailing.is_killed("mail_and_die", random.randint(1, 90))
    under_way = {phone for phone, status in mailing.rows().items() if status == "sending"}
    mailing.go_on()

    assert len(under_way) <= THREADS
    assert set(mailing.got().values()) == {1}
    assert {phone for phone, status in mailing.rows().items() if status != "accepted"} == under_way
    assert set(mailing.phones) - set(mailing.got()) <= under_way


@pytest.mark.parametrize("gateway", ["apispace", "ihuyi"])
def test_two_processes_with_the_same_mailing_send_once_to_each(gateway: str, mailing: Mailing) -> None:
    mailing.stage(gateway, 3000 if gateway == "apispace" else 100)

    with Site(mailing.settings) as other, ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(site.do, "mail", mailing.file, at=mailing.now) for site in (mailing.site, other)]
        said = [end.result() for end in ends]

    assert mailing.got() == dict.fromkeys(mailing.phones, 1), said
    assert set(mailing.rows().values()) == {"accepted"}
