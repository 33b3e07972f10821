"""Stories of the admin in a browser, on a laptop and on a phone, after codes were really asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import browser

from .conftest import Demo
from .test_demo_browser import LOGS, Page

NUMBERS = ("13800138041", "15912345642", "18612345643")
MODES = [("zh-CN", 1280, "light"), ("en", 390, "dark")]


@pytest.fixture(scope="module")
def asked(demo: Demo) -> Demo:
    """Codes for some numbers, one of them twice, so that one request is refused."""
    for number in (*NUMBERS, NUMBERS[0]):
        demo.send(number)
    for number in NUMBERS:
        demo.until_status("delivered", number)
    return demo


@pytest.fixture(params=MODES, ids=lambda mode: "-".join(map(str, mode)))
def operator(request: pytest.FixtureRequest, tmp_path: Path, asked: Demo) -> Iterator[tuple[Page, int, str]]:
    """The browser of somebody who has logged in; at the end its console is empty."""
    language, width, scheme = request.param
    with browser.started(tmp_path, f"--lang={language}", logs=LOGS, languages=language) as driver:
        page = Page(driver, asked)
        page.open("admin/login/?next=/admin/", width, scheme)
        page.find("[name=username]").send_keys("admin")
        page.find("[name=password]").send_keys(asked.password)
        page.find("[type=submit]").click()
        page.until_at("/admin/")
        yield page, width, scheme
        assert page.console() == []


def test_a_story_is_read_from_the_list_and_the_number_is_shown_on_request(operator: tuple[Page, int, str]) -> None:
    page, width, scheme = operator
    page.open(f"admin/smsverify/message/?q={NUMBERS[0][-4:]}", width, scheme)
    page.find("#result_list tbody th a").click()
    page.until(lambda: page.path and page.find(".smsverify-story"))

    assert page.overflow() == 0
    assert len(page.texts(".smsverify-story li")) >= 4
    assert not page.find("[class*=collapse] .form-row").is_displayed()
    assert NUMBERS[0] not in page.driver.page_source
    page.find(".smsverify-tool button").click()
    page.until(lambda: page.path and page.find(".smsverify-number"))
    assert page.text(".smsverify-number") == f"+86{NUMBERS[0]}"
    assert page.overflow() == 0
