"""Cases of a pure function that are one test: pytest's own parametrisation costs more than they do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest

MAX_SHOWN = 10
Fold = Callable[[Callable[..., None]], Callable[..., None]]


def folded(names: str, cases: Iterable[Any], ids: Callable[[Any], object] | Iterable[str] | None = None) -> Fold:
    """Takes what `pytest.mark.parametrize` takes, and runs every case; those that fail are named at the end.

    Only for a test that needs no fixture of its own for each case. Several of them multiply, as parametrisations do.
    """
    wanted = [name.strip() for name in names.split(",")]
    rows = [_values(case, len(wanted)) for case in cases]
    said = _names(rows, ids)

    def fold(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            failures = []
            for name, values in zip(said, rows, strict=True):
                try:
                    function(*args, **kwargs, **dict(zip(wanted, values, strict=True)))
                except (Exception, pytest.fail.Exception) as error:
                    error.add_note(f"case: {name}")
                    failures.append(error)
            if failures:
                raise BaseExceptionGroup(f"{len(failures)} of {len(rows)} cases", failures[:MAX_SHOWN])

        signature = inspect.signature(function)
        left = [parameter for name, parameter in signature.parameters.items() if name not in wanted]
        run.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        assert rows, f"{function.__name__} has no case"
        return run

    return fold


def _values(case: Any, many: int) -> tuple[Any, ...]:
    if hasattr(case, "marks"):  # made by pytest.param
        return tuple(case.values)
    return tuple(case) if many > 1 else (case,)


def _names(rows: list[tuple[Any, ...]], ids: Callable[[Any], object] | Iterable[str] | None) -> list[str]:
    if ids is None or callable(ids):
        return [", ".join(str((ids or repr)(value))[:200] for value in values) for values in rows]
    return list(ids)
