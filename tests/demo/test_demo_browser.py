"""The four scenes in a browser, from the first click to the end, and what is around them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import browser
from tests.browser import ENTER, TAB, load, problems_found_by_axe

from .conftest import VENDORS, Demo

WAIT = 30
CSS = "css selector"
PASSWORD = "long-enough-1"
DEEP = "let at = document.activeElement; while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;"
LOGS = {"browser": "ALL", "performance": "ALL"}


class Page:
    """The demo as a visitor sees it."""

    def __init__(self, driver: Any, demo: Demo) -> None:
        self.driver = driver
        self.demo = demo
        self.exceptions = load("selenium.common.exceptions")
        self.keys = load("selenium.webdriver").ActionChains

    def open(self, path: str = "", width: int = 1280, scheme: str = "light") -> None:
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)
        self.driver.get(f"{self.demo.url}{path}")
        self.until(lambda: self.path)

    def cdp(self, command: str, **options: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, options)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(CSS, selector)

    def text(self, selector: str) -> str:
        return str(self.find(selector).text)

    def part(self, name: str, widget: str = "sms-verify") -> Any:
        """A part of the widget."""
        return self.run(
            "return document.querySelector(arguments[0]).shadowRoot.getElementById(arguments[1])", widget, name
        )

    def until(self, condition: Callable[[], object]) -> None:
        """Waits until the condition is true; what is missing, or was redrawn, counts as not true."""
        missing = ("JavascriptException", "NoSuchElementException", "StaleElementReferenceException")
        ignored = (IndexError, AttributeError, *(getattr(self.exceptions, name) for name in missing))
        waiting = load("selenium.webdriver.support.ui").WebDriverWait(self.driver, WAIT, 0.05, ignored)
        waiting.until(lambda driver: condition())

    def until_at(self, path: str) -> None:
        self.until(lambda: self.path == path)

    @property
    def path(self) -> str:
        """Where a page is that has all its scripts; empty while one is loading."""
        is_ready = "return document.readyState === 'complete'"
        return urlsplit(self.driver.current_url).path if self.run(is_ready) else ""

    def press_send(self, number: str, widget: str = "sms-verify") -> None:
        self.until(lambda: self.part("send", widget).is_displayed())
        field = self.part("number", widget)
        if field.get_property("value") != number:
            field.clear()
            field.send_keys(number)
        self.part("send", widget).click()

    def ask_for_code(self, number: str, widget: str = "sms-verify") -> None:
        """Asks for a code, once more after the pause where the number has just got another one."""
        self.press_send(number, widget)
        if not self.is_asked(widget):
            self.part("send", widget).click()

    def type_number(self, number: str, widget: str = "sms-verify") -> None:
        """The same by keyboard, where the field for the number has the focus; without a number it has one already."""
        self.press(number + ENTER)
        if not self.is_asked(widget):
            self.press(ENTER)

    def is_asked(self, widget: str) -> bool:
        """Waits until a code is asked for; if it was refused, until it may be asked for again."""
        self.until(lambda: self.part("code", widget).is_displayed() or self.part("error", widget).text)
        self.until(
            lambda: (
                self.part("code", widget).is_displayed()
                or self.part("send", widget).get_attribute("aria-disabled") != "true"
            )
        )
        return bool(self.part("code", widget).is_displayed())

    def tap(self, number: str, sms: int = 1) -> None:
        """Waits for that many SMS, and taps on the newest code."""
        self.until(lambda: self.text(".owner").replace(" ", "") == number and len(self.codes()) >= sms)
        self.until(lambda: self.find(".suggestion").is_displayed())
        self.find(".suggestion button").click()

    def texts(self, selector: str) -> list[str]:
        """Read in one script, because the page redraws itself."""
        script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.innerText)"
        return list(self.run(script, selector))

    def codes(self) -> list[str]:
        return self.texts(".chat button")

    def rows(self) -> list[str]:
        return self.texts("#wire tbody tr")

    def overflow(self) -> int:
        return int(
            self.run("const {scrollWidth, clientWidth} = document.documentElement; return scrollWidth - clientWidth")
        )

    def tab_to(self, name: str) -> None:
        """Presses Tab until the element with this id or name has the focus."""
        for _press in range(40):
            self.press(TAB)
            if self.run(f"{DEEP} return [at.id, at.name, at.className].includes(arguments[0])", name):
                return
        pytest.fail(f"{name} is not reached by Tab")

    def press(self, keys: str) -> None:
        self.keys(self.driver).send_keys(keys).perform()

    def type_code(self, number: str, sms: int = 1) -> None:
        """Waits until a code is asked for and there, and types it, by keyboard."""
        self.until(lambda: self.run(f"{DEEP} return at.id") == "code")
        self.until(lambda: self.text(".owner").replace(" ", "") == number and len(self.codes()) >= sms)
        self.press(self.codes()[-1])

    def hosts(self) -> set[str]:
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return {urlsplit(url).netloc for url in urls if url.startswith(("http", "ws"))}

    def console(self) -> list[str]:
        """What the browser logged, but for answers that refuse something."""
        messages = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in messages if "Failed to load resource" not in message]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    profile: Path = tmp_path_factory.mktemp("profile")
    with browser.started(profile, "--force-prefers-reduced-motion", logs=LOGS) as started:
        yield started


@pytest.fixture
def page(driver: Any, demo: Demo) -> Iterator[Page]:
    """A page of a browser that remembers nothing, with vendors that work; it loads nothing from elsewhere."""
    found = Page(driver, demo)
    found.open("login/")
    found.hosts()
    found.console()
    yield found
    console, hosts = found.console(), found.hosts()
    driver.execute_script("sessionStorage.clear(); localStorage.clear()")
    driver.delete_all_cookies()
    for vendor in VENDORS:
        demo.post("trouble/", {"vendor": vendor, "mood": "works"})
    assert (console, hosts) == ([], {urlsplit(demo.url).netloc})


# ---------------------------------------------------------------------------------- the scenes


def log_in_by_mouse(page: Page, number: str) -> None:
    page.ask_for_code(number)
    page.tap(number)


def log_in_by_keyboard(page: Page, number: str) -> None:
    page.tab_to("number")
    page.type_number(number)
    page.type_code(number)


def reset_by_mouse(page: Page, number: str) -> None:
    page.ask_for_code(number)
    page.tap(number, 2)
    page.until(lambda: page.part("verified").is_displayed())
    page.find("[name=password]").send_keys(PASSWORD)
    page.find("form .primary").click()


def reset_by_keyboard(page: Page, number: str) -> None:
    page.tab_to("number")
    page.type_number(number)
    page.type_code(number, 2)
    page.until(lambda: page.part("verified").is_displayed())
    page.tab_to("password")
    page.press(PASSWORD + ENTER)


def pay_by_mouse(page: Page, number: str) -> None:
    page.ask_for_code(number)
    page.tap(number, 2)
    page.until(lambda: page.part("verified").is_displayed())
    page.find("form .primary").click()


def pay_by_keyboard(page: Page, number: str) -> None:
    page.tab_to("number")
    page.type_number("")
    page.type_code(number, 2)
    page.until(lambda: page.part("verified").is_displayed())
    page.tab_to("primary")
    page.press(ENTER)


def change_by_mouse(page: Page, number: str) -> None:
    old, new = "sms-verify[name=old]", "sms-verify[name=new]"
    page.ask_for_code(number, old)
    page.tap(number, 2)
    page.until(lambda: page.part("verified", old).is_displayed())
    page.ask_for_code(another(number), new)
    page.tap(another(number))
    page.until(lambda: page.part("verified", new).is_displayed())
    page.find("form .primary").click()


def change_by_keyboard(page: Page, number: str) -> None:
    old, new = "sms-verify[name=old]", "sms-verify[name=new]"
    page.tab_to("number")
    page.type_number("", old)
    page.type_code(number, 2)
    page.until(lambda: page.part("verified", old).is_displayed())
    page.tab_to("number")
    page.type_number(another(number), new)
    page.type_code(another(number))
    page.until(lambda: page.part("verified", new).is_displayed())
    page.tab_to("primary")
    page.press(ENTER)


def another(number: str) -> str:
    """The number that an account changes to."""
    return f"{number[:3]}9{number[4:]}"


SCENES = {
    "login": (log_in_by_mouse, log_in_by_keyboard),
    "reset": (reset_by_mouse, reset_by_keyboard),
    "pay": (pay_by_mouse, pay_by_keyboard),
    "number": (change_by_mouse, change_by_keyboard),
}
DONE = {
    "login": ("You are logged in: {}", "已登录：{}"),
    "reset": ("Your password is set, and you are logged in.", "新密码已生效，您已登录。"),
    "pay": ("is paid: ¥128.00.", "已支付：¥128.00。"),
    "number": ("Your number is now {}.", "您的手机号现在是 {}。"),
}
NUMBERS = {(scene, way): f"1350000{place}{way:03}" for place, scene in enumerate(SCENES) for way in (0, 1)}
WAYS = [(1280, "light", "en"), (320, "dark", "zh-hans")]


@pytest.fixture(scope="session")
def members(demo: Demo) -> dict[tuple[str, int], str]:
    """Who has an account already, with the cookie of a session; all at once, as a number gets an SMS in ten seconds."""
    return {key: demo.session_of(number) for key, number in NUMBERS.items() if key[0] != "login"}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("way", [0, 1], ids=["mouse-1280-light-en", "keyboard-320-dark-zh"])
def test_a_scene_from_the_first_click_to_its_end(
    scene: str, way: int, page: Page, members: dict[tuple[str, int], str], node_modules: Path
) -> None:
    width, scheme, language = WAYS[way]
    number = NUMBERS[scene, way]
    page.driver.add_cookie({"name": "django_language", "value": language})
    if scene in ("pay", "number"):  # as somebody who has just logged in, in this browser
        page.driver.add_cookie({"name": "sessionid", "value": members[scene, way]})
    page.open(f"{scene}/", width, scheme)
    page.until(lambda: page.part("number").is_displayed())
    assert problems_found_by_axe(page.driver, node_modules) == []
    assert page.overflow() == 0

    SCENES[scene][way](page, number)

    page.until_at("/account/")
    phone = another(number) if scene == "number" else number
    assert DONE[scene][way].format(f"{phone[:3]}****{phone[7:]}") in page.text(".scene")
    page.until(lambda: page.rows() and page.texts(".entries li"))
    assert problems_found_by_axe(page.driver, node_modules) == []
    assert page.overflow() == 0
    assert page.run("return getComputedStyle(document.documentElement).colorScheme") == "light dark"


# ---------------------------------------------------------------------------------- what may come between


def test_a_reload_loses_nothing_that_is_on_its_way(page: Page) -> None:
    page.ask_for_code("13510000001")
    page.until(lambda: page.part("code").is_displayed())
    page.driver.refresh()
    page.until(lambda: page.part("code").is_displayed())
    assert page.part("number").get_property("value") == "13510000001"
    page.tap("13510000001")
    page.until_at("/account/")


def test_a_whole_sms_is_pasted_after_a_wrong_code(page: Page) -> None:
    page.ask_for_code("13510000002")
    page.until(lambda: page.part("code").is_displayed() and page.codes())
    right = page.codes()[-1]
    page.part("code").send_keys("111111" if right != "111111" else "222222")
    page.until(lambda: page.part("error").text)
    assert page.part("error").text == "Wrong code. 4 attempts left."
    page.run(
        "const data = new DataTransfer(); data.setData('text/plain', arguments[1]);"
        "arguments[0].dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, cancelable: true}))",
        *(page.part("code"), page.texts(".came p")[-1]),
    )
    page.until_at("/account/")


def test_a_number_that_has_just_got_an_sms_waits(page: Page) -> None:
    page.demo.session_of("13510000003")
    page.press_send("13510000003")
    page.until(lambda: page.part("error").text)
    assert "Too many requests" in page.part("error").text
    page.until(lambda: page.part("send").text == "Send code")
    page.part("send").click()
    page.tap("13510000003", 2)
    page.until_at("/account/")


def test_a_vendor_that_is_down_is_passed_over(page: Page) -> None:
    page.demo.post("trouble/", {"vendor": "tencent", "mood": "refuses"})
    page.ask_for_code("13510000004")
    page.tap("13510000004")
    page.until_at("/account/")
    page.until(lambda: "Aliyun" in page.rows()[0])
    page.until(lambda: "took another way" in page.texts(".entries li")[0])


def test_all_vendors_are_down_and_then_work_again(page: Page) -> None:
    for vendor in VENDORS:
        page.demo.post("trouble/", {"vendor": vendor, "mood": "refuses"})
    page.press_send("13510000005")
    page.until(lambda: page.part("error").text)
    assert page.part("error").text == "The SMS could not be sent. Please try again in a moment."
    for vendor in VENDORS:
        page.demo.post("trouble/", {"vendor": vendor, "mood": "works"})
    page.ask_for_code("13510000005")
    page.tap("13510000005")
    page.until_at("/account/")


def test_a_visitor_kills_a_vendor_for_one_carrier(page: Page) -> None:
    page.find("#trouble summary").click()
    page.find("#trouble [name=tencent] [value=dead-at-mobile]").click()
    page.ask_for_code("13510000006")
    told = ("The code was sent to 135****0006 again, another way.", "The SMS was delivered to 135****0006.")
    page.until(lambda: page.part("status").text in told)
    page.tap("13510000006")
    page.until_at("/account/")
    page.until(lambda: ["Aliyun" in row for row in page.rows()[:2]] == [True, False])
    page.until(lambda: "signature" in page.texts(".entries li")[1])
    page.until(lambda: len(page.codes()) == 1)


def test_what_was_not_delivered_is_told(page: Page) -> None:
    page.demo.post("trouble/", {"vendor": "tencent", "mood": "fails"})
    page.ask_for_code("13510000007")
    page.until(lambda: page.part("error").text)
    assert page.part("error").text.startswith("The SMS to 135****0007 could not be delivered.")
    page.until(lambda: page.texts(".came .state") == ["Not delivered"])


def test_without_a_network_nothing_is_lost(page: Page) -> None:
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.cdp("Network.enable")
    page.cdp("Network.emulateNetworkConditions", offline=True, **offline)
    page.press_send("13510000008")
    page.until(lambda: page.part("error").text)
    assert page.part("error").text == "No connection. Check the network, then try again."
    page.until(lambda: page.text(".pulse") == "Stopped")
    page.cdp("Network.emulateNetworkConditions", offline=False, **offline)
    page.part("send").click()
    page.tap("13510000008")
    page.until_at("/account/")
    page.until(lambda: page.text(".pulse") == "Live" and len(page.codes()) == 1)


# ---------------------------------------------------------------------------------- what is around


def test_a_newcomer_takes_the_number_that_is_offered(page: Page) -> None:
    page.find(".take").click()
    assert page.part("number").get_property("value") == "13800138000"
    page.until(lambda: page.text(".owner") == "138 0013 8000")
    page.until(lambda: "China Mobile" in page.text(".present"))


def test_a_password_that_was_set_logs_in(page: Page) -> None:
    page.demo.session_of("13510000009")
    page.open("reset/")
    reset_by_mouse(page, "13510000009")
    page.until_at("/account/")
    page.find(".scene .plain").click()
    page.until_at("/login/")
    page.find(".scene a").click()
    page.until_at("/login/password/")
    page.find("[name=username]").send_keys("135 1000 0009")
    page.find("[name=password]").send_keys(PASSWORD, ENTER)
    page.until_at("/account/")


def test_a_bad_password_leaves_the_number_verified(page: Page) -> None:
    page.demo.session_of("13510000012")
    page.open("reset/")
    page.ask_for_code("13510000012")
    page.tap("13510000012", 2)
    page.until(lambda: page.part("verified").is_displayed())
    page.find("[name=password]").send_keys("short", ENTER)
    page.until(lambda: "too short" in page.text(".scene"))
    assert page.part("verified").text == "135****0012 is verified"
    page.find("[name=password]").send_keys(PASSWORD, ENTER)
    page.until_at("/account/")


def test_the_next_account_in_the_browser_begins_anew(page: Page) -> None:
    first, second = "13510000013", "13510000014"
    for number in (first, second):
        page.driver.add_cookie({"name": "sessionid", "value": page.demo.session_of(number)})
        page.open("pay/")
        page.until(lambda: page.part("send").is_displayed())
        assert page.part("number").get_property("value") == number
        if number == first:
            page.ask_for_code(number)
            page.tap(number, 2)
            page.until(lambda: page.part("verified").is_displayed())


def test_the_delivery_status_is_shown_without_a_reload(page: Page) -> None:
    page.demo.send("13510000010", "login-topthink")
    page.part("number").send_keys("13510000010")
    page.until(lambda: page.texts(".came .state") == ["Delivered"])
    page.until(lambda: "delivered" in page.rows()[0])
    assert page.text(".composer .closed") == "TopThink passes on no replies."
    assert not page.find(".composer input").is_displayed()


def test_a_reply_is_typed_and_received(page: Page) -> None:
    assert not page.find(".composer").is_displayed()
    page.demo.send("13510000011", "login-ihuyi")
    page.part("number").send_keys("13510000011")
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
    page.until(lambda: page.texts(".went p") == ["可以 <b>下单</b> 吗？", "退订"])


def test_swagger_ui_shows_the_operations(page: Page) -> None:
    page.open("api/")
    page.until(lambda: len(page.texts(".opblock-summary-path")) == 4)


@pytest.mark.parametrize("width", [390, 768, 1024])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.open("login/", width)
    assert page.overflow() == 0
    page.ask_for_code(f"1352000{width:04}")
    page.until(lambda: page.find(".suggestion").is_displayed())
    page.find("#trouble summary").click()
    page.until(lambda: page.rows())
    assert page.overflow() == 0
