"""What the tests in a browser share: the browser, and one site that is full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import site as sites

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sites.chromium() as started:
        yield started


RUN = (
    "from dashboard import run_form; from django.contrib.auth.models import User; from trading import runs; "
    "run_form.ask({'symbols': 'SOL/USDT', 'timeframe': '1h', 'days': '20', 'parameters': 'score_min_ranging=0'}, "
    "user=User.objects.get(), now=now); runs.work()"
)
REFUSED = (
    "from datetime import timedelta; from trading.core import timeframes; "
    "bar = timeframes.last_closed(now, '15m') - timedelta(minutes=30); "
    "factories.signal(now, bar_at=bar, refused_by='adx', reason='adx 18.00, needs 20.00'); "
)


@pytest.fixture(scope="session")
def full_site() -> Iterator[sites.Site]:
    """Yield a site with rows on every page, a setup that was refused half an hour ago, and a backtest that is done."""
    with sites.serve() as running:
        running.do("from tests import page_factories; page_factories.fill(now); " + REFUSED + RUN)
        yield running


@pytest.fixture(scope="module")
def overview_site() -> Iterator[sites.Site]:
    """Yield a site of the module's own, whose overview is full."""
    with sites.serve() as running:
        running.do("factories.overview(now)")
        yield running


@pytest.fixture(params=[sites.WIDE, {"width": 360, "height": 780}], ids=["wide", "narrow"])
def sized_page(request: pytest.FixtureRequest, browser: Browser, overview_site: sites.Site) -> Iterator[Page]:
    """Yield the overview on a desk and on a telephone, logged in anew."""
    with sites.uncomplaining(browser.new_page(viewport=request.param)) as page:
        page.goto(overview_site.url)
        sites.log_in(page)
        yield page
