"""The chart and a backtest in a real browser: drawn, moved by keyboard, started, followed without a reload, read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = sites.BROWSER


@pytest.fixture(scope="module")
def site(full_site: sites.Site) -> sites.Site:
    return full_site


@pytest.fixture(scope="module")
def session(browser: Browser, site: sites.Site) -> Iterator[BrowserContext]:
    with sites.session(browser, site, zone="America/New_York") as context:
        yield context


@pytest.fixture
def page(session: BrowserContext) -> Iterator[Page]:
    with sites.uncomplaining(session.new_page()) as page:
        yield page


def drawn(page: Page) -> None:
    page.locator("#market-panes[data-state=drawn]").wait_for()


def test_the_chart_draws_bars_marks_and_panes_in_the_readers_zone(page: Page, site: sites.Site) -> None:
    page.goto(f"{site.url}/chart/?symbol=BTC/USDT&timeframe=15m")
    drawn(page)

    assert page.locator("#market-zone").inner_text() == "times in America/New_York"
    assert page.locator(".market-pane:visible").count() == 3
    for words in ("O ", "RSI ", "ADX ", "Hurst "):
        assert words in page.locator("#market-readout").inner_text()
    # The third newest bar was refused: hovering it says why, a click keeps it and leads to the decision.
    box = page.locator(".market-price").bounding_box()
    assert box is not None
    for step in range(30, 160, 4):
        page.mouse.move(box["x"] + box["width"] - 90 - step, box["y"] + 120)
        if "refused long: adx 18.00, needs 20.00" in page.locator("#market-readout").inner_text():
            break
    page.mouse.click(box["x"] + box["width"] - 90 - step, box["y"] + 120)
    page.locator("#market-bar").get_by_text("refused: adx 18.00, needs 20.00").wait_for()
    page.get_by_text("Volume", exact=True).click()
    page.get_by_text("MACD", exact=True).click()
    assert page.locator(".market-pane:visible").count() == 2
    page.reload()
    drawn(page)
    assert page.locator(".market-pane:visible").count() == 2


def test_pairs_and_timeframes_change_by_keyboard_and_the_past_is_fetched(page: Page, site: sites.Site) -> None:
    page.goto(f"{site.url}/chart/?symbol=BTC/USDT&timeframe=15m")
    drawn(page)
    page.keyboard.press("]")
    page.wait_for_url("**symbol=ETH%2FUSDT&timeframe=15m")
    drawn(page)
    page.keyboard.press("6")
    page.wait_for_url("**symbol=ETH%2FUSDT&timeframe=1h")
    drawn(page)

    with page.expect_response(lambda answer: "/api/v1/candles" in answer.url and "until=" in answer.url):
        box = page.locator(".market-price").bounding_box()
        assert box is not None
        for _ in range(3):
            page.mouse.move(box["x"] + 100, box["y"] + 100)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] - 120, box["y"] + 100, steps=8)
            page.mouse.up()


def test_a_chart_without_bars_says_so_and_what_to_do(page: Page, site: sites.Site) -> None:
    page.goto(f"{site.url}/chart/?symbol=NO/SUCH&timeframe=15m")

    page.get_by_text("manage.py fetch_candles --symbol NO/SUCH --timeframe 15m").wait_for()


def test_a_backtest_is_started_followed_without_a_reload_and_read(page: Page, site: sites.Site) -> None:
    page.goto(f"{site.url}/backtests/")
    page.get_by_role("heading", name="Start a run").click()
    assert page.locator(".ask fieldset:visible").count() == 1
    page.locator("#ask-kind").select_option("walk")
    assert page.locator(".ask fieldset:visible").count() == 2
    page.locator("#ask-kind").select_option("backtest")
    page.get_by_label("Pairs, divided by commas").fill("SOL/USDT, BTC/USDT")
    page.get_by_label("Days up to now").fill("12")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="Waits for a worker").wait_for()
    page.locator("#live[data-state=live]").wait_for()
    page.evaluate("window.sameDocument = true")

    site.do(
        "from trading.services import backtesting; from django.utils import timezone as t; "
        "work = backtesting.claim(owner='here', clock=t.now); work.step(40, 'testing 2304 bars'); "
        "from trading.models import BacktestRun"
    )
    page.get_by_role("heading", name="Running, 40 %").wait_for()
    assert page.locator("progress").get_attribute("value") == "40"
    assert page.get_by_text("testing 2304 bars").is_visible()
    site.do(
        "from trading import runs; from trading.models import BacktestRun; "
        "BacktestRun.objects.filter(status='running').update(status='queued', attempts=0); runs.work()"
    )
    page.get_by_role("heading", name="Done").wait_for()
    page.get_by_text("Profit factor").wait_for()
    assert page.evaluate("window.sameDocument")

    page.reload()
    page.locator("#chart canvas").first.wait_for()
    for title in ("Months", "Trades", "Why no trade"):
        assert page.get_by_role("heading", name=title, exact=True).is_visible()
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    with page.expect_download() as download:
        page.get_by_role("link", name="trades as CSV").click()
    assert download.value.suggested_filename.startswith("run-")
