"""What a feed leaves in Redis, in the store and in the database, and what the tick makes of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django import Settings

from julaba_site import embedded
from tests import factories
from tests.engine import SYMBOL, close_of, enter_at, ports_with, run_rows, run_tick, series, set_params
from tests.feeds import MemoryBoard
from trading import market_wiring
from trading.adapters import meters
from trading.adapters.candle_store import CandleStore
from trading.adapters.kept_market import KeptMarket
from trading.adapters.price_cache import PriceCache
from trading.adapters.stored_market import StoredMarket
from trading.core.candles import Candles
from trading.core.feed import BoardUnavailable, Snapshot
from trading.core.params import Params
from trading.core.quality import Quality, State
from trading.core.slippage import Slippage
from trading.core.types import Market, Ticker
from trading.models import Bot, Event, LastPrice, Order, SeriesQuality, Signal, Trade
from trading.services import quality, tick
from trading.services.feed_desk import FeedDesk

NOW = datetime(2026, 3, 1, 12, 0, 3, tzinfo=UTC)
QUIET = (100.0, 100.5, 99.5, 100.0)
needs_redis = pytest.mark.skipif(embedded.server_binary() is None, reason="there is no redis-server")


@dataclass
class Asked:
    """A venue that counts what it is asked."""

    inner: StoredMarket
    bars: list[int] = field(default_factory=list)
    tickers_asked: int = 0
    markets_asked: int = 0

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        self.bars.append(limit)
        return self.inner.candles(symbol, timeframe, now=now, limit=limit)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        self.tickers_asked += 1
        return self.inner.tickers(symbols, now=now)

    def markets(self) -> Mapping[str, Market]:
        self.markets_asked += 1
        return self.inner.markets()


@dataclass
class Kept:
    """A market over what is kept, and all that is behind it."""

    market: KeptMarket
    venue: Asked
    board: MemoryBoard
    store: CandleStore
    candles: Candles

    def alive(self, at: datetime, *, price: float | None = None) -> None:
        self.board.snapshot = Snapshot(alive_at=at)
        if price is not None:
            self.board.write([Ticker(symbol=SYMBOL, price=price, at=at)], alive_at=at)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    candles = series([QUIET] * 20)
    venue = Asked(StoredMarket({SYMBOL: candles}, fee_rate=Decimal("0.001")))
    board, store = MemoryBoard(), CandleStore(tmp_path, "venue")
    market = KeptMarket(source=lambda: venue, store=store, board=board, clock=lambda: NOW)
    return Kept(market, venue, board, store, candles)


# --- Bars and prices that are kept ----------------------------------------------------------------------


def test_the_venue_is_asked_once_for_bars_and_then_for_those_that_are_new(kept: Kept) -> None:
    first = kept.market.candles(SYMBOL, "15m", now=close_of(0), limit=50)
    again = kept.market.candles(SYMBOL, "15m", now=close_of(0), limit=50)
    later = kept.market.candles(SYMBOL, "15m", now=close_of(2), limit=50)

    assert kept.venue.bars == [50, 2]
    assert first.opened.tolist() == again.opened.tolist()
    assert later.opened.tolist() == kept.venue.inner.candles(SYMBOL, "15m", now=close_of(2), limit=50).opened.tolist()


def test_while_the_stream_is_up_it_is_left_to_bring_the_bar_that_has_just_closed(kept: Kept) -> None:
    kept.market.candles(SYMBOL, "15m", now=close_of(0), limit=50)
    moment = close_of(1) + timedelta(seconds=5)
    kept.alive(moment)

    early = kept.market.candles(SYMBOL, "15m", now=moment, limit=50)
    assert early.closed_at(len(early) - 1) == close_of(0)
    assert kept.venue.bars == [50]

    late = close_of(1) + timedelta(seconds=11)
    kept.alive(late)
    found = kept.market.candles(SYMBOL, "15m", now=late, limit=50)
    assert found.closed_at(len(found) - 1) == close_of(1)
    assert kept.venue.bars == [50, 1]


def test_a_held_symbol_waits_for_its_newest_bar_like_any_other(kept: Kept) -> None:
    kept.market.candles(SYMBOL, "15m", now=close_of(0), limit=50)
    moment = close_of(1) + timedelta(seconds=1)
    kept.alive(moment)

    kept.market.candles(SYMBOL, "15m", now=moment, limit=1)

    assert kept.venue.bars == [50]


def test_a_young_series_is_not_asked_for_from_its_beginning_again(kept: Kept) -> None:
    for _ in range(3):
        found = kept.market.candles(SYMBOL, "15m", now=close_of(0), limit=1000)

    assert (len(found), kept.venue.bars) == (261, [1000])


def test_a_gap_in_what_is_kept_is_asked_for(kept: Kept) -> None:
    whole = kept.venue.inner.candles(SYMBOL, "15m", now=close_of(0), limit=50)
    kept.store.write(whole.slice(0, 20))
    kept.store.write(whole.slice(25, 50))

    found = kept.market.candles(SYMBOL, "15m", now=close_of(0), limit=50)

    assert (len(found), kept.venue.bars) == (50, [50])


def test_prices_are_the_boards_with_their_own_time_and_the_venues_where_it_is_silent(kept: Kept) -> None:
    kept.alive(NOW - timedelta(seconds=3), price=123.0)

    assert kept.market.tickers([SYMBOL, "ETH/USDT"], now=NOW) == {
        SYMBOL: Ticker(symbol=SYMBOL, price=123.0, at=NOW - timedelta(seconds=3))
    }
    assert kept.venue.tickers_asked == 0

    kept.market.tickers([SYMBOL], now=NOW + timedelta(seconds=10))
    kept.board.is_away = True
    kept.market.tickers([SYMBOL], now=NOW)
    assert kept.venue.tickers_asked == 2


def test_rules_are_asked_for_once_by_all_processes(kept: Kept, tmp_path: Path) -> None:
    other = KeptMarket(source=lambda: kept.venue, store=kept.store, board=kept.board, clock=lambda: NOW)

    assert kept.market.markets() == other.markets() == kept.market.markets()
    assert kept.venue.markets_asked == 1

    old = KeptMarket(
        source=lambda: kept.venue, store=kept.store, board=kept.board, clock=lambda: NOW + timedelta(hours=2)
    )
    old.markets()
    assert kept.venue.markets_asked == 2


# --- Redis ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("r") / "redis.sock"
    command = [
        str(embedded.server_binary()),
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--save",
        "",
        "--daemonize",
        "no",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 10
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield f"unix://{path}"
        process.terminate()


@needs_redis
def test_the_cache_gives_back_to_the_last_digit_what_was_written(redis_url: str) -> None:
    cache, prices = PriceCache(redis_url, "venue"), [Ticker(symbol=SYMBOL, price=0.1 + 0.2, at=NOW)]
    assert cache.read([SYMBOL]) == Snapshot(alive_at=None)

    cache.write(prices, alive_at=NOW)
    cache.write([], alive_at=None)

    assert cache.read([SYMBOL, "ETH/USDT"]) == Snapshot(alive_at=NOW, tickers={SYMBOL: prices[0]})
    assert cache.read([]) == Snapshot(alive_at=NOW)
    assert PriceCache(redis_url, "other").read([SYMBOL]) == Snapshot(alive_at=None)


@needs_redis
def test_rules_come_back_as_they_were_while_they_are_young(redis_url: str, kept: Kept) -> None:
    cache, rules = PriceCache(redis_url, "venue"), kept.venue.inner.markets()
    assert cache.markets(since=NOW) is None

    cache.keep_markets(rules, at=NOW)

    assert cache.markets(since=NOW) == (NOW, rules)
    assert cache.markets(since=NOW + timedelta(seconds=1)) is None


@needs_redis
def test_a_damaged_entry_is_no_price(redis_url: str) -> None:
    cache = PriceCache(redis_url, "damaged")
    cache._redis.hset("julaba:damaged:prices", SYMBOL, "nonsense")

    with pytest.raises(BoardUnavailable, match="cannot be read"):
        cache.read([SYMBOL])


def test_without_redis_the_board_is_unavailable() -> None:
    cache = PriceCache("unix:///nowhere/redis.sock", "venue")

    for ask in (lambda: cache.read([SYMBOL]), lambda: cache.write([], alive_at=NOW), lambda: cache.markets(since=NOW)):
        with pytest.raises(BoardUnavailable):
            ask()


# --- The tick over what is kept ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_stop_is_met_by_the_price_of_the_stream_between_two_regular_ticks(kept: Kept) -> None:
    set_params()
    ports = ports_with(kept.market, enter_at(-1), slippage=Slippage(fraction=0.0))
    kept.alive(close_of(-1), price=100.0)
    run_rows(ports, -1)
    trade = Trade.objects.get()

    moment = close_of(-1) + timedelta(seconds=4)
    kept.alive(moment, price=trade.stop - 0.5)
    run_tick(ports, moment)

    trade.refresh_from_db()
    assert (trade.status, trade.exit_reason) == ("closed", "stop")
    assert kept.venue.tickers_asked == 0


@pytest.mark.django_db
def test_a_hint_does_not_wait_for_the_next_regular_slot_and_two_at_once_are_one(kept: Kept) -> None:
    set_params()
    ports = ports_with(kept.market, enter_at(), slippage=Slippage(fraction=0.0))

    outcomes = [
        tick.run(ports=ports, now=close_of(-1) + timedelta(seconds=at), owner="test", job=job)
        for at, job in ((0.1, tick.REGULAR), (0.5, tick.HINTED), (0.55, tick.HINTED), (0.7, tick.HINTED))
    ]

    assert outcomes == [tick.Outcome.RAN, tick.Outcome.RAN, tick.Outcome.SLOT_TAKEN, tick.Outcome.RAN]


@pytest.mark.django_db
def test_nothing_is_entered_on_a_spike_and_the_signal_says_so(kept: Kept) -> None:
    kept.candles.high[-21] = 130.0
    set_params()
    ports = ports_with(kept.market, enter_at(-1), slippage=Slippage(fraction=0.0))

    run_rows(ports, -1)

    signal = Signal.objects.get()
    assert (signal.refused_by, signal.reason) == ("data_quality", f"the price spiked at {close_of(-2):%Y-%m-%d %H:%M}")
    assert not Order.objects.exists()


@pytest.mark.django_db
def test_nothing_is_entered_for_a_while_after_the_stream_told_nonsense(kept: Kept) -> None:
    set_params()
    ports = ports_with(kept.market, enter_at(-1), slippage=Slippage(fraction=0.0))
    counts = {("", "a message that cannot be read"): 2}
    quality.note_dropped(counts, venue=ports.venue, timeframe="15m", now=close_of(-1) - timedelta(seconds=59))
    quality.note_dropped(counts, venue=ports.venue, timeframe="15m", now=close_of(-1) - timedelta(seconds=59))

    run_rows(ports, -1)

    assert Signal.objects.get().reason == "the stream told a message that cannot be read"
    assert SeriesQuality.objects.get().dropped == 4
    assert quality.verdict(kept.candles, venue=ports.venue, now=close_of(-1) + timedelta(seconds=2)).passed


# --- What the feed asks of the database -------------------------------------------------------------------


def desk(ticks: list[str]) -> FeedDesk:
    return FeedDesk(venue="simulated", clock=lambda: NOW, tick=ticks.append, supervise=ticks.extend)


@pytest.mark.django_db
def test_pairs_and_open_trades_are_watched_and_their_next_levels() -> None:
    factories.bot(NOW)
    factories.trade(NOW, entry="100", risk="10", symbol="OLD/USDT", targets_hit=1)

    watched = desk([]).watched()

    assert watched is not None
    assert watched.symbols == (*Params().pairs, "OLD/USDT")
    assert watched.held == {"OLD/USDT"}
    [level] = watched.levels["OLD/USDT"]
    assert (level.sign, level.stop, level.target) == (1, 90.0, 125.0)


@pytest.mark.django_db
def test_a_change_for_the_worse_is_told_once() -> None:
    bad = Quality(state=State.REFUSED, reason="bars are missing")
    for judged in (bad, bad, Quality(state=State.OK), bad):
        quality.note(judged, venue="simulated", symbol=SYMBOL, timeframe="15m", now=NOW)

    assert Event.objects.filter(kind="data_quality").count() == 2
    assert SeriesQuality.objects.get().state == "refused"


def test_what_the_stream_has_asked_of_the_venue_is_written_where_the_pages_count(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    told: list[str] = []
    monkeypatch.setattr(meters, "flush", told.append)

    market_wiring.desk(tick=lambda reason: None, supervise=lambda symbols: None).count()

    assert told == [settings.REDIS_URL]


@pytest.mark.django_db
def test_prices_of_what_is_held_are_shown() -> None:
    desk([]).push([Ticker(symbol=SYMBOL, price=101.5, at=NOW)])

    assert LastPrice.objects.get().price == 101.5


@pytest.mark.django_db
def test_old_prices_are_told_once_and_their_return_too() -> None:
    factories.bot(NOW)
    LastPrice.objects.create(symbol=SYMBOL, price=1.0, at=NOW)
    for minutes in (4, 6, 7, 20):
        quality.watch(params=Params(pairs=(SYMBOL,)), now=NOW + timedelta(minutes=minutes))
    LastPrice.objects.update(at=NOW + timedelta(minutes=21))
    for _ in range(2):
        quality.watch(params=Params(pairs=(SYMBOL,)), now=NOW + timedelta(minutes=21))

    assert [event.kind for event in Event.objects.order_by("pk")] == ["data_stale", "data_fresh"]
    assert Event.objects.first().text.startswith("No new price for over 5 min: BTC/USDT.")  # type: ignore[union-attr]


@pytest.mark.django_db
@pytest.mark.parametrize(("minutes", "is_healthy", "is_said"), [(4, True, False), (6, True, True), (11, False, True)])
def test_health_follows_the_age_of_prices(minutes: int, is_healthy: bool, is_said: bool) -> None:
    assert not quality.health(now=NOW).is_healthy
    factories.bot(NOW, data_at=NOW)

    found = quality.health(now=NOW + timedelta(minutes=minutes))

    assert (found.is_healthy, bool(found.reason)) == (is_healthy, is_said)
    assert found.age == timedelta(minutes=minutes)


@pytest.mark.django_db
def test_an_open_position_without_a_fresh_price_is_not_healthy() -> None:
    factories.bot(NOW, data_at=NOW)
    factories.trade(NOW, symbol=SYMBOL)
    LastPrice.objects.create(symbol=SYMBOL, price=1.0, at=NOW - timedelta(minutes=12))

    assert quality.health(now=NOW).reason == "the newest price of BTC/USDT is 12 min old"
    assert not quality.health(now=NOW).is_healthy
    assert Bot.objects.get().data_at == NOW
