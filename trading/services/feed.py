"""Runs one stream: what it tells is sifted, kept and shown to every process, and the tick is called when it matters.

    listen   the connection: believed prices to the board, closed bars to the store; a watchdog on the venue's time
    show     prices to the board at most ten times a second, and at once where one has reached a level: then the call
    keep     each second: what is watched, bars that did not come, quiet symbols, the markets' rules
    store    closed bars to the disk, then a hint

The queue to the disk and every table here are bounded by the watched symbols.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from trading.adapters.candle_store import CandleStore, CandleStoreError
from trading.core.candles import Candles
from trading.core.feed import Board, BoardUnavailable, Dropped, Past, Stream, StreamBroken, Update
from trading.core.ports import MarketDataUnavailable
from trading.core.sieve import Sieve
from trading.core.types import Ticker
from trading.services.feed_desk import Watched
from trading.services.feed_repair import Repair

T = TypeVar("T")

SHOW_S, KEEP_S, PUSH_S = 0.1, 1.0, 1.0
HINT_SPACING_S = 0.25
"""Hints at closed bars are never closer than this."""
CROSSED_SPACING_S = 0.5
"""A symbol that stays beyond a level is called again after so long: what followed the first call may have failed."""
FIRST_DELAY_S, LONGEST_DELAY_S, SETTLED_S = 0.5, 30.0, 60.0
GAPS = 3
"""So many expected gaps without a newer venue time mean that the connection is dead, whatever it says."""
REASONS = 200
"""So many kinds of dropped messages are counted between two notes; more are counted as one."""

logger = logging.getLogger(__name__)


class Desk(Protocol):
    """What the feed asks of the database and the queue; called in a thread of its own."""

    def watched(self) -> Watched | None: ...

    def hint(self, reason: str) -> None: ...

    def crossed(self, symbols: list[str]) -> None: ...

    def push(self, tickers: list[Ticker]) -> None: ...

    def count(self) -> None: ...

    def note_dropped(self, counts: dict[tuple[str, str], int], timeframe: str) -> None: ...

    def note_series(self, candles: Candles | None, symbol: str, timeframe: str, *, is_listed: bool) -> None: ...


class Feed:
    """One venue's feed; `pace` divides every wait, for tests whose clock runs faster."""

    def __init__(
        self,
        *,
        stream: Stream,
        past: Past,
        store: CandleStore,
        board: Board,
        desk: Desk,
        clock: Callable[[], datetime],
        pace: float = 1.0,
        silence: timedelta | None = None,
    ) -> None:
        self._stream, self._store, self._board, self._desk = stream, store, board, desk
        self._clock, self._pace = clock, pace
        self._silence_s = (silence or GAPS * stream.expected_gap).total_seconds()
        self._old = timedelta(seconds=self._silence_s * pace)
        self._repair = Repair(past=past, store=store, board=board, desk=desk, clock=clock)
        self._watched = Watched()
        self._sieve = Sieve()
        self._dirty: dict[str, Ticker] = {}
        self._pushed: dict[str, Ticker] = {}
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._bars: asyncio.Queue[Candles] = asyncio.Queue()
        self._hint = ""
        self._crossed: dict[str, float] = {}
        self._calls: list[str] = []
        self._urgent, self._changed = asyncio.Event(), asyncio.Event()
        self._venue_at: datetime | None = None
        self._heard_at: datetime | None = None
        self._advanced = 0.0
        self._threads = {
            name: ThreadPoolExecutor(1, thread_name_prefix=name) for name in ("db", "board", "disk", "rest")
        }
        self.connections = 0

    async def run(self, stopped: asyncio.Event) -> None:
        """Run until `stopped`; what nobody expected ends it, and whoever looks after the process starts it again."""
        work = (self._listen, self._show, self._keep, self._keep_bars, self._mend)
        tasks = [asyncio.create_task(each(), name=each.__name__) for each in work]
        ending = asyncio.create_task(stopped.wait())
        try:
            done, _ = await asyncio.wait({ending, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ending}:
                task.result()
        finally:
            for task in (ending, *tasks):
                task.cancel()
            await asyncio.gather(ending, *tasks, return_exceptions=True)
            for thread in self._threads.values():
                thread.shutdown(wait=False, cancel_futures=True)

    # --- the connection ---------------------------------------------------------------------------------

    async def _listen(self) -> None:
        delay = FIRST_DELAY_S
        while True:
            while not self._watched.symbols:
                await self._wait(self._changed, KEEP_S)
            self._changed.clear()
            began = time.monotonic()
            reason = await self._connection()
            if not reason:
                continue
            if time.monotonic() - began > SETTLED_S:
                delay = FIRST_DELAY_S
            logger.warning("the stream is connected anew in %.1f s at most: %s", delay, reason)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0) / self._pace)  # noqa: S311 - no secret
            delay = min(2 * delay, LONGEST_DELAY_S)

    async def _connection(self) -> str:
        """Listen to one connection; return why it ended, or nothing where other symbols are wanted."""
        watched = self._watched
        self._advanced = time.monotonic()
        self.connections += 1
        updates = self._stream.updates(watched.symbols, watched.timeframe, held=lambda: self._watched.held)
        try:
            while not self._changed.is_set():
                # A second at a time, since a message with old news is no sign of life.
                left = self._advanced + self._silence_s - time.monotonic()
                if left <= 0:
                    return "it is silent, or tells old prices again"
                async with asyncio.timeout(left):
                    self._take(await anext(updates))
        except TimeoutError:
            return "it is silent"
        except StopAsyncIteration:
            return "it ended"
        except StreamBroken as error:
            return str(error)
        finally:
            await _close(updates)
        return ""

    def _take(self, update: Update) -> None:
        if isinstance(update, Ticker):
            self._price(update)
        elif isinstance(update, Candles):
            self._bars.put_nowait(update)
        else:
            self._drop(update)

    def _price(self, ticker: Ticker) -> None:
        now = self._clock()
        if objection := self._sieve.objection(ticker, now=now):
            # Messages overtake each other: that alone is no reason for distrust.
            if not objection.startswith("a price older"):
                self._drop(Dropped(symbol=ticker.symbol, reason=objection))
            return
        if (self._venue_at is None or ticker.at > self._venue_at) and now - ticker.at < self._old:
            self._venue_at, self._heard_at, self._advanced = ticker.at, now, time.monotonic()
        self._dirty[ticker.symbol] = ticker
        if any(level.is_crossed(ticker.price) for level in self._watched.levels.get(ticker.symbol, ())):
            self._cross(ticker.symbol)

    def _drop(self, dropped: Dropped) -> None:
        key = (dropped.symbol, dropped.reason)
        self._dropped[key if key in self._dropped or len(self._dropped) < REASONS else ("", "much else")] += 1

    def _cross(self, symbol: str) -> None:
        """Have the position looked after, unless that was asked for a moment ago."""
        now = time.monotonic()
        if now - self._crossed.get(symbol, -math.inf) >= CROSSED_SPACING_S / self._pace:
            self._crossed[symbol] = now
            self._calls.append(symbol)
            self._urgent.set()

    def _bars_came(self, reason: str) -> None:
        self._hint = reason
        self._urgent.set()

    # --- what others see --------------------------------------------------------------------------------

    async def _show(self) -> None:
        """Write new prices to the board, then call for what is to follow: whoever answers reads them there."""
        hinted, failed = 0.0, False
        while True:
            await self._wait(self._urgent, SHOW_S)
            self._urgent.clear()
            tickers, self._dirty = list(self._dirty.values()), {}
            try:
                if tickers or self._heard_at:
                    await self._in("board", partial(self._board.write, tickers, alive_at=self._heard_at))
                    self._heard_at = None
                if self._calls:
                    symbols, self._calls = list(dict.fromkeys(self._calls)), []
                    await self._in("board", self._desk.crossed, symbols)
                if self._hint and time.monotonic() - hinted >= HINT_SPACING_S / self._pace:
                    hinted, reason, self._hint = time.monotonic(), self._hint, ""
                    await self._in("board", self._desk.hint, reason)
                failed = False
            except BoardUnavailable as error:
                if not failed:
                    logger.warning("prices are not shared now: %s", error)
                failed = True
                self._dirty = {ticker.symbol: ticker for ticker in tickers} | self._dirty
                await asyncio.sleep(KEEP_S / self._pace)

    # --- once a second ----------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            watched = await self._in("db", self._desk.watched)
            if watched is not None:
                self._watch(watched)
            self._again()
            await self._note()
            await asyncio.sleep(KEEP_S / self._pace)

    def _watch(self, watched: Watched) -> None:
        before, self._watched = self._watched, watched
        if (set(before.symbols), before.timeframe) != (set(watched.symbols), watched.timeframe):
            self._sieve.keep_only(watched.symbols)
            self._crossed = {symbol: at for symbol, at in self._crossed.items() if symbol in watched.symbols}
            self._repair.keep_only(watched.symbols)
            self._changed.set()

    def _again(self) -> None:
        """Call again for what stays beyond a level: what followed the first call may have failed."""
        for symbol, levels in self._watched.levels.items():
            seen = self._sieve.believed(symbol)
            if seen and any(level.is_crossed(seen.price) for level in levels):
                self._cross(symbol)

    async def _note(self) -> None:
        counts, self._dropped = dict(self._dropped), Counter()
        if counts:
            await self._in("db", self._desk.note_dropped, counts, self._watched.timeframe)
        held = [self._sieve.believed(symbol) for symbol in self._watched.held]
        fresh = [seen for seen in held if seen is not None and self._pushed.get(seen.symbol) != seen]
        if fresh:
            self._pushed = {seen.symbol: seen for seen in held if seen is not None}
            await self._in("db", self._desk.push, fresh)

    # --- bars -------------------------------------------------------------------------------------------

    async def _keep_bars(self) -> None:
        while True:
            batch = [await self._bars.get()]
            while not self._bars.empty():
                batch.append(self._bars.get_nowait())
            for candles in batch:
                await self._in("disk", self._write, candles)
            self._bars_came(f"{len(batch)} bars closed")

    def _write(self, candles: Candles) -> None:
        try:
            self._store.write(candles)
        except CandleStoreError as error:
            self._drop(Dropped(symbol=candles.symbol, reason="a bar unlike the one that is kept"))
            logger.warning("a bar of the stream is not kept: %s", error)
        else:
            self._repair.has_kept(candles)

    async def _mend(self) -> None:
        """Ask the venue for what the stream did not bring: bars, prices of quiet symbols, and the markets' rules."""
        while True:
            watched = self._watched
            try:
                for symbol in self._repair.overdue(watched):
                    if await self._in("rest", self._repair.fill, symbol, watched):
                        self._bars_came(f"bars of {symbol} were filled")
                seen = {symbol: self._sieve.believed(symbol) for symbol in watched.symbols}
                for ticker in await self._in("rest", self._repair.quiet, seen):
                    self._price(ticker)
                await self._in("rest", self._repair.renew_markets, watched)
            except (MarketDataUnavailable, CandleStoreError, BoardUnavailable) as error:
                logger.warning("what is missing is asked for again later: %s", error)
                await asyncio.sleep(5 * KEEP_S / self._pace)
            await self._in("rest", self._desk.count)
            await asyncio.sleep(KEEP_S / self._pace)

    # --- plumbing ---------------------------------------------------------------------------------------

    async def _in(self, thread: str, act: Callable[..., T], *values: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads[thread], act, *values)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds / self._pace):
                await event.wait()


async def _close(updates: AsyncIterator[Any]) -> None:
    closing = getattr(updates, "aclose", None)
    if closing is not None:
        await closing()
