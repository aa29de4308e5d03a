"""An hour in about forty seconds: the venue's clock and ours jump on together, a minute at a time or less."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.feeds import MemoryBoard, RecordingDesk, eventually, running
from tests.venue.launch import Number, Venue
from trading.adapters.candle_store import CandleStore
from trading.adapters.ccxt_client import CcxtClient
from trading.adapters.ccxt_market import CcxtMarket
from trading.adapters.ccxt_stream import CcxtStream, markets_of
from trading.adapters.kept_market import KeptMarket
from trading.core import timeframes
from trading.services.feed import Feed
from trading.services.feed_desk import Watched

STEP = timedelta(seconds=5)
SETTLE_S = 0.4
"""What the bars that close take to be kept, which no jump of a clock makes shorter."""
SCAN = timedelta(minutes=5)
HISTORY_BARS = 500


async def calls_in_an_hour(
    venue: Venue, symbols: list[str], folder: Path, *, span: timedelta = timedelta(hours=1), timeframe: str = "15m"
) -> tuple[Counter[str], Counter[str]]:
    """Return what the venue was asked at the start, and by a feed, by ticks and by scans in the `span` that follows."""
    skew = timedelta(0)

    def now() -> datetime:
        return datetime.now(UTC) + skew

    client = CcxtClient("binance", endpoint=venue.base_url, clock=now)
    source, board, store = CcxtMarket(client), MemoryBoard(), CandleStore(folder, "binance")
    stream = CcxtStream("binance", markets=markets_of(client), endpoint=venue.base_url, clock=now)
    desk = RecordingDesk(Watched(symbols=tuple(symbols), timeframe=timeframe))
    feed = Feed(
        stream=stream, past=source, store=store, board=board, desk=desk, clock=now, pace=20.0,
        silence=timedelta(seconds=5),
    )  # fmt: skip

    def fresh_process() -> KeptMarket:
        other = CcxtMarket(CcxtClient("binance", endpoint=venue.base_url, clock=now))
        return KeptMarket(source=lambda: other, store=store, board=board, clock=now)

    trader = fresh_process()

    def tick(market: KeptMarket) -> None:
        market.markets()
        market.tickers(symbols, now=now())
        for symbol in symbols:
            market.candles(symbol, timeframe, now=now(), limit=HISTORY_BARS)

    before = Counter(venue.log()["by_endpoint"])
    async with running(feed):
        assert await eventually(
            lambda: len(board.snapshot.tickers) == len(symbols) and len(desk.judged) == len(symbols)
        )
        await asyncio.to_thread(tick, trader)
        started = Counter(venue.log()["by_endpoint"])
        began, scanned = now(), now()
        while now() - began < span:
            skew += STEP
            await asyncio.to_thread(venue.fault, "clock", ms=skew // timedelta(milliseconds=1))
            prices: dict[str, Number] = dict.fromkeys(symbols, 100 + skew.seconds % 7 * 0.01)
            await asyncio.to_thread(venue.prices, prices)
            await eventually(lambda: now() - (board.snapshot.alive_at or began) < STEP, within=0.5)
            if timeframes.bar_open(now(), timeframe) != timeframes.bar_open(now() - STEP, timeframe):
                await asyncio.sleep(SETTLE_S)
            await asyncio.to_thread(tick, trader)
            if now() - scanned >= SCAN:
                scanned = now()
                # A scan runs in a process of its own, which remembers nothing.
                await asyncio.to_thread(tick, fresh_process())
    return started - before, Counter(venue.log()["by_endpoint"]) - started
