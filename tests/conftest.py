"""Fixtures of all tests: sandbox vendors on real sockets, a site over real HTTP, and a search of the log for leaks."""

from __future__ import annotations

import gc
import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache as cache_result
from pathlib import Path
from typing import Any

import django
import pytest
import requests
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache, caches
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.utils import translation
from sandbox import catalogue
from sandbox.server import Sandbox

from django_smsverify.enums import ReviewStatus
from django_smsverify.gateways.base import Outcome
from django_smsverify.gateways.local import MemoryGateway
from django_smsverify.models import Message, Provider, Signature, Template
from django_smsverify.sending.vendor_call import record_outcomes
from django_smsverify.testing.memory import forget

from . import redis_sockets, selection, services
from .described import only_what_is_described  # noqa: F401 - a fixture
from .joined_threads import threads

MEASURED = {name: value for name, value in os.environ.items() if name == "COVERAGE_PROCESS_CONFIG"}
"""For processes that run what this one cannot."""
if "PYTEST_XDIST_WORKER" in os.environ:
    # Coverage measures this process; those that it starts would only become slower.
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)

redis_sockets.close_with_their_cache()

PHONE = "+8613800138000"
CODE_TEXT = "您的验证码是{code}，{minutes}分钟内有效。"
REMOTE_IDS = {
    "topthink": "234",
    "veesing": "540",
    "ihuyi": "2001",
    "aliyun": "SMS_234",
    "aliyun_pnvs": "100001",
    "tencent": "3001",
}
NOTICE_IDS = {"topthink": "236", "ihuyi": "2002", "aliyun": "SMS_236", "tencent": "3002"}
PLAIN_IDS = {"topthink": "237", "ihuyi": "2003", "aliyun": "SMS_237", "tencent": "3003"}
VENDORS = tuple(catalogue.CREDENTIALS)
QUICK = ("topthink", "aliyun")


def quickly(vendors: Iterable[str]) -> list[Any]:
    """These vendors, of which two are not slow."""
    return [vendor if vendor in QUICK else pytest.param(vendor, marks=pytest.mark.slow) for vendor in vendors]


FEW_QUICKLY = quickly(catalogue.CREDENTIALS)
"""All vendors."""
SECRETS = tuple(value for own in catalogue.CREDENTIALS.values() for value in own.values())


NO_FILINGS = {"filings-TOTAL_FORMS": 0, "filings-INITIAL_FORMS": 0}
"""What the form of a signature or a template posts beside its fields."""
FLAKY_LIST = os.environ.get("FLAKY_LIST", "")
"""The file that lists the tests that failed once and passed when run again; without it no test is run again."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Saves the import of folders whose tests are left out anyway."""
    return True if selection.leaves_out(collection_path, config.option.markexpr) else None


def pytest_sessionstart() -> None:
    """Does not look for garbage among the tests, which stay until the end."""
    gc.disable()


def pytest_collection(session: pytest.Session) -> None:
    if session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        selection.compile_share(session.config.option.markexpr)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks tests by their folder; on other services, keeps those that use a database (and thus the cache), of fewer
    vendors.

    Tests that start servers share brokers and measure timeouts: one worker of xdist runs them all.
    """
    for item in items:
        folder = item.path.parent.name
        if folder in selection.STARTS_SERVERS:
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.xdist_group("servers"))
        if folder in selection.ALL_SLOW:
            item.add_marker(pytest.mark.slow)
        elif not item.get_closest_marker("slow") and selection.is_further_case(item):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.further_case)
        if not selection.is_in(item, [*selection.WITHOUT_CONCURRENCY, *selection.OF_NO_DATABASE]):
            item.add_marker(pytest.mark.concurrent)
        if selection.is_in(item, selection.OF_CHARSETS):
            item.add_marker(pytest.mark.charset)
        if folder in selection.TIMING_DEPENDENT and FLAKY_LIST:
            item.add_marker(pytest.mark.flaky(reruns=1))
    if services.ELSEWHERE:
        elsewhere = [item for item in items if selection.is_run_elsewhere(item)]
        config.hook.pytest_deselected(items=list(set(items).difference(elsewhere)))
        items[:] = elsewhere


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Before the tables are emptied."""
    threads.join()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    outcome: str = report.outcome  # "rerun" is an outcome of pytest-rerunfailures
    if outcome == "rerun" and FLAKY_LIST:
        with open(FLAKY_LIST, "a") as listed:
            listed.write(f"{report.nodeid}\n")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One and a half times the number of processors, as many tests wait for a response that does not come."""
    return (os.cpu_count() or 1) * 3 // 2


@pytest.fixture(autouse=True, scope="session")
def _quick_flush() -> Iterator[None]:
    """Deletes the rows that a test committed, except content types and permissions, which take long to create."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", delete_rows)
        yield


@cache_result
def emptied_tables() -> list[str]:
    """Asked once, as the server takes longer to list its tables than to look into them."""
    kept = {ContentType._meta.db_table, Permission._meta.db_table}
    return [table for table in connection.introspection.django_table_names(only_existing=True) if table not in kept]


def delete_rows(case: TransactionTestCase) -> None:
    """Looks first which tables have rows: most have none, and to empty all takes longer than most tests."""
    quoted = {table: connection.ops.quote_name(table) for table in emptied_tables()}
    questions = (f"SELECT '{table}' FROM (SELECT 1 FROM {name} LIMIT 1) one" for table, name in quoted.items())
    with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(questions))
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {quoted[table]}")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    cache.clear()
    MemoryGateway.outbox.clear()
    forget()
    yield
    cache.clear()
    translation.deactivate()  # a request of Django's test client leaves its language active


def cached() -> dict[str, object]:
    """All values in the cache, by the keys of the server or of the dictionary."""
    store: Any = caches["default"]
    if "locmem" in type(store).__module__:
        return dict(store._cache)
    client = store._cache.get_client(write=True)
    read = {b"string": client.get, b"hash": client.hgetall}
    return {key.decode(): read[client.type(key)](key) for key in client.scan_iter()}


def age_cache(seconds: int) -> None:
    """Lets time pass in Redis, whose clock time_machine does not move."""
    store: Any = caches["default"]
    if "locmem" not in type(store).__module__:
        client = store._cache.get_client(write=True)
        for key in client.scan_iter():
            client.expire(key, client.ttl(key) - seconds)


class LogRecorder(logging.Handler):
    """Stores the lines of every logger at every level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture(autouse=True)
def log(sandbox_server: Sandbox) -> Iterator[LogRecorder]:
    """Everything that is logged at DEBUG during a test; it must contain no secret, no code and no full number."""
    recorder, root = LogRecorder(), logging.getLogger()
    before, quiet = root.level, {name: logging.getLogger(name).level for name in ("django", "urllib3")}
    root.addHandler(recorder)
    for name in ("", *quiet):
        logging.getLogger(name).setLevel(logging.DEBUG)
    # SQL statements contain the stored values anyway, and this suite's own HTTP clients are not the app.
    logging.getLogger("django.db.backends").setLevel(logging.INFO)
    yield recorder
    root.removeHandler(recorder)
    root.setLevel(before)
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)
    assert_clean(recorder.text, codes_of(sandbox_server))


def codes_of(sandbox: Sandbox) -> set[str]:
    texts = [sms.text for sms in sandbox.inbox.all()] + [sms.text for sms in MemoryGateway.outbox]
    return {code for text in texts for code in re.findall(r"(?<!\d)\d{6,8}(?!\d)", text)}


def assert_clean(text: str, codes: set[str]) -> None:
    """No secret, no full number, no code."""
    for secret in (*SECRETS, PHONE, PHONE[3:]):
        assert secret not in text, f"leaked {secret}: ...{text[max(0, text.find(secret) - 200) :][:400]}"
    assert not codes.intersection(re.findall(r"(?<![0-9a-f-])\d{6,8}(?![0-9a-f-])", text))


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(sandbox_server: Sandbox) -> Iterator[Sandbox]:
    yield sandbox_server
    sandbox_server.behave()
    sandbox_server.release()
    sandbox_server.wait_until_idle()  # delayed SMS are delivered now and not during the next test
    sandbox_server.inbox.clear()
    sandbox_server.reset()
    for quirk in ("apispace_envelope", "ihuyi_string_codes", "ihuyi_bom", "qixuntong_int_status"):
        setattr(sandbox_server, quirk, False)
    sandbox_server.aliyun_filings = {}


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which no process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def full_listener() -> Iterator[socket.socket]:
    """A listener whose queue of connections is full: the next connection gets no response."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as sockets:
        for _ in range(8):
            one = sockets.enter_context(socket.socket())
            one.settimeout(0.1)
            try:
                one.connect(listener.getsockname())
            except TimeoutError:
                one.close()
                break
        else:
            pytest.skip("this system's queues do not fill")
        yield listener


MakeProvider = Callable[..., Provider]


@pytest.fixture
def vendor(sandbox: Sandbox, db: None) -> MakeProvider:
    """Makes a provider at a sandbox vendor, with an approved template for each purpose."""

    def make(gateway: str, *purposes: str, slug: str = "", **fields: Any) -> Provider:
        fields.setdefault("base_url", sandbox.base_urls[gateway])
        fields.setdefault("credentials", dict(catalogue.CREDENTIALS[gateway]))
        fields["options"] = {**catalogue.OPTIONS.get(gateway, {}), **fields.get("options", {})}
        provider = Provider.objects.create(name=slug or gateway, slug=slug or gateway, gateway=gateway, **fields)
        content = "您的验证码是{code}，5分钟内有效。" if gateway == "veesing" else CODE_TEXT
        for purpose in purposes or ("login",):
            add_template(provider, purpose, content, REMOTE_IDS.get(gateway, ""))
        return provider

    return make


@pytest.fixture
def memory(db: None) -> MakeProvider:
    """Makes a provider that keeps its SMS in memory, with an approved template for each purpose."""

    def make(*purposes: str, slug: str = "memory", **fields: Any) -> Provider:
        provider = Provider.objects.create(name=slug, slug=slug, gateway="memory", **fields)
        for purpose in purposes or ("login",):
            add_template(provider, purpose, CODE_TEXT, "")
        return provider

    return make


def add_template(provider: Provider, purpose: str, content: str, remote_id: str, **fields: Any) -> Template:
    if "signature" not in fields:
        fields["signature"], _ = Signature.objects.get_or_create(
            provider=provider, text="示例站", defaults={"remote_id": "78", "status": ReviewStatus.APPROVED}
        )
    fields.setdefault("status", ReviewStatus.APPROVED)
    return Template.objects.create(
        provider=provider,
        purpose=purpose,
        name=f"{provider.slug} {purpose}",
        content=content,
        remote_id=remote_id,
        **fields,
    )


class Site:
    """The app as a front end uses it, over real HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(f"{self.url}/sms/{path}/", json=body, headers=named, timeout=60)

    def send(self, phone: str = PHONE[3:], purpose: str = "login", **headers: str) -> requests.Response:
        return self.post("send", {"phone": phone, "purpose": purpose}, **headers)

    def resend(self, verification_id: str) -> requests.Response:
        return self.post("send", {"verification_id": verification_id})

    def status(self, verification_id: str) -> requests.Response:
        return requests.get(f"{self.url}/sms/send/{verification_id}/", timeout=60)

    def verify(self, verification_id: str, code: str) -> requests.Response:
        return self.post("verify", {"verification_id": verification_id, "code": code})


@pytest.fixture
def site(live_server: Any) -> Site:
    return Site(live_server.url)


def record(message: Message, outcome: Outcome) -> None:
    """Stores a vendor's outcome for a claimed message."""
    record_outcomes([(message, outcome)])


def code_in(text: str) -> str:
    """The code in the text of an SMS."""
    return re.findall(r"\d{4,8}", text)[0]  # type: ignore[no-any-return]


def addressee(address: str) -> Any:
    """An entry of MANAGERS or ADMINS in the format of this version of Django."""
    return address if django.VERSION >= (6, 0) else (address, address)


def last_code() -> str:
    """The code in the newest SMS of the memory gateway."""
    return code_in(MemoryGateway.outbox[-1].text)


def wrong(code: str) -> str:
    """A different code of the same length."""
    return str((int(code) + 1) % 10 ** len(code)).zfill(len(code))


def refusal(response: requests.Response) -> tuple[int, str]:
    """Status and error code of a refusal; checks its format as well."""
    body: Mapping[str, Any] = response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert isinstance(body["detail"], str)
    assert body["detail"]
    return response.status_code, body["code"]
