"""Pictures of every page, full and empty, light and dark, wide and narrow: python -m tests.e2e.screenshots OUTDIR [PAGE ...]."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"wide": (1440, 900), "narrow": (360, 780)}
PAGES = {
    "overview": "/",
    "positions": "/positions/",
    "trades": "/trades/",
    "signals": "/signals/",
    "pairs": "/pairs/",
    "pair-history": "/pairs/history/",
    "pair-switches": "/pairs/switches/",
    "chart": "/chart/",
    "performance": "/performance/",
    "backtests": "/backtests/",
    "compare": "/backtests/compare/",
    "parity": "/parity/",
    "chat": "/chat/",
    "ai-report": "/ai-report/",
    "ml-report": "/ml-report/",
    "proposals": "/proposals/",
    "parameters": "/parameters/",
    "change": "/parameters/change/",
    "drafts": "/parameters/drafts/",
    "revisions": "/parameters/history/",
    "risk": "/risk/",
    "reconciliation": "/reconciliation/",
    "invariants": "/invariants/",
    "health": "/health/",
    "alerts": "/alerts/",
    "notices": "/alerts/notifications/",
    "journal": "/journal/",
    "states": "/journal/states/",
    "logs": "/logs/",
    "audit": "/audit/",
    "consents": "/consents/",
    "users": "/users/",
    "setup": "/setup/",
    "security": "/account/",
    "password": "/password/",
}
INSIDE = {"trade": "/trades/?symbol=BTC/USDT&status=closed", "trade-open": "/trades/?status=open"}
INSIDE |= {"decision": "/signals/?status=taken", "refused": "/signals/?status=refused", "pair": "/pairs/"}
INSIDE |= {"draft": "/parameters/drafts/", "revision": "/parameters/history/", "backtest": "/backtests/?kind=backtest"}
INSIDE |= {"sweep": "/backtests/?kind=sweep"}
"""Pages that only a row of a list leads to: the first one of this list."""
COMPARED = "/backtests/compare/?run=1&run=2"


def main(folder: Path, wanted: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for content in ("empty", "full"):
        with sites.serve() as site, sites.chromium() as browser:
            if content == "full":
                site.do("from tests import page_factories; page_factories.fill(now)")
                site.do("from tests import pair_factories; pair_factories.fill(now)")
                site.do("from tests.mlops import report_rows; report_rows.fill(now)")
                site.do("from tests import rich_factories; rich_factories.fill(now)")
            for theme in ("light", "dark"):
                for size in SIZES:
                    _shoot_all(browser, site.url, content, theme, size, folder, wanted)


def _shoot_all(
    browser: Browser, url: str, content: str, theme: str, size: str, folder: Path, wanted: Sequence[str]
) -> None:
    width, height = SIZES[size]
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
    )
    suffix = f"{content}-{theme}-{size}"
    page.goto(url)
    if not wanted:
        page.screenshot(path=folder / f"login-{suffix}.png")
    sites.log_in(page)
    for title, path in PAGES.items():
        if not wanted or title in wanted:
            page.goto(url + path)
            _shoot(page, folder, title, suffix, is_narrow=size == "narrow")
    if content == "full":
        page.goto(url + COMPARED)
        if not wanted or "compared" in wanted:
            _shoot(page, folder, "compared", suffix, is_narrow=size == "narrow")
        for title, path in INSIDE.items():
            if not wanted or title in wanted:
                page.goto(url + path)
                page.goto(url + str(page.locator("tr[data-href]").first.get_attribute("data-href")))
                _shoot(page, folder, title, suffix, is_narrow=size == "narrow")
    page.close()


def _shoot(page: Page, folder: Path, title: str, suffix: str, *, is_narrow: bool) -> None:
    if page.locator("#live").count():
        page.locator("#live[data-state=live]").wait_for()
        page.wait_for_timeout(500)
    page.screenshot(path=folder / f"{title}-{suffix}.png")
    if title == "overview":
        page.locator(".switch summary").click()
        page.screenshot(path=folder / f"switch-{suffix}.png")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+k")
        page.screenshot(path=folder / f"palette-{suffix}.png")
    if is_narrow or title not in ("overview", "password"):
        page.screenshot(path=folder / f"{title}-{suffix}-whole.png", full_page=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tests.e2e.screenshots OUTDIR [PAGE ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
