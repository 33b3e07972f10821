"""Late reports, runs of the poll and questions in several processes: the costs are exact at the end."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from .crew import WorkerPool, count_codes
from .sums_acts import add_messages, costs_and_direct_sum, report_or_sum
from .worker import Settings

DAYS, MESSAGES, RUNS = 6, 90, 20

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def worker_pool(site_settings: Settings) -> Iterator[WorkerPool]:
    with WorkerPool(site_settings) as worker_pool:
        yield worker_pool


def test_late_reports_and_runs_of_the_poll_leave_exact_sums(worker_pool: WorkerPool) -> None:
    ids = worker_pool.call(add_messages, MESSAGES, DAYS)
    acts = [(ids[start : start + 1 + start % 2 * 2],) for start in range(0, MESSAGES, 3)] + [([],)] * RUNS
    random.shuffle(acts)

    outcomes = count_codes(worker_pool.run_at_once(report_or_sum, acts))

    assert outcomes == {"done": len(acts)}
    told, direct = worker_pool.call(costs_and_direct_sum)
    assert told == direct, "with the marks that are left"
    worker_pool.call(report_or_sum, [])
    assert worker_pool.call(costs_and_direct_sum) == (direct, direct)
