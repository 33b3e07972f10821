from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests import browser
from tests.browser import ENTER as ENTER
from tests.browser import TAB as TAB
from tests.browser import load
from tests.conftest import MakeProvider

WAIT = 10


class Widget:
    """The page with the widget, as a person uses it."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, query: str = "", *, width: int = 1280) -> None:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)
        self.driver.get(f"{self.url}/page/?{query}")

    def cdp(self, command: str, **options: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, options)

    def run(self, script: str, *arguments: Any) -> Any:
        """Runs a script, in which `element` is the widget and `part` finds one of its parts."""
        names = "const element = document.querySelector('sms-verify');"
        names += "const part = (id) => element.shadowRoot.getElementById(id);"
        return self.driver.execute_script(names + script, *arguments)

    def part(self, name: str) -> Any:
        return self.run("return part(arguments[0])", name)

    def text(self, name: str) -> str:
        return str(self.run("return part(arguments[0]).innerText", name))

    def is_shown(self, name: str) -> bool:
        return bool(self.run("return part(arguments[0]).checkVisibility()", name))

    def focused(self) -> str:
        """The id of the part that has the focus."""
        return str(self.run("return element.shadowRoot.activeElement?.id ?? ''"))

    def until(self, condition: Callable[[], object]) -> None:
        """Waits until the condition is true; a page that is not there yet counts as not true."""
        ignored = (load("selenium.common.exceptions").JavascriptException,)
        waiting = load("selenium.webdriver.support.ui").WebDriverWait(self.driver, WAIT, 0.03, ignored)
        waiting.until(lambda driver: condition())

    def until_error(self, words: str) -> None:
        self.until(lambda: words in self.text("error"))

    def type(self, name: str, text: str) -> None:
        self.part(name).clear()
        self.part(name).send_keys(text)

    def send(self, number: str) -> None:
        self.type("number", number)
        self.part("send").click()
        self.until(lambda: self.is_shown("code"))

    def paste(self, text: str) -> None:
        """Pastes into the field for the code."""
        self.run(
            "const data = new DataTransfer(); data.setData('text/plain', arguments[0]);"
            "part('code').dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, cancelable: true}))",
            text,
        )

    def heard(self, name: str) -> list[Any]:
        """The details of the events with this name."""
        return [detail for event, detail in self.run("return heard") if event == name]

    def until_verified(self) -> None:
        self.until(lambda: self.is_shown("verified"))

    def console(self) -> list[str]:
        """What the browser logged, but for answers that refuse something."""
        messages = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in messages if "Failed to load resource" not in message]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser.started(tmp_path_factory.mktemp("profile"), logs={"browser": "ALL"}) as started:
        yield started


@pytest.fixture
def widget(driver: Any, live_server: Any, memory: MakeProvider) -> Iterator[Widget]:
    """A page in a browser that remembers nothing; it must leave the console clean and keep to the policy."""
    settings.ROOT_URLCONF, before = "tests.widget.urls", settings.ROOT_URLCONF
    memory()
    page = Widget(driver, live_server.url)
    page.cdp("Emulation.setEmulatedMedia", features=[])
    page.console()
    yield page
    assert page.console() == []
    driver.execute_script("sessionStorage.clear(); localStorage.clear()")
    driver.get("about:blank")
    settings.ROOT_URLCONF = before


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return browser.install_packages(tmp_path_factory.mktemp("node"))
