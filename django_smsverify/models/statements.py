"""The statements of every request, compiled once."""

from __future__ import annotations

from typing import Any

from .compiled import Select, Update

Change = tuple[Any, dict[str, Any]]
"""The rows, and what is set in them."""


def _found(rows: Any, pk: Any) -> Any:
    names = [field.attname for field in rows.model._meta.concrete_fields]
    # Without the order of the model: it is one row.
    return rows.filter(pk=pk).order_by().values_list(*names, *(f"root__{name}" for name in OF_ROOT))


def _guessed(rows: Any, pk: Any, attempts: Any, now: Any) -> Change:
    return rows.filter(pk=pk, attempts=attempts), {"attempts": attempts + 1, "attempted_at": now}


def _guessed_while_live(rows: Any, pk: Any, attempts: Any, now: Any) -> Change:
    return _guessed(rows.with_live_code(now), pk, attempts, now)


def _verified_by_guess(rows: Any, pk: Any, attempts: Any, now: Any) -> Change:
    seen, changes = _guessed_while_live(rows, pk, attempts, now)
    return seen, {**changes, "verified_at": now}


def _verified(rows: Any, pk: Any, now: Any) -> Change:
    return rows.filter(pk=pk).with_live_code(now), {"verified_at": now}


OF_ROOT = ("nonce", "key_id", "created_at", "expires_at", "verified_at")
"""What a verification reads from its root; the rest of what belongs to the code is the same in both."""
GUESS = {"pk": "id", "attempts": "attempts", "now": "attempted_at"}

find_verification = Select("Verification", _found, pk="id")
"""All columns of a verification, and then OF_ROOT, which are NULL where it has no root."""
count_guess = Update("Verification", _guessed, **GUESS)
"""Counts a guess, unless another was counted since the row was read."""
count_guess_while_live = Update("Verification", _guessed_while_live, **GUESS)
"""The same, of a verification that holds a code, unless that has ended."""
verify_by_guess = Update("Verification", _verified_by_guess, **GUESS)
"""The same, of a right guess."""
verify = Update("Verification", _verified, pk="id", now="verified_at")
"""Stores the success of a code, unless it has ended."""
