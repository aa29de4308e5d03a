"""A feed under test: what it shows, what it asks for, and the feed itself running beside the test."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from trading.core import quality
from trading.core.candles import Candles
from trading.core.feed import BoardUnavailable, Snapshot
from trading.core.quality import Quality
from trading.core.sieve import Level
from trading.core.types import Market, Ticker
from trading.services.feed import Feed
from trading.services.feed_desk import Watched


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class MemoryBoard:
    """The Board in this process; it can be away."""

    snapshot: Snapshot = field(default_factory=lambda: Snapshot(alive_at=None))
    rules: tuple[datetime, Mapping[str, Market]] | None = None
    is_away: bool = False

    def write(self, tickers: Sequence[Ticker], *, alive_at: datetime | None) -> None:
        self._ask()
        shown = {**self.snapshot.tickers, **{ticker.symbol: ticker for ticker in tickers}}
        self.snapshot = Snapshot(alive_at=alive_at or self.snapshot.alive_at, tickers=shown)

    def read(self, symbols: Sequence[str]) -> Snapshot:
        self._ask()
        shown = self.snapshot.tickers
        return replace(self.snapshot, tickers={symbol: shown[symbol] for symbol in symbols if symbol in shown})

    def keep_markets(self, markets: Mapping[str, Market], *, at: datetime) -> None:
        self._ask()
        self.rules = (at, dict(markets))

    def markets(self, *, since: datetime) -> tuple[datetime, Mapping[str, Market]] | None:
        self._ask()
        return self.rules if self.rules and self.rules[0] >= since else None

    def price(self, symbol: str) -> float:
        return self.snapshot.tickers[symbol].price if symbol in self.snapshot.tickers else 0.0

    def _ask(self) -> None:
        if self.is_away:
            raise BoardUnavailable("away")


@dataclass
class RecordingDesk:
    """The Desk without a database: it watches what the test says and remembers what it was told."""

    watching: Watched
    hints: list[tuple[datetime, str]] = field(default_factory=list)
    pushed: list[Ticker] = field(default_factory=list)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    judged: dict[str, Quality | None] = field(default_factory=dict)
    counted: int = 0

    def watched(self) -> Watched:
        return self.watching

    def hint(self, reason: str) -> None:
        self.hints.append((now(), reason))

    def crossed(self, symbols: list[str]) -> None:
        self.hint(f"{', '.join(symbols)} reached a level")

    def push(self, tickers: list[Ticker]) -> None:
        self.pushed += tickers

    def count(self) -> None:
        self.counted += 1

    def note_dropped(self, counts: dict[tuple[str, str], int], timeframe: str) -> None:
        self.dropped.update(counts)

    def note_series(self, candles: Candles | None, symbol: str, timeframe: str, *, is_listed: bool) -> None:
        self.judged[symbol] = quality.judge(candles) if candles is not None and is_listed else None

    def hold(self, symbol: str, *, stop: float, target: float = float("nan")) -> None:
        levels = {**self.watching.levels, symbol: (Level(trade=1, sign=1, stop=stop, target=target),)}
        self.watching = replace(self.watching, levels=levels)

    def hinted(self, word: str) -> bool:
        return any(word in reason for _, reason in self.hints)


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[asyncio.Task[None]]:
    """Run a feed while the block lasts, and raise what it raised."""
    stopped = asyncio.Event()
    task = asyncio.create_task(feed.run(stopped))
    try:
        yield task
    finally:
        stopped.set()
        await asyncio.wait_for(task, 10)


async def eventually(holds: Callable[[], object], *, within: float = 20.0) -> bool:
    """Return whether a condition comes true in time."""
    deadline = asyncio.get_running_loop().time() + within
    while asyncio.get_running_loop().time() < deadline:
        if holds():
            return True
        await asyncio.sleep(0.02)
    return False
