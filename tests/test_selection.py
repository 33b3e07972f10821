"""No test is lost between the runs: what one leaves out another one runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from . import selection

MAKEFILE = (Path(__file__).parents[1] / "Makefile").read_text()
QUICK, COVERAGE, SLOW = "not slow", "not slow or further_case", "slow and not further_case and not processes"


def runs(expression: str, markers: set[str]) -> bool:
    names = set(re.findall(r"[a-z_]+", expression)) - {"and", "or", "not"}
    return bool(eval(expression, {name: name in markers for name in names}))


@pytest.mark.parametrize(
    ("markers", "commands"),
    [
        (set(), {QUICK, COVERAGE}),
        ({"slow", "further_case"}, {COVERAGE}),
        ({"slow"}, {SLOW}),
        ({"slow", "processes"}, set()),  # run by `make test-services`, without an expression
    ],
    ids=["quick", "further case", "slow", "processes"],
)
def test_one_command_at_least_runs_it(markers: set[str], commands: set[str]) -> None:
    assert {expression for expression in (QUICK, COVERAGE, SLOW) if runs(expression, markers)} == commands


@pytest.mark.parametrize("expression", [QUICK, COVERAGE, SLOW])
def test_the_expressions_are_those_of_the_commands(expression: str) -> None:
    assert f'-m "{expression}"' in MAKEFILE


@pytest.mark.parametrize("expression", selection.LEFT_OUT)
def test_a_folder_that_is_not_imported_has_no_test_of_the_run(expression: str) -> None:
    for folder in selection.LEFT_OUT[expression]:
        markers = {"slow"} | ({"processes"} if folder in selection.STARTS_SERVERS else set())
        assert not runs(expression, markers), folder


def test_other_folders_are_imported() -> None:
    assert selection.leaves_out(selection.HERE / "sandbox", QUICK)
    assert not selection.leaves_out(selection.HERE / "sandbox", "")
    assert not selection.leaves_out(selection.HERE / "gateways", QUICK)
    assert not selection.leaves_out(selection.HERE / "gateways" / "sandbox", QUICK)


@pytest.mark.django_db
@pytest.mark.parametrize("case", range(3))
def test_of_the_cases_that_use_the_database_one_is_quick(case: int, request: pytest.FixtureRequest) -> None:
    names = {marker.name for marker in request.node.iter_markers()}

    assert ({"slow", "further_case"} <= names) is (case > 0)


@pytest.mark.parametrize("case", range(3))
def test_all_cases_without_a_database_are_quick(case: int, request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("slow") is None
