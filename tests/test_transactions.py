"""A transaction that the database aborts because of a conflict is retried; any other error is raised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError, transaction

from django_smsverify import transactions
from django_smsverify.exceptions import InsideTransaction
from django_smsverify.models import Recipient
from django_smsverify.transactions import retry_on_conflict, run_committed

from .conftest import PHONE

pytestmark = pytest.mark.django_db(transaction=True)


class PostgreSQLError(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


def by_postgresql(sqlstate: str) -> OperationalError:
    error = OperationalError("could not serialize access")
    error.__cause__ = PostgreSQLError(sqlstate)
    return error


def by_mysql(number: int) -> OperationalError:
    return OperationalError(number, "Deadlock found when trying to get lock")


CONFLICTS = [by_postgresql("40001"), by_postgresql("40P01"), by_mysql(1213), by_mysql(1020)]
FAILURES = [by_postgresql("57014"), by_mysql(2006), OperationalError("database is locked"), OperationalError()]


@pytest.fixture(autouse=True)
def _without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "PAUSE", 0)


def failing_work(error: OperationalError, times: int) -> Callable[[], int]:
    """Work that raises the error so many times, and then returns the number of tries."""
    tries = 0

    def work() -> int:
        nonlocal tries
        tries += 1
        Recipient.objects.create(phone=PHONE)
        if tries <= times:
            raise error
        return tries

    return work


@pytest.mark.parametrize("error", CONFLICTS, ids=repr)
def test_a_conflict_is_retried_from_the_beginning(error: OperationalError) -> None:
    assert run_committed(Recipient, failing_work(error, times=3)) == 4

    assert Recipient.objects.count() == 1


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_another_error_is_raised_at_once(error: OperationalError) -> None:
    work = failing_work(error, times=1)

    with pytest.raises(OperationalError):
        run_committed(Recipient, work)

    assert Recipient.objects.count() == 0
    assert work() == 2


def test_a_conflict_that_persists_is_raised_in_the_end() -> None:
    work = failing_work(CONFLICTS[0], times=transactions.ATTEMPTS)

    with pytest.raises(OperationalError):
        run_committed(Recipient, work)

    assert work() == transactions.ATTEMPTS + 1


def test_work_inside_a_transaction_is_not_retried() -> None:
    work = failing_work(CONFLICTS[0], times=1)

    with pytest.raises(OperationalError), transaction.atomic():
        retry_on_conflict(work, "default")

    assert work() == 2


def test_a_callers_transaction_is_refused() -> None:
    with transaction.atomic(), pytest.raises(InsideTransaction):
        run_committed(Recipient, lambda: None)
