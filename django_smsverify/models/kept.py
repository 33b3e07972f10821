"""What a process keeps in memory of rows that change rarely: a change elsewhere is noticed within KEEP_SECONDS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import models, transaction
from django.db.models.signals import post_delete, post_migrate, post_save

from .querysets import rows_updated

T = TypeVar("T")
KEEP_SECONDS = 10.0

_every: list[Kept[Any]] = []


class Kept(Generic[T]):
    """The result of a function that reads rows of one model."""

    def __init__(self, model: type[models.Model], load: Callable[[], T]) -> None:
        self._model, self._load = model, load
        self._found: dict[tuple[str, str], tuple[float, T]] = {}
        """By database and schema: where each tenant has a schema, as with django-tenants, all share one alias."""
        _every.append(self)
        for signal, sender in ((post_save, model), (post_delete, model), (rows_updated, model), (post_migrate, None)):
            signal.connect(self._changed, sender)

    def get(self) -> T:
        """Returns what was loaded lately, or loads it."""
        rows: Any = self._model._default_manager
        if transaction.get_connection(rows.db).in_atomic_block:
            return self._load()  # which may be rolled back
        key = rows.place
        loaded_at, found = self._found.get(key, (None, None))
        now = time.monotonic()
        if loaded_at is None or not 0 <= now - loaded_at < KEEP_SECONDS:
            found = self._load()
            self._found[key] = now, found
        return found  # type: ignore[return-value]

    def forget(self) -> None:
        """Has the next call load again."""
        self._found.clear()

    def _changed(self, using: str, **kwargs: Any) -> None:
        transaction.on_commit(self.forget, using=using, robust=True)


def forget_all() -> None:
    """Has every result be loaded again, of whatever rows."""
    for kept in _every:
        kept.forget()
