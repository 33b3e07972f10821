"""Prints what the guard lets through of attacks, and what people notice of it, as the tables of docs/guard.rst.

    python -m benchmarks.guard

As many rows are simulated at a time as there are cores: about five minutes on two.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from .site import set_up


def main() -> None:
    ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter).parse_args()
    set_up()
    from .report import jobs, print_tables, run  # needs the settings

    rows = []
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=set_up) as pool:
        for row in pool.map(run, jobs()):
            rows.append(row)
            if sys.stderr.isatty():
                print(row[0], file=sys.stderr, flush=True)
    print_tables(rows)


if __name__ == "__main__":
    main()
