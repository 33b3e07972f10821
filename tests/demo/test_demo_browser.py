"""The page in a browser; with REQUIRE_BROWSER, a missing browser is a failure."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .conftest import Demo

WAIT = 20
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")

REQUIRED = bool(os.environ.get("REQUIRE_BROWSER"))
load = import_module if REQUIRED else pytest.importorskip
webdriver = load("selenium.webdriver")
ui = load("selenium.webdriver.support.ui")
exceptions = load("selenium.common.exceptions")
if not ((CHROMIUM and CHROMEDRIVER) or REQUIRED):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

NOT_YET = (IndexError, exceptions.NoSuchElementException, exceptions.StaleElementReferenceException)
CSS = "css selector"
ENTER = "\ue007"
SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync --no-proxy-server "
    "--force-prefers-reduced-motion"
)


class Page:
    """The demo as a visitor sees it."""

    def __init__(self, driver: Any, demo: Demo) -> None:
        self.driver = driver
        self.demo = demo

    def open(self, width: int = 1280, height: int = 900, query: str = "") -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(f"{self.demo.url}{query}")

    def find(self, selector: str) -> Any:
        return self.driver.find_element(CSS, selector)

    def text(self, selector: str) -> str:
        return str(self.find(selector).text)

    def until(self, condition: Callable[[], object]) -> None:
        """Waits until the condition is true; an element that is missing or was redrawn counts as not true."""
        waiting = ui.WebDriverWait(self.driver, WAIT, poll_frequency=0.05, ignored_exceptions=NOT_YET)
        waiting.until(lambda driver: condition())

    def send(self, number: str, purpose: str) -> None:
        field = self.find("#number")
        field.clear()
        field.send_keys(number)
        self.find(f"[name=purpose][value={purpose}]").click()
        self.find("#send button").click()

    def note_after_sending(self, number: str) -> str:
        self.send(number, "login-topthink")
        self.until(lambda: self.text("#send-note"))
        return self.text("#send-note")

    def texts(self, selector: str) -> list[str]:
        """Read in one script, because the page redraws itself."""
        script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.innerText)"
        return list(self.driver.execute_script(script, selector))

    def rows(self) -> list[str]:
        return self.texts("#wire tbody tr")

    def codes(self) -> list[str]:
        return self.texts(".chat button")

    def overflow(self) -> int:
        script = "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
        return int(self.driver.execute_script(script))

    def hosts(self) -> set[str]:
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return {urlsplit(url).netloc for url in urls if url.startswith(("http", "ws"))}

    def browser_log(self) -> list[Any]:
        return list(self.driver.get_log("browser"))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    profile: Path = tmp_path_factory.mktemp("profile")
    for switch in (*SWITCHES.split(), f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.add_experimental_option("prefs", {"intl.accept_languages": "en"})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.binary_location = CHROMIUM or ""
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER)) as started:
        yield started


@pytest.fixture
def page(driver: Any, demo: Demo) -> Page:
    found = Page(driver, demo)
    found.open()
    found.hosts()
    found.browser_log()
    return found


def test_a_code_arrives_is_tapped_and_verifies(page: Page) -> None:
    page.send("13500000001", "login-topthink")
    page.until(lambda: page.find(".suggestion").is_displayed())
    page.until(lambda: "135****0001" in page.text("#send-note"))
    assert "您的验证码是" in page.text(".chat article:last-child")
    assert page.text(".suggestion b") in page.text(".chat article:last-child")
    page.find(".suggestion button").click()
    page.until(lambda: page.find("#verified").is_displayed())
    assert page.text("#verified strong") == "135****0001 is verified"
    assert page.text("#verified .purpose") == "login-topthink"
    assert not page.find(".suggestion").is_displayed()
    page.until(lambda: "TopThink" in page.rows()[0] and "135****0001" in page.rows()[0])
    assert page.hosts() == {urlsplit(page.demo.url).netloc}
    assert page.browser_log() == []


def test_swagger_ui_shows_the_operations_without_another_host(page: Page) -> None:
    page.driver.get(f"{page.demo.url}api/")
    page.until(lambda: len(page.texts(".opblock-summary-path")) == 4)
    assert page.hosts() == {urlsplit(page.demo.url).netloc}
    assert page.browser_log() == []


def test_the_delivery_status_is_shown_without_a_reload(page: Page) -> None:
    page.send("13500000006", "login-topthink")
    page.until(lambda: page.texts(".came .state") == ["Delivered"])
    page.until(lambda: "delivered" in page.rows()[0])
    assert page.text(".composer .closed") == "TopThink passes on no replies."
    assert not page.find(".composer input").is_displayed()
    page.send("13500000008", "login-qixuntong")
    page.until(lambda: page.texts(".came .state") == ["Sent"])
    assert page.text(".composer .closed") == "Qixuntong passes on no replies."
    assert page.browser_log() == []


def test_a_reply_is_typed_and_received(page: Page) -> None:
    assert not page.find(".composer").is_displayed()
    page.send("13500000007", "login-ihuyi")
    page.until(lambda: page.find(".composer input").is_displayed())
    assert not page.find(".composer button").is_enabled()
    page.find(".composer input").send_keys("可以 <b>下单</b> 吗？")
    page.find(".composer button").click()
    page.until(lambda: page.texts(".went p") == ["可以 <b>下单</b> 吗？"])
    assert page.find(".composer input").get_property("value") == ""
    page.find(".composer input").send_keys("退订", ENTER)
    page.until(lambda: page.texts(".went .state") == ["Received by the site"] * 2)
    left, right = (page.find(f".{side} p").rect for side in ("came", "went"))
    assert left["x"] < right["x"]
    page.driver.refresh()
    page.find("#number").clear()
    page.find("#number").send_keys("13500000007")
    page.until(lambda: page.texts(".went p") == ["可以 <b>下单</b> 吗？", "退订"])
    assert page.browser_log() == []


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    number = page.find("#number")
    number.clear()
    number.send_keys("13500000002", ENTER)
    page.until(lambda: page.find("#code").is_enabled() and page.codes())
    page.find("#code").send_keys(page.codes()[-1])
    page.until(lambda: page.find("#verified").is_displayed())
    assert page.driver.switch_to.active_element.text == "Start over"
    page.driver.switch_to.active_element.send_keys(ENTER)
    page.until(lambda: not page.find("#verified").is_displayed())
    assert page.driver.switch_to.active_element.get_attribute("id") == "number"


def test_the_owners_browser_shares_the_code_of_a_second_one(page: Page) -> None:
    number = "13500000011"
    page.send(number, "login-topthink")
    page.until(lambda: page.find(".suggestion").is_displayed())
    page.find(".suggestion button").click()
    page.until(lambda: page.find("#verified").is_displayed())
    assert page.find("a[href='?browser=2']").text == "Second browser"
    for _try in range(5):
        page.open(query="?browser=2")
        page.until(lambda: "Sent to" in page.note_after_sending(number))
        page.open()
        if "has just got an SMS" in page.note_after_sending(number):  # the pause of 10 seconds was not over
            break
    assert page.text("#send-note") == "135****0011 has just got an SMS: its code is valid here, too."
    page.until(lambda: page.find("#code").is_enabled() and page.codes())
    page.find("#code").send_keys(page.codes()[-1])
    page.until(lambda: page.find("#verified").is_displayed())
    assert [entry for entry in page.browser_log() if "429" not in entry["message"]] == []


def test_refusals_show_the_text_of_the_server(page: Page) -> None:
    page.send("13500000003", "login-ihuyi")
    page.until(lambda: page.find("#code").is_enabled() and page.codes())
    right = page.codes()[-1]
    page.find("#code").send_keys("111111" if right != "111111" else "222222")
    page.until(lambda: page.text("#verify-note"))
    assert page.text("#verify-note") == "Wrong code. 4 attempts left. ●●●●"
    assert page.find("#code").get_property("value") == ""
    page.find(".chat article:last-child button").click()
    page.until(lambda: page.find("#verified").is_displayed())


def test_a_wait_is_counted_down_and_the_same_code_is_sent_again(page: Page) -> None:
    page.send("13500000004", "login-apispace")
    page.until(lambda: page.text("#send button").startswith("Again in"))
    assert not page.find("#send button").is_enabled()
    page.until(lambda: page.text("#send button") == "Send again")
    page.find("#send button").click()
    page.until(lambda: len(page.codes()) == 2)
    assert len(set(page.codes())) == 1
    page.driver.refresh()
    page.send("13500000004", "login-apispace")
    page.until(lambda: page.text("#send-note"))
    assert page.text("#send-note").startswith("Too many requests. Please try again in ")
    assert page.text("#send-note").endswith(" s left")
    assert page.text("#send button").startswith("Again in")


def test_a_vendor_can_be_made_to_fail(page: Page) -> None:
    page.find("#trouble summary").click()
    try:
        page.find("#trouble [name=qixuntong] [value=refuses]").click()
        page.send("13500000005", "login-qixuntong")
        page.until(lambda: page.text("#send-note"))
    finally:
        page.find("#trouble [name=qixuntong] [value=works]").click()
    assert page.text("#send-note") == "The SMS could not be sent. Please try again in a moment."
    page.until(lambda: "not sent" in page.rows()[0])


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1280])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.open(width)
    assert page.overflow() == 0
    page.send(f"1350001{width:04}", "login")
    page.until(lambda: page.find(".suggestion").is_displayed())
    page.find("#trouble summary").click()
    page.until(lambda: page.rows())
    assert page.overflow() == 0
    page.find(".suggestion button").click()
    page.until(lambda: page.find("#verified").is_displayed())
    assert page.overflow() == 0
