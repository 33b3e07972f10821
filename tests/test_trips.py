"""What each call asks of the database and of the cache, by name. These lists may only grow shorter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from . import services
from .conftest import MakeProvider, last_code, wrong
from .test_webhooks import IDS, ihuyi_report, path_of, sent

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(services.ELSEWHERE, reason="other databases begin their transactions in other words"),
]
Trips = tuple[list[str], list[str]]

# Each statement: its verb and table, and what it is for. BEGIN and COMMIT are trips, too.
SEND = [
    ("SELECT template", "the routes of the purpose"),
    ("SELECT message", "the number's history, before anything is locked"),
    ("SELECT recipient", "the number's row"),
    ("BEGIN", ""),
    ("INSERT recipient", "of a number that is new"),
    ("COMMIT", ""),
    ("BEGIN", ""),
    ("UPDATE recipient", "locks the number"),
    ("SELECT message", "its history again, alone now"),
    ("SELECT verification", "the guesses that it has used"),
    ("INSERT verification", ""),
    ("INSERT message", "row before byte"),
    ("COMMIT", ""),
    ("UPDATE message", "claimed by this process"),
    ("BEGIN", "the vendor has answered"),
    ("UPDATE recipient", "locks the number"),
    ("UPDATE message", "the vendor's id and the times"),
    ("UPDATE message", "status and cost"),
    ("SELECT message", "as it is stored now"),
    ("COMMIT", ""),
    ("SELECT deliveryreport", "one that was faster than the answer"),
]
REFUSED = [("SELECT template", "the routes of the purpose"), ("SELECT message", "the number's history")]
STATUS = [("SELECT verification", ""), ("SELECT message", "its last")]
VERIFY = [
    ("SELECT verification", ""),
    ("BEGIN", ""),
    ("UPDATE verification", "counts, and perhaps wins"),
    ("COMMIT", ""),
]
REPORT = [
    ("SELECT provider", "its secret"),
    ("SELECT provider", "the row"),
    ("SELECT deliveryreport", "whether it is a repetition"),
    ("BEGIN", ""),
    ("INSERT deliveryreport", ""),
    ("COMMIT", ""),
    ("SELECT message", "the one that it is about"),
    ("SELECT deliveryreport", "what else is about it"),
    ("UPDATE message", "status and cost"),
    ("SELECT message", "as it is stored now"),
    ("UPDATE deliveryreport", "gets its message"),
]

WINDOW = ["add {}", "get_many {}"]
COUNTED = [*[one.format("ip") for one in WINDOW * 2], "add number", *[one.format("prefix") for one in WINDOW]]
SEND_CACHE = [
    *COUNTED,
    "get_many circuit",
    "get number",
    "delete number",
    "get circuit",
    "delete_many circuit",
]
REFUSED_CACHE = [*COUNTED[:5], "get number", "delete number", "decr ip", "decr ip"]


class Counted(LocMemCache):
    """Notes what is asked of it from outside, and of which keys."""

    asked: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in {"add", "get", "get_many", "set", "incr", "decr", "delete", "delete_many", "touch"}:
            return found

        def note(first: Any, *args: Any, **kwargs: Any) -> Any:
            key = str(first if isinstance(first, str) else next(iter(first), ""))
            before = len(Counted.asked)
            Counted.asked.append(f"{name} {key.split(':')[1] if ':' in key else key}")
            try:
                return found(first, *args, **kwargs)
            finally:
                del Counted.asked[before + 1 :]  # what LocMem does by its own methods

        return note


@pytest.fixture
def cache_calls() -> Iterator[None]:
    """Of a clock that stands: another bucket would be another key."""
    with (
        time_machine.travel(timezone.now(), tick=False),
        override_settings(CACHES={"default": {"BACKEND": f"{__name__}.Counted", "LOCATION": __name__}}),
    ):
        caches["default"].clear()
        yield
        caches["default"].clear()


def trips(act: Callable[[], Any], status: int) -> Trips:
    Counted.asked.clear()
    with CaptureQueriesContext(connection) as queries:
        response = act()
    assert response.status_code == status
    return [_short(query["sql"]) for query in queries], list(Counted.asked)


def _short(sql: str) -> str:
    table = re.search(r'(?:FROM|INTO|UPDATE) "smsverify_(\w+)"', sql)
    verb = sql.split()[0]
    return f"{verb} {table[1]}" if table else verb


def named(statements: list[tuple[str, str]]) -> list[str]:
    return [statement for statement, _ in statements]


class Front:
    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self) -> Any:
        return self._post("/sms/send/", {"phone": "13800138000", "purpose": "login"})

    def verify(self, verification_id: str, code: str) -> Any:
        return self._post("/sms/verify/", {"verification_id": verification_id, "code": code})

    def _post(self, path: str, body: dict[str, str]) -> Any:
        return self.client.post(path, body, "application/json")


@pytest.fixture
def front(client: Client, memory: MakeProvider, cache_calls: None) -> Front:
    memory()
    return Front(client)


def test_a_send(front: Front) -> None:
    statements, calls = trips(front.send, 202)

    assert statements == named(SEND)
    assert calls == SEND_CACHE


def test_a_send_that_the_number_refuses(front: Front) -> None:
    front.send()

    statements, calls = trips(front.send, 429)

    assert statements == named(REFUSED)
    assert sorted(calls) == sorted([*REFUSED_CACHE, "incr ip", "incr ip"])


def test_a_status(front: Front) -> None:
    verification_id = front.send().json()["verification_id"]

    statements, calls = trips(lambda: front.client.get(f"/sms/send/{verification_id}/"), 200)

    assert statements == named(STATUS)
    assert len(calls) == 1, "django-ratelimit's, against floods"


def test_a_guess(front: Front) -> None:
    verification_id = front.send().json()["verification_id"]
    code = last_code()

    assert trips(lambda: front.verify(verification_id, wrong(code)), 400) == (named(VERIFY), [])
    assert trips(lambda: front.verify(verification_id, code), 200) == (named(VERIFY), [])


def test_a_report(client: Client, vendor: MakeProvider, cache_calls: None) -> None:
    provider = vendor("ihuyi")
    sent(provider, IDS["ihuyi"])
    path = path_of(provider, None, None)

    found = trips(lambda: client.post(path, ihuyi_report(), "application/x-www-form-urlencoded"), 200)

    assert found == (named(REPORT), [])
