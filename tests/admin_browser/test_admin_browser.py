"""Each page of the app in Django's admin, wide and narrow, light and dark, in two languages, and what buttons do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from .conftest import Page, Site, running
from .rows import NUMBERS, TAIL

LOOKS = ((1280, "light", "en"), (390, "dark", "zh-hans"), (1280, "dark", "zh-hans"), (390, "light", "en"))
"""Every page is opened in two of them that differ in each point, in turn the first two and the last two: so it is seen
in both widths, both colours and both languages, and every pair of these is seen with many pages."""
WIDER = """const list = document.querySelector("#result_list")?.parentElement;
return list ? list.scrollWidth - list.clientWidth : 0"""
OF_WIDE = """document.querySelectorAll("details").forEach(one => one.open = true);
return [...document.querySelectorAll(".sv-wide")].map(one => one.scrollWidth - one.clientWidth)"""
GAPS = """const box = (plot, part) => plot.querySelector(part).getBoundingClientRect();
return [...document.querySelectorAll(".sv-plot")].map(plot => box(plot, "svg").top - box(plot, ".sv-edge").bottom)"""
HEIGHTS = "return [...document.querySelectorAll('#result_list tbody tr')].map(row => row.offsetHeight)"
PREVIEW = "phone,name\n13800138000,王先生\n13900139000,李女士\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running("plain", tmp_path_factory.mktemp("plain")) as started:
        yield started


@pytest.fixture
def page(driver: Any, site: Site, node_modules: Path) -> Iterator[Page]:
    """A wide and light page in English; it must leave the console clean."""
    found = Page(driver, site, node_modules)
    found.look()
    found.console()
    yield found
    assert found.console() == []


def problems(page: Page, name: str, known: set[str]) -> list[str]:
    """What is wrong with a page, apart from what axe-core finds on Django's own, too."""
    page.open(name)
    found = [f"status {status}"] if (status := page.status()) != 200 else []
    found += [f"{wider} px too wide"] if (wider := page.overflow()) else []
    return found + sorted(page.axe() - known) + page.console()


@pytest.mark.parametrize("place", range(4), ids=["-".join(map(str, look)) for look in LOOKS])
def test_every_page_is_as_good_as_those_of_django(place: int, page: Page) -> None:
    page.look(*LOOKS[place])
    names = list(page.site.pages)
    own = [name for name in names if not name.startswith("django")][place // 2 :: 2]
    known: set[str] = set()
    for name in (name for name in names if name.startswith("django")):
        page.open(name)
        known |= page.axe()

    assert {name: found for name in own if (found := problems(page, name, known))} == {}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_list_fits_a_laptop_with_one_line_a_row(language: str, page: Page) -> None:
    page.look(language=language)
    page.open("new secret")  # from now on the key in the list has an older secret
    hidden, tall = {}, {}
    for name in (name for name in page.site.pages if name.endswith(" list") and not name.startswith("django")):
        page.open(name)
        hidden[name] = page.run(WIDER)
        if name != "provider list":  # its rows have a button
            tall[name] = max(page.run(HEIGHTS), default=0)

    assert {name: pixels for name, pixels in hidden.items() if pixels} == {}
    assert {name: pixels for name, pixels in tall.items() if pixels >= 50} == {}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_tables_of_figures_fit_a_laptop_beside_the_navigation(language: str, page: Page) -> None:
    page.look(language=language)
    today = timezone.localdate()
    period = f"start={today.replace(day=1)}&end={today}"
    costs = f"{page.site.pages['message_costs']}?{period}"
    hidden = {}
    for name in ("overview", "scorecard", f"{costs}&by=provider", f"{costs}&by=provider&by=purpose&by=day"):
        page.open(name)
        assert page.find("#nav-sidebar").size["width"] > 250
        hidden[name] = page.run(OF_WIDE)

    assert all(hidden.values()), "each page has such a table"
    assert {name: pixels for name, pixels in hidden.items() if any(pixels)} == {}


def test_the_label_of_a_charts_upper_edge_lies_on_no_column(page: Page) -> None:
    page.open("overview")
    gaps = page.run(GAPS)

    assert len(gaps) == 4
    assert min(gaps) >= 0


class TestProvider:
    def test_it_is_switched_off_and_on_in_the_list(self, page: Page) -> None:
        page.open("provider list")
        row = "//tr[.//a[text()='互亿无线']]"
        for words, then in (("Switch off", "is switched off"), ("Switch on", "is switched on")):
            page.press_in(row, words)
            assert f"互亿无线 {then}" in page.text(".messagelist")

    def test_it_is_tested(self, page: Page) -> None:
        page.open("provider page")
        page.press('[action$="/test/"] button')
        assert page.text("h1 + p").startswith("No SMS was sent")
        assert len(page.find_all(".smsverify tbody tr")) > 5
        page.press_link("Back to the provider")
        assert page.find(".smsverify-panel").is_displayed()

    def test_a_button_asks_before_what_was_typed_is_lost(self, page: Page) -> None:
        page.open("provider page")
        page.find("#id_name").send_keys("二号")
        page.find("#smsverify-test").click()
        question = page.driver.switch_to.alert
        assert "not saved yet" in question.text
        question.dismiss()
        assert page.find("#id_name").get_property("value").endswith("二号")
        page.open("provider list")

    def test_its_circuit_is_closed(self, page: Page) -> None:
        page.open("failing provider")
        assert "circuit open" in page.text(".smsverify-now")
        page.press('[action$="/close_circuits/"] button')
        assert "The next SMS may go there." in page.text(".messagelist")
        assert "circuit open" not in page.text(".smsverify-now")

    def test_its_webhook_is_copied_and_its_secret_renewed(self, page: Page) -> None:
        page.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        page.open("provider page")
        before = page.find("#smsverify-webhook").get_property("value")
        page.find("[data-smsverify-copy]").click()
        page.until(lambda: page.text("[data-smsverify-copy]") == "Copied")
        assert page.run("return navigator.clipboard.readText()") == before
        page.press('[action$="/rotate_secret/"] button')
        assert "Register the new one with the vendor" in page.text(".messagelist")
        assert page.find("#smsverify-webhook").get_property("value") != before
        page.press('[action$="/retire_secret/"] button')
        assert "Only the newest webhook secrets work now." in page.text(".messagelist")

    def test_a_new_one_begins_with_its_gateway(self, page: Page) -> None:
        page.open("provider add")
        page.press('[value="aliyun"]')
        assert page.find("[name$=access_key_id]").is_displayed()


class TestList:
    def test_a_number_is_found_by_its_last_four_digits(self, page: Page) -> None:
        page.open("message list")
        page.find("#searchbar").send_keys(TAIL[-4:])
        page.press("#changelist-search [type=submit]")
        assert {cell.text for cell in page.find_all(".field-masked_phone")} == {"139****8765"}

    def test_a_span_of_days(self, page: Page) -> None:
        page.open("filtered list")
        day = f"{timezone.localdate() - timedelta(days=2):%Y-%m-%d}"
        for name in ("gte", "lte"):
            script = "document.querySelector(arguments[0]).value = arguments[1]"
            page.run(script, f".smsverify-span [name=created_at__{name}]", day)
        page.press(".smsverify-span button")
        days = {cell.text[:10] for cell in page.find_all("#result_list .field-created_at")}
        assert days <= {day}
        assert page.find(".smsverify-span [name=created_at__gte]").get_property("value") == day
        assert {cell.text for cell in page.find_all(".smsverify-state")} <= {"delivered"}

    def test_it_is_exported_as_it_is_filtered(self, page: Page) -> None:
        page.open("filtered list")
        rows = page.download("Export as CSV")
        assert len(rows) > 100
        assert {row["Status"] for row in rows} == {"delivered"}

    def test_a_number_is_shown_on_request_alone(self, page: Page) -> None:
        page.open("message page")
        assert not re.search(r"\+86\d{11}", page.driver.page_source)
        page.press(".smsverify-tool button")
        assert re.fullmatch(r"\+86\d{11}", page.text(".smsverify-number"))

    def test_a_number_is_blocked(self, page: Page) -> None:
        page.open("listentry add")
        page.run("document.querySelector('#id_kind').value = 'number'")
        page.run("document.querySelector('#id_action').value = 'block'")
        page.find("#id_subjects").send_keys("13700137000")
        page.press("[name=_save]")
        assert "1 entry is stored." in page.text(".messagelist")
        assert "137****7000" in page.text("#result_list")


class TestPages:
    def test_the_scorecard_is_downloaded_for_one_vendor(self, page: Page) -> None:
        page.open("scorecard")
        rows = page.download("CSV for the vendor")
        assert rows
        assert len(rows) < len(page.download("CSV of all providers"))

    def test_costs_by_day(self, page: Page) -> None:
        page.open("message_costs")
        page.find("[name=by][value=day]").click()
        page.press(".sv-form button.primary")
        assert [head.text for head in page.find_all(".smsverify thead th")][:3] == ["Provider", "Name", "Day"]
        assert page.find(".smsverify tfoot").is_displayed()

    def test_the_overview_of_a_month(self, page: Page) -> None:
        page.open("overview")
        page.press_link("30 days")
        assert page.text("[aria-current=true]") == "30 days"
        assert len(page.find_all(".sv-chart svg")) == 4

    def test_why_no_code_came(self, page: Page) -> None:
        page.open("explain")
        page.find("[name=whom]").send_keys(TAIL[-4:])
        page.press(".sv-form button")
        assert "139****8765" in page.text("h2")

    def test_a_person_is_forgotten_after_a_question(self, page: Page) -> None:
        number = NUMBERS[0]
        page.open("recipient_person")
        page.find("[name=phone]").send_keys(number[3:])
        page.press("form button.primary")
        page.press('[action$="/forget/"] button')
        assert "is forgotten for good" in page.text(".smsverify")
        page.press(".danger")
        assert f"{number[3:6]}****{number[-4:]} is forgotten." in page.text(".messagelist")

    def test_a_notice_to_many_is_shown_before_it_is_sent(self, page: Page) -> None:
        page.open("send to many")
        page.run("document.querySelector('[name=lines]').value = arguments[0]", PREVIEW)
        page.press("button.primary")
        assert page.text(".smsverify table tr") == "Numbers 2"
        assert "王先生" in page.text(".smsverify")
        page.press("button.primary")
        assert "2 numbers are queued." in page.text(".messagelist")
