"""The acts by hand in a real browser, wide and narrow: a part closed, the stop moved, break-even; with real money, the word first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

pytestmark = sites.BROWSER

SIZES: dict[str, ViewportSize] = {"wide": sites.WIDE, "narrow": {"width": 360, "height": 780}}
OPEN = """
from decimal import Decimal; from trading.models import LastPrice
factories.bot(now, mode={mode!r}, venue={venue!r})
for number in range(10):
    symbol = f"P{{number}}/USDT"
    factories.trade(now, symbol=symbol, entry="100", risk="5", quantity="2", mode={mode!r})
    LastPrice.objects.create(symbol=symbol, price=101.0, at=now)
"""
"""Longs at 100 with the stop at 95, one for each test: what was asked of one waits for a tick that never comes here."""


@pytest.fixture(scope="module")
def paper() -> Iterator[sites.Site]:
    with sites.serve() as running:
        running.do(OPEN.format(mode="paper", venue="simulated"))
        yield running


@pytest.fixture(scope="module")
def live() -> Iterator[sites.Site]:
    with sites.serve(TRADING_MODE="LIVE", EXCHANGE="binance", REQUIRE_TOTP="0") as running:
        running.do(OPEN.format(mode="live", venue="binance"))
        yield running


@pytest.fixture(scope="module")
def at_paper(browser: Browser, paper: sites.Site) -> Iterator[BrowserContext]:
    with sites.session(browser, paper) as context:
        yield context


@pytest.fixture(scope="module")
def at_live(browser: Browser, live: sites.Site) -> Iterator[BrowserContext]:
    with sites.session(browser, live) as context:
        yield context


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def paper_page(at_paper: BrowserContext, size: str) -> Iterator[Page]:
    yield from _page(at_paper, size)


@pytest.fixture
def live_page(at_live: BrowserContext, size: str) -> Iterator[Page]:
    yield from _page(at_live, size)


def _page(context: BrowserContext, size: str) -> Iterator[Page]:
    with sites.uncomplaining(context.new_page()) as page:
        page.set_viewport_size(SIZES[size])
        yield page
        assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]


def told(page: Page, path: str) -> Any:
    """Return what the API tells the reader; by the browser, which asks anew where the server has hung up."""
    return page.evaluate("path => fetch(`/api/v1/${path}`).then((answer) => answer.json())", path)


def trade_of(site: sites.Site, page: Page, number: int) -> int:
    """Return the number of a trade by that of its symbol."""
    page.goto(f"{site.url}/positions/")
    return int(told(page, f"trades?symbol=P{number}/USDT")["results"][0]["id"])


def asked(page: Page, pk: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told(page, f"trades/{pk}")["instructions"]
    return found


def test_a_part_is_closed_from_the_positions(paper: sites.Site, paper_page: Page, size: str) -> None:
    page, pk = paper_page, trade_of(paper, paper_page, 0 if size == "wide" else 1)
    page.goto(f"{paper.url}/positions/")
    acts = page.locator(f"#by-hand-{pk}")
    acts.get_by_text("Close a part…").click()
    acts.get_by_label("Part of what is open, in percent").fill("25")
    acts.get_by_role("button", name="Close this part").click()

    page.get_by_text(f"Trade {pk}: close a part, waits for the next tick.").wait_for()
    assert page.url == f"{paper.url}/positions/"
    (made,) = asked(page, pk)
    assert (made["act"], made["fraction"], made["status"], made["by"]) == ("part", "0.25", "waiting", "operator")


def test_a_stop_is_moved_on_the_page_of_its_trade(paper: sites.Site, paper_page: Page, size: str) -> None:
    page, pk = paper_page, trade_of(paper, paper_page, 2 if size == "wide" else 3)
    page.goto(f"{paper.url}/trades/{pk}/")
    move_stop(page, "102")
    page.get_by_text("the price is 101: a stop lies below it").wait_for()
    assert asked(page, pk) == []

    move_stop(page, "97.5")

    page.get_by_text(f"Trade {pk}: move the stop, waits for the next tick.").wait_for()
    (made,) = asked(page, pk)
    assert (made["act"], made["stop"], made["status"]) == ("stop", "97.5", "waiting")
    # The page of the trade says what was asked, and the form is no way around the first one.
    page.locator("#by-hand").get_by_text("operator").wait_for()
    move_stop(page, "98")
    page.get_by_text("Nothing was changed").wait_for()
    assert len(asked(page, pk)) == 1


def test_a_stop_is_put_to_break_even_with_one_press(paper: sites.Site, paper_page: Page, size: str) -> None:
    page, pk = paper_page, trade_of(paper, paper_page, 4 if size == "wide" else 5)
    page.goto(f"{paper.url}/positions/")
    page.locator(f"#by-hand-{pk}").get_by_role("button", name="Stop to break-even").click()

    page.get_by_text(f"Trade {pk}: stop to break-even, waits for the next tick.").wait_for()
    assert [each["act"] for each in asked(page, pk)] == ["break_even"]


def test_with_real_money_a_part_asks_for_the_word(live: sites.Site, live_page: Page, size: str) -> None:
    page, pk = live_page, trade_of(live, live_page, 0 if size == "wide" else 1)
    page.goto(f"{live.url}/positions/")
    acts = page.locator(f"#by-hand-{pk}")
    acts.get_by_text("Close a part…").click()
    acts.get_by_label("Part of what is open, in percent").fill("50")
    acts.get_by_role("button", name="Close this part").click()

    page.get_by_role("heading", name="This is real money").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]
    type_word(page, "CLOSED", "Close")
    page.get_by_text("That was not CLOSE.").wait_for()
    assert asked(page, pk) == []
    type_word(page, "close", "Close")

    page.get_by_text(f"Trade {pk}: close a part, waits for the next tick.").wait_for()
    # From the page of the word it goes on at the trade, which says what became of it.
    assert page.url == f"{live.url}/trades/{pk}/"
    assert [each["fraction"] for each in asked(page, pk)] == ["0.5"]


def test_with_real_money_a_stop_that_risks_more_asks_for_the_word(live: sites.Site, live_page: Page, size: str) -> None:
    page, pk = live_page, trade_of(live, live_page, 2 if size == "wide" else 3)
    page.goto(f"{live.url}/trades/{pk}/")
    move_stop(page, "93", reason="below the low of the day")
    page.get_by_role("heading", name="This is real money").wait_for()
    type_word(page, "LOOSEN", "Loosen")

    page.get_by_text(f"Trade {pk}: move the stop, waits for the next tick.").wait_for()
    assert [(each["stop"], each["reason"]) for each in asked(page, pk)] == [("93", "below the low of the day")]


def test_what_only_tightens_asks_for_no_word(live: sites.Site, live_page: Page, size: str) -> None:
    page, nearer, even = live_page, *(trade_of(live, live_page, number + (size == "narrow")) for number in (4, 6))
    page.goto(f"{live.url}/trades/{nearer}/")
    move_stop(page, "98")
    page.get_by_text(f"Trade {nearer}: move the stop").wait_for()

    page.goto(f"{live.url}/positions/")
    page.locator(f"#by-hand-{even}").get_by_role("button", name="Stop to break-even").click()

    page.get_by_text(f"Trade {even}: stop to break-even").wait_for()


def move_stop(page: Page, price: str, *, reason: str = "") -> None:
    acts = page.locator(".by-hand")
    acts.get_by_text("Move the stop…").click()
    acts.get_by_label("New stop").fill(price)
    acts.get_by_label("Reason, kept and shown").fill(reason)
    acts.get_by_role("button", name="Move the stop").click()


def type_word(page: Page, word: str, verb: str) -> None:
    page.get_by_label("to go on").fill(word)
    page.locator("#content").get_by_role("button", name=verb, exact=True).click()
