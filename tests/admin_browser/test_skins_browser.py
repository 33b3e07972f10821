"""Each page of the app under django-unfold and django-simpleui, as wide and light as an operator mostly has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Page, Site, running

FRAMES = {"unfold": "#page #main #content", "simpleui": "#container > #content"}
"""Where the skin has the content of a page."""
OF_ITS_OWN = {"app index"}
"""Pages that django-simpleui replaces: its index leads to the lists and to the overview."""
OUTSIDE = """const parts = [...document.querySelectorAll("#content-main, .smsverify, .smsverify-panel")];
return document.querySelector(arguments[0]) ? parts.filter((part) => !part.closest(arguments[0])).length : 1"""
BARE = """const all = document.querySelectorAll("#content-main :is(input, select, textarea):not(#changelist *)");
return [...all].filter((field) => {
  const style = getComputedStyle(field), kind = field.type;
  return field.checkVisibility() && !["checkbox", "radio", "file", "submit", "button"].includes(kind)
    && style.borderTopWidth === "0px";
}).map((field) => field.name || field.id)"""
"""Fields without a border, which is how a skin shows those that it does not know; the skin's own lists are left out."""


@pytest.fixture(scope="module", params=FRAMES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(request.param, tmp_path_factory.mktemp(request.param)) as started:
        yield started


@pytest.fixture
def page(driver: Any, site: Site) -> Page:
    """A page in Chinese: django-simpleui asks for a file that it lacks in English."""
    found = Page(driver, site)
    found.look(language="zh-hans")
    found.console()
    return found


def problems(page: Page, name: str) -> list[str]:
    """What is wrong with a page of ours."""
    page.open(name)
    found = [f"status {status}"] if (status := page.status()) != 200 else []
    found += [f"{wider} px too wide"] if (wider := page.overflow()) else []
    if name not in OF_ITS_OWN or page.site.name != "simpleui":
        found += ["outside the frame"] if page.run(OUTSIDE, FRAMES[page.site.name]) else []
        found += [f"bare {field}" for field in page.run(BARE)]
    return found + page.console()


def test_every_page_has_the_frame_and_the_fields_of_the_skin(page: Page) -> None:
    own = [name for name in page.site.pages if not name.startswith("django")]

    assert {name: found for name in own if (found := problems(page, name))} == {}


def test_a_list_has_its_links_and_buttons(page: Page) -> None:
    page.open("message list")
    assert "导出" in page.text("#content") or "Export as CSV" in page.text("#content")
    page.open("provider list")
    assert len(page.find_all("#result_list .smsverify-button")) == 4


def test_a_form_has_the_fields_of_the_models(page: Page) -> None:
    """A field that belongs to no model looks as one that does."""
    page.open("provider form")
    look = "return getComputedStyle(document.querySelector(arguments[0])).border"
    assert page.run(look, "#id_credential_secret_id") == page.run(look, "#id_slug")
