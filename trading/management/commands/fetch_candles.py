"""manage.py fetch_candles: store what is missing of a venue's past, page by page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from trading import market_wiring
from trading.adapters.candle_store import CandleStore, CandleStoreError
from trading.core import timeframes
from trading.core.feed import Past
from trading.core.ports import MarketDataUnavailable, UnknownSymbol
from trading.core.timeframes import MILLISECONDS
from trading.services import candle_keeping
from trading.services.candle_keeping import Tally

TRIES = 5
"""So often in a row a page is asked for that cannot be had."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
WIDTH = 30


class Command(BaseCommand):
    help = "Store the missing candles of the venue that EXCHANGE names; may be interrupted and called again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbol", required=True, action="append", help="base/quote; may be given several times")
        parser.add_argument("--timeframe", required=True, choices=list(MILLISECONDS))
        parser.add_argument("--days", required=True, type=int, help="how far back from now")

    def handle(self, *, symbol: list[str], timeframe: str, days: int, **options: Any) -> None:
        if days < 1:
            raise CommandError(f"--days {days}: give 1 or more", returncode=2)
        try:
            past, store = market_wiring.past(), market_wiring.candle_store()
            start = timeframes.bar_open(timezone.now() - timedelta(days=days), timeframe)
            for each in symbol:
                self._fetch(past, store, each, timeframe, start)
        except KeyboardInterrupt:
            raise CommandError(
                "interrupted; what was fetched is kept, the same command goes on", returncode=130
            ) from None
        except (UnknownSymbol, CandleStoreError, ImproperlyConfigured) as error:
            raise CommandError(str(error), returncode=2) from error

    def _fetch(self, past: Past, store: CandleStore, symbol: str, timeframe: str, start: datetime) -> None:
        stop = timezone.now()
        spans = candle_keeping.missing(store, symbol, timeframe, start=start, stop=stop)
        length, page = timeframes.length(timeframe), candle_keeping.PAGE_BARS
        bars = [(end - begin) // length for begin, end in spans]
        pages = sum(-(-count // page) for count in bars)
        self.stdout.write(f"{symbol} {timeframe}: {sum(bars)} bars are missing, {pages} pages at least")
        tally = Tally()
        for tally in self._patiently(past, store, symbol, timeframe, start, stop):
            self._show(tally.pages, max(pages, tally.pages))
        dropped = "".join(f", {count} dropped: {reason}" for reason, count in tally.dropped.items())
        left = candle_keeping.missing(store, symbol, timeframe, start=start, stop=stop)
        gaps = f", {len(left)} gaps that the venue does not fill" if left else ""
        self.stdout.write(f"{symbol} {timeframe}: {tally.new} new bars in {tally.pages} pages{gaps}{dropped}")

    def _patiently(
        self, past: Past, store: CandleStore, symbol: str, timeframe: str, start: datetime, stop: datetime
    ) -> Iterator[Tally]:
        """Fetch, and after a failure go on with what is still missing, waiting as long as the venue asks."""
        before, failures, pause = Tally(), 0, FIRST_PAUSE_S
        while True:
            tally = Tally()
            try:
                for tally in candle_keeping.fill(
                    past=past,
                    store=store,
                    symbol=symbol,
                    timeframe=timeframe,
                    start=start,
                    stop=stop,
                    clock=timezone.now,
                ):
                    failures, pause = 0, FIRST_PAUSE_S
                    yield before.plus(tally)
            except MarketDataUnavailable as error:
                before, failures = before.plus(tally), failures + 1
                if failures >= TRIES:
                    text = f"{error}; what was fetched is kept, call it again to go on"
                    raise CommandError(text, returncode=1) from error
                asked: timedelta | None = getattr(error.__cause__, "retry_after", None)
                time.sleep(asked.total_seconds() if asked is not None else pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            else:
                return

    def _show(self, done: int, pages: int) -> None:
        """Draw a bar on a terminal; into a file, a line at each tenth."""
        if self.stdout.isatty():
            filled = WIDTH * done // pages
            self.stdout.write(f"\r[{'#' * filled}{' ' * (WIDTH - filled)}] {done}/{pages}", ending="")
            if done == pages:
                self.stdout.write("")
            self.stdout.flush()
        elif done == pages or done * 10 // pages > (done - 1) * 10 // pages:
            self.stdout.write(f"{done} of {pages} pages")
