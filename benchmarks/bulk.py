"""Numbers per second of a bulk send, and the memory that it takes.

    python -m benchmarks.bulk --database postgresql://postgres@127.0.0.1:5432

Sends a text to many numbers through vendors that take many in one call and answer after some time, at the pace that a
provider has by default; then to few and to many numbers through a vendor that answers at once, for the peak of memory.
Each measurement has a process of its own, and all of them a database that is dropped at the end.
"""

from __future__ import annotations

import logging
import os
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

from tests.servers import WHERE

from .vendor import running_vendor, set_delay

GATEWAYS = {
    "apispace": ("", {"token": "a-token"}),
    "qixuntong": ("/qxt_yzm_sms/", {"secret_id": "an-id", "secret_key": "a-key"}),
}
"""The path of the vendor, and the credentials."""
DELAYS = (0, 0.2, 0.5)
WARM_UP = 1000
LONGEST_PACE = "1000"


class Figures(NamedTuple):
    """Of one bulk send."""

    seconds: float
    cpu: float
    """Seconds of this process, without the database and the vendor."""
    megabytes: float
    """By how much the memory of the process was larger than before, at its peak."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is measured; the database as in tests/services.py."""

    database: str
    name: str
    """Of the database."""
    vendor: str

    def configure(self) -> None:
        """Sets up Django with the settings of the tests on this database."""
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        import django
        from django.conf import settings

        from tests import services

        name = f"/tmp/{self.name}.sqlite3" if self.database == "sqlite" else self.name  # noqa: S108
        database = services.database(self.database)
        settings.DATABASES = {"default": {**database, "NAME": name, "TEST": {**database["TEST"], "NAME": name}}}
        django.setup()
        logging.disable(logging.INFO)


def send(place: Place, gateway: str, pace: str, numbers: int) -> Figures:
    """Sends to this many numbers, after some that are not counted."""
    place.configure()
    from django_smsverify.enums import ReviewStatus
    from django_smsverify.models import Provider, Template
    from django_smsverify.sending import send_bulk

    path, credentials = GATEWAYS[gateway]
    name = f"{gateway}-{os.getpid()}"
    provider = Provider.objects.create(
        name=name,
        slug=name,
        gateway=gateway,
        base_url=place.vendor + path,
        credentials=credentials,
        options={"pace": pace},
    )
    template = Template.objects.create(
        provider=provider, purpose="notice", content="系统维护已完成。", status=ReviewStatus.APPROVED
    )
    send_bulk(template, phones(WARM_UP), name=f"{name} first")
    before, begun, cpu = memory("VmRSS"), perf_counter(), process_time()
    result = send_bulk(template, phones(numbers), name=name)
    seconds, cpu, peak = perf_counter() - begun, process_time() - cpu, memory("VmHWM")
    if result.counts != {"accepted": numbers}:
        raise RuntimeError(f"not all were sent: {result.counts} {result.why_over}")
    return Figures(seconds, cpu, peak - before)


def phones(count: int) -> Iterator[tuple[str, dict[str, str]]]:
    return ((f"+86138{number:08}", {}) for number in range(count))


def memory(what: str) -> float:
    """Megabytes that this process has now (VmRSS), or had at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


def in_a_process(place: Place, gateway: str, pace: str, numbers: int) -> Figures:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(send, place, gateway, pace, numbers).result()


def lines(place: Place, given: Namespace) -> Iterator[str]:
    """The table, line by line."""
    yield f"{given.numbers:,} numbers; numbers/s at".ljust(48) + "".join(f"{d * 1000:>9.0f} ms" for d in DELAYS)
    for gateway in GATEWAYS:
        speeds = []
        for delay in DELAYS:
            set_delay(place.vendor, delay)
            speeds.append(given.numbers / in_a_process(place, gateway, "", given.numbers).seconds)
        yield f"{gateway:<48}" + "".join(f"{speed:>12,.0f}" for speed in speeds)
    set_delay(place.vendor, 0)
    for numbers in given.memory:
        figures = in_a_process(place, "apispace", LONGEST_PACE, numbers)
        speed, cpu = numbers / figures.seconds, figures.cpu / numbers * 1e6
        yield f"{numbers:>11,} numbers: {figures.megabytes:.1f} MB, {speed:,.0f} numbers/s, {cpu:.0f} µs of CPU each"


def main(given: Namespace) -> None:
    with running_vendor() as vendor:
        place = Place(given.database, f"smsverify_bulk_{os.getpid()}", vendor)
        place.configure()
        from django.test.utils import setup_databases, teardown_databases

        databases = setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
        try:
            for line in lines(place, given):
                print(line, flush=True)
        finally:
            teardown_databases(databases, verbosity=0)


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=WHERE["PostgreSQL"], metavar="URL", help="of a server, or sqlite")
    parser.add_argument("--numbers", type=int, default=10_000, help="for the numbers per second")
    parser.add_argument(
        "--memory", type=int, nargs="*", default=[10_000, 200_000], help="how many numbers, for the memory"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
