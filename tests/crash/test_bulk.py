"""A bulk send that is killed and started again: each number gets one SMS, but for those whose call was under way, which
are unknown and not sent again."""

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
"""When the poll gives up messages that are being sent."""

pytestmark = pytest.mark.timeout(300)


class BulkSend:
    """A site with one provider, the file of numbers that its operator sends to, and the phones."""

    def __init__(
        self, site: Site, settings: dict[str, Any], max_numbers: int, directory: Path, vendors: Sandbox
    ) -> None:
        self.site, self.settings, self.max_numbers, self.vendors = site, settings, max_numbers, vendors
        self.now = datetime.now(UTC)
        self._file = directory / "numbers.csv"

    def set_up(self, gateway: str, numbers: int) -> None:
        self.site.do("set_up_bulk", gateway, self.vendors.base_urls[gateway], at=self.now)
        self.phones = [f"138{number:08}" for number in range(numbers)]
        self._file.write_text("phone\n" + "\n".join(self.phones))

    @property
    def file(self) -> str:
        return str(self._file)

    def received(self) -> Counter[str]:
        return Counter(sms.phone for sms in self.vendors.inbox.all())

    def rows(self) -> dict[str, str]:
        return {phone[3:]: status for phone, status in self.site.do("bulk_statuses", at=self.now).items()}

    def is_killed(self, act: str, *args: Any, event: int = 10**9) -> bool:
        return not self.site.survives(act, self.file, *args, at=self.now, event=event)

    def resume(self) -> str:
        return str(self.site.do("send_bulk", self.file, at=self.now))

    def settle(self) -> None:
        """Polls until none is under way; one run gives up a thousand at most."""
        for _ in range(THREADS):
            self.site.do("poll", at=self.now + STUCK)


@pytest.fixture(scope="module", params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Any, int]]:
    now, settings = datetime.now(UTC), database(request.param, tmp_path_factory.mktemp("bulk"))
    with Site(settings) as running:
        running.do("create", at=now)
        yield running, settings, MANY[request.param]
        running.do("drop", at=now)


@pytest.fixture
def bulk(site: tuple[Site, Any, int], tmp_path: Path) -> Iterator[BulkSend]:
    with Sandbox() as vendors:
        yield BulkSend(*site, tmp_path, vendors)


@pytest.mark.parametrize("gateway", PER_CALL)
def test_a_kill_before_an_answer_is_read_and_a_resume_send_one_sms_to_each(gateway: str, bulk: BulkSend) -> None:
    per_call = PER_CALL[gateway]
    bulk.set_up(gateway, bulk.max_numbers)
    nth = random.randint(1, bulk.max_numbers // per_call)

    assert bulk.is_killed("send_bulk_and_kill", nth)
    under_way = {phone for phone, status in bulk.rows().items() if status == "sending"}
    assert per_call <= len(under_way) <= THREADS * per_call
    assert len(bulk.received()) > (nth - THREADS) * per_call
    most_ahead = (THREADS + 2) * per_call + CHUNK
    assert len(bulk.rows()) <= nth * per_call + most_ahead, "under way, waiting for a thread, and one chunk"
    bulk.resume()

    assert {phone for phone, status in bulk.rows().items() if status != "accepted"} == under_way
    assert set(bulk.received().values()) == {1}
    assert set(bulk.phones) - set(bulk.received()) <= under_way
    bulk.settle()
    settled, received = bulk.rows(), bulk.received()
    assert {settled[phone] for phone in under_way} == {"unknown"}
    output = bulk.resume()
    assert bulk.received() == received
    assert output.count(": unknown the process that handed it over ended") == len(under_way)


@pytest.mark.parametrize("gateway", PER_CALL)
def test_repeated_kills_anywhere_send_no_number_two_sms(gateway: str, bulk: BulkSend) -> None:
    bulk.set_up(gateway, CHUNK)
    assert bulk.is_killed("send_bulk", event=random.randint(5, 20))
    while bulk.is_killed("send_bulk", event=random.randint(5, 60)):
        pass

    bulk.settle()
    rows, received = bulk.rows(), bulk.received()

    assert set(received.values()) == {1}
    assert set(rows) == set(bulk.phones)
    assert set(rows.values()) <= {"accepted", "delivered", "unknown"}
    assert {phone for phone, status in rows.items() if status != "unknown"} <= set(received)


@pytest.mark.parametrize("gateway", ["topthink", "ihuyi"])
def test_a_kill_leaves_at_most_one_message_under_way_for_each_thread(gateway: str, bulk: BulkSend) -> None:
    bulk.set_up(gateway, 100)

    assert bulk.is_killed("send_bulk_and_kill", random.randint(1, 90))
    under_way = {phone for phone, status in bulk.rows().items() if status == "sending"}
    bulk.resume()

    assert len(under_way) <= THREADS
    assert set(bulk.received().values()) == {1}
    assert {phone for phone, status in bulk.rows().items() if status != "accepted"} == under_way
    assert set(bulk.phones) - set(bulk.received()) <= under_way


@pytest.mark.parametrize("gateway", ["apispace", "ihuyi"])
def test_two_processes_with_the_same_list_send_one_sms_to_each(gateway: str, bulk: BulkSend) -> None:
    bulk.set_up(gateway, 3000 if gateway == "apispace" else 100)

    with Site(bulk.settings) as other, ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(site.do, "send_bulk", bulk.file, at=bulk.now) for site in (bulk.site, other)]
        output = [future.result() for future in futures]

    assert bulk.received() == dict.fromkeys(bulk.phones, 1), output
    assert set(bulk.rows().values()) == {"accepted"}
