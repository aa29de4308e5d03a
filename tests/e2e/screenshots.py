"""Pictures of every page, full and empty, light and dark, wide and narrow: python -m tests.e2e.screenshots OUTDIR."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SIZES = {"wide": (1440, 900), "narrow": (360, 780)}
PAGES = {"overview": "/", "password": "/password/"}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for content in ("empty", "full"):
        with sites.serve() as site, sites.chromium() as browser:
            if content == "full":
                site.do("factories.overview(now)")
            for theme in ("light", "dark"):
                for size, (width, height) in SIZES.items():
                    _shoot(browser, site.url, (width, height), theme, folder, f"{content}-{theme}-{size}.png")


def _shoot(browser: Browser, url: str, size: tuple[int, int], theme: str, folder: Path, name: str) -> None:
    page = browser.new_page(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if theme == "dark" else "light"
    )
    page.goto(url)
    page.screenshot(path=folder / f"login-{name}")
    sites.log_in(page)
    for title, path in PAGES.items():
        page.goto(url + path)
        if title == "overview":
            page.locator("#live[data-state=live]").wait_for()
            page.wait_for_timeout(700)
        page.screenshot(path=folder / f"{title}-{name}")
        if size[0] < 640:
            page.screenshot(path=folder / f"{title}-{name.replace('.png', '-whole.png')}", full_page=True)
    page.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.e2e.screenshots OUTDIR")
    main(Path(sys.argv[1]))
