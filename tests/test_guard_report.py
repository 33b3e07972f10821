"""The simulation of benchmarks/guard on a small scale, and its tables in the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.test import override_settings

from benchmarks.guard import report
from benchmarks.guard.allowance import Allowance, Successes
from benchmarks.guard.attackers import most_within
from benchmarks.guard.attacks import ATTACKS, Attack, Damage, challenged, refused, simulate
from benchmarks.guard.days import DAYS, Day
from benchmarks.guard.days import simulate as live
from benchmarks.guard.owner import CASES, COMES_AT, Case, besiege
from benchmarks.guard.world import ALTCHA, DAY, HOUR, PRICE
from django_smsverify.models import Message, Provider

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parent.parent
ROOMY = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10**6}}
BOMBER, BLOCK_SLOWLY, BLOCK, BLOCK_FAST, NIGHT, NIGHT_FAST, WITH_PEOPLE, BY_BUDGET, WITH_CAPTCHA, SOLVING = ATTACKS
NEW, OLD_BROWSER, OTHER_BROWSER, OLD_BROWSER_ASKED, OTHER_BROWSER_ASKED = CASES


@pytest.fixture(autouse=True)
def _cache_with_room() -> Iterator[None]:
    """The suite's own cache drops keys beyond 300."""
    with override_settings(CACHES={"default": ROOMY}):
        yield


def strangers_never_matter(damage: Damage) -> None:
    """Law 12: nobody who was verified here is refused, nor asked for a captcha in the browser of that time."""
    assert refused([*damage.in_old_browser, *damage.in_new_browser]) == 0
    assert challenged(damage.in_old_browser) == 0
    assert all(len(person.visits) == 2 for person in damage.in_old_browser)


class TestAttacks:
    @pytest.mark.parametrize(
        ("attack", "part", "sent"),
        [
            (BLOCK, 0.02, 60),
            (BOMBER, 0.02, 5),
            (BLOCK_SLOWLY, 0.02, 20),
            (NIGHT, 0.01, 200),
            pytest.param(BOMBER, 0.2, 10, marks=pytest.mark.slow),
            pytest.param(BLOCK_SLOWLY, 0.2, 60, marks=pytest.mark.slow),
            pytest.param(BLOCK, 0.2, 60, marks=pytest.mark.slow),
            pytest.param(BLOCK_FAST, 0.1, 60, marks=pytest.mark.slow),
            pytest.param(NIGHT, 0.05, 200, marks=pytest.mark.slow),
            pytest.param(NIGHT_FAST, 0.1, 200, marks=pytest.mark.slow),
        ],
        ids=lambda value: getattr(value, "name", value),
    )
    def test_no_more_is_sent_than_is_promised(self, attack: Attack, part: float, sent: int) -> None:
        damage = simulate(attack, part, come_back=4)

        assert len(damage.sent) == sent
        assert damage.lost == sent * PRICE
        assert all(damage.most(seconds) <= most for seconds, most in attack.most.items())
        strangers_never_matter(damage)
        assert not Message.objects.exists()
        assert not Provider.objects.exists()

    @pytest.mark.slow
    def test_the_loss_is_that_of_the_guard(self) -> None:
        """The measure itself."""
        open_site = replace(NIGHT, settings={"GUARD": "off"})

        assert len(simulate(open_site, 0.01, come_back=0).sent) == 288

    @pytest.mark.slow
    def test_a_site_with_people_loses_less_than_half_of_a_usual_day_more(self) -> None:
        damage = simulate(WITH_PEOPLE, 0.1)

        assert 0 < damage.lost < damage.usual * 3 / 2
        strangers_never_matter(damage)

    @pytest.mark.slow
    def test_a_budget_is_never_exceeded(self) -> None:
        damage = simulate(replace(BY_BUDGET, settings={"BUDGET": {"day": 12}, "GUARD": "off"}), 0.05)

        assert damage.spent == 12

    @pytest.mark.slow
    @pytest.mark.parametrize("attack", [WITH_CAPTCHA, SOLVING], ids=lambda attack: attack.name)
    def test_with_a_captcha_no_person_is_refused(self, attack: Attack) -> None:
        damage = simulate(attack, 0.1)

        assert refused(damage.people) == 0
        assert challenged(damage.people) > 0
        assert (damage.lost < damage.usual * 3 / 2) is not attack.solves
        strangers_never_matter(damage)


class TestSieges:
    @pytest.mark.parametrize("part", [0.02, pytest.param(0.5, marks=pytest.mark.slow)])
    def test_guesses_are_few(self, part: float) -> None:
        siege = besiege(NEW, part)

        assert len(siege.sent) == (10 if part == 0.5 else 5)
        assert 12 < len(siege.guesses) <= 25

    @pytest.mark.parametrize(
        ("case", "part"),
        [
            (OTHER_BROWSER_ASKED, 0.03),
            pytest.param(OLD_BROWSER, 0.2, marks=pytest.mark.slow),
            pytest.param(OLD_BROWSER_ASKED, 0.2, marks=pytest.mark.slow),
            pytest.param(OTHER_BROWSER_ASKED, 0.2, marks=pytest.mark.slow),
        ],
        ids=lambda value: getattr(value, "name", value),
    )
    def test_the_owner_is_not_locked_out(self, case: Case, part: float) -> None:
        siege = besiege(case, part)

        assert (siege.entered, siege.refused) == (sum(moment < DAY * part for moment in COMES_AT), 0)
        assert siege.captchas == (0 if case.keeps_device else 1)
        assert len(siege.guesses) <= 25

    @pytest.mark.slow
    def test_only_in_another_browser_without_a_captcha(self) -> None:
        siege = besiege(OTHER_BROWSER, 0.2)

        assert siege.refused == len(siege.visits) == 2


class TestDays:
    @pytest.mark.parametrize(
        ("day", "part"),
        [(DAYS[0], 0.03), *(pytest.param(day, 0.05, marks=pytest.mark.slow) for day in DAYS)],
        ids=lambda value: getattr(value, "name", value),
    )
    def test_nobody_is_refused(self, day: Day, part: float) -> None:
        outcome = live(day, ALTCHA, part)

        assert outcome.refused() == 0
        assert len(outcome.people) == int(day.people * part)
        assert all(last.captchas <= last.sms for last in (person.visits[-1] for person in outcome.people))
        assert outcome.challenged() >= outcome.asked_twice()

    @pytest.mark.slow
    @pytest.mark.parametrize("day", [day for day in DAYS if not day.address], ids=lambda day: day.name)
    def test_nobody_is_refused_without_a_captcha_either(self, day: Day) -> None:
        assert live(day, {}, 0.05).refused() == 0

    @pytest.mark.slow
    def test_who_is_refused_is_counted(self) -> None:
        """The measure itself: an address has 30 an hour and 200 a day."""
        (crowd,) = [day for day in DAYS if day.address]

        assert live(crowd, {}, 0.1).refused() > 200


class TestAllowance:
    """The published arithmetic of authgear-server."""

    def test_without_history_three_in_an_hour_stay_unverified(self) -> None:
        allowance = Allowance(Successes())

        assert [allowance.refuses(float(turn), f"network {turn}") for turn in range(5)] == [False] * 3 + [True] * 2

    def test_a_success_gives_its_send_back(self) -> None:
        allowance = Allowance(Successes())
        for turn in range(40):
            assert not allowance.refuses(float(turn), f"network {turn}")
            allowance.verified(float(turn), f"network {turn}")

    def test_a_fifth_of_the_successes_of_an_hour_may_stay_unverified(self) -> None:
        allowance = Allowance(Successes([-60.0] * 100))

        assert [allowance.refuses(0.0, f"network {turn}") for turn in range(21)] == [False] * 20 + [True]

    def test_the_busiest_day_counts_a_sixth_of_it_an_hour(self) -> None:
        allowance = Allowance(Successes([-3 * DAY] * 600))

        assert [allowance.refuses(0.0, f"network {turn}") for turn in range(21)] == [False] * 20 + [True]

    def test_what_is_unverified_drains(self) -> None:
        allowance = Allowance(Successes())
        refusals = [allowance.refuses(turn * HOUR / 2, f"network {turn}") for turn in range(20)]

        assert not any(refusals), "three an hour drain from that of the hour, and twenty a day from the other"

    def test_an_address_has_five_an_hour(self) -> None:
        allowance = Allowance(Successes([-60.0] * 1000))

        assert [allowance.refuses(0.0, "one") for _ in range(6)] == [False] * 5 + [True]
        assert not allowance.refuses(0.0, "another")


@pytest.mark.parametrize(
    ("moments", "seconds", "most"), [([], 60, 0), ([0.0, 59.0, 60.0], 60, 2), ([0.0, 61.0, 62.0, 63.0], 60, 3)]
)
def test_the_most_within_a_time(moments: list[float], seconds: float, most: int) -> None:
    assert most_within(moments, seconds) == most


@pytest.mark.slow
@pytest.mark.parametrize(("table", "part"), [(0, 0.01), (1, 0.01), (2, 0.02)])
def test_a_row_has_a_figure_for_each_column(table: int, part: float) -> None:
    assert len(report.run((table, 0), part)) == len(report.TABLES[table][0])


def tables_of(path: str) -> list[list[list[str]]]:
    """The cells of the tables of a page that have as many columns as those of the report."""
    page = (ROOT / path).read_text().split("make guard-report", 1)[1]
    bodies = [part.splitlines() for part in re.findall(r"^=+  =.*\n(?:.+\n)+", page, re.MULTILINE)]
    return [[re.split("  +", line.strip()) for line in body[3:-1]] for body in bodies]


class TestPages:
    def test_both_languages_have_the_same_figures_of_every_row(self) -> None:
        english, chinese = tables_of("docs/guard.rst"), tables_of("docs/zh-Hans/guard.rst")
        names = [[one.name for one in rows] for rows in (ATTACKS, CASES, DAYS)]

        assert [[row[0] for row in table] for table in english] == names
        for table, other in zip(english, chinese, strict=True):
            assert [figures(row) for row in table] == [figures(row) for row in other]

    def test_they_keep_what_is_promised(self) -> None:
        attacks, owners, days = tables_of("docs/guard.rst")

        for attack, row in zip(ATTACKS, attacks, strict=True):
            assert int(row[4]) <= attack.most.get(HOUR, 10**6)
            assert int(row[3]) <= min(attack.most.get(attack.lasts, 10**6), attack.most.get(DAY, 10**6))
            assert row[7:9] == ["0 of 40", "0"]
        assert [float(row[6]) for row in attacks if "BUDGET" in row[0]] == [60]
        assert max(int(row[1]) for row in owners) <= 25
        assert [row[4:] for row in owners if "old browser" in row[0] or "CAPTCHA" in row[0]] == [
            *(["0", "0"], ["0", "0"], ["0", "1"])
        ]
        assert {(row[3], row[5]) for row in days} == {("0.0%", "0.0%")}
        assert {row[2] for row in days if "one IPv4" not in row[0]} == {"0.0%"}


def figures(row: list[str]) -> list[str]:
    """Its numbers; units are translated."""
    return re.findall(r"[\d.]+%?|–", " ".join(row[1:]))


def test_each_row_is_in_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = list(report.jobs())

    report.print_tables([(f"row {table} {row}", *report.TABLES[table][0][1:]) for table, row in jobs])

    tables = capsys.readouterr().out.strip().split("\n\n")
    assert len(jobs) == len(ATTACKS) + len(CASES) + len(DAYS)
    for table, text in enumerate(tables):
        assert [line.split("  ")[0] for line in text.splitlines()[3:-1]] == [
            f"row {one} {row}" for one, row in jobs if one == table
        ]
