"""Which tests a run leaves out, by their folders, their markers and the services of the run."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from . import services

HERE = Path(__file__).parent
STARTS_SERVERS = {"admin_browser", "crash", "demo", "http_servers", "processes", "queues", "widget"}
ALL_SLOW = {*STARTS_SERVERS, "monitoring", "sandbox"}
TIMING_DEPENDENT = {"admin_browser", "crash", "demo", "processes", "queues", "widget"}
LIKE_OTHERS = {"aliyun_pnvs", "tencent", "twilio"}
"""Vendors whose messages and reports are to a database what those of others are: tried on one database only."""
LEFT_OUT = {
    "not slow": ALL_SLOW,
    "not slow or further_case": ALL_SLOW,
    "further_case or adapters": ALL_SLOW,
    "not processes": STARTS_SERVERS,
    "slow and not further_case and not processes": STARTS_SERVERS,
}
"""Folders without a test of the run, by the expression after pytest's `-m`."""


def _paths(names: str, folder: str = "tests") -> list[str]:
    return [f"{folder}/test_{name}.py" for name in names.split()]


WITHOUT_CONCURRENCY = [
    *_paths("""
    adapters admin admin_credentials admin_destinations admin_encryption admin_lists admin_masking admin_privacy
    admin_sending admin_submissions admin_test_sms balance_command billing carrier_circuits carrier_filing
    causes charsets checks clock closures commands compiled conclusion context contrib_logins costs data_map
    degraded dispatch_checks doctor events explain failures faults fields forgetting group_links guard health
    http kit known_numbers leaks linting_stored lists lost_keys metrics migrating models opt_outs overview
    own_words permissions probes_admin provider_page recycled_numbers refusals regions reports_of_a_code risk
    send_file setup_command signed_webhooks single_reports site_checks story tencent_site test_numbers timeline
    tracing trips twilio_pushes upgrade verifying webhook_crash webhook_silence webhooks_command
    """),
    *_paths("callbacks evading input outages probing", "tests/attacks"),
]
"""Tests without concurrent transactions; they are not run again for another isolation level alone."""
OF_NO_DATABASE = _paths("""
    adapters admin_check arrival_report check_command check_output console guard_report request_body
""")
"""Tests of adapters in sites of their own, of what an operator is told of a vendor, of simulated vendors and attacks,
of consoles, and of how a body is read; no database changes that."""
OF_CHARSETS = [
    *_paths("""
    charsets checks explain fields http known_numbers lists opt_outs reports_of_a_code test_numbers verifying
    """),
    *_paths("callbacks input", "tests/attacks"),
]
"""Those of them that store or look for a character that utf8mb3 lacks, or ask how tables are checked. The lists of the
admin are searched for one by tests/test_charsets.py."""


def leaves_out(folder: Path, markers: str) -> bool:
    """Whether a run with this expression runs no test of the folder."""
    return folder.parent == HERE and folder.name in LEFT_OUT.get(markers, ())


def compile_share(markers: str) -> None:
    """Imports every nth file of tests, where n is the number of workers of pytest-xdist.

    All of them would compile the same file at the same time; so a worker finds most files compiled by the others.
    """
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    if workers == "1":
        return
    paths = [path for path in sorted(HERE.rglob("test_*.py")) if not leaves_out(path.parent, markers)]
    for path in paths[int(worker.removeprefix("gw")) :: int(workers)]:
        with suppress(Exception, pytest.skip.Exception):  # it is reported when the file is collected
            import_module(".".join(path.relative_to(HERE.parent).with_suffix("").parts))


def is_further_case(item: pytest.Item) -> bool:
    """Whether `make test` leaves out this case of a test that uses the database, as it runs the first."""
    spec = getattr(item, "callspec", None)
    return spec is not None and any(spec.indices.values()) and uses_the_database(item)


def parameters(item: pytest.Item) -> set[str]:
    """The texts among the parameters of a test."""
    spec = getattr(item, "callspec", None)
    return {value for value in spec.params.values() if isinstance(value, str)} if spec else set()


def is_in(item: pytest.Item, paths: list[str]) -> bool:
    return item.path.relative_to(HERE.parent).as_posix() in paths


def is_run_elsewhere(item: pytest.Item) -> bool:
    """Whether a run on other services repeats the test."""
    if services.QUICK_ONES and not item.get_closest_marker("slow"):
        return True
    if services.DATABASE != "sqlite" and item.get_closest_marker("any_database"):
        return False
    return uses_the_database(item) and LIKE_OTHERS.isdisjoint(parameters(item))


def uses_the_database(item: pytest.Item) -> bool:
    needs = {"db", "transactional_db", "live_server"}.intersection(getattr(item, "fixturenames", ()))
    return bool(needs) or item.get_closest_marker("django_db") is not None
