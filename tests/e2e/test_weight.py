"""How heavy and how quick a page is: bytes that a cold cache fetches, and when the overview can be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites
from tests.e2e.screenshots import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = sites.BROWSER
MOST_BYTES = 400_000
"""Of a page with everything that it asks for, as it comes over the wire; the target of the design."""
HEAVY = ("/", "/chart/", "/performance/", "/parameters/change/", "/trades/1/")
FETCHED = """() => performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
    .reduce((sum, entry) => sum + entry.transferSize, 0)"""


@pytest.fixture
def context(browser: Browser, overview_site: sites.Site) -> Iterator[BrowserContext]:
    with sites.session(browser, overview_site) as context:
        yield context


@pytest.mark.parametrize("path", HEAVY)
def test_a_page_is_light_on_a_cold_cache(context: BrowserContext, overview_site: sites.Site, path: str) -> None:
    page = context.new_page()
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    client.send("Network.setCacheDisabled", {"cacheDisabled": True})

    page.goto(overview_site.url + path)
    page.locator("#live[data-state=live]").wait_for()

    assert 10_000 < page.evaluate(FETCHED) < MOST_BYTES


def test_every_place_that_draws_is_weighed() -> None:
    assert set(HEAVY) - {"/trades/1/"} <= set(PAGES.values())
