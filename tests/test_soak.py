"""Law 3 by the thousand: whatever goes wrong at whichever vendor, one request never puts two SMS on a phone.

REQUESTS says how many numbers are sent to, `make soak` many; SEED repeats the dice of a run, though not its races.
"""

from __future__ import annotations

import logging
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import override_settings
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.models import Message
from django_smsverify.sending import send_code

from .conftest import VENDORS, MakeProvider

pytestmark = pytest.mark.slow

REQUESTS = int(os.environ.get("REQUESTS", "300"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1_000_000)))
THREADS = 8
HASTY = {"TIMEOUT": (0.5, 0.4, 0.8), "RESEND_INTERVAL": 24 * 3600, "PREFIX_LIMITS": ()}
"""A busy machine makes timeouts of its own: the more, the better. No number is free again before the end."""

REFUSALS = {
    "topthink": [Fault.status(401)],
    "veesing": [Fault.refuse("余额不足"), Fault.refuse("手机号码格式不正确")],
    "apispace": [Fault.status(403)],
    "ihuyi": [Fault.refuse("405"), Fault.refuse("4085"), Fault.refuse("406")],
    "qixuntong": [Fault.refuse_number(15), Fault.refuse_number(12)],
}
FAULTS = [
    *(Fault.status(status) for status in (400, 404, 429, 500, 502)),
    Fault.deliver_then_status(503),
    Fault.garbage(),
    Fault.empty(),
    Fault.redirect(),
    Fault.huge(),
    *(kind(deliver=deliver) for kind in (Fault.hang, Fault.reset, Fault.drip) for deliver in (True, False)),
    Fault.slow(0.3),
    Fault.slow(0.6),
]


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> None:
    """Not listened to: among thousands of codes every number of six digits is one."""
    caplog.set_level(logging.CRITICAL, "django_smsverify")


class Soak:
    """One thread's dice, and what its requests came to."""

    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._dice = random.Random(seed)
        self.words: Counter[str] = Counter()

    def run(self, phones: Iterator[str]) -> None:
        """Takes one number after the other, of those that all threads have in common."""
        try:
            for phone in phones:
                self._spoil()
                self._send(phone)
        finally:
            connection.close()

    def _spoil(self) -> None:
        """What happens to the next request that comes to a vendor, whoever's it is."""
        for vendor in self._dice.sample(VENDORS, self._dice.randint(1, len(VENDORS))):
            self._sandbox.misbehave(vendor, self._dice.choice(FAULTS + 3 * REFUSALS[vendor]), times=1)
        if self._dice.random() < 0.3:
            cache.clear()  # with it the circuits close, and the locks of numbers are gone

    def _send(self, phone: str) -> None:
        try:
            send_code(phone, self._dice.choice(("login", "payment")))
        except SMSVerifyError as error:
            self.words[error.code] += 1
        else:
            self.words["sent"] += 1


def numbers(count: int) -> list[str]:
    """Different ones; every tenth comes twice in a row, so that two threads are at it together."""
    dice = random.Random(SEED)
    found = [f"{dice.choice((138, 139, 150, 186))}{n:08}" for n in dice.sample(range(10**8), count)]
    return [phone for index, phone in enumerate(found) for _ in range(2 if index % 10 == 0 else 1)]


@pytest.fixture
def many(vendor: MakeProvider, closed_port: int) -> None:
    """All vendors, in an order that is drawn anew for each request, and one whose server is gone."""
    for gateway in VENDORS:
        vendor(gateway, "login", "payment", priority=1, weight=1)
    vendor("topthink", "login", "payment", slug="gone", priority=1, base_url=f"http://127.0.0.1:{closed_port}")


@pytest.mark.timeout(7200)
@pytest.mark.django_db(transaction=True)
@override_settings(SMSVERIFY=HASTY)
def test_no_request_puts_two_sms_on_one_phone(many: None, sandbox: Sandbox) -> None:
    asked = numbers(REQUESTS)
    waiting = iter(asked)
    soaks = [Soak(sandbox, SEED + index) for index in range(THREADS)]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda soak: soak.run(waiting), soaks))

    words = sum((soak.words for soak in soaks), Counter[str]())
    report(words, arrived := Counter(sms.phone for sms in sandbox.inbox.all()))
    assert sum(words.values()) == len(asked)
    assert {phone: count for phone, count in arrived.items() if count > 1} == {}, f"SEED={SEED}"
    assert_true_to(arrived)


def assert_true_to(arrived: Counter[str]) -> None:
    """What is stored of each number is what happened to its phone."""
    by_phone: dict[str, list[str]] = defaultdict(list)
    for phone, status in Message.objects.order_by("created_at").values_list("phone", "status"):
        by_phone[phone[3:]].append(status)
    assert arrived.keys() <= by_phone.keys()
    for phone, statuses in by_phone.items():
        # Whatever is not certain of having failed ends it.
        assert set(statuses[:-1]) <= {"not_sent"}, f"{statuses} SEED={SEED}"
        possible = {"accepted": {1}, "not_sent": {0}, "unknown": {0, 1}}[statuses[-1]]
        assert arrived[phone] in possible, f"{statuses} and {arrived[phone]} SMS, SEED={SEED}"


def report(words: Counter[str], arrived: Counter[str]) -> None:
    """For those who run it with -s."""
    print(f"\nSEED={SEED}: requests {dict(words)}")
    for name in ("status", "attempt"):
        print(f"messages by {name} {dict(Counter(Message.objects.values_list(name, flat=True)))}")
    print(f"{sum(arrived.values())} SMS on {len(arrived)} phones, at most {max(arrived.values())} on one")
