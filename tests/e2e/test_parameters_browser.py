"""Parameters in a real browser: edited, checked, proposed, compared beside the open page, and in force, without a reload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = sites.BROWSER
SETTLE = (
    "from trading.services import backtesting, gate; from trading import runs; from tests import drafts; "
    "work = backtesting.claim(owner='one', clock=lambda: now); bars = {'bars': 5000, 'symbols': [], 'from': 'a', 'to': 'b'}; "
    "work.finish({**bars, 'active': drafts.USUAL, 'candidate': drafts.USUAL}, data_hash='x', code_version='1'); "
    "gate.settle(margins=runs.margins(), now=now)"
)
"""What the research worker does, with figures that are not worse; the comparison itself is tested where it is quicker."""


@pytest.fixture
def page(browser: Browser, overview_site: sites.Site) -> Iterator[Page]:
    with sites.session(browser, overview_site) as context, sites.uncomplaining(context.new_page()) as page:
        yield page


def test_a_draft_is_deployed_from_the_page_by_keyboard(page: Page, overview_site: sites.Site) -> None:
    page.goto(overview_site.url)
    page.locator("#live[data-state=live]").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.get_by_role("link", name="Change parameters").focus()
    page.keyboard.press("Enter")
    page.get_by_text("nothing edited").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("volume_min")
    field = page.locator("#id_volume_min")
    assert page.locator(".edit:visible").count() == 1
    field.fill("0.8")
    page.get_by_text("1 edited").wait_for()
    page.get_by_label("Why, kept for good").fill("a quieter market")
    page.get_by_role("button", name="Validate").click()
    page.get_by_text("This is compared with what is in force").wait_for()
    assert page.locator(".diff tbody tr").count() == 1

    page.get_by_role("button", name="Propose").click()
    page.get_by_text("both sets are tested on the newest candles").wait_for()
    page.locator("#live[data-state=live]").wait_for()
    page.evaluate("window.sameDocument = true")
    overview_site.do(SETTLE)

    page.get_by_role("link", name="revision 2").wait_for()
    assert page.get_by_text("Not worse than revision 1 in 5000 bars.").is_visible()
    assert page.evaluate("window.sameDocument")
