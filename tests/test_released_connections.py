"""While a vendor is waited for, a worker holds no connection to the database, and a request holds none of a pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Barrier
from typing import Any, ClassVar
from unittest import mock

import pytest
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections
from django.test import override_settings

from django_smsverify.gateways.base import Gateway, Outcome
from django_smsverify.models import Message, Provider
from django_smsverify.sending import connection as released
from django_smsverify.sending import dispatch, send_code, worker
from django_smsverify.sending.connection import in_worker, release_connection
from django_smsverify.types import Acceptance, OutgoingSMS

from .conftest import MakeProvider
from .folding import folded
from .queues.brokers import eventually

CALLS = 8
PHONES = [f"138{number:04}8000" for number in range(CALLS)]
on_a_server = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server with connections")


class SlowGateway(Gateway):
    """A vendor that answers when all calls are there and were counted."""

    label = "Slow"
    arrived: ClassVar[Barrier]
    answered: ClassVar[Barrier]

    def transmit(self, sms: OutgoingSMS) -> dict[str, Outcome]:
        self.arrived.wait(60)
        self.answered.wait(60)
        return {phone: Acceptance(remote_id=phone) for phone in sms.recipients}


@pytest.fixture
def _slow(transactional_db: None, memory: MakeProvider) -> Iterator[None]:
    SlowGateway.arrived, SlowGateway.answered = Barrier(CALLS + 1), Barrier(CALLS + 1)
    with override_settings(SMSVERIFY={"GATEWAYS": {"slow": f"{__name__}.SlowGateway"}}):
        memory()
        Provider.objects.update(gateway="slow")
        yield


def queued(phones: Sequence[str] = PHONES) -> list[str]:
    """The ids of queued codes, one for each number."""
    ids: list[str] = []
    site = {**getattr(settings, "SMSVERIFY", {}), "DISPATCH": "celery"}
    with mock.patch.object(dispatch, "_enqueue", ids.extend), override_settings(SMSVERIFY=site):
        for phone in phones:
            send_code(phone, "login")
    return ids


def open_connections() -> int:
    """The connections of others to this database."""
    sql = {
        "postgresql": (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend'"
        ),
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database()",
    }
    with connection.cursor() as cursor:
        cursor.execute(sql[connection.vendor])
        return int(cursor.fetchone()[0]) - 1


def require_while_waiting(works: Iterable[Callable[[], object]], is_right: Callable[[int], bool]) -> None:
    """Requires a number of open connections while each of the works, in a thread of its own, waits for the vendor."""

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CALLS) as threads:
        running = [threads.submit(run, work) for work in works]
        SlowGateway.arrived.wait(60)
        try:
            # A server notices a moment later that a client has closed.
            eventually(lambda: is_right(open_connections()), lambda: f"{open_connections()} are open")
        finally:
            SlowGateway.answered.wait(60)
            for one in running:
                one.result()


def statuses() -> set[str]:
    return set(Message.objects.values_list("status", flat=True))


@on_a_server
@pytest.mark.usefixtures("_slow")
def test_a_worker_holds_no_connection_while_it_waits() -> None:
    works = [partial(worker.run_task, [pk]) for pk in queued()]

    require_while_waiting(works, lambda count: count == 0)
    assert statuses() == {"accepted"}


@on_a_server
@pytest.mark.usefixtures("_slow")
def test_a_request_keeps_its_connection_where_there_is_no_pool() -> None:
    works = [partial(send_code, phone, "login") for phone in PHONES]

    require_while_waiting(works, lambda count: count == CALLS)
    assert statuses() == {"accepted"}


@pytest.fixture
def _pool(_slow: None) -> Iterator[None]:
    """Two connections for all threads, and none beside them."""
    pytest.importorskip("psycopg_pool")
    options = connections.settings["default"]["OPTIONS"]
    connection.close()
    options["pool"] = {"min_size": 1, "max_size": 2, "timeout": 30}
    yield
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    del options["pool"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Django has pools for PostgreSQL only")
@pytest.mark.usefixtures("_pool")
def test_requests_share_the_two_connections_of_a_pool() -> None:
    """If they kept them, the third would wait until the pool gives up, and never arrive at the vendor."""
    works = [partial(send_code, phone, "login") for phone in PHONES]

    require_while_waiting(works, lambda count: count < 2)
    assert statuses() == {"accepted"}


@dataclass
class Connection:
    """What is asked of a connection; `close` counts."""

    vendor: str = "postgresql"
    connection: object | None = "open"
    autocommit: bool = True
    in_atomic_block: bool = False
    allow_thread_sharing: bool = False
    pool: bool = False
    closed: int = 0
    error: Exception | None = None

    @property
    def settings_dict(self) -> dict[str, Any]:
        return {"OPTIONS": {"pool": True} if self.pool else {}}

    def close(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


def is_released(monkeypatch: pytest.MonkeyPatch, *, by_worker: bool, **state: Any) -> bool:
    one = Connection(**state)
    monkeypatch.setattr(released, "connections", {"default": one})
    with in_worker() if by_worker else nullcontext():
        release_connection()
    return bool(one.closed)


@folded(
    "by_worker, state, expected",
    [
        (True, {}, True),
        (True, {"vendor": "mysql"}, True),
        (True, {"pool": True}, True),
        (False, {"pool": True}, True),
        (False, {}, False),
        (True, {"vendor": "sqlite"}, False),
        (True, {"connection": None}, False),
        (True, {"in_atomic_block": True}, False),
        (True, {"autocommit": False}, False),
        (True, {"allow_thread_sharing": True}, False),
        (False, {"pool": True, "in_atomic_block": True}, False),
        (True, {"error": OperationalError("lost")}, True),
        (True, {"error": InterfaceError("lost")}, True),
    ],
)
def test_what_is_released(
    by_worker: bool, state: dict[str, Any], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_released(monkeypatch, by_worker=by_worker, **state) is expected


@pytest.mark.django_db
def test_the_connection_of_a_test_case_stays(vendor: MakeProvider) -> None:
    vendor("topthink")
    own = connection.connection
    (pk,) = queued(PHONES[:1])

    worker.run_task([pk])

    assert connection.connection is own
    assert statuses() == {"accepted"}
