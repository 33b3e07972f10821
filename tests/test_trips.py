"""The statements and cache calls of each request, by name. These lists may only become shorter."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from sandbox.server import Sandbox

from django_smsverify.enums import ReviewStatus
from django_smsverify.models import Message, Provider, Verification
from django_smsverify.models.late_changes import LATE_AFTER
from django_smsverify.polling import poll as polling
from django_smsverify.polling.poll import poll
from django_smsverify.sending import dispatch, worker

from . import services
from .conftest import MakeProvider, add_template, last_code, wrong
from .test_captchas import solve
from .test_client_keys import App
from .test_polling import notify
from .test_webhooks import IDS, ihuyi_report, path_of, sent

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(services.ELSEWHERE, reason="other databases begin transactions with other statements"),
]
Trips = tuple[list[str], list[str]]
Headers = dict[str, str] | None

# Each statement: its verb and table, and what it is for. BEGIN and COMMIT are round trips, too.
SEND = [
    ("SELECT knownnumber", "whether the number was verified here, so that strangers have half of its limits"),
    ("BEGIN", ""),
    ("INSERT recipient", "makes the number's row, or locks it"),
    ("SELECT verification", "the number's history: SMS, guesses, live codes"),
    ("INSERT verification", ""),
    ("INSERT message", "before the vendor is called, claimed by this process"),
    ("COMMIT", ""),
    ("UPDATE message", "that the vendor has accepted it"),
    ("SELECT deliveryreport", "a report that came before the answer"),
]
ROUTES = ("SELECT template", "the routes of the purpose, which are kept until one is changed")
LISTS = ("SELECT listentry", "of which kind there are any, every ten seconds")
CLOSURES = ("SELECT closure", "what the guard has closed, every ten seconds")
PURPOSE = ("SELECT template", "whether the purpose exists, where the process has no routes of it")
FIRST_SEND = [PURPOSE, LISTS, SEND[0], CLOSURES, ROUTES, *SEND[1:]]
JOIN = [
    *SEND[:4],
    ("SELECT verification", "the one that holds the live code"),
    ("UPDATE verification", "prolongs the code, unless it has just been used"),
    *SEND[4:],
]
"""A send while a code is live; the number is known."""
REFUSED = [*SEND[:4], ("ROLLBACK", "")]
FIRST_REFUSED = [*REFUSED, ("INSERT refusal", "the first of the number, the reason and the hour")]
JOIN_WITHOUT_SMS = [
    *FIRST_REFUSED,
    *SEND[1:4],
    ("SELECT verification", "the one that holds the live code"),
    ("INSERT verification", ""),
    ("COMMIT", ""),
    ("SELECT message", "when the last SMS with the code was sent"),
]
STATUS = [("SELECT verification", ""), ("SELECT message", "its last")]
VERIFY = [("SELECT verification", "with its root"), ("UPDATE verification", "counts the guess")]
KNOWN = ("INSERT knownnumber", "that it was verified now")
RIGHT = [
    *VERIFY[:1],
    ("BEGIN", ""),
    ("UPDATE verification", "counts the guess and verifies"),
    KNOWN,
    ("COMMIT", ""),
]
VERIFY_WITHOUT_SMS = [
    *RIGHT[:2],
    ("UPDATE recipient", "locks the number"),
    ("SELECT verification", "the guesses that the number has left"),
    ("UPDATE verification", "counts the guess"),
    ("UPDATE verification", "a right guess: the success, which the holder of the code stores"),
    KNOWN,
    ("COMMIT", ""),
]
SEND_WITH_BUDGET = [
    SEND[0],
    ("SELECT spending", "which providers may be chosen"),
    *SEND[1:5],
    ("SELECT spending", "locks what is spent, of all budgets that the SMS must fit into"),
    ("UPDATE spending", "adds price and segments to all of them"),
    *SEND[5:],
]
SEND_WITH_KEY = [*SEND[:5], ("INSERT rememberedrequest", "for the same key again"), *SEND[5:]]
REPEATED_SEND = [
    ("SELECT rememberedrequest", ""),
    ("SELECT message", "whether it was refused"),
    ("SELECT message", "when the last SMS with the code was sent"),
]
VERIFY_WITH_KEY = [
    ("SELECT rememberedrequest", ""),
    *RIGHT[:4],
    ("INSERT rememberedrequest", "for the same key again"),
    *RIGHT[4:],
]
REPEATED_VERIFY = [("SELECT rememberedrequest", ""), ("SELECT verification", "")]
REPORT = [
    ("SELECT provider", "by its slug, with its secrets"),
    ("SELECT message", "the one that it is about"),
    ("BEGIN", ""),
    ("UPDATE message", "status and cost"),
    ("INSERT deliveryreport", "unless it is a repetition"),
    ("COMMIT", ""),
]
REPEATED_REPORT = [*REPORT[:2], ("SELECT deliveryreport", "the message had its status already")]
LATE_REPORT = [
    *REPORT[:4],
    ("INSERT latechange", "of a message that is older than a day: the sums of its day are wrong now"),
    *REPORT[4:],
]
ASKED = ("UPDATE message", "reserves the question")
REPORTED = [ASKED, *REPORT[2:]]
REVIEW = [
    ("UPDATE template", "reserves the question"),
    ("UPDATE template", "the verdict, if it is another"),
    ("SELECT template", "as it is now, for receivers of the signal"),
]
BALANCE = [
    ("SELECT provider", "whether it is still due"),
    ("UPDATE provider", "unless a newer balance is stored"),
    ("UPDATE provider", "raises or ends the alarm"),
]
FETCHED = [
    ("INSERT reportbatch", "as it came, because the vendor deletes it"),
    ("SELECT deliveryreport", "those that are stored already"),
    ("BEGIN", ""),
    ("INSERT deliveryreport", "all new ones"),
    ("COMMIT", ""),
    ("SELECT message", "those that they are about"),
    ("SELECT deliveryreport", "all that these messages have"),
    ("BEGIN", ""),
    ("UPDATE message", "of each status and cost"),
    ("COMMIT", ""),
    ("SELECT message", "as they are now, for receivers of the signals"),
    ("BEGIN", ""),
    ("UPDATE deliveryreport", "links all with their messages"),
    ("COMMIT", ""),
    ("BEGIN", ""),
    ("DELETE reportbatch", ""),
    ("COMMIT", ""),
]
"""For any number of reports in a batch."""
NOTHING_FETCHED = [FETCHED[0], *FETCHED[-3:], ("SELECT message", "those that were due: each counts a question")]
IDLE_POLL = [
    ("UPDATE jobrun", "that it began"),
    ("SELECT provider", "all"),
    ("SELECT message", "codes that nobody sent"),
    ("SELECT message", "notices that nobody sent"),
    ("SELECT reportbatch", "fetched and not read"),
    ("SELECT message", "of a vendor that hands out reports: whether any is due"),
    ("SELECT signature", "of a vendor that can be asked: those in review"),
    ("SELECT template", "likewise"),
    ("SELECT message", "of a vendor that can be asked: those that are due"),
    ("SELECT message", "stuck"),
    ("SELECT deliveryreport", "without their message"),
    ("SELECT message", "without a report for too long"),
    ("SELECT probe", "without a report, or with an alarm that was not told"),
    ("SELECT message", "of each provider: whether it took nothing for an hour"),
    ("SELECT message", "of each provider that pushes: whether reports are due"),
    ("SELECT jobrun", "whether the poll is late, which another job would tell"),
    ("SELECT alert", "of what lasted, as what is over"),
    ("SELECT alert", "that somebody waits for"),
    ("SELECT alert", "to be forgotten"),
    ("SELECT spending", "old, or of a budget that was taken away"),
    ("SELECT closure", "what the guard has closed since yesterday, to be told"),
    ("SELECT closure", "to be forgotten"),
    ("SELECT knownnumber", "to be forgotten"),
    ("SELECT forgetting", "numbers of which a rest is to be forgotten"),
    ("SELECT refusal", "to be forgotten"),
    ("SELECT latechange", "of days that are summed"),
    ("SELECT latechange", "all days that are summed, and whether they were changed since"),
    ("SELECT message", "the first, where no day is summed yet"),
    ("UPDATE jobrun", "that it came to its end"),
]
"""A run with nothing to do, with a provider of each kind."""

WORKER = [
    ("SELECT message", "if it is still queued"),
    ("BEGIN", ""),
    ("UPDATE recipient", "locks the number"),
    ("SELECT verification", "the code, which may have ended while it was queued"),
    ("SELECT verification", "the number's history: SMS, guesses, live codes"),
    ("UPDATE message", "its route, claimed by this worker, before the vendor is called"),
    ("COMMIT", ""),
    *SEND[-2:],
]
"""A worker that sends a code; it has just read the routes."""

CAPTCHA_ASKED: dict[str, Trips] = {
    "altcha": (["SELECT knownnumber"], ["incr refused"]),
    "image": (["SELECT knownnumber", "INSERT captchastore"], ["incr refused", "add", "incr"]),
}
"""A refusal is counted; where images are offered, django-ratelimit counts too."""
IMAGE_USED = [
    ("SELECT captchastore", "what is written in the image"),
    ("BEGIN", ""),
    ("DELETE captchastore", "so that it is used once"),
    ("COMMIT", ""),
]
LONGEST_BUCKET = 7200
"""Seconds; a twelfth of a day."""
COUNTED = ["add ip", "add ip", "add prefix", "get_many routes"]
"""Each count is one call; one more reads all buckets, the version of the routes, and the circuits."""
UNKNOWN_CIRCUIT = ["get_many circuit", "get_many circuit"]
"""Only where the process did not know the providers before that trip."""
REFUSED_CACHE = [*COUNTED, "decr ip", "decr ip", "decr prefix", "incr refused"]
"""With a script, two trips: one counts, one gives back and counts the refusal."""


class RecordingCache(LocMemCache):
    """Records the calls from outside, and their keys."""

    calls_made: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in {"add", "get", "get_many", "set", "incr", "decr", "delete", "delete_many", "touch"}:
            return found

        def record(first: Any, *args: Any, **kwargs: Any) -> Any:
            key = str(first if isinstance(first, str) else next(iter(first), ""))
            before = len(RecordingCache.calls_made)
            RecordingCache.calls_made.append(f"{name} {key.split(':')[1] if ':' in key else key}")
            try:
                return found(first, *args, **kwargs)
            finally:
                del RecordingCache.calls_made[before + 1 :]  # the calls that LocMemCache makes itself

        return record


@pytest.fixture
def cache_calls() -> Iterator[None]:
    """Records the cache calls, with the clock stopped at the beginning of a bucket: another would be another key."""
    with (
        time_machine.travel(time.time() // LONGEST_BUCKET * LONGEST_BUCKET + 1, tick=False),
        override_settings(CACHES={"default": {"BACKEND": f"{__name__}.RecordingCache", "LOCATION": __name__}}),
    ):
        caches["default"].clear()
        yield
        caches["default"].clear()


def trips(act: Callable[[], Any], status: int) -> Trips:
    def act_and_check() -> None:
        assert act().status_code == status

    return watched(act_and_check)


def watched(act: Callable[[], object]) -> Trips:
    RecordingCache.calls_made.clear()
    with CaptureQueriesContext(connection) as queries:
        act()
    return [_short(query["sql"]) for query in queries], list(RecordingCache.calls_made)


def _short(sql: str) -> str:
    table = re.search(r'(?:FROM|INTO|UPDATE) "(?:smsverify|captcha)_(\w+)"', sql)
    verb = sql.split()[0]
    return f"{verb} {table[1]}" if table else verb


def statements_only(statements: list[tuple[str, str]]) -> list[str]:
    return [statement for statement, _ in statements]


class FrontEnd:
    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self, headers: Headers = None, phone: str = "13800138000", **more: Any) -> Any:
        return self._post("/sms/send/", {"phone": phone, "purpose": "login", **more}, headers)

    def ticket(self, clock: time_machine.Traveller) -> str:
        ticket = self.client.get("/sms/ticket/").json()["ticket"]
        clock.shift(2)
        return str(ticket)

    def verify(self, verification_id: str, code: str, headers: Headers = None) -> Any:
        return self._post("/sms/verify/", {"verification_id": verification_id, "code": code}, headers)

    def _post(self, path: str, body: dict[str, str], headers: Headers) -> Any:
        return self.client.post(path, body, "application/json", headers=headers)


@pytest.fixture
def front_end(client: Client, memory: MakeProvider, cache_calls: None) -> FrontEnd:
    memory()
    return FrontEnd(client)


def test_a_send(front_end: FrontEnd) -> None:
    statements, calls = trips(front_end.send, 202)

    assert statements == statements_only(FIRST_SEND)
    assert calls == [*COUNTED, *UNKNOWN_CIRCUIT]

    statements, calls = trips(lambda: front_end.send(phone="13900139000"), 202)

    assert statements == statements_only(SEND)
    assert sorted(calls) == sorted([*COUNTED, "incr ip", "incr ip"])


def test_a_send_with_budgets_of_everything(front_end: FrontEnd) -> None:
    """However many budgets there are, it is three statements more, and nothing of the cache."""
    both = {"day": 50, "month": 1000}
    Provider.objects.update(price="0.045", budget_day=50, budget_month=1000)
    with override_settings(SMSVERIFY={"BUDGET": both, "PURPOSES": {"login": {"BUDGET": both}}}):
        front_end.send()

        statements, calls = trips(lambda: front_end.send(phone="13900139000"), 202)

    assert statements == statements_only(SEND_WITH_BUDGET)
    assert sorted(calls) == sorted([*COUNTED, "incr ip", "incr ip"])


def test_a_worker(front_end: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []
    monkeypatch.setattr(dispatch, "_enqueue", ids.extend)
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        front_end.send()
        front_end.send(phone="13900139000")

    statements, calls = watched(lambda: worker.run_task(ids[:1]))

    assert statements == statements_only(WORKER)
    assert calls == ["get_many routes"], "with the circuits"
    assert watched(lambda: worker.run_task(ids[:1])) == (["SELECT message"] * 2, [])


def test_a_throttled_send(front_end: FrontEnd) -> None:
    front_end.send()

    counted_again = ["incr ip", "incr ip", "incr prefix"]
    statements, calls = trips(front_end.send, 429)

    assert statements == statements_only(FIRST_REFUSED)
    assert sorted(calls) == sorted([*REFUSED_CACHE, *counted_again, "add refused", "add refused"])

    assert trips(front_end.send, 429)[0] == [*statements_only(REFUSED), "UPDATE refusal"], "the second"
    statements, calls = trips(front_end.send, 429)

    assert statements == statements_only(REFUSED), "the third, which only the cache counts"
    assert sorted(calls) == sorted([*REFUSED_CACHE, *counted_again])


def test_a_send_refused_by_its_address(front_end: FrontEnd) -> None:
    with override_settings(SMSVERIFY={"IP_LIMITS": ("1/h",)}):
        front_end.send()

        assert trips(front_end.send, 429)[0] == ["SELECT knownnumber", "INSERT refusal"]
        trips(front_end.send, 429)
        assert trips(front_end.send, 429)[0] == ["SELECT knownnumber"]


def test_a_status(front_end: FrontEnd) -> None:
    verification_id = front_end.send().json()["verification_id"]

    statements, calls = trips(lambda: front_end.client.get(f"/sms/send/{verification_id}/"), 200)

    assert statements == statements_only(STATUS)
    assert len(calls) == 1, "django-ratelimit counts the request"


def test_a_guess(front_end: FrontEnd) -> None:
    verification_id = front_end.send().json()["verification_id"]
    code = last_code()

    assert trips(lambda: front_end.verify(verification_id, wrong(code)), 400) == (statements_only(VERIFY), [])
    assert trips(lambda: front_end.verify(verification_id, code), 200) == (statements_only(RIGHT), [])


def test_a_send_while_a_code_is_live(front_end: FrontEnd) -> None:
    front_end.send()
    with override_settings(SMSVERIFY={"RESEND_INTERVAL": 0}):
        statements, calls = trips(front_end.send, 202)

    assert statements == statements_only(JOIN)
    assert sorted(calls) == sorted([*COUNTED, "incr ip", "incr ip", "incr prefix"])


def test_a_request_without_sms_and_its_guesses(front_end: FrontEnd) -> None:
    front_end.send()
    code = last_code()
    with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_one_code.accept_all"}):
        statements, _calls = trips(front_end.send, 202)
    joined = str(Verification.objects.get(is_reserved=False).pk)

    assert statements == statements_only(JOIN_WITHOUT_SMS)
    right = statements_only(VERIFY_WITHOUT_SMS)
    assert trips(lambda: front_end.verify(joined, wrong(code)), 400) == ([*right[:5], right[-1]], [])
    assert trips(lambda: front_end.verify(joined, code), 200) == (right, [])


def test_a_send_with_a_page_ticket(front_end: FrontEnd) -> None:
    """The use of a ticket is counted with the rest: no trip more with a script, nor another read without."""
    with override_settings(SMSVERIFY={"CAPTCHA": "altcha"}), time_machine.travel(timezone.now(), tick=False) as clock:
        front_end.send(phone="13900139000", ticket=front_end.ticket(clock))
        ticket = front_end.ticket(clock)
        statements, calls = trips(lambda: front_end.send(ticket=ticket), 202)

        assert statements == statements_only(SEND)
        assert sorted(calls) == sorted([*COUNTED, "add ticket", "incr ip", "incr ip"])

        statements, calls = trips(lambda: front_end.send(phone="13900139001", ticket=ticket), 400)

    assert statements == ["SELECT knownnumber", "INSERT refusal"]


def test_a_ticket_that_is_not_needed_is_not_counted(front_end: FrontEnd) -> None:
    front_end.send(phone="13900139000")
    with time_machine.travel(timezone.now(), tick=False) as clock:
        ticket = front_end.ticket(clock)
        statements, calls = trips(lambda: front_end.send(ticket=ticket), 202)

    assert statements == statements_only(SEND)
    assert sorted(calls) == sorted([*COUNTED, "incr ip", "incr ip"])


def test_a_send_that_an_app_has_signed(front_end: FrontEnd) -> None:
    app = App()
    front_end.send(phone="13900139000")
    headers = app.headers({"phone": "13800138000", "purpose": "login"})
    with override_settings(SMSVERIFY={"CAPTCHA": "tests.test_idempotency.refuse_all"}):
        statements, calls = trips(lambda: front_end.send(headers), 202)

    assert statements == [SEND[0][0], "SELECT clientkey", *statements_only(SEND[1:])]
    assert sorted(calls) == sorted([*COUNTED, "add nonce", "incr ip", "incr ip"])


@pytest.mark.parametrize("kind", ["altcha", "image"])
def test_a_captcha(kind: str, front_end: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof of work is one call of the cache, an image a few statements."""
    monkeypatch.setattr("django_smsverify.challenges.altcha.TRIES", [1])
    front_end.send(phone="13900139000")
    answers: list[Any] = []

    def send(**more: Any) -> Any:
        answers.append(front_end.send(**more))
        return answers[-1]

    with override_settings(SMSVERIFY={"CAPTCHA": kind}):
        for _ in range(2):
            send()
        asked, counted = trips(send, 400)
        solved = solve(answers[-1].json()["captcha"])
        statements, calls = trips(lambda: send(captcha=solved), 202)

    used = statements_only(IMAGE_USED) if kind == "image" else []
    assert (asked, [*counted[:1], *(call.split()[0] for call in counted[1:])]) == CAPTCHA_ASKED[kind]
    assert statements == [SEND[0][0], *used, *statements_only(SEND[1:])]
    assert sorted(calls) == sorted([*COUNTED, "incr ip", "incr ip", *(["add altcha"] if kind == "altcha" else [])])


def test_requests_that_may_be_repeated(front_end: FrontEnd) -> None:
    """Two statements more for a key, and a repeated send reads four times."""
    headers = {"Idempotency-Key": "press-1_of-the-button"}
    front_end.send(phone="13900139000")
    statements, _calls = trips(lambda: front_end.send(headers), 202)
    assert statements == ["SELECT rememberedrequest", *statements_only(SEND_WITH_KEY)]

    statements, calls = trips(lambda: front_end.send(headers), 202)
    assert (statements, calls) == (statements_only(REPEATED_SEND), [])

    sent, code = str(Verification.objects.get(phone="+8613800138000").pk), last_code()
    assert trips(lambda: front_end.verify(sent, code, headers), 200)[0] == statements_only(VERIFY_WITH_KEY)
    assert trips(lambda: front_end.verify(sent, code, headers), 200)[0] == statements_only(REPEATED_VERIFY)


def test_a_report(client: Client, vendor: MakeProvider, cache_calls: None) -> None:
    provider = vendor("ihuyi")
    sent(provider, IDS["ihuyi"])
    path = path_of(provider, None, None)

    def push() -> Any:
        return client.post(path, ihuyi_report(), "application/x-www-form-urlencoded")

    assert trips(push, 200) == (statements_only(REPORT), [])
    assert trips(push, 200) == (statements_only(REPEATED_REPORT), [])


def test_a_late_report(client: Client, vendor: MakeProvider, cache_calls: None) -> None:
    provider = vendor("ihuyi")
    sent(provider, IDS["ihuyi"])
    Message.objects.update(created_at=timezone.now() - LATE_AFTER - timedelta(seconds=1))
    path = path_of(provider, None, None)

    statements, _calls = trips(lambda: client.post(path, ihuyi_report(), "application/x-www-form-urlencoded"), 200)

    assert statements == statements_only(LATE_REPORT)


class TestPoll:
    """What each question to a vendor costs, and a run without any."""

    @pytest.fixture
    def questions(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, list[str]]]]:
        """The result of each question that was asked, and its statements."""
        asked: list[tuple[str, list[str]]] = []
        ask = polling._ask

        def record(question: Any) -> str:
            with CaptureQueriesContext(connection) as queries:
                word = ask(question)
            asked.append((word, [_short(query["sql"]) for query in queries]))
            return word

        monkeypatch.setattr(polling, "_ask", record)
        with time_machine.travel(timezone.now(), tick=False) as clock:
            self.clock = clock
            yield asked

    def test_a_question_about_a_message(self, vendor: MakeProvider, sandbox: Sandbox, questions: Any) -> None:
        provider = vendor("topthink", price="0.0450")
        notify(provider, 1)
        self.clock.shift(600)
        poll()
        sandbox.flush()
        self.clock.shift(600)
        poll()

        assert questions == [("under way", [ASKED[0]]), ("reported", statements_only(REPORTED))]
        assert len([one for one in REPORTED if one[1]]) <= 3
        assert Message.objects.get().cost is not None

    def test_a_question_about_a_review(self, vendor: MakeProvider, sandbox: Sandbox, questions: Any) -> None:
        add_template(vendor("topthink"), "register", "动态码{code}", "238", status=ReviewStatus.PENDING)
        poll()
        sandbox.judge("topthink", "template", "238", approved=False, reason="请提供网址")
        self.clock.shift(3600)
        poll()

        assert questions == [("reviewed", statements_only(REVIEW))] * 2

    @pytest.mark.parametrize("alert", [None, "99999999"], ids=["enough", "low"])
    def test_a_question_about_the_balance(self, alert: str | None, vendor: MakeProvider, questions: Any) -> None:
        provider = vendor("veesing", balance_alert=alert)
        poll()

        provider.refresh_from_db()
        assert questions == [("balance updated", statements_only(BALANCE))]
        assert bool(provider.balance_alarm) == (alert is not None)

    @pytest.mark.parametrize("count", [2, 45])
    def test_a_batch_of_reports(self, count: int, vendor: MakeProvider, sandbox: Sandbox, questions: Any) -> None:
        notify(vendor("apispace", options={"report_host": sandbox.base_urls["apispace"]}), count)
        sandbox.flush()
        self.clock.shift(600)
        poll()

        fetched, nothing = statements_only(FETCHED), statements_only(NOTHING_FETCHED)
        assert questions == [("fetched", fetched), ("nothing new", nothing)]

    def test_a_run_with_nothing_to_do(self, vendor: MakeProvider, sandbox: Sandbox, questions: Any) -> None:
        for gateway in ("topthink", "veesing", "apispace", "ihuyi", "qixuntong"):
            vendor(gateway)
        poll()  # asks for balances
        questions.clear()
        with CaptureQueriesContext(connection) as queries:
            poll()

        assert sorted(_short(query["sql"]) for query in queries) == sorted(statements_only(IDLE_POLL))
        assert questions == []
