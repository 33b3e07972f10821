"""A statement that is compiled once does what the ORM does, on every database."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from django_smsverify import transactions
from django_smsverify.enums import DeliveryOutcome
from django_smsverify.models import (
    DeliveryReport,
    KnownNumber,
    Message,
    Provider,
    Recipient,
    Verification,
    compiled,
    inserts,
)
from django_smsverify.models import statements as kept_statements
from django_smsverify.models.compiled import Select, Update
from django_smsverify.models.inserts import insert, upsert

from .conftest import PHONE, MakeProvider

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
NOON_IN_CHINA = NOON.astimezone(timezone(timedelta(hours=8)))
FIELDS = ("pk", "phone", "created_at", "verified_at", "is_reserved", "attempts", "root_id")


def _created(rows: Any, phone: Any, since: Any) -> QuerySet[Any, Any]:
    found = rows.filter(phone=phone, created_at__gt=since + timedelta(seconds=1), is_reserved=True)
    return found.order_by("created_at").values_list(*FIELDS)  # type: ignore[no-any-return]


def _guessed(rows: Any, pk: Any, attempts: Any, now: Any) -> tuple[QuerySet[Any, Any], dict[str, Any]]:
    return rows.filter(pk=pk, attempts=attempts), {"attempts": attempts + 1, "verified_at": now}


CREATED = Select("Verification", _created, phone="phone", since="created_at")
GUESSED = Update("Verification", _guessed, pk="id", attempts="attempts", now="created_at")


@pytest.fixture(params=["kept", "unknown vendor"])
def _vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "unknown vendor":
        monkeypatch.setattr(compiled, "VENDORS", {"another"})


def create(phone: str = PHONE, **fields: Any) -> Verification:
    recipient, _ = Recipient.objects.get_or_create(phone=phone)
    fields = {"purpose": "login", "code_length": 6, "max_attempts": 5, "expires_at": NOON, "created_at": NOON, **fields}
    return Verification.objects.create(recipient=recipient, phone=phone, **fields)


def statements(act: Callable[[], Any]) -> list[str]:
    """What is executed; without parentheses, which Django writes around a parameter."""
    with CaptureQueriesContext(connection) as queries:
        act()
    return [re.sub("[()]", "", query["sql"]) for query in queries]


@pytest.mark.usefixtures("_vendor")
class TestBoth:
    def test_a_query_returns_the_rows_of_the_orm(self) -> None:
        first = create(attempts=2)
        second = create(created_at=NOON + timedelta(hours=1), verified_at=NOON, root=first)
        create(is_reserved=False)
        create("+8613900139000")
        values = {"phone": PHONE, "since": NOON_IN_CHINA - timedelta(hours=1)}

        rows = CREATED(**values)

        assert rows == list(CREATED.by_orm("default", **values))
        assert rows == [
            (first.pk, PHONE, NOON, None, True, 2, None),
            (second.pk, PHONE, NOON + timedelta(hours=1), NOON, True, 0, first.pk),
        ]
        assert [type(value) for value in rows[0]] == [type(value) for value in CREATED.by_orm("default", **values)[0]]
        assert statements(lambda: CREATED(**values)) == statements(lambda: list(CREATED.by_orm("default", **values)))
        assert CREATED(phone=PHONE, since=NOON - timedelta(seconds=1)) == rows[1:], "Python adds the second"

    def test_a_change_returns_the_number_of_matched_rows(self) -> None:
        row = create(attempts=1)

        assert GUESSED(pk=row.pk, attempts=0, now=NOON) == 0
        assert GUESSED(pk=uuid4(), attempts=1, now=NOON) == 0
        assert GUESSED(pk=row.pk, attempts=1, now=NOON_IN_CHINA) == 1
        row.refresh_from_db()
        assert (row.attempts, row.verified_at) == (2, NOON)
        assert GUESSED(pk=row.pk, attempts=2, now=None) == 1, "what is set may be NULL"
        row.refresh_from_db()
        assert (row.attempts, row.verified_at) == (3, None)

    def test_a_change_is_rolled_back_with_the_caller(self) -> None:
        row = create()

        with transaction.atomic():
            assert GUESSED(pk=row.pk, attempts=0, now=NOON) == 1
            transaction.set_rollback(True)

        row.refresh_from_db()
        assert row.attempts == 0

    def test_a_new_row_is_what_the_orm_stores(self, memory: MakeProvider) -> None:
        provider = memory()
        row, same = a_report(provider, UUID(int=1)), a_report(provider, UUID(int=2))

        insert(row)
        same.save()

        assert (row.pk, row._state.adding, row._state.db) == (same.pk - 1, False, same._state.db)
        stored, like = DeliveryReport.objects.order_by("pk").values()
        assert {**stored, "id": None, "fingerprint": None} == {**like, "id": None, "fingerprint": None}
        assert stored["occurred_at"] == NOON

    def test_a_new_row_with_a_key_of_ours(self, memory: MakeProvider) -> None:
        provider = memory()
        fields = {"provider": provider, "template": provider.templates.all()[0], "phone": PHONE, "purpose": "login"}
        row = Message(price="0.0500", values={"name": "示例"}, created_at=NOON_IN_CHINA, **fields)
        key = row.pk

        insert(row)

        stored = Message.objects.get()
        assert (stored.pk, stored.values, stored.created_at) == (key, {"name": "示例"}, NOON)
        assert (str(stored.price), stored.batch, row._state.adding) == ("0.0500", None, False)
        assert isinstance(stored.pk, UUID)

    def test_a_row_is_stored_or_changed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for moment in (NOON, NOON + timedelta(hours=1)):
            done = upsert(KnownNumber(digest="d", verified_at=moment, devices_from=moment), "digest", "verified_at")

        assert done == ("sqlite" in compiled.VENDORS)
        if done:
            stored = KnownNumber.objects.get()
            assert (stored.verified_at, stored.devices_from) == (NOON + timedelta(hours=1), NOON)

    def test_a_conflict_between_rows_is_raised_and_marks_the_transaction(self, memory: MakeProvider) -> None:
        provider = memory()
        insert(a_report(provider, UUID(int=1)))

        with pytest.raises(IntegrityError):
            insert(a_report(provider, UUID(int=1)))
        with transaction.atomic():
            with pytest.raises(IntegrityError):
                insert(a_report(provider, UUID(int=1)))
            assert connection.needs_rollback

        assert DeliveryReport.objects.count() == 1

    def test_a_conflict_of_transactions_is_retried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transactions, "PAUSE", 0)
        row, failures = create(), [OperationalError(1213, "Deadlock found"), OperationalError(1213, "Deadlock found")]

        def fail(execute: Any, *args: Any) -> Any:
            if failures:
                raise failures.pop()
            return execute(*args)

        with connection.execute_wrapper(fail):
            assert GUESSED(pk=row.pk, attempts=0, now=NOON) == 1

    def test_a_site_without_time_zones(self) -> None:
        local = NOON.replace(tzinfo=None)
        with override_settings(USE_TZ=False, TIME_ZONE="UTC"):
            row = create(created_at=local, expires_at=local)

            assert CREATED(phone=PHONE, since=local - timedelta(hours=1))[0][2] == local
            assert GUESSED(pk=row.pk, attempts=0, now=local) == 1
        assert CREATED(phone=PHONE, since=NOON - timedelta(hours=1))[0][2:4] == (NOON, NOON)


def a_report(provider: Provider, fingerprint: UUID) -> DeliveryReport:
    return DeliveryReport(
        provider=provider,
        remote_id="42",
        phone=PHONE,
        outcome=DeliveryOutcome.DELIVERED,
        occurred_at=NOON_IN_CHINA,
        received_at=NOON,
        source="push",
        payload={"status": "成功", "count": 1},
        fingerprint=fingerprint,
    )


SAMPLES: dict[str, Any] = {
    "UUIDField": UUID(int=7),
    "DateTimeField": NOON_IN_CHINA,
    "CharField": "某",
    "SlugField": "some",
    "DecimalField": Decimal("0.0500"),
    "PositiveSmallIntegerField": 3,
    "PositiveIntegerField": 3,
    "ForeignKey": 7,
    "BooleanField": True,
}


def of_module() -> dict[str, Select | Update]:
    """Every statement that the package keeps."""
    found: dict[str, Select | Update] = {}
    for name, value in vars(kept_statements).items():
        many = value.items() if isinstance(value, dict) else [("", value)]
        found |= {f"{name} {key}": one for key, one in many if isinstance(one, (Select, Update))}
    return found


@pytest.mark.parametrize("name", of_module())
def test_every_statement_is_that_of_the_orm(name: str) -> None:
    statement = of_module()[name]
    get_field = statement.model._meta.get_field
    values = {key: SAMPLES[get_field(field).get_internal_type()] for key, field in statement.fields.items()}

    def run_by_orm() -> Any:
        built = statement.by_orm("default", **values)
        return list(built) if isinstance(statement, Select) else QuerySet.update(built[0], **built[1])

    own = statements(lambda: statement(**values))

    assert own == statements(run_by_orm)
    assert len(own) == 1


@pytest.mark.skipif(connection.vendor == "postgresql", reason="it always returns the id")
def test_a_database_that_does_not_return_ids(memory: MakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = memory()
    monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)
    monkeypatch.setattr(inserts, "_inserts", {})
    row = a_report(provider, UUID(int=1))

    insert(row)

    assert row.pk == DeliveryReport.objects.get().pk


def test_an_object_is_that_of_the_orm() -> None:
    root = create(attempts=2)
    joined = create(root=root, nonce="", key_id="", verified_at=NOON)
    find = kept_statements.find_verification

    for pk in (root.pk, joined.pk):
        (own,), (theirs,) = find(pk=pk), find.by_orm("default", pk=pk)
        assert {name: value for name, value in vars(own).items() if name != "_state"} == {
            name: value for name, value in vars(theirs).items() if name != "_state"
        }
        assert (own._state.db, own._state.adding) == (theirs._state.db, theirs._state.adding)
    assert own.root_nonce == root.nonce


def test_an_object_may_have_fewer_fields(memory: MakeProvider) -> None:
    provider = memory(balance="7.50")

    (own,) = kept_statements.find_provider(slug="memory")

    assert own.get_deferred_fields() == set(kept_statements.OF_SENDS)
    assert (own, own.balance) == (provider, Decimal("7.50"))


def test_sql_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    CREATED(phone=PHONE, since=NOON)
    GUESSED(pk=uuid4(), attempts=0, now=NOON)
    monkeypatch.setattr(Select, "_compile", None)
    monkeypatch.setattr(Update, "_compile", None)

    assert CREATED(phone=PHONE, since=NOON) == []
    assert GUESSED(pk=uuid4(), attempts=0, now=NOON) == 0


def test_a_condition_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="phone is None"):
        CREATED(phone=None, since=NOON)
    with pytest.raises(ValueError, match="attempts is None"):
        GUESSED(pk=uuid4(), attempts=None, now=NOON)


def test_a_value_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises((ValueError, TypeError)):
        GUESSED(pk=uuid4(), attempts="many", now=NOON)
