"""Encrypts all that is stored under older keys with the first one, so that the older keys can be removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from django.db import models

from django_smsverify.exceptions import UndecryptableValue
from django_smsverify.models import ClientKey, Message, Provider, TestNumber
from django_smsverify.models.fields import Ciphertext, decrypt, is_current, rotate

ENCRYPTED: tuple[tuple[type[models.Model], str], ...] = (
    (Provider, "credentials"),
    (Message, "values"),
    (ClientKey, "secrets"),
    (TestNumber, "codes"),
)
"""Every encrypted column."""
FEW = ((ClientKey, "secrets"), (TestNumber, "codes"))
"""Those of tables with few rows."""


@dataclass(slots=True)
class Reencrypted:
    """What was done to the rows of one model."""

    model: type[models.Model]
    done: int = 0
    lost: list[str] = field(default_factory=list)
    """The rows that no key decrypts, each with its kind and id."""
    is_whole: bool = True
    """Whether all rows were looked at."""


def count_lost() -> Mapping[type[models.Model], int]:
    """Returns how many client keys and test numbers no key decrypts; there are few of either."""
    found = {model: sum(_is_lost(token) for token in _tokens(model, name)) for model, name in FEW}
    return {model: count for model, count in found.items() if count}


def _tokens(model: type[models.Model], name: str) -> Iterator[Ciphertext]:
    yield from model._default_manager.exclude(**{name: {}}).values_list(name, flat=True).iterator()


def _is_lost(token: Ciphertext) -> bool:
    try:
        decrypt(token)
    except UndecryptableValue:
        return True
    return False


def reencrypt(is_over: Callable[[], bool] = lambda: False) -> Iterator[Reencrypted]:
    """Encrypts what is under an older key with the first one, and yields what was done, model by model.

    Can be run at any time and again. When `is_over` says so, the rest is left to the next run.
    """
    for model, name in ENCRYPTED:
        yield _of_model(model, name, is_over)


def _of_model(model: type[models.Model], name: str, is_over: Callable[[], bool]) -> Reencrypted:
    rows, found = model._default_manager, Reencrypted(model)
    for pk, token in rows.exclude(**{name: {}}).values_list("pk", name).iterator():
        if is_over():
            found.is_whole = False
            break
        if not is_current(token):
            _change(found, pk, name, token)
    return found


def _change(found: Reencrypted, pk: object, name: str, token: Ciphertext) -> None:
    rows = found.model._default_manager.filter(pk=pk)
    try:
        fresh = rotate(token)
    except UndecryptableValue:
        found.lost += [f"{found.model._meta.verbose_name} {pk}: {row}" for row in rows]
        return
    # Update only if it has not changed since it was read.
    found.done += rows.filter(**{name: token}).update(**{name: fresh})
