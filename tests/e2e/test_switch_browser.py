"""The kill switch in a real browser, under the policy, wide and narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = sites.BROWSER


@pytest.fixture
def page(sized_page: Page) -> Page:
    return sized_page


def test_trading_is_halted_with_a_reason_and_resumed_with_another(page: Page) -> None:
    page.locator("summary", has_text="Halt").click()
    halt = page.get_by_role("button", name="Halt trading")
    halt.click()
    assert page.locator(".banner").inner_text() == "PAPER · RUNNING"  # no reason, nothing sent

    page.get_by_label("Reason, kept and shown").fill("prices look odd")
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]  # type: ignore[index]
    halt.click()
    page.get_by_text("Trading is halted.").wait_for()
    assert page.locator(".banner").inner_text() == "PAPER · HALTED"
    assert page.locator(".why").inner_text() == "prices look odd"
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]  # type: ignore[index]

    page.locator("summary", has_text="Halt").click()
    page.get_by_label("Reason, kept and shown").fill("they are right")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Trading is running.").wait_for()
    assert page.locator(".banner").inner_text() == "PAPER · RUNNING"


def test_escape_and_a_click_elsewhere_close_the_switch(page: Page) -> None:
    form = page.locator(".switch form")
    page.locator("summary", has_text="Halt").click()
    assert form.is_visible()
    page.keyboard.press("Escape")
    assert form.is_hidden()
    page.locator("summary", has_text="Halt").click()
    page.get_by_role("heading", name="Equity").click()
    assert form.is_hidden()
