"""The simulation of benchmarks/arrival on a small scale, and its table in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.arrival.scenarios import SCENARIOS, Result, Scenario, simulate
from django_smsverify.models import Message, Provider

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parent.parent
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
PEOPLE, PAUSE = 40, 60.0
FAILS = "fails at Telecom for half an hour"


def run(name: str, people: int = PEOPLE) -> Result:
    return simulate(BY_NAME[name], people, PAUSE)


@pytest.mark.slow
def test_all_have_a_code_soon_while_a_vendor_fails_at_one_carrier() -> None:
    result = run(FAILS)

    assert result.soon(result.affected) == result.soon(result.others) == 1
    assert result.lost_at_first == 5
    assert result.under_way == 0
    assert 0 < result.lost_later <= 5
    assert result.back_after is not None
    assert result.back_after <= 600 + PAUSE
    assert result.sms == 3 * PEOPLE + result.lost_at_first + result.lost_later
    assert not Message.objects.exists()
    assert not Provider.objects.exists()


@pytest.mark.slow
def test_without_failover_those_who_come_first_wait() -> None:
    result = run("the same, with ``REPORT_FAILOVER`` off")

    lost = result.lost_at_first + result.lost_later
    assert result.soon(result.affected) == 1 - lost / PEOPLE
    assert result.soon(result.others) == 1
    assert all(person.is_verified for person in result.affected), "after they have asked again"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("works", 0),
        ("fails at Telecom, by a code of uncertain meaning", 5),
        ("fails at Telecom, as if the numbers were not in use", 5),
        ("cannot be reached", 0),
        ("never answers", 0),
        ("answers after eight seconds", 0),
    ],
)
def test_all_have_a_code_in_the_end(name: str, lost: int) -> None:
    result = run(name, 20)

    assert result.lost_at_first == lost
    assert all(person.is_verified for person in [*result.affected, *result.others])


def test_a_scenario_that_is_lost_is_told_as_lost() -> None:
    """The measure itself."""
    result = simulate(Scenario("", BY_NAME["swallows SMS to Telecom, without a report"].first), 5, PAUSE)

    assert (result.soon(result.affected), result.soon(result.others)) == (0, 1)


def test_both_languages_have_the_same_figures_of_every_scenario() -> None:
    tables = [rows_of(ROOT / path) for path in ("docs/arrival.rst", "docs/zh-Hans/arrival.rst")]

    assert [row[0] for row in tables[0]] == list(BY_NAME)
    assert [row[1:] for row in tables[0]] == [row[1:] for row in tables[1]]
    (blind,) = [row[1:] for row in tables[0] if row[0] == FAILS]
    assert float(blind[0].rstrip("%")) >= 99
    assert blind[1] == "100.0%"


def rows_of(page: Path) -> list[list[str]]:
    """The cells of the lines with two percentages."""
    lines = [line for line in page.read_text().splitlines() if line.count("%") == 2 and "  " in line]
    return [re.split(r"  +", line.strip()) for line in lines]
