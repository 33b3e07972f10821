"""MySQL tables or connections without emoji: a row is stored, and only its emoji are replaced."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.test import Client
from sandbox.server import Sandbox

from django_smsverify.enums import ReportSource, ReviewStatus, Submission
from django_smsverify.exceptions import GatewayRejected, SubmissionRefused
from django_smsverify.gateways.base import Gateway
from django_smsverify.models import DeliveryReport, Message, Provider, Reply, ReportBatch, Signature, Template, charsets
from django_smsverify.polling.poll import poll
from django_smsverify.reports.storing import store_events
from django_smsverify.reviews import actions
from django_smsverify.sending.vendor_call import record_acceptance, record_outcomes
from django_smsverify.types import Acceptance, News, ReviewEvent
from tests.conftest import record

from . import services
from .conftest import CODE_TEXT, PHONE, MakeProvider, add_template
from .test_admin import page
from .test_matching_reports import counted
from .test_storing_reports import UNDELIVERED, push, report, sending
from .test_webhooks import FORM, ihuyi_reply, ihuyi_report, path_of

IS_MYSQL = services.DATABASE.startswith("mysql")
WORDS, KEPT = "谢谢 😀𠮷 再见", "谢谢 \ufffd\ufffd 再见"

pytestmark = pytest.mark.django_db(transaction=True)
only_mysql = pytest.mark.skipif(not IS_MYSQL, reason="other databases store every character")


def columns() -> dict[str, list[str]]:
    """The declarations of the app's text columns, except those for JSON, by table."""
    found: dict[str, list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns WHERE "
            "table_schema = DATABASE() AND table_name LIKE 'smsverify\\_%' AND character_set_name IS NOT NULL "
            "AND collation_name NOT LIKE '%\\_bin'"
        )
        for table, column, kind, nullable in cursor.fetchall():
            found[table].append(f"`{column}` {kind} CHARACTER SET %s {'NULL' if nullable == 'YES' else 'NOT NULL'}")
    return found


def convert(charset: str) -> None:
    with connection.cursor() as cursor:
        for table, declared in columns().items():
            cursor.execute(f"ALTER TABLE {table} " + ", ".join(f"MODIFY {own % charset}" for own in declared))


@pytest.fixture(scope="class")
def _narrow_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    if not services.HAS_EMOJI:  # the tables are narrow in the whole run
        yield
        return
    with django_db_blocker.unblock():
        convert("utf8mb3")
    yield
    with django_db_blocker.unblock():
        convert("utf8mb4")


@pytest.fixture(params=["tables", "connection and tables"])
def narrow(request: pytest.FixtureRequest, _narrow_tables: None, db: None) -> Iterator[None]:
    connection.close()
    charsets.forget()
    if request.param != "tables":
        with connection.cursor() as cursor:
            cursor.execute("SET NAMES utf8mb3")
    yield
    connection.close()
    charsets.forget()


@only_mysql
@pytest.mark.usefixtures("narrow")
class TestWithoutEmoji:
    def test_a_reply_is_stored_without_its_emoji(self, vendor: MakeProvider, client: Client) -> None:
        provider = vendor("ihuyi")

        for _ in range(2):
            answer: Any = client.post(path_of(provider), ihuyi_reply(content=WORDS, smsid="😀"), FORM)
            assert (answer.status_code, answer.content) == (200, b"success")

        stored = Reply.objects.get()
        assert (stored.content, stored.remote_id) == (KEPT, "\ufffd")
        assert stored.payload["mobilephone"] == PHONE[3:]

    def test_a_report_is_stored_and_updates_its_message(self, vendor: MakeProvider, client: Client) -> None:
        message = sending(provider := vendor("ihuyi"))
        record(message, Acceptance(remote_id="42"))

        answer: Any = client.post(path_of(provider), ihuyi_report(code="0", msg=WORDS, smsid="42"), FORM)

        assert (answer.status_code, answer.content) == (200, b"success")
        stored = DeliveryReport.objects.get()
        assert (stored.detail, stored.message) == (KEPT, message)
        assert WORDS in stored.payload.values(), "JSON is written in ASCII"

    def test_many_reports_are_stored(self, memory: MakeProvider) -> None:
        provider = memory()
        accepted = sending(provider)
        record(accepted, Acceptance(remote_id="1"))

        for _ in range(2):
            push(provider, *[report(str(n), UNDELIVERED, f"😀{n}", detail=WORDS) for n in range(5)])

        assert DeliveryReport.objects.filter(detail=KEPT).count() == 5
        assert set(DeliveryReport.objects.values_list("code", flat=True)) == {f"\ufffd{n}" for n in range(5)}
        assert DeliveryReport.objects.get(message=accepted).remote_id == "1"

    @pytest.mark.parametrize("store", [record, record_acceptance])
    def test_an_id_is_matched_in_its_stored_form(
        self, store: Callable[[Message, Acceptance], object], memory: MakeProvider
    ) -> None:
        provider = memory()
        push(provider, report("x😀"))
        message = sending(provider)

        store(message, Acceptance(remote_id="x😀"))

        assert (message.remote_id, message.status) == ("x\ufffd", "delivered")

    def test_a_refusal_is_stored(self, memory: MakeProvider) -> None:
        message = sending(memory())

        record(message, GatewayRejected(WORDS, error_code="😀1"))

        message.refresh_from_db()
        assert (message.status, message.error_message, message.error_code) == ("not_sent", KEPT, "\ufffd1")

    def test_ids_of_a_batch_are_stored(self, memory: MakeProvider) -> None:
        provider = memory()
        messages = [sending(provider, phone=f"+8613800138{n:03}") for n in range(3)]

        record_outcomes([(message, Acceptance(remote_id=f"😀{n}")) for n, message in enumerate(messages)])

        assert set(Message.objects.values_list("remote_id", flat=True)) == {f"\ufffd{n}" for n in range(3)}

    def test_the_reason_of_a_verdict_is_stored(self, vendor: MakeProvider) -> None:
        template = add_template(provider := vendor("ihuyi"), "payment", CODE_TEXT, "2004", status="pending")
        verdict = ReviewEvent(
            submission=Submission.TEMPLATE,
            remote_id="2004",
            status=ReviewStatus.REJECTED,
            reason=WORDS,
            text="",
            name="",
        )

        store_events(provider, News(events=(verdict,)), ReportSource.PUSH)

        template.refresh_from_db()
        assert (template.status, template.reason) == ("rejected", KEPT)

    def test_fetched_reports_are_stored(self, vendor: MakeProvider, sandbox: Sandbox) -> None:
        provider = vendor("apispace", options={"report_host": sandbox.base_urls["apispace"]})
        row = {"msgId": "42", "mobile": PHONE[3:], "status": "UNDELIV", "statusDesc": WORDS}
        body = json.dumps({"code": "000", "data": [row, {"msgId": WORDS}]}, ensure_ascii=False)
        ReportBatch.objects.create(provider=provider, body=body)

        assert poll() == {"fetched": 1}

        assert DeliveryReport.objects.get().detail == KEPT
        batch = ReportBatch.objects.get()
        assert KEPT in batch.body
        assert batch.problems

    @pytest.mark.parametrize("field", ["name", "content", "remark", "remote_id", "reason"])
    def test_a_change_form_refuses_an_emoji(self, field: str, memory: MakeProvider, admin_client: Client) -> None:
        template = memory().templates.get()
        url = page(template, "change")
        form = admin_client.get(url).context["adminform"].form
        posted = {name: "" if value is None else value for name, value in form.initial.items()}
        posted |= {"variables": "{}", "status": "approved", field: f"{posted[field]}😀"}

        answer = admin_client.post(url, posted)

        assert answer.status_code == 200
        assert "cannot store an emoji" in str(answer.context["adminform"].form.errors[field])

    @pytest.mark.parametrize("model", [Provider, Signature])
    def test_an_add_form_refuses_an_emoji(self, model: Any, memory: MakeProvider, admin_client: Client) -> None:
        provider = memory()
        fields = {"name": "短信😀", "slug": "new", "gateway": "memory", "priority": "1", "weight": "1"}
        fields |= {"provider": str(provider.pk), "text": "示例😀", "status": "draft"}

        answer = admin_client.post(page(model, "add") + "?gateway=memory", fields)

        assert answer.status_code == 200
        assert "cannot store an emoji" in answer.content.decode()

    def test_a_vendors_text_with_an_emoji_is_not_imported(
        self, vendor: MakeProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        template = add_template(vendor("topthink"), "payment", CODE_TEXT, "238", status="pending")
        words = "动态码{code}😀"
        found = ReviewEvent(submission=Submission.TEMPLATE, remote_id="238", status=ReviewStatus.APPROVED, text=words)
        monkeypatch.setattr(Gateway, "ask_review", lambda *args: found)

        with pytest.raises(SubmissionRefused, match="cannot be stored"):
            actions.fetch(template)

        assert Template.objects.get(pk=template.pk).content == CODE_TEXT

    @pytest.mark.parametrize("model", [Provider, Signature, Template, Message, Reply, DeliveryReport])
    def test_a_list_can_be_searched_for_an_emoji(self, model: Any, memory: MakeProvider, admin_client: Client) -> None:
        memory()

        assert admin_client.get(page(model), {"q": "😀"}).status_code == 200

    @pytest.mark.parametrize("purpose", ["😀", "login😀"])
    def test_a_purpose_with_an_emoji_is_refused(self, purpose: str, memory: MakeProvider, client: Client) -> None:
        memory()

        answer = client.post("/sms/send/", {"phone": PHONE, "purpose": purpose}, "application/json")

        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_purpose")

    def test_the_check_shows_how_to_fix_the_tables(self) -> None:
        (found,) = [message for message in run_checks(databases=["default"]) if message.id == "smsverify.W012"]

        assert 'The database "default" cannot store every character' in found.msg
        assert "smsverify_reply is utf8mb3" in found.msg
        assert "ALTER TABLE smsverify_reply CONVERT TO CHARACTER SET utf8mb4;" in str(found.hint)

    def test_the_charsets_are_queried_once_and_only_for_an_emoji(self, memory: MakeProvider) -> None:
        provider = memory()
        with counted() as plain:
            push(provider, report("1", detail="王先生"))
        with counted() as first:
            push(provider, report("2", detail=WORDS))
        with counted() as second:
            push(provider, report("3", detail=WORDS))

        queries = [len([sql for sql in some if "information_schema" in sql]) for some in (plain, first, second)]
        assert queries == [0, 1, 0]


@only_mysql
@pytest.mark.skipif(not services.HAS_EMOJI, reason="the whole run is without emoji")
def test_the_check_reports_a_connection_without_emoji() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb3")
    (found,) = [message for message in run_checks(databases=["default"]) if message.id == "smsverify.W012"]
    connection.close()

    assert "@@character_set_client is utf8mb3" in found.msg
    assert 'DATABASES["default"]["OPTIONS"]["charset"]' in str(found.hint)


@pytest.mark.skipif(not services.HAS_EMOJI, reason="utf8mb3 has no emoji")
def test_every_character_is_stored_if_the_charset_allows(memory: MakeProvider) -> None:
    charsets.forget()
    push(memory(), report("42", detail=WORDS))

    assert DeliveryReport.objects.get().detail == WORDS
    assert [message for message in run_checks(databases=["default"]) if message.id == "smsverify.W012"] == []


def test_the_charset_of_a_database_without_tables_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cursor:
        answers = iter([[], ("utf8mb4", "utf8mb3")])

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *args: object) -> None: ...

        def execute(self, sql: str) -> None: ...

        def fetchall(self) -> Any:
            return next(self.answers)

        fetchone = fetchall

    class Connection:
        cursor = Cursor

    connection: Any = Connection()
    assert charsets.narrow_columns(connection) == {"@@character_set_database": "utf8mb3"}
