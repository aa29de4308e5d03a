"""A telephone 360 px wide, and words as long as they come: no page is wider than the screen, whatever is opened on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites
from tests.e2e.screenshots import INSIDE, PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = sites.BROWSER

LONG = "pair_max_correlation_of_watched_symbols"
FILL = f"from tests.integration.test_pages_render import say_everywhere; say_everywhere({LONG!r}, now)"
FILTERED = (f"/trades/?symbol={LONG}", f"/signals/?symbol={LONG}", f"/parameters/?q={LONG}")
"""Where the filters stand open, and with them the menu of views."""
OPEN = "for (const each of document.querySelectorAll('main details')) each.open = true"
BEYOND = """() => [...document.querySelectorAll("main *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".scroll, pre, svg, .hidden, .chart"))
    .map((each) => each.outerHTML.slice(0, 120))"""
WIDTH = 360


@pytest.fixture(scope="module")
def site() -> Iterator[sites.Site]:
    with sites.serve() as running:
        running.do("from tests import page_factories; page_factories.fill(now); " + FILL)
        yield running


def test_no_page_is_wider_than_a_telephone(browser: Browser, site: sites.Site) -> None:
    page = browser.new_page(viewport={"width": WIDTH, "height": 780})
    page.goto(site.url)
    sites.log_in(page)
    paths = [*PAGES.values(), *FILTERED]
    for path in INSIDE.values():
        page.goto(site.url + path)
        paths += [str(row.get_attribute("data-href")) for row in page.locator("tr[data-href]").all()[:2]]
    wide = {}
    for path in paths:
        page.goto(site.url + path)
        page.evaluate(OPEN)
        if page.evaluate("document.documentElement.scrollWidth") > WIDTH or page.evaluate(BEYOND):
            wide[path] = page.evaluate(BEYOND)[:3]

    assert wide == {}
