"""The feed over ccxt.pro and the fake venue, while a position is open and the stream lies in every known way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.feeds import MemoryBoard, RecordingDesk, eventually, now, running
from tests.venue.launch import Venue, venue
from trading.adapters.candle_store import CandleStore
from trading.adapters.ccxt_client import CcxtClient
from trading.adapters.ccxt_market import CcxtMarket
from trading.adapters.ccxt_stream import CcxtStream, markets_of
from trading.adapters.kept_market import KeptMarket
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.types import Ticker
from trading.services import feed as module
from trading.services import feed_repair
from trading.services.feed import Feed
from trading.services.feed_desk import Watched

BTC, ETH = "BTC/USDT", "ETH/USDT"
FRAME = "1s"
SILENCE = timedelta(seconds=2)


@dataclass
class Listening:
    """A feed and all around it."""

    venue: Venue
    feed: Feed
    board: MemoryBoard
    desk: RecordingDesk
    store: CandleStore
    market: KeptMarket
    opened_before: int
    asked_before: int

    def kept(self, symbol: str = BTC) -> Candles:
        return self.store.read_last_run(symbol, FRAME, start=now() - timedelta(hours=1), end=now())

    def reaches_now(self, symbol: str = BTC) -> bool:
        kept = self.kept(symbol)
        return len(kept) > 0 and now() - kept.closed_at(len(kept) - 1) < timedelta(seconds=4)

    def is_whole(self) -> bool:
        """Return whether both series reach from an hour or so ago to now without a gap."""
        return all(len(self.kept(symbol)) >= 1000 and self.reaches_now(symbol) for symbol in (BTC, ETH))

    def rest_calls(self) -> int:
        return int(self.venue.log()["total"]) - self.asked_before

    def sockets(self) -> tuple[int, int]:
        """Return how many were opened, and how many at most at once."""
        found = self.venue.sockets()
        return found["opened"] - self.opened_before, found["most_open"]

    async def price(self, price: str, symbol: str = BTC) -> None:
        await asyncio.to_thread(self.venue.price, symbol, price)

    async def bend(self, kind: str, *, refuse: bool = False) -> None:
        await asyncio.to_thread(lambda: self.venue.stream(kind, refuse=refuse))

    async def heal(self) -> None:
        await asyncio.to_thread(self.venue.heal)

    async def is_running(self) -> bool:
        return await eventually(lambda: self.board.price(BTC) and self.reaches_now())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue(tmp_path_factory.mktemp("venue") / "venue.db") as running:
        yield running


@pytest.fixture
def place(shared: Venue) -> Iterator[Venue]:
    shared.price(BTC, "50000")
    yield shared
    shared.heal()


@pytest.fixture
def here(place: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listening:
    monkeypatch.setitem(timeframes.MILLISECONDS, FRAME, 1000)
    monkeypatch.setattr(feed_repair, "LATE", timedelta(seconds=3.5))
    monkeypatch.setattr(feed_repair, "FIRST_PAUSE", timedelta(seconds=1))
    monkeypatch.setattr(module, "LONGEST_DELAY_S", 2.0)
    client = CcxtClient("binance", endpoint=place.base_url)
    stream = CcxtStream("binance", markets=markets_of(client), endpoint=place.base_url)
    board, store = MemoryBoard(), CandleStore(tmp_path / "candles", "binance")
    desk, source = RecordingDesk(Watched(symbols=(BTC, ETH), timeframe=FRAME)), CcxtMarket(client)
    desk.hold(BTC, stop=49_000.0, target=52_000.0)
    feed = Feed(stream=stream, past=source, store=store, board=board, desk=desk, clock=now, pace=4.0, silence=SILENCE)
    market = KeptMarket(source=lambda: source, store=store, board=board, clock=now)
    return Listening(place, feed, board, desk, store, market, place.sockets()["opened"], place.log()["total"])


async def test_prices_and_closed_bars_reach_everybody_without_a_question(here: Listening) -> None:
    async with running(here.feed):
        assert await here.is_running()
        assert await eventually(here.is_whole)
        bars = len(here.kept())
        await here.price("50123.4")
        assert await eventually(lambda: here.board.price(BTC) == 50_123.4)
        assert await eventually(lambda: len(here.kept()) > bars + 2)

        def read() -> tuple[int, Mapping[str, Ticker], Candles]:
            before, kept = here.rest_calls(), here.kept()
            tickers = here.market.tickers([BTC, ETH], now=now())
            candles = here.market.candles(BTC, FRAME, now=kept.closed_at(len(kept) - 1), limit=100)
            return here.rest_calls() - before, tickers, candles

        # The stream itself may ask meanwhile, where this machine is slow; a reader never does.
        assert await eventually(lambda: read()[0] == 0)
        _, seen, candles = read()
    assert abs(seen[BTC].at - now()) < timedelta(seconds=8)
    assert set(seen) == {BTC, ETH}
    assert len(candles) == 100
    assert here.desk.hinted("closed")
    assert here.sockets() == (1, 1)


async def test_a_forming_bar_is_never_kept(here: Listening) -> None:
    async with running(here.feed):
        assert await here.is_running()
        for _ in range(30):
            kept = here.kept()
            assert kept.closed_at(len(kept) - 1) <= now()
            await asyncio.sleep(0.05)
    assert here.desk.counted


@pytest.mark.parametrize("price", ["48999", "52001"])
async def test_a_level_that_is_crossed_calls_for_the_tick_at_once(here: Listening, price: str) -> None:
    async with running(here.feed):
        assert await here.is_running()
        crossed_at = now()
        await here.price(price)

        assert await eventually(lambda: here.desk.hinted("reached a level"))
        at = next(at for at, reason in here.desk.hints if "reached a level" in reason)
        assert at - crossed_at < timedelta(seconds=5)
        assert here.board.price(BTC) == float(price)


@pytest.mark.parametrize("kind", ["silence", "stale"])
async def test_a_socket_that_tells_nothing_new_is_left_and_its_gap_filled(here: Listening, kind: str) -> None:
    async with running(here.feed):
        assert await here.is_running()
        await here.bend(kind)
        assert await eventually(lambda: here.feed.connections > 1)
        await here.heal()
        await here.price("48990")

        assert await eventually(lambda: here.desk.hinted("reached a level"))
        assert await eventually(here.is_whole)
    assert here.sockets()[1] == 1


async def test_while_the_stream_is_silent_prices_are_asked_for(here: Listening) -> None:
    async with running(here.feed):
        assert await here.is_running()
        await here.bend("silence", refuse=True)
        await here.price("50777")
        later = now() + timedelta(seconds=11)

        found = await asyncio.to_thread(here.market.tickers, [BTC], now=later)

        assert found[BTC].price == 50_777.0
        assert here.board.price(BTC) != 50_777.0


async def test_twenty_disconnections_cost_no_bar_and_one_connection_at_a_time(here: Listening) -> None:
    async with running(here.feed):
        assert await here.is_running()
        here.feed._pace = 20.0
        for _ in range(20):
            known = here.feed.connections
            for _ in range(10):  # a connection that is still being made cannot be cut yet
                await here.bend("disconnect")
                if await eventually(lambda known=known: here.feed.connections > known, within=2.0):  # type: ignore[misc]
                    break
            assert here.feed.connections > known
        await here.price("48990")

        assert await eventually(lambda: here.desk.hinted("reached a level"))
        assert await eventually(here.is_whole)
    assert here.feed.connections >= 21
    assert here.sockets()[1] == 1


@pytest.mark.parametrize("kind", ["duplicate", "disorder"])
async def test_what_comes_twice_or_in_disorder_changes_nothing(here: Listening, kind: str) -> None:
    async with running(here.feed):
        assert await here.is_running()
        await here.bend(kind)
        for price in ("50010", "50020", "50030", "48990"):
            await here.price(price)
        assert await eventually(lambda: here.desk.hinted("reached a level"))
        await asyncio.sleep(1.5)
        await here.heal()

        assert await eventually(here.is_whole)
    assert not here.desk.dropped


@pytest.mark.parametrize("kind", ["malformed", "huge", "nan"])
async def test_nonsense_is_dropped_and_counted_and_the_stop_still_watched(here: Listening, kind: str) -> None:
    async with running(here.feed):
        assert await here.is_running()
        await here.bend(kind)
        await asyncio.sleep(1.2)
        await here.heal()
        await here.price("48990")

        assert await eventually(lambda: here.desk.hinted("reached a level"))
        assert await eventually(here.is_whole)
        # A frame that is too long ends the connection instead.
        assert await eventually(lambda: here.desk.dropped or here.feed.connections > 1)


async def test_one_print_far_away_moves_nothing(here: Listening) -> None:
    async with running(here.feed):
        assert await here.is_running()
        far = {"e": "trade", "s": "BTCUSDT", "t": 1, "p": "5000", "q": "1", "m": False}
        while not here.desk.dropped:  # until its trades are subscribed to
            at = timeframes.to_ms(now())
            await asyncio.to_thread(here.venue.publish, "btcusdt@trade", {**far, "E": at, "T": at})
            await here.price("50400")
            await asyncio.sleep(0.1)
        await here.price("50500")
        assert await eventually(lambda: here.board.price(BTC) == 50_500.0)

    assert not here.desk.hinted("reached a level")
    assert set(here.desk.dropped) == {(BTC, "a price far from the one before, said once")}


async def test_a_crash_is_believed_when_it_is_said_again(here: Listening) -> None:
    async with running(here.feed):
        assert await here.is_running()
        for price in ("30000", "30010", "30020"):
            await here.price(price)
            await asyncio.sleep(0.01)

        assert await eventually(lambda: here.desk.hinted("reached a level"))


async def test_without_the_board_the_tick_is_called_and_asks_the_venue(here: Listening) -> None:
    async with running(here.feed):
        assert await here.is_running()
        here.board.is_away = True
        await here.price("50555")
        found = await asyncio.to_thread(here.market.tickers, [BTC], now=now())
        assert found[BTC].price == 50_555.0

        here.board.is_away = False
        assert await eventually(lambda: here.board.price(BTC) == 50_555.0)


async def test_other_symbols_are_listened_to_as_soon_as_they_are_watched(here: Listening) -> None:
    async with running(here.feed):
        assert await here.is_running()
        here.desk.watching = Watched(symbols=(ETH, "SOL/USDT"), timeframe=FRAME)

        assert await eventually(lambda: here.board.price("SOL/USDT") and here.reaches_now("SOL/USDT"))
    assert here.sockets()[1] == 1


async def test_a_symbol_that_the_venue_does_not_list_is_refused_and_the_others_go_on(here: Listening) -> None:
    here.desk.watching = Watched(symbols=(BTC, "OLD/USDT"), timeframe=FRAME)
    async with running(here.feed):
        assert await here.is_running()
        assert await eventually(lambda: "OLD/USDT" in here.desk.judged)
    assert here.desk.judged["OLD/USDT"] is None
