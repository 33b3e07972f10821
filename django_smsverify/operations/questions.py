"""One question about each of many rows, in one query."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

from django_smsverify.models import Provider

T = TypeVar("T", bound=Hashable)


def ask_at_once(questions: Mapping[T, Any]) -> dict[T, Any]:
    """Returns the answers to these expressions, of which none refers to a row of the query around it.

    One expression for all providers, which refers to that row, would be shorter, and MySQL would read all rows of each
    provider for it.
    """
    named = {f"answer_{number}": question for number, question in enumerate(questions.values())}
    row = Provider.objects.order_by("pk").annotate(**named).values_list(*named).first() if named else None
    return dict(zip(questions, row or (), strict=False))
