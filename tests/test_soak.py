"""Law 3, thousands of times: whatever fails at any vendor, one request never causes two SMS.

REQUESTS is the number of phones, 300 unless it is set; SEED repeats the random choices of a run, but not its races.
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
SETTINGS = {"TIMEOUT": (0.5, 0.4, 0.8), "RESEND_INTERVAL": 24 * 3600, "PREFIX_LIMITS": ()}
"""A busy machine causes more timeouts, which is welcome. No number is free again before the end."""

REFUSALS = {
    "twilio": [Fault.refuse("21606"), Fault.refuse("21610")],
    "topthink": [Fault.status(401)],
    "veesing": [Fault.refuse("余额不足"), Fault.refuse("手机号码格式不正确")],
    "apispace": [Fault.status(403)],
    "ihuyi": [Fault.refuse("405"), Fault.refuse("4085"), Fault.refuse("406")],
    "qixuntong": [Fault.refuse_number(15), Fault.refuse_number(12)],
    "aliyun": [Fault.refuse("isv.BUSINESS_LIMIT_CONTROL"), Fault.refuse("SignatureDoesNotMatch")],
    "aliyun_pnvs": [Fault.refuse("isv.AMOUNT_NOT_ENOUGH"), Fault.refuse("isv.MOBILE_NUMBER_ILLEGAL")],
    "tencent": [
        Fault.refuse("FailedOperation.InsufficientBalanceInSmsPackage"),
        Fault.refuse("FailedOperation.PhoneNumberInBlacklist"),
    ],
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
    """Not checked: among thousands of codes, any number of six digits may equal one."""
    caplog.set_level(logging.CRITICAL, "django_smsverify")


class Soak:
    """One thread: its random choices, and the results of its requests."""

    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._rng = random.Random(seed)
        self.results: Counter[str] = Counter()

    def run(self, phones: Iterator[str]) -> None:
        """Sends to one number after the other, from the iterator that all threads share."""
        try:
            for phone in phones:
                self._set_faults()
                self._send(phone)
        finally:
            connection.close()

    def _set_faults(self) -> None:
        """Sets faults for the next request at some vendors, whichever thread makes it."""
        for vendor in self._rng.sample(VENDORS, self._rng.randint(1, len(VENDORS))):
            self._sandbox.misbehave(vendor, self._rng.choice(FAULTS + 3 * REFUSALS[vendor]), times=1)
        if self._rng.random() < 0.3:
            cache.clear()  # which also closes the circuits and drops the locks of numbers

    def _send(self, phone: str) -> None:
        try:
            send_code(phone, self._rng.choice(("login", "payment")))
        except SMSVerifyError as error:
            self.results[error.code] += 1
        else:
            self.results["sent"] += 1


def numbers(count: int) -> list[str]:
    """Different numbers; every tenth comes twice in a row, so that two threads send to it at once."""
    rng = random.Random(SEED)
    found = [f"{rng.choice((138, 139, 150, 186))}{n:08}" for n in rng.sample(range(10**8), count)]
    return [phone for index, phone in enumerate(found) for _ in range(2 if index % 10 == 0 else 1)]


@pytest.fixture
def all_vendors(vendor: MakeProvider, closed_port: int) -> None:
    """All vendors, in random order for each request, and one whose server cannot be reached."""
    for gateway in VENDORS:
        vendor(gateway, "login", "payment", priority=1, weight=1)
    vendor("topthink", "login", "payment", slug="gone", priority=1, base_url=f"http://127.0.0.1:{closed_port}")


@pytest.mark.timeout(7200)
@pytest.mark.django_db(transaction=True)
@override_settings(SMSVERIFY=SETTINGS)
def test_no_request_causes_two_sms(all_vendors: None, sandbox: Sandbox) -> None:
    requested = numbers(REQUESTS)
    remaining = iter(requested)
    soaks = [Soak(sandbox, SEED + index) for index in range(THREADS)]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda soak: soak.run(remaining), soaks))

    results = sum((soak.results for soak in soaks), Counter[str]())
    report(results, arrived := Counter(sms.phone for sms in sandbox.inbox.all()))
    assert sum(results.values()) == len(requested)
    assert {phone: count for phone, count in arrived.items() if count > 1} == {}, f"SEED={SEED}"
    assert_statuses_match(arrived)


def assert_statuses_match(arrived: Counter[str]) -> None:
    """The stored statuses of each number agree with what its phone received."""
    by_phone: dict[str, list[str]] = defaultdict(list)
    for phone, status in Message.objects.order_by("created_at").values_list("phone", "status"):
        by_phone[phone[3:]].append(status)
    assert arrived.keys() <= by_phone.keys()
    for phone, statuses in by_phone.items():
        # An attempt that has not certainly failed is the last one.
        assert set(statuses[:-1]) <= {"not_sent"}, f"{statuses} SEED={SEED}"
        possible = {"accepted": {1}, "not_sent": {0}, "unknown": {0, 1}}[statuses[-1]]
        assert arrived[phone] in possible, f"{statuses} and {arrived[phone]} SMS, SEED={SEED}"


def report(results: Counter[str], arrived: Counter[str]) -> None:
    """Shown when pytest runs with -s."""
    print(f"\nSEED={SEED}: requests {dict(results)}")
    for name in ("status", "attempt"):
        print(f"messages by {name} {dict(Counter(Message.objects.values_list(name, flat=True)))}")
    print(f"{sum(arrived.values())} SMS on {len(arrived)} phones, at most {max(arrived.values())} on one")
