"""Every page for everybody: axe finds nothing serious in either theme, nothing scrolls sideways, the browser complains of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from dashboard.places import PLACES
from tests.e2e import site as sites
from tests.e2e.screenshots import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = sites.BROWSER

INSIDE = ("/trades/1/", "/trades/14/", "/signals/1/", "/backtests/1/", "/account/")
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
ONCE = "/positions/"
"""Where the frame is looked at as well; it is the same on every page."""
ALIKE = [["tbody tr:nth-child(n+6)"], ["tr.sub"], ["option"]]
"""Rows beyond the first ones are made by the same template: a thousand of them take a minute and tell nothing new."""
FRAME = [["nav.side"], ["header.top"], ["dialog"]]
SHORT = {"/parameters/": "/parameters/?q=risk"}
PARTS = 4


@pytest.fixture(scope="module")
def site(full_site: sites.Site) -> sites.Site:
    return full_site


@pytest.fixture(scope="module")
def complaints() -> list[str]:
    return []


@pytest.fixture(scope="module")
def page(browser: Browser, site: sites.Site, complaints: list[str]) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(site.url)
    sites.log_in(page)
    yield page
    page.close()


def found(page: Page, options: dict[str, Any], *, frame: bool) -> list[str]:
    """Return what axe holds against the page as it is now, of serious and critical impact."""
    from axe_playwright_python.sync_playwright import Axe

    context = {"include": [["html"]], "exclude": ALIKE if frame else [*ALIKE, *FRAME]}
    violations = Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{each['id']}: {', '.join(str(node['target']) for node in each['nodes'][:3])}"
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]


def test_every_place_of_the_navigation_is_walked() -> None:
    assert {place.url for _, members in PLACES for place in members} <= set(PAGES.values())


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_can_be_used_by_everybody(page: Page, site: sites.Site, complaints: list[str], part: int) -> None:
    wrong: dict[str, list[str]] = {}
    for path in (*PAGES.values(), *INSIDE)[part::PARTS]:
        page.set_viewport_size({"width": 1440, "height": 900})
        answer = page.goto(site.url + SHORT.get(path, path))
        assert answer is not None
        problems = [] if answer.status == 200 else [f"answers {answer.status}"]
        problems += found(page, RULES, frame=path == ONCE)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        problems += [f"dark {each}" for each in found(page, COLOURS, frame=path == ONCE)]
        page.set_viewport_size({"width": 360, "height": 780})
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 360:
            problems.append(f"is {width} wide on a telephone")
        problems += [f"the browser says {each}" for each in complaints]
        complaints.clear()
        if problems:
            wrong[path] = problems

    assert wrong == {}
