"""A real browser, Debian's Chromium, and axe-core, which finds what people with a disability would trip over.

With REQUIRE_BROWSER a missing browser, or a missing npm, is a failure; else its tests are skipped.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
NPM = shutil.which("npm")
PACKAGES = ("axe-core@4.14.1", "typescript@7.0.2")
REQUIRED = bool(os.environ.get("REQUIRE_BROWSER"))
load = import_module if REQUIRED else pytest.importorskip

ENTER, TAB = "\ue007", "\ue004"
SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync --no-proxy-server"
)
AXE = """const told = ({id, nodes}) => nodes.map(({target, failureSummary}) => `${id} of ${target}: ${failureSummary}`);
const [within, done] = arguments;
const tell = ({violations, incomplete}) => done([...violations, ...incomplete].flatMap(told));
axe.run(within ?? document, {}).then(tell);"""


@contextmanager
def started(profile: Path, *switches: str, logs: Mapping[str, str], languages: str = "en") -> Iterator[Any]:
    """Starts Chromium, in English or these languages, with an empty profile."""
    webdriver = load("selenium.webdriver")
    if not ((CHROMIUM and CHROMEDRIVER) or REQUIRED):
        pytest.skip("chromium and chromedriver are not installed")
    logging.getLogger("selenium").setLevel(logging.INFO)  # at DEBUG it logs the keys that a person presses
    options = webdriver.ChromeOptions()
    for switch in (*SWITCHES.split(), *switches, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.add_experimental_option("prefs", {"intl.accept_languages": languages})
    options.set_capability("goog:loggingPrefs", dict(logs))
    options.binary_location = CHROMIUM or ""
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER)) as driver:
        yield driver


def install_packages(where: Path) -> Path:
    """Installs axe-core and TypeScript from npm, and returns their folder."""
    if not (NPM or REQUIRED):
        pytest.skip("npm is not installed")
    subprocess.run([NPM or "npm", "install", "--prefix", where, "--no-audit", "--no-fund", *PACKAGES], check=True)
    return where / "node_modules"


def problems_found_by_axe(driver: Any, node_modules: Path, within: str | None = None) -> list[str]:
    """What axe-core finds on the page, or in the parts that a selector names, and what it could not judge."""
    driver.execute_script((node_modules / "axe-core" / "axe.min.js").read_text("utf-8"))
    return list(driver.execute_async_script(AXE, within))
