"""The database connection is lost during a call to a vendor: the result is stored over a new connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.test import override_settings
from sandbox import catalogue
from sandbox.faults import Fault
from sandbox.server import Sandbox

from django_smsverify import transactions
from django_smsverify.exceptions import GatewayRejected
from django_smsverify.gateways.transport import HTTPTransport
from django_smsverify.messages import claim, mark_claimed, withdraw
from django_smsverify.models import Message, Recipient, ReportBatch, Template
from django_smsverify.polling.poll import poll
from django_smsverify.reviews import actions
from django_smsverify.sending import attempt, dispatch, send_code, send_message, worker
from django_smsverify.transactions import retry_on_lost_connection
from django_smsverify.verifying import verify_code

from .conftest import PHONE, LogRecorder, MakeProvider, Site, add_template, code_in

pytestmark = pytest.mark.django_db(transaction=True)


def cut() -> None:
    """Ends this thread's connection, as a restart of the server or a firewall does."""
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        return pretend_to_cut()
    own: Any = connection.connection
    ends = {
        "postgresql": ("SELECT pg_terminate_backend(%s, 10000)", lambda: own.info.backend_pid),
        "mysql": ("KILL %s", lambda: own.thread_id()),
    }
    statement, identity = ends[connection.vendor]
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(statement, [identity()])
    other.close()
    return None


def pretend_to_cut() -> None:
    """A file cannot be disconnected: each statement fails until the connection is a new one."""
    lost = connection.connection

    def fail(execute: Any, *args: Any) -> Any:
        if connection.connection is lost:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(*args)

    connection.execute_wrappers.append(fail)
    connection.is_usable = lambda: connection.connection is not lost  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _restored(request: pytest.FixtureRequest) -> Any:
    yield
    connection.execute_wrappers.clear()
    connection.__dict__.pop("is_usable", None)


@pytest.fixture
def cutting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Cuts the connection after the response to each of the next `times` calls."""

    def arrange(times: int = 1) -> None:
        send, left = HTTPTransport.send, [None] * times

        def send_and_cut(self: HTTPTransport, *args: Any) -> Any:
            try:
                return send(self, *args)
            finally:
                if left:
                    left.pop()
                    cut()

        monkeypatch.setattr(HTTPTransport, "send", send_and_cut)

    return arrange


def rows() -> list[tuple[str, str, bool]]:
    found = Message.objects.order_by("attempt").values_list("provider__slug", "status", "remote_id")
    return [(slug, status, bool(remote_id)) for slug, status, remote_id in found]


@pytest.mark.parametrize("gateway", ["topthink", "veesing", "apispace", "ihuyi"])
def test_an_acceptance_is_recorded_with_its_id(
    gateway: str, vendor: MakeProvider, site: Site, sandbox: Sandbox, cutting: Callable[..., None], log: LogRecorder
) -> None:
    vendor(gateway)
    cutting()

    sent = site.send()

    assert sent.status_code == 202
    assert rows() == [(gateway, "accepted", True)]
    (line,) = [line for line in log.lines if "connection was lost" in line]
    assert "WARNING" in line
    code = code_in(sandbox.inbox.of(PHONE[3:])[-1].text)
    assert site.verify(sent.json()["verification_id"], code).status_code == 200


@pytest.mark.parametrize("fault", [Fault.status(500), Fault.reset(deliver=True)], ids=["500", "reset"])
def test_an_unknown_outcome_is_recorded(
    fault: Fault, vendor: MakeProvider, site: Site, sandbox: Sandbox, cutting: Any
) -> None:
    vendor("topthink")
    sandbox.misbehave("topthink", fault)
    cutting()

    assert site.send().status_code == 202
    assert rows() == [("topthink", "unknown", False)]


def test_a_refusal_is_recorded_and_the_next_provider_sends(
    vendor: MakeProvider, site: Site, sandbox: Sandbox, cutting: Any
) -> None:
    vendor("topthink", priority=1)
    vendor("ihuyi", priority=2)
    sandbox.misbehave("topthink", Fault.status(401))
    cutting(times=2)

    assert site.send().status_code == 202
    assert rows() == [("topthink", "not_sent", False), ("ihuyi", "accepted", True)]
    assert len(sandbox.inbox.of(PHONE[3:])) == 1


def test_a_commit_that_succeeded_is_not_repeated(
    vendor: MakeProvider, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost after the commit and before the database's response to it."""
    vendor("topthink", priority=1)
    vendor("ihuyi", priority=2)
    sandbox.misbehave("topthink", Fault.status(401))
    run = transactions.run_committed

    def commit_and_lose(model: Any, work: Callable[[], Any]) -> Any:
        monkeypatch.setattr(attempt, "run_committed", run)
        run(model, work)
        cut()
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(attempt, "run_committed", commit_and_lose)

    verification = send_code(PHONE, "login")

    assert rows() == [("topthink", "not_sent", False), ("ihuyi", "accepted", True)]
    (sms,) = sandbox.inbox.of(PHONE[3:])
    assert verify_code(verification.pk, code_in(sms.text)).verified_at


def test_a_batch_is_recorded(vendor: MakeProvider, sandbox: Sandbox, cutting: Any) -> None:
    template = add_template(vendor("apispace"), "notice", catalogue.NOTICE_TEXT, "")
    cutting()

    messages = send_message(template, {f"+8613800138{n:03}": {"name": "王先生"} for n in range(3)})

    assert [(message.status, bool(message.remote_id)) for message in messages] == [("accepted", True)] * 3
    assert rows() == [("apispace", "accepted", True)] * 3


def test_a_balance_in_an_acceptance_is_stored(vendor: MakeProvider, site: Site, cutting: Any) -> None:
    provider = vendor("veesing")
    cutting()

    assert site.send().status_code == 202

    provider.refresh_from_db()
    assert provider.balance is not None


def test_reports_that_the_vendor_returns_once_are_stored(vendor: MakeProvider, sandbox: Sandbox, cutting: Any) -> None:
    vendor("apispace", options={"report_host": sandbox.base_urls["apispace"]})
    send_code(PHONE, "login")
    sandbox.flush()
    Message.objects.update(poll_at=None)
    cutting()

    assert poll() == {"fetched": 1, "nothing new": 1}

    assert rows() == [("apispace", "delivered", True)]
    assert not ReportBatch.objects.exists()


class TestSubmissions:
    @pytest.fixture
    def template(self, vendor: MakeProvider) -> Template:
        content, remark = "动态码{code}，请勿转发。", "用于登录 https://www.example.com"
        return add_template(vendor("topthink"), "register", content, "", status="draft", remark=remark)

    def test_the_id_of_a_submitted_template_is_stored(self, template: Template, cutting: Any) -> None:
        cutting()

        actions.submit(template)

        template.refresh_from_db()
        assert (template.status, bool(template.remote_id)) == ("pending", True)

    def test_a_refused_template_is_a_draft_again(self, template: Template, sandbox: Sandbox, cutting: Any) -> None:
        sandbox.misbehave("topthink", Fault.status(401))
        cutting()

        with pytest.raises(GatewayRejected):
            actions.submit(template)

        template.refresh_from_db()
        assert (template.status, template.remote_id) == ("draft", "")

    def test_a_template_deleted_at_the_vendor_becomes_a_draft(self, template: Template, cutting: Any) -> None:
        actions.submit(template)
        cutting()

        actions.delete(template)

        template.refresh_from_db()
        assert (template.status, template.remote_id) == ("draft", "")


class TestRetryOnLostConnection:
    def failing(self, error: Exception) -> tuple[list[int], Callable[[], int]]:
        tries: list[int] = []

        def work() -> int:
            tries.append(1)
            Recipient.objects.create(phone=PHONE)
            if len(tries) == 1:
                raise error
            return len(tries)

        return tries, work

    @pytest.mark.parametrize("error", [OperationalError("database is locked"), InterfaceError("a bug of ours")])
    def test_an_error_on_an_open_connection_is_raised(self, error: Exception) -> None:
        tries, work = self.failing(error)

        with pytest.raises(type(error)):
            retry_on_lost_connection(Recipient, work)

        assert len(tries) == 1

    def test_inside_a_transaction_the_error_is_raised(self) -> None:
        tries, work = self.failing(OperationalError("server closed the connection"))

        def lose() -> int:
            with transaction.atomic():
                return retry_on_lost_connection(Recipient, work)

        with pytest.raises(OperationalError):
            lose()

        assert (len(tries), Recipient.objects.count()) == (1, 0)

    def test_the_error_of_the_last_loss_is_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transactions, "PAUSES_BEFORE_CONNECTING", (0, 0))
        tries = []

        def work() -> None:
            tries.append(1)
            cut()
            Recipient.objects.create(phone=PHONE)

        with pytest.raises((OperationalError, InterfaceError)):
            retry_on_lost_connection(Recipient, work)

        assert len(tries) == 3
        connection.close()

    def test_it_is_tried_for_some_seconds(self) -> None:
        assert 10 <= sum(transactions.PAUSES_BEFORE_CONNECTING) <= 20


def queue_one(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a queued code."""
    ids: list[str] = []
    monkeypatch.setattr(dispatch, "_enqueue", ids.extend)
    with override_settings(SMSVERIFY={"DISPATCH": "celery"}):
        send_code(PHONE, "login")
    return ids[0]


def test_a_worker_stores_the_outcome_after_a_lost_connection(
    vendor: MakeProvider, cutting: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor("topthink")
    pk = queue_one(monkeypatch)
    cutting()

    assert worker.run_task([pk]) == 1
    assert rows() == [("topthink", "accepted", True)]


def test_a_worker_stores_the_outcome_when_the_server_has_no_connection_left_for_a_while(
    vendor: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "PAUSES_BEFORE_CONNECTING", (0,) * len(transactions.PAUSES_BEFORE_CONNECTING))
    vendor("topthink")
    pk = queue_one(monkeypatch)
    send, failures = HTTPTransport.send, []

    def fail(parameters: Any) -> Any:
        failures.append(fail)
        if len(failures) == 4:
            del vars(connections["default"])["get_new_connection"]
        raise OperationalError("sorry, too many clients already")

    def send_and_restart(self: HTTPTransport, *args: Any) -> Any:
        connection.close()  # as a worker does on a server
        vars(connections["default"])["get_new_connection"] = fail
        return send(self, *args)

    monkeypatch.setattr(HTTPTransport, "send", send_and_restart)

    assert worker.run_task([pk]) == 1
    assert len(failures) == 4
    assert rows() == [("topthink", "accepted", True)]


def test_a_worker_whose_claim_was_lost_does_not_withdraw_the_claim_of_another(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory()
    pk = queue_one(monkeypatch)

    def lose_commit(model: type[Message], work: Callable[[], object]) -> NoReturn:
        with transaction.atomic():
            work()
            transaction.set_rollback(True)
        assert claim(Message.objects.get(pk=pk))
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(worker, "run_committed", lose_commit)
    worker.run_task([pk])

    assert rows() == [("memory", "sending", False)]


def test_a_worker_withdraws_what_it_has_claimed_and_cannot_send(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory()
    pk = queue_one(monkeypatch)

    def commit_and_lose(model: type[Message], work: Callable[[], object]) -> NoReturn:
        transactions.run_committed(model, work)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(worker, "run_committed", commit_and_lose)
    worker.run_task([pk])

    assert rows() == [("memory", "not_sent", False)]


def test_a_repeated_withdrawal_leaves_the_claim_of_another(
    memory: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory()
    message = Message.objects.get(pk=queue_one(monkeypatch))
    mark_claimed(message)
    assert claim(Message.objects.get())

    # Its transaction is repeated after a conflict.
    assert [withdraw(message, "too late") for _ in range(2)] == [False, False]
    assert rows() == [("memory", "sending", False)]
