"""The pages beside the overview in a real browser: navigation, tables, keyboard, pushes, and nothing to complain about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites
from tests.e2e.screenshots import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute

pytestmark = sites.BROWSER


@pytest.fixture(scope="module")
def site(full_site: sites.Site) -> sites.Site:
    return full_site


@pytest.fixture(scope="module")
def session(browser: Browser, site: sites.Site) -> Iterator[BrowserContext]:
    """Log in once for all tests."""
    with sites.session(browser, site) as context:
        yield context


@pytest.fixture
def page(session: BrowserContext) -> Iterator[Page]:
    with sites.uncomplaining(session.new_page()) as page:
        yield page


def is_live(page: Page) -> None:
    page.locator("#live[data-state=live]").wait_for()


def frame(kind: str, seq: int) -> str:
    return json.dumps(
        {"type": kind, "seq": seq, "now": "2026-03-01T12:00:00+00:00", "panels": {"journal": f"<p>{seq}</p>"}}
    )


def row(page: Page, number: int = 0) -> str:
    return page.locator("tbody tr[data-href]").nth(number).inner_text()


def test_every_page_stands_without_a_complaint_and_without_scrolling_sideways(page: Page, site: sites.Site) -> None:
    inside = ["/trades/1/", "/trades/14/", "/signals/1/", "/trades/?symbol=nothing", "/trades/?sort=wrong"]
    for path in (*PAGES.values(), *inside):
        answer = page.goto(site.url + path)

        assert answer is not None
        assert answer.status == 200, path
        for width in (1440, 1000, 360):
            page.set_viewport_size({"width": width, "height": 780})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
        assert page.locator("h1, .overview").first.is_visible(), path


def test_the_navigation_leads_everywhere_and_says_where_one_is(page: Page, site: sites.Site) -> None:
    page.goto(site.url)
    for name in ("Signals", "Reconciliation", "Health"):
        page.locator(f"nav.side > .group a[title='{name}']").click()
        page.wait_for_load_state()

        assert page.locator("nav.side > .group a[aria-current=page]").get_attribute("title") == name


def test_on_a_telephone_more_holds_what_the_bar_does_not(page: Page, site: sites.Site) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(site.url)
    page.locator("nav.side .more > summary").click()
    page.locator("nav.side .more-group > summary", has_text="Control").click()
    page.locator("nav.side .more").get_by_role("link", name="Risk").click()

    page.get_by_role("heading", name="Risk", exact=True).wait_for()


def test_a_table_is_sorted_filtered_and_opened(page: Page, site: sites.Site) -> None:
    page.goto(site.url + "/trades/")
    page.get_by_role("link", name="PnL").click()
    page.wait_for_url("**/trades/?sort=-pnl")
    assert page.locator("th[aria-sort=descending]").inner_text() == "PnL ▼"
    best = row(page)
    page.get_by_role("link", name="PnL").click()
    page.wait_for_url("**/trades/?sort=pnl")
    assert row(page) != best

    page.get_by_label("Side").select_option("short")
    page.wait_for_url("**side=short**")
    # The address carries what was asked and nothing else.
    assert page.url.endswith("?sort=pnl&side=short")
    assert {"short"} == set(page.locator("tbody .side").all_inner_texts())

    page.locator("tbody tr[data-href] td").nth(3).click()
    page.locator("#trade-chart canvas").first.wait_for()


def test_the_keyboard_reaches_pages_filters_and_rows(page: Page, site: sites.Site) -> None:
    page.goto(site.url)
    is_live(page)
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/trades/")
    is_live(page)

    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "symbol"
    page.keyboard.type("gjt")  # letters in a field are letters
    assert page.get_by_label("Symbol").input_value() == "gjt"
    page.keyboard.press("Control+a")
    page.keyboard.type("btc")
    page.keyboard.press("Enter")
    page.wait_for_url("**?symbol=btc")
    is_live(page)

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    wanted = page.locator("tbody tr[data-href]").first.get_attribute("data-href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{wanted}")

    is_live(page)
    page.keyboard.press("?")
    assert page.get_by_role("heading", name="Keyboard").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("heading", name="Keyboard").is_hidden()


def test_the_palette_finds_pages_and_pairs(page: Page, site: sites.Site) -> None:
    page.goto(site.url + "/health/")
    is_live(page)
    page.keyboard.press("Control+k")
    page.keyboard.type("sol sig")
    page.locator("#palette li.chosen", has_text="SOL/USDT signals").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/signals/?symbol=SOL%2FUSDT")

    page.locator("#palette-open").click()
    page.keyboard.type("r")
    page.keyboard.press("ArrowDown")
    assert page.locator("#palette li.chosen").count() == 1
    page.keyboard.type("zzzz")
    assert page.get_by_text("Nothing is called so.").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#palette").is_hidden()


def test_a_list_grows_when_news_comes_and_keeps_the_readers_place(page: Page, site: sites.Site) -> None:
    page.goto(site.url + "/journal/")
    is_live(page)
    page.evaluate("window.sameDocument = true")

    site.do("from trading import events; events.emit('note', at=now, text='Said to the journal')")

    page.locator(".table").get_by_text("Said to the journal").wait_for()
    assert page.evaluate("window.sameDocument")


def test_a_list_asks_anew_after_a_gap(page: Page, site: sites.Site) -> None:
    sockets: list[WebSocketRoute] = []

    def serve(route: WebSocketRoute) -> None:
        sockets.append(route)
        route.send(frame("snapshot", 1))

    page.route_web_socket("**/ws/live", serve)
    page.goto(site.url + "/journal/")
    is_live(page)
    site.do("from trading import events; events.emit('note', at=now, text='Said during the gap')")
    assert page.locator(".table").get_by_text("Said during the gap").count() == 0

    sockets[0].send(frame("panels", 3))
    sockets[0].send(frame("snapshot", 3))

    page.locator(".table").get_by_text("Said during the gap").wait_for()


def test_positions_are_pushed(page: Page, site: sites.Site) -> None:
    page.goto(site.url + "/positions/")
    is_live(page)

    site.do(
        "from trading import events; from trading.models import LastPrice; "
        "LastPrice.objects.filter(symbol='LINK/USDT').update(price=14.999, at=now); events.announce('tick', at=now)"
    )

    page.locator(".holding").get_by_text("14.999").wait_for()


def test_an_export_is_a_file(page: Page, site: sites.Site) -> None:
    page.goto(site.url + "/trades/?status=closed")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    assert download.value.suggested_filename == "trades.csv"
    assert download.value.path().read_text().startswith("id,signal,")


def test_the_candles_of_a_trade_are_drawn_in_both_themes(page: Page, site: sites.Site) -> None:
    page.goto(site.url + "/trades/14/")
    page.locator("#trade-chart canvas").first.wait_for()
    pixels = "document.querySelector('#trade-chart canvas').toDataURL().length"
    page.wait_for_function(f"{pixels} > 5000")

    page.locator("#theme").click()

    assert page.get_by_role("link", name="Charts by TradingView").is_visible()
    assert page.evaluate(pixels) > 5000


def test_a_view_is_kept_under_a_name_and_columns_are_left_out(page: Page, site: sites.Site) -> None:
    page.goto(site.url + "/trades/?sort=-pnl&side=short")
    is_live(page)
    page.locator(".views summary").click()
    page.get_by_label("Name of this view").fill("best shorts")
    page.get_by_label("Name of this view").press("Enter")
    page.locator(".view-columns").get_by_text("Left by").click()
    assert page.locator("th", has_text="Left by").is_hidden()
    assert page.url.endswith("/trades/?sort=-pnl&side=short")

    page.goto(site.url + "/trades/")
    is_live(page)
    assert page.locator("th", has_text="Left by").is_hidden()
    page.locator(".views summary").click()
    page.get_by_role("link", name="best shorts").click()
    page.wait_for_url("**/trades/?sort=-pnl&side=short")
    is_live(page)
    page.locator(".views summary").click()
    page.get_by_label("Forget best shorts").click()
    assert page.get_by_role("link", name="best shorts").count() == 0
