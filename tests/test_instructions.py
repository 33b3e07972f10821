"""The instructions of each call, as a multiple of the least that a site must do. They may only become fewer."""

from __future__ import annotations

import sys

import django
import pytest

from benchmarks.callgrind import missing
from benchmarks.configurations import CONFIGURATIONS
from benchmarks.instructions import Sample, count_all

from .servers import missing as skip

TOLERANCE = 1.05
MEASURED_ON = ((3, 11), (5, 2))
"""Python and Django: others have other figures."""
RATIOS = {
    "send": 1.68,
    "verify": 1.54,
    "delivery report": 2.85,
    "refused by address": 1.97,
    "refused by number": 1.54,
}
"""How many times the instructions of benchmarks/floor, on SQLite with local memory.

The refusals are stored, which the floor does not do: by address each is the first of its number, and makes a row.
"""

pytestmark = [pytest.mark.slow, pytest.mark.processes]


def test_no_call_costs_more_than_it_did() -> None:
    if why := missing():
        skip(why)
    if (sys.version_info[:2], django.VERSION[:2]) != MEASURED_ON:
        pytest.skip(f"the figures are those of Python and Django {MEASURED_ON}")

    sample = Sample(calls=3, warm_up=10, trips=False)
    (counts,) = count_all(["floor", "ours"], CONFIGURATIONS[:1], sample).values()
    ratios = {
        action: ours["instructions"] / counts["floor"][action]["instructions"]
        for action, ours in counts["ours"].items()
    }

    assert ratios.keys() == RATIOS.keys()
    too_many = {action: ratio for action, ratio in ratios.items() if ratio > RATIOS[action] * TOLERANCE}
    assert not too_many, f"instructions as a multiple of the floor's: {ratios}"
