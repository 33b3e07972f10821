"""What sentry-sdk would send, with its defaults and with all its features on, contains no code, number or key."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox.catalogue import CREDENTIALS, OPTIONS, TENCENT_LONG
from sandbox.server import Sandbox

from tests.conftest import PHONE, PLAIN_IDS, QUICK, REMOTE_IDS, SECRETS, VENDORS, codes_of
from tests.monitoring.child import WEBHOOK_SECRET
from tests.papers import snippet_of_docs

ROOT = Path(__file__).resolve().parents[2]
CASES = (
    "good send",
    "wrong code",
    "right code",
    "used code",
    "timeout",
    "bug in check_recipient",
    "bug in build_send",
    "bug in parse_send",
    "bug in transport",
    "bug in transmit",
    "database fails in send",
    "database fails in wrong code",
    "database fails in right code",
    "good notice",
    "database fails in notice",
)
LONG_CODE_IDS = {"tencent": TENCENT_LONG.id}
"""Where a code of eight digits, which this test sends, needs another template."""


class Results:
    """The events of each case, and the codes that were sent by then."""

    def __init__(self, found: dict[str, Any], codes: set[str]) -> None:
        self.found, self.codes = found, codes

    def events(self, case: str) -> list[str]:
        return list(self.found[case]["events"])

    def leaks(self, case: str) -> list[str]:
        """Each leak with the text around it."""
        plain = "|".join(map(re.escape, {PHONE, PHONE[3:], WEBHOOK_SECRET, *SECRETS}))
        sought = rf"{plain}|(?<![0-9a-f.-])(?:{'|'.join(self.codes)})(?![0-9a-f-])"
        text = "\n".join(self.events(case))
        return [text[max(0, match.start() - 150) : match.end() + 50] for match in re.finditer(sought, text)]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            (vendor, traced), id=f"{vendor} {how}", marks=pytest.mark.xdist_group(f"monitoring {vendor} {how}")
        )
        for traced, how, vendors in ((False, "defaults", QUICK), (True, "traces and stacks", VENDORS))
        for vendor in vendors
    ],
)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    vendor, traced = request.param
    folder = tmp_path_factory.mktemp("monitoring")
    with Sandbox() as sandbox, socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        run_child(
            {
                "gateway": vendor,
                "base_url": sandbox.base_urls[vendor],
                "credentials": CREDENTIALS[vendor],
                "options": OPTIONS.get(vendor, {}),
                "remote_id": {**REMOTE_IDS, **LONG_CODE_IDS}.get(vendor, ""),
                "plain_id": PLAIN_IDS.get(vendor, ""),
            },
            traced=traced,
            database=str(folder / "db.sqlite3"),
            found=str(folder / "found.json"),
            scrub=snippet_of_docs("def scrub_sms"),
            silent=f"http://127.0.0.1:{silent.getsockname()[1]}",
        )
        found = map(json.loads, (folder / "found.json").read_text().splitlines())
        yield Results({line.pop("case"): line for line in found}, codes_of(sandbox))


def run_child(actions: dict[str, Any], **order: Any) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "TEST_", "SENTRY_"))}
    paths = os.pathsep.join((str(ROOT), str(ROOT / "example_project")))
    done = subprocess.run(
        [sys.executable, "-m", "tests.monitoring.child"],
        input=json.dumps({"actions": actions, **order}),  # the command line is part of each event
        cwd=ROOT,
        env=env | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr


def test_a_leak_is_found(results: Results) -> None:
    results.codes.add(results.found["leak"]["result"])
    assert results.leaks("leak")


@pytest.mark.parametrize("case", CASES)
def test_no_code_number_or_key_is_in_an_event(case: str, results: Results) -> None:
    assert results.events(case)
    assert results.leaks(case) == []


def test_no_event_contains_anything_of_a_push(results: Results) -> None:
    cases = [case for case in results.found if case.endswith("push")]
    assert {case: results.leaks(case) for case in cases} == {case: [] for case in cases}


@pytest.mark.parametrize("case", ["good send", "right code"])
def test_the_good_cases_succeed(case: str, results: Results) -> None:
    assert results.found[case]["result"][0] in (200, 202)
