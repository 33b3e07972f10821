"""A test with folded cases runs every case, and names those that failed."""

from __future__ import annotations

import inspect

import pytest

from tests.folding import folded


def test_every_case_is_run_and_each_that_fails_is_named() -> None:
    seen = []

    @folded("number, word", [(1, "one"), (2, "two"), (3, "three")])
    def check(number: int, word: str) -> None:
        seen.append((number, word))
        assert number == 2

    with pytest.raises(BaseExceptionGroup) as raised:
        check()

    assert seen == [(1, "one"), (2, "two"), (3, "three")]
    assert [error.__notes__ for error in raised.value.exceptions] == [["case: 1, 'one'"], ["case: 3, 'three'"]]


def test_several_folds_multiply_and_leave_the_fixtures_to_pytest() -> None:
    seen = []

    @folded("letter", "ab")
    @folded("number", [pytest.param(1, id="first"), 2])
    def check(letter: str, number: int, tmp_path: str) -> None:
        seen.append(f"{letter}{number}{tmp_path}")

    check(tmp_path="!")

    assert seen == ["a1!", "a2!", "b1!", "b2!"]
    assert list(inspect.signature(check).parameters) == ["tmp_path"]


def test_a_fold_without_cases_is_an_error() -> None:
    with pytest.raises(AssertionError, match="has no case"):
        folded("number", [])(lambda number: None)
