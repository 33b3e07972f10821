"""The results of all scenarios as tables in reStructuredText."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.arrival.table import as_rst

from . import attacks, days, owner
from .attacks import ATTACKS, challenged, refused
from .days import DAYS
from .owner import CASES
from .world import ALTCHA, HOUR

Row = tuple[str, ...]
OF_ATTACKS = (
    *("an attack on", "one in", "for", "SMS", "in an hour", "yuan", "of the day"),
    *("back: refused", "asked", "new: refused", "asked"),
)
OF_OWNERS = ("whose number", "guesses", "SMS", "visits", "refused", "captchas")
OF_DAYS = ("a day", "people", "refused", "with ``CAPTCHA``", "asked", "twice", "authgear")


def attack(number: int, part: float) -> Row:
    """What came of an attack."""
    one = ATTACKS[number]
    found = attacks.simulate(one, part)
    back = [*found.in_old_browser, *found.in_new_browser]
    return (
        one.name,
        f"{one.every:g} s",
        f"{one.lasts / HOUR:g} h",
        str(len(found.sent)),
        str(found.most(HOUR)),
        f"{found.lost:.2f}",
        f"{found.spent:.2f}",
        f"{refused(back)} of {len(back)}",
        str(challenged(found.in_old_browser)),
        share(refused(found.people), len(found.people)),
        share(challenged(found.people), len(found.people)),
    )


def siege(number: int, part: float) -> Row:
    """What came of an attack on a number's owner."""
    case = CASES[number]
    found = owner.besiege(case, part)
    visits = str(len(found.visits)) if case.is_known else "–"
    met = (str(found.refused), str(found.captchas)) if case.is_known else ("–", "–")
    return case.name, str(len(found.guesses)), str(len(found.sent)), visits, *met


def day(number: int, part: float) -> Row:
    """What people noticed on a day, without a captcha and with one."""
    one = DAYS[number]
    plain, found = days.simulate(one, {}, part), days.simulate(one, ALTCHA, part)
    people = len(found.people)
    return (
        one.name,
        str(people),
        *(share(part, people) for part in (plain.refused(), found.refused(), found.challenged(), found.asked_twice())),
        share(found.refused_by_allowance, people),
    )


def share(part: int, people: int) -> str:
    """A share in percent; a dash where there is nobody."""
    return f"{part / people:.1%}" if people else "–"


TABLES: Sequence[tuple[Row, Callable[[int, float], Row], int]] = (
    (OF_ATTACKS, attack, len(ATTACKS)),
    (OF_OWNERS, siege, len(CASES)),
    (OF_DAYS, day, len(DAYS)),
)
"""The heading of each, what makes a row, and how many there are."""


def jobs() -> Iterator[tuple[int, int]]:
    """Yields each row as the number of its table and its own."""
    for table, (_, _, rows) in enumerate(TABLES):
        yield from ((table, row) for row in range(rows))


def run(job: tuple[int, int], part: float = 1) -> Row:
    """Makes one row, from the whole scenario or a part of it."""
    table, row = job
    return TABLES[table][1](row, part)


def print_tables(rows: Sequence[Row]) -> None:
    """Prints the rows of all jobs, in their order."""
    left = iter(rows)
    for heading, _, count in TABLES:
        print(as_rst([heading, *(next(left) for _ in range(count))]), end="\n\n")
