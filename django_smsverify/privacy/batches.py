"""Work on the rows of a big table, in short transactions: no row stays locked for long, and a kill loses nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, models, router
from django.db.models import Q, QuerySet
from django.db.models.sql import DeleteQuery

from django_smsverify.transactions import run_committed

MOST = 500
"""Rows in one transaction; with more, the conditions would nest deeper than SQLite allows."""
FIRST = 50
LONG, SHORT = 0.03, 0.015
"""Seconds: a transaction that took longer makes the next one half as big, one that took less makes it a quarter bigger.
On a busy machine one may take five times as long as most, and still less than a tenth of a second."""
ATTEMPTS = 3
Row = tuple[Any, ...]
"""The primary key of a row, its moment, and what else is read of it."""

logger = logging.getLogger("django_smsverify")


@dataclass
class Pace:
    """How many rows the next transaction takes, by how long the last one took."""

    most: int = MOST
    size: int = field(init=False)
    longest: float = 0.0
    """Seconds of the longest transaction so far."""

    def __post_init__(self) -> None:
        self.size = min(FIRST, self.most)

    def note(self, seconds: float) -> None:
        """Chooses the size of the next transaction."""
        self.longest = max(self.longest, seconds)
        if seconds > LONG:
            self.size = max(1, self.size // 2)
        elif seconds < SHORT:
            self.size = min(self.most, self.size + self.size // 4 + 1)


@dataclass(frozen=True)
class Stage:
    """One kind of work: which rows, in the order of which indexed moment, and what is done with some of them."""

    word: str
    """What the run counts."""
    rows: QuerySet[Any]
    moment: str
    work: Callable[[Sequence[Row]], int]
    """Does it in the caller's transaction, and returns for how many rows."""
    names: Sequence[str] = ()
    """What is read of a row beside its primary key and its moment."""
    done_until: Callable[[datetime], None] = lambda moment: None
    """Told up to which moment the work is committed."""

    def run(self, pace: Pace) -> Iterator[int]:
        """Does the work in transactions of their own, and yields the count of each."""
        columns = ("pk", self.moment, *self.names)
        rows = self.rows.order_by(self.moment, "pk").values_list(*columns)
        after: Row = ()
        while some := list(self._later(rows, after)[: pace.size]):
            count = committed(self.rows.model, lambda found=some: self.work(found), pace)  # type: ignore[misc]
            if count is None:
                return
            after = some[-1]
            self.done_until(after[1])
            yield count

    def _later(self, rows: Any, after: Row) -> Any:
        """The rows after the last one; the first condition is that of the index."""
        if not after:
            return rows
        pk, moment = after[:2]
        later = Q(**{f"{self.moment}__gt": moment}) | Q(pk__gt=pk)
        return rows.filter(later, **{f"{self.moment}__gte": moment})


def committed(model: type[models.Model], work: Callable[[], int], pace: Pace) -> int | None:
    """Runs the work in its own transaction; None if new rows that belong to these kept coming, so that it is left to
    the next run."""
    for _attempt in range(ATTEMPTS):
        begun = time.perf_counter()
        try:
            return run_committed(model, work)
        except IntegrityError as error:
            logger.info("A step of the clean-up is tried again: %s.", type(error).__name__)
        finally:
            pace.note(time.perf_counter() - begun)
    return None


def delete_rows(model: type[models.Model], pks: Sequence[Any]) -> int:
    """Deletes rows by their primary keys, and nothing else: what refers to them must be gone. Returns how many."""
    return DeleteQuery(model).delete_batch(list(pks), router.db_for_write(model))
