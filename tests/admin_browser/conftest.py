from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import browser
from tests.browser import load

ROOT = Path(__file__).resolve().parents[2]
WAIT = 20
CSS = "css selector"
POST = """const form = document.createElement("form"), [address, fields] = arguments;
const token = /csrftoken=([^;]+)/.exec(document.cookie)[1];
for (const [name, value] of Object.entries({...fields, csrfmiddlewaretoken: token})) {
  const input = Object.assign(document.createElement("input"), {type: "hidden", name, value});
  form.append(input);
}
Object.assign(form, {method: "post", action: address});
document.body.append(form);
form.submit();"""


@dataclass(frozen=True)
class Site:
    """A running site, the cookie of its operator, and the addresses of its pages."""

    name: str
    url: str
    session: str
    pages: dict[str, str]


@contextmanager
def running(name: str, folder: Path) -> Iterator[Site]:
    """Starts a site in a process of its own, which ends with its input; its stderr must stay empty."""
    if name != "plain" and find_spec(name) is None:
        why = f"django-{name} is not installed: pip install --group skins"
        pytest.fail(why) if browser.REQUIRED else pytest.skip(why)
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": f"tests.admin_browser.sites.{name}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}",
        "PYTHONIOENCODING": "utf-8",
        "ADMIN_SITE": str(folder / "site.sqlite3"),
    }
    command = [sys.executable, "-m", "tests.admin_browser.serve"]
    with open(folder / "stderr", "w+", encoding="utf-8") as stderr:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": stderr}
        with subprocess.Popen(command, cwd=ROOT, env=env, text=True, encoding="utf-8", **pipes) as process:
            line = process.stdout.readline()  # type: ignore[union-attr]
            if line:
                yield Site(name, **json.loads(line))
            process.communicate(timeout=WAIT)
        stderr.seek(0)
        assert (process.returncode, stderr.read()) == (0, "")


class Page:
    """A page of a site, as an operator sees it."""

    def __init__(self, driver: Any, site: Site, node_modules: Path | None = None) -> None:
        self.driver = driver
        self.site = site
        self.node_modules = node_modules

    def look(self, width: int = 1280, scheme: str = "light", language: str = "en") -> None:
        """How the next pages are shown."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)
        for name, value in (("sessionid", self.site.session), ("django_language", language)):
            self.cdp("Network.setCookie", name=name, value=value, url=self.site.url)

    def open(self, name: str) -> None:
        """Opens a page by its name or address, by the button that leads to it where no link does."""
        if name in BUTTONS:
            BUTTONS[name](self)
        else:
            self.driver.get(self.site.url + self.site.pages.get(name, name))
        self.until(lambda: self.run("return document.readyState === 'complete'"))

    def post(self, name: str, **fields: str) -> None:
        """Posts a form, as a button of the page does, and waits for the next page."""
        self.run("window.isBefore = true")
        self.run(POST, self.site.pages[name], fields)
        self.until(lambda: self.run("return !window.isBefore && document.readyState === 'complete'"))

    def press(self, selector: str) -> None:
        """Presses what leads to another page, and waits for that."""
        self._press(self.find(selector))

    def press_in(self, part: str, words: str) -> None:
        """The same of a button with these words in the part of the page that an XPath names."""
        self._press(self.driver.find_element("xpath", f"{part}//button[normalize-space()='{words}']"))

    def press_link(self, words: str) -> None:
        """The same of a link."""
        self._press(self.driver.find_element("link text", words))

    def _press(self, element: Any) -> None:
        self.run("window.isBefore = true; arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.until(lambda: self.run("return !window.isBefore && document.readyState === 'complete'"))

    def download(self, words: str) -> list[dict[str, str]]:
        """The rows of the CSV file to which a link leads."""
        link = self.driver.find_element("xpath", f"//a[contains(text(), '{words}')]")
        response = requests.get(
            link.get_property("href"), cookies={"sessionid": self.site.session, "django_language": "en"}, timeout=WAIT
        )
        assert response.headers["Content-Type"].startswith("text/csv")
        return list(csv.DictReader(response.content.decode("utf-8-sig").splitlines()))

    def cdp(self, command: str, **options: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, options)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(CSS, selector)

    def find_all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements(CSS, selector))

    def text(self, selector: str = "body") -> str:
        return str(self.find(selector).text)

    def until(self, condition: Callable[[], object]) -> None:
        """Waits until the condition is true; what is missing, or was redrawn, counts as not true."""
        missing = ("JavascriptException", "NoSuchElementException", "StaleElementReferenceException")
        exceptions = load("selenium.common.exceptions")
        ignored = tuple(getattr(exceptions, name) for name in missing)
        waiting = load("selenium.webdriver.support.ui").WebDriverWait(self.driver, WAIT, 0.05, ignored)
        waiting.until(lambda driver: condition())

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.run("const page = document.documentElement; return page.scrollWidth - page.clientWidth"))

    def status(self) -> int:
        """The HTTP status of the page."""
        return int(self.run("return performance.getEntriesByType('navigation')[0].responseStatus"))

    def console(self) -> list[str]:
        """What the browser logged since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def axe(self) -> set[str]:
        """The rules that axe-core finds broken."""
        assert self.node_modules
        found = browser.problems_found_by_axe(self.driver, self.node_modules)
        return {problem.split(" of ")[0] for problem in found}


def _forget(page: Page) -> None:
    page.open("person")
    page.press('[action$="/forget/"] button')


def _posts(name: str, **fields: str) -> Callable[[Page], None]:
    """Posts a form to the page with this name, from a page that sets the token's cookie."""

    def post(page: Page) -> None:
        page.open("provider page")
        page.post(name, **fields)

    return post


BUTTONS: dict[str, Callable[[Page], None]] = {
    "test provider": _posts("test provider"),
    "show number": _posts("show number"),
    "forget number": _forget,
    "new secret": _posts("new secret", action="rotate", _selected_action="1"),
    "new code": _posts("new code", action="make_new_code", _selected_action="1"),
    "delete at vendor": _posts("delete at vendor", action="delete_at_vendor", _selected_action="1"),
}
"""What opens the pages to which no link leads."""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser.started(tmp_path_factory.mktemp("profile"), logs={"browser": "ALL"}) as started:
        yield started


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return browser.install_packages(tmp_path_factory.mktemp("node"))


@pytest.fixture
def log() -> None:
    """Replaces the log check: the sites are other processes."""
