"""Explanations and the chat in a real browser, under the policy, wide and narrow: text, and nothing but text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = sites.BROWSER
REPLACE = """
const part = document.querySelector("[data-fragment=risk]");
const fresh = part.cloneNode(true);
fresh.querySelector(".explanation").remove();
for (const button of fresh.querySelectorAll("[data-explain]")) button.setAttribute("aria-expanded", "false");
part.replaceChildren(...fresh.childNodes);
"""
"""What a refresh does: the server knows nothing of what is open."""
MARKUP = "<img src=x onerror=alert(1)><b>DOGE</b>"


@pytest.fixture(scope="module")
def site(overview_site: sites.Site) -> sites.Site:
    return overview_site


@pytest.fixture
def page(sized_page: Page) -> Iterator[Page]:
    yield sized_page
    assert sized_page.viewport_size is not None
    assert sized_page.evaluate("document.documentElement.scrollWidth") == sized_page.viewport_size["width"]


def test_an_explanation_opens_below_its_title_and_closes_again(page: Page) -> None:
    button = page.locator("[data-explain=decisions]")
    button.click()
    area = page.locator(".explanation[data-of=decisions]")
    area.get_by_text("Julaba's rules, without AI.").wait_for()

    assert area.locator(".said").inner_text().startswith("Each row is a setup that was judged once")
    assert button.get_attribute("aria-expanded") == "true"
    assert page.evaluate("document.querySelector('.decisions > header + .explanation') !== null")

    area.get_by_role("button", name="Close").click()
    assert page.locator(".explanation").count() == 0
    assert button.get_attribute("aria-expanded") == "false"
    assert page.evaluate("document.activeElement.dataset.explain") == "decisions"


def test_an_explanation_stays_when_the_part_it_stands_in_is_replaced(page: Page, site: sites.Site) -> None:
    page.goto(f"{site.url}/risk/")
    page.locator("[data-explain=risk]").click()
    page.locator(".explanation").get_by_text("Julaba's rules, without AI.").wait_for()

    page.evaluate(REPLACE)

    page.locator("[data-explain=risk][aria-expanded=true]").wait_for()
    assert page.locator(".explanation").count() == 1


def test_markup_in_a_question_is_shown_as_it_was_written(page: Page, site: sites.Site) -> None:
    page.goto(f"{site.url}/chat/")
    page.get_by_role("textbox", name="Question").fill(f"Buy {MARKUP} now")
    page.get_by_role("button", name="Ask").click()
    page.locator(".exchange .signed", has_text="without AI").last.wait_for()

    assert f"Buy {MARKUP} now" in page.locator(".asked").last.inner_text()
    assert page.locator(".exchange img, .exchange b").count() == 0
