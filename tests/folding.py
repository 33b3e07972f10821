"""Runs the cases of a pure function as one test: pytest's own parametrisation takes longer than the cases."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

MAX_SHOWN = 10
Fold = Callable[[Callable[..., None]], Callable[..., None]]


def folded(names: str, cases: Iterable[Any], ids: Callable[[Any], object] | Iterable[str] | None = None) -> Fold:
    """Takes the arguments of `pytest.mark.parametrize` and runs every case; the cases that fail are named at the end.

    Only for a test that needs no new fixture for each case. Several decorators multiply their cases.
    """
    folded_names = [name.strip() for name in names.split(",")]
    rows = [_values(case, len(folded_names)) for case in cases]
    labels = _names(rows, ids)

    def fold(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            failures = []
            for name, values in zip(labels, rows, strict=True):
                try:
                    function(*args, **kwargs, **dict(zip(folded_names, values, strict=True)))
                except (Exception, pytest.fail.Exception) as error:
                    error.add_note(f"case: {name}")
                    failures.append(error)
            if failures:
                raise BaseExceptionGroup(f"{len(failures)} of {len(rows)} cases", failures[:MAX_SHOWN])

        signature = inspect.signature(function)
        remaining = [parameter for name, parameter in signature.parameters.items() if name not in folded_names]
        run.__signature__ = signature.replace(parameters=remaining)  # type: ignore[attr-defined]
        assert rows, f"{function.__name__} has no case"
        return run

    return fold


def _values(case: Any, count: int) -> tuple[Any, ...]:
    if hasattr(case, "marks"):  # made by pytest.param
        return tuple(case.values)
    return tuple(case) if count > 1 else (case,)


def _names(rows: list[tuple[Any, ...]], ids: Callable[[Any], object] | Iterable[str] | None) -> list[str]:
    if ids is None or callable(ids):
        return [", ".join(str((ids or repr)(value))[:200] for value in values) for values in rows]
    return list(ids)
