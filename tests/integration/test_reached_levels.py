"""A price that has reached a level waits for no tick: what follows it looks after that position and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.engine import (
    Scripted,
    assert_books_balance,
    close_of,
    enter_at,
    ports_over,
    ports_with,
    run_tick,
    series,
    set_params,
)
from tests.integration.test_urgent import Watched
from trading.adapters.stored_market import StoredMarket
from trading.core.candles import Candles
from trading.core.feed import Pushed
from trading.core.ports import OutcomeUnknown
from trading.core.slippage import Slippage
from trading.core.types import Ticker
from trading.models import Order, OrderRole, Signal, Trade
from trading.services import tick
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
SYMBOLS = ("AAA/USDT", "BBB/USDT", "CCC/USDT")
LATER = close_of(-1) + timedelta(seconds=5)


@dataclass
class Told:
    """A market whose prices a stream tells; `prices` is what it has told."""

    inner: Any
    prices: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, 100.0))
    is_up: bool = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        return {name: Ticker(symbol=name, price=self.prices[name], at=now) for name in symbols}

    def pushed(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        return self.tickers(symbols, now=now) if self.is_up else {}


@dataclass
class Slow:
    """A strategy that takes its time over each bar, while `meanwhile` happens."""

    inner: Scripted
    meanwhile: Callable[[str], None]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def sides(self, candles: Candles, *rest: Any) -> Any:
        self.meanwhile(candles.symbol)
        return self.inner.sides(candles, *rest)


@dataclass
class World:
    ports: Ports
    market: Told
    now: datetime

    def holds(self, **state: object) -> list[str]:
        return sorted(Trade.objects.filter(**state).values_list("symbol", flat=True))


@pytest.fixture
def world() -> World:
    """All three symbols are held since the close of the last quiet bar; the next one has closed too."""
    set_params(pairs=list(SYMBOLS), max_open_risk=0.5)
    candles = {symbol: series([QUIET] * 3, symbol=symbol) for symbol in SYMBOLS}
    market = Told(StoredMarket(candles, fee_rate=Decimal("0.001")))
    world = World(ports_with(market, enter_at(-1), slippage=Slippage(fraction=0.0)), market, close_of(-1))
    world.ports = replace(world.ports, clock=lambda: world.now)
    run_tick(world.ports, world.now)
    assert world.holds(status="open") == list(SYMBOLS)
    return world


def test_only_the_symbols_that_were_named_are_followed_and_no_bar_is_judged(world: World) -> None:
    world.market.prices |= {"AAA/USDT": 50.0, "BBB/USDT": 50.0}
    signals, world.now = Signal.objects.count(), close_of(1)

    outcome = tick.supervise(["AAA/USDT"], ports=world.ports, now=world.now, owner="test")

    assert outcome is tick.Outcome.RAN
    assert world.holds(status="closed", exit_reason="stop") == ["AAA/USDT"]
    assert world.holds(status="open") == ["BBB/USDT", "CCC/USDT"]
    assert Signal.objects.count() == signals


def test_two_symbols_that_reach_a_level_at_once_are_both_left(world: World) -> None:
    world.market.prices |= {"AAA/USDT": 50.0, "BBB/USDT": 50.0}
    world.now = LATER

    for symbol in SYMBOLS[:2]:
        tick.supervise([symbol], ports=world.ports, now=world.now, owner="test")

    assert world.holds(status="closed") == ["AAA/USDT", "BBB/USDT"]
    assert_books_balance()


def test_who_does_not_hold_the_lease_supervises_nothing(world: World) -> None:
    world.market.prices["AAA/USDT"] = 50.0

    outcome = tick.supervise(["AAA/USDT"], ports=world.ports, now=LATER, owner="rival")

    assert outcome is tick.Outcome.LEASE_HELD
    assert world.holds(status="closed") == []


def test_a_level_that_is_reached_while_a_tick_judges_bars_is_left_before_the_next_is_judged(world: World) -> None:
    judged: list[tuple[str, list[str]]] = []

    def meanwhile(symbol: str) -> None:
        judged.append((symbol, world.holds(status="closed")))
        world.now += timedelta(milliseconds=150)
        if symbol == "AAA/USDT":
            world.market.prices["CCC/USDT"] = 50.0

    world.now = close_of(0)
    ports = replace(world.ports, strategies=(Slow(enter_at(), meanwhile),))
    run_tick(ports, world.now)

    assert judged == [("AAA/USDT", []), ("BBB/USDT", ["CCC/USDT"]), ("CCC/USDT", ["CCC/USDT"])]


def test_while_the_stream_is_down_a_tick_asks_nobody_in_between(world: World) -> None:
    def meanwhile(symbol: str) -> None:
        world.now += timedelta(milliseconds=150)
        world.market.prices["CCC/USDT"] = 50.0

    world.market.is_up, world.now = False, close_of(0)
    run_tick(replace(world.ports, strategies=(Slow(enter_at(), meanwhile),)), world.now)

    assert world.holds(status="closed") == []


def test_what_cannot_be_left_now_is_tried_once_a_second_and_keeps_no_bar_waiting(world: World) -> None:
    venue = Refusing(world.ports.broker)

    def meanwhile(symbol: str) -> None:
        world.market.prices["CCC/USDT"] = 50.0
        world.now += timedelta(milliseconds=450)

    world.now = close_of(0)
    ports = replace(world.ports, broker=venue, strategies=(Slow(enter_at(), meanwhile),))
    run_tick(ports, world.now)

    assert venue.tried == 1
    assert not Order.objects.filter(role=OrderRole.EXIT).exists()


class Refusing(Watched):
    """A venue that does not say whether it has canceled."""

    tried = 0

    def cancel(self, *args: Any, **rest: Any) -> Any:
        self.tried += 1
        raise OutcomeUnknown("cut")


def test_a_market_without_a_stream_pushes_nothing() -> None:
    assert not isinstance(ports_over(series([QUIET]), enter_at(-1)).market_data, Pushed)
