"""The overview in a real browser, against a real server with a real Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route, WebSocketRoute

pytestmark = sites.BROWSER

PANELS = ("Equity", "Open trades", "Last decisions", "Closed trades", "Why no trade, 24 h", "Journal")


@pytest.fixture(scope="module")
def site(overview_site: sites.Site) -> sites.Site:
    return overview_site


@pytest.fixture
def page(browser: Browser, site: sites.Site) -> Iterator[Page]:
    with sites.uncomplaining(browser.new_page(viewport=sites.WIDE)) as page:
        page.goto(site.url)
        sites.log_in(page)
        yield page


def is_live(page: Page) -> None:
    page.locator("#live[data-state=live]").wait_for()


def test_panels_change_without_a_reload_and_keep_what_the_reader_opened(page: Page, site: sites.Site) -> None:
    for title in PANELS:
        assert page.get_by_role("heading", name=title).is_visible()
    is_live(page)
    page.evaluate("window.sameDocument = true")
    decision = page.locator(".decisions details").first
    decision.locator("summary").click()

    site.do("from trading import events; events.emit('note', at=now, text='Said from another process')")
    page.locator(".journal").get_by_text("Said from another process").wait_for()
    site.do(
        "from trading import events; from trading.models import Bot; "
        "Bot.objects.update(equity='12345.67', last_tick_at=now); events.announce('tick', at=now); "
        "factories.signal(now, symbol='NEW/USDT', refused_by='adx', reason='adx 1.00, needs 20.00'); "
        "events.announce('tick', at=now)"
    )
    page.locator(".figures").get_by_text("12,345.67").wait_for()
    page.locator(".decisions").get_by_text("NEW/USDT").wait_for()

    opened = page.locator(".decisions details[open]")
    assert opened.count() == 1
    assert "volume ratio 0.62, needs 0.90" in opened.inner_text()
    assert page.evaluate("document.activeElement.dataset.key") == opened.locator("summary").get_attribute("data-key")
    assert page.evaluate("window.sameDocument")


def test_ages_tick_by_themselves(page: Page) -> None:
    age = page.locator(".ages time").first
    before = age.inner_text()

    page.wait_for_function("(text) => document.querySelector('.ages time').textContent !== text", arg=before)

    assert age.inner_text().endswith("ago")


def test_the_chart_is_drawn_and_names_its_maker(page: Page) -> None:
    page.locator("#chart canvas").first.wait_for()

    assert page.locator("#chart-empty").is_hidden()
    assert page.get_by_role("link", name="Charts by TradingView").is_visible()


def test_the_overview_fits_one_screen(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")


def test_the_theme_is_chosen_and_remembered(page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) == "rgb(246, 247, 249)"

    page.locator("#theme").click()  # auto -> light
    page.locator("#theme").click()  # light -> dark
    page.reload()

    assert page.evaluate(background) == "rgb(14, 17, 22)"
    assert page.locator("#theme").inner_text() == "☾ Dark"


def test_the_theme_changes_while_other_scripts_are_still_on_their_way(page: Page) -> None:
    held: list[Route] = []
    page.route("**/live*.js", lambda route: held.append(route))
    page.reload(wait_until="commit")
    while not held:
        page.wait_for_timeout(20)

    page.locator("#theme").click()

    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator("#theme").inner_text() == "☀ Light"
    held[0].continue_()


def test_a_click_that_comes_before_the_scripts_is_done_when_they_are_here(page: Page) -> None:
    held: list[Route] = []
    page.route("**/live*.js", lambda route: held.append(route))
    page.reload(wait_until="commit")
    while not held:
        page.wait_for_timeout(20)
    page.locator("[data-explain=decisions]").click()
    page.locator("#palette-open").click()
    assert not page.locator("#palette").is_visible()

    held[0].continue_()

    page.locator("#palette").wait_for()
    assert page.locator(".explanation").count() == 0  # the last click alone


def test_moments_read_in_the_readers_zone_with_utc_at_hand(browser: Browser, site: sites.Site) -> None:
    context = browser.new_context(timezone_id="Asia/Kolkata", locale="en-GB")
    page = context.new_page()
    page.goto(site.url)
    sites.log_in(page)
    page.locator(".decisions details summary").first.click()
    moment = page.locator(".decisions details[open] time[data-local]")

    assert moment.get_attribute("title").endswith(":00 UTC")  # type: ignore[union-attr]
    assert moment.inner_text().endswith("GMT+5:30")
    context.close()


@pytest.mark.parametrize("path", ["/", "/password/", "/login/"])
def test_nothing_scrolls_sideways_on_a_telephone(page: Page, site: sites.Site, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    if path == "/login/":
        page.context.clear_cookies()

    page.goto(site.url + path)

    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("path", ["/admin/", "/admin/auth/user/", "/admin/trading/parameterrevision/add/"])
def test_the_admin_works_under_the_policy(page: Page, site: sites.Site, path: str) -> None:
    answer = page.goto(site.url + path)

    assert answer is not None
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_logging_out_ends_at_the_log_in(page: Page, site: sites.Site) -> None:
    page.locator("summary", has_text="operator").click()
    page.get_by_role("button", name="Log out").click()

    page.get_by_role("heading", name="Log in").wait_for()
    page.goto(site.url)
    assert page.get_by_role("heading", name="Log in").is_visible()


def frame(kind: str, seq: int, **content: object) -> str:
    return json.dumps({"type": kind, "seq": seq, "now": "2026-03-01T12:00:00+00:00", **content})


def test_a_missing_frame_is_asked_for_and_a_lost_socket_opened_again(page: Page) -> None:
    sockets: list[WebSocketRoute] = []
    said: list[str | bytes] = []

    def serve(route: WebSocketRoute) -> None:
        sockets.append(route)
        route.on_message(lambda message: said.append(message))
        route.send(frame("snapshot", 7, panels={"journal": "<p>seven</p>"}))

    is_live(page)  # it has its own socket, so the next one is that of the page to come
    page.route_web_socket("**/ws/live", serve)
    page.clock.install()
    page.reload()
    page.get_by_text("seven").wait_for()

    sockets[0].send(frame("panels", 8, panels={"journal": "<p>eight</p>"}))
    page.get_by_text("eight").wait_for()
    sockets[0].send(frame("beat", 8))
    assert said == []
    sockets[0].send(frame("panels", 10, panels={"journal": "<p>ten</p>"}))
    while not said:
        page.wait_for_timeout(20)
    assert [json.loads(message) for message in said] == [{"type": "resync"}]
    assert page.get_by_text("ten", exact=True).count() == 0
    sockets[0].send(frame("snapshot", 10, panels={"journal": "<p>all of ten</p>"}))
    page.get_by_text("all of ten").wait_for()

    page.clock.run_for(10_000)
    assert page.locator("#live").get_attribute("data-state") == "stale"
    assert page.locator("#live").inner_text() in ("◐ stale 9 s", "◐ stale 10 s")

    sockets[0].close()
    page.clock.run_for(1_000)
    is_live(page)
    assert len(sockets) == 2


def test_the_drawdown_below_the_curve_is_measured_from_the_highest_point_before(page: Page) -> None:
    src = page.locator("link[rel=modulepreload][href*='dashboard/chart']").get_attribute("href")
    fell = page.evaluate(
        "async (src) => (await import(src)).falls([[1, 100], [2, 110], [3, 99], [4, 115.5], [5, 115.5]])", src
    )
    assert [point["time"] for point in fell] == [1, 2, 3, 4, 5]
    assert [round(point["value"], 6) for point in fell] == [0, 0, -10, 0, 0]
