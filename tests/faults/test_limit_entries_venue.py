"""Entries by limit order, and exits that are refused, through the real adapter at the fake venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.db.models import F

from tests.engine import SYMBOL, set_params
from tests.unit.core_values import EveryBar
from tests.venue.gate import API_KEY, API_SECRET
from tests.venue.launch import Venue
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.ccxt_client import CcxtClient
from trading.adapters.ccxt_market import CcxtMarket
from trading.core import timeframes
from trading.core.candles import Candles
from trading.core.types import Market, Ticker
from trading.models import (
    LIVE,
    Bot,
    Event,
    LedgerEntry,
    Order,
    OrderRole,
    OrderStatus,
    Signal,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import control, lease, tick
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

LIMIT: dict[str, Any] = {
    "entry_order": "limit",
    "entry_limit_offset": 0.01,
    "entry_timeout_s": 30,
    "timeframe": "1d",
    "entry_deadline": 1.0,
    "price_age": 600,
    "risk_fraction": 0.005,
    "max_leverage": 1.0,
    "trailing": False,
}
LOT = Decimal("0.00001")


class Market50k:
    """Daily bars made up around 50,000, so that a setup stays young; prices and rules are the venue's."""

    def __init__(self, source: CcxtMarket) -> None:
        self._source = source

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        span = timeframes.milliseconds(timeframe)
        stop = timeframes.to_ms(timeframes.bar_open(now, timeframe))
        middle = np.full(limit, 50_000.0)
        return Candles(
            symbol=symbol,
            timeframe=timeframe,
            opened=stop - span * np.arange(limit, 0, -1, dtype=np.int64),
            open=middle,
            high=middle + 250,
            low=middle - 250,
            close=middle + np.sin(np.arange(limit)),
            volume=np.full(limit, 10.0),
        )

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        return self._source.tickers(symbols, now=now)

    def markets(self) -> Mapping[str, Market]:
        return self._source.markets()


def opened_at(fake: Venue, **values: Any) -> Ports:
    """Return the ports of a new account at the venue, with parameters in force."""
    fake.price(SYMBOL, "50000")
    fake.fees("quote")
    set_params(**{**LIMIT, **values})
    client = CcxtClient("binance", key=API_KEY, secret=API_SECRET, endpoint=fake.base_url, per_second=100_000)
    broker = CcxtBroker(client=client)
    return Ports(
        market_data=Market50k(CcxtMarket(client)),
        broker=broker,
        strategies=(EveryBar(),),
        initial_balance=broker.cash(now=datetime.now(UTC)),
        code_version="test",
        venue="binance",
        clock=lambda: datetime.now(UTC),  # a slow machine must not make a permit look older than it is
    )


def tick_now(ports: Ports, times: int = 1) -> None:
    """Tick, whatever slot this second lies in, and look that nothing is entered twice."""
    for _ in range(times):
        held = lease.acquire(owner="test")
        assert held is not None
        tick._run(ports, held, datetime.now(UTC))
        entered = Order.objects.filter(role=OrderRole.ENTRY)
        assert entered.filter(status__in=LIVE).count() <= 1
        assert sum(entered.values_list("filled", flat=True)) <= Trade.objects.get().planned_quantity


def age(seconds: float) -> None:
    """Let so much time have passed since what rests was sent."""
    Order.objects.filter(role=OrderRole.ENTRY).update(permit_at=F("permit_at") - timedelta(seconds=seconds))


def quoted(fake: Venue, **values: Any) -> Ports:
    ports = opened_at(fake, **values)
    tick_now(ports)
    assert steps() == [("limit", "open", Decimal(49500))]
    return ports


def steps() -> list[tuple[str, str, Decimal | None]]:
    rows = Order.objects.filter(role=OrderRole.ENTRY).order_by("number")
    return [(row.kind, row.status, row.price) for row in rows]


def entry(number: int = -1) -> Order:
    return list(Order.objects.filter(role=OrderRole.ENTRY).order_by("number"))[number]


def fill(fake: Venue, parts: int) -> Decimal:
    """Fill one of so many parts of the quote, in whole lots, and return how much that is."""
    quantity = (entry().quantity / parts) // LOT * LOT
    fake.fill(entry().client_id, quantity=str(quantity))
    return quantity


def assert_agrees(fake: Venue) -> None:
    """Our fills, holdings and money are the venue's."""
    state = fake.state()
    for row in state["orders"]:
        order = Order.objects.filter(client_id=row["client_id"]).first()
        assert order is None or order.filled == Decimal(row["executed"])
    trade, usdt = Trade.objects.get(), state["balances"]["USDT"]
    cost = trade.cost if trade.status == TradeStatus.OPEN else Decimal(0)
    theirs = Decimal(usdt["free"]) + Decimal(usdt["locked"])
    assert abs(Bot.objects.get().balance - cost - theirs) < Decimal("0.0001")
    assert Bot.objects.get().balance == sum(LedgerEntry.objects.values_list("amount", flat=True))


def test_a_quote_is_replaced_after_its_time_and_fills(fake: Venue) -> None:
    ports = quoted(fake)
    fake.price(SYMBOL, "50200")
    age(31)

    tick_now(ports)
    fake.price(SYMBOL, "49600")
    tick_now(ports)

    assert steps() == [("limit", "canceled", Decimal(49500)), ("limit", "filled", Decimal("49698"))]
    trade = Trade.objects.get()
    assert (trade.status, trade.is_entering, trade.quantity) == (TradeStatus.OPEN, False, entry().quantity)
    assert trade.orders.get(role=OrderRole.STOP, status=OrderStatus.OPEN).quantity == trade.remaining
    assert_agrees(fake)


def test_what_has_filled_is_protected_at_once_and_the_stop_grows_with_it(fake: Venue) -> None:
    ports = quoted(fake)
    fake.fees("base")
    part = fill(fake, 4)
    tick_now(ports)
    first = Trade.objects.get()
    stop_of_first = first.orders.get(role=OrderRole.STOP, status=OrderStatus.OPEN)

    fill(fake, 4)
    tick_now(ports)

    trade, market = Trade.objects.get(), ports.market_data.markets()[SYMBOL]
    assert (first.is_entering, stop_of_first.quantity) == (True, market.quantity(first.remaining))
    assert first.remaining == part * Decimal("0.999")
    assert trade.remaining == 2 * first.remaining
    stop = trade.orders.get(role=OrderRole.STOP, status=OrderStatus.OPEN)
    assert stop.quantity == market.quantity(trade.remaining)
    assert entry().status == OrderStatus.PARTIAL


def test_the_rest_of_a_partial_quote_is_entered_at_the_market_as_one_position(fake: Venue) -> None:
    ports = quoted(fake, entry_requotes=0)
    half = fill(fake, 2)
    age(31)

    tick_now(ports, 2)

    trade = Trade.objects.get()
    assert steps() == [("limit", "canceled", Decimal(49500)), ("market", "filled", None)]
    rest = entry().quantity
    # What is entered at 50,000 loses more at the stop than at 49,500, so there is less of it.
    assert half * Decimal("0.6") < rest < half
    assert trade.quantity == trade.remaining == half + rest
    assert trade.entry_price == ((half * 49500 + rest * 50000) / (half + rest)).quantize(Decimal("1e-8"))
    assert (trade.planned_entry, trade.is_entering) == (Decimal(49500), False)
    assert trade.orders.get(role=OrderRole.STOP, status=OrderStatus.OPEN).quantity == trade.remaining
    assert_agrees(fake)
    fake.price(SYMBOL, str(trade.rules["target_1"] + 100))
    tick_now(ports)
    first_target = trade.orders.get(role=OrderRole.EXIT)
    market = ports.market_data.markets()[SYMBOL]
    assert (first_target.reason, first_target.status) == ("target_1", OrderStatus.FILLED)
    assert first_target.quantity == market.quantity((half + rest) * Decimal("0.4"))


def test_a_partial_quote_whose_rest_is_abandoned_stays_open_with_what_it_has(fake: Venue) -> None:
    ports = quoted(fake, entry_requotes=0, entry_fallback="abandon")
    half = fill(fake, 2)
    age(31)

    tick_now(ports, 2)

    trade = Trade.objects.get()
    assert steps() == [("limit", "canceled", Decimal(49500))]
    assert (trade.status, trade.is_entering, trade.remaining) == (TradeStatus.OPEN, False, half)
    assert Signal.objects.get().status == "taken"
    assert Event.objects.filter(kind="entry_ended").count() == 1
    assert_agrees(fake)


def test_a_crumb_that_the_venue_would_not_sell_needs_no_stop_while_the_quote_rests(fake: Venue) -> None:
    ports = quoted(fake)
    fake.fill(entry().client_id, quantity=str(LOT))

    tick_now(ports, 4)

    trade = Trade.objects.get()
    assert (trade.status, trade.remaining, trade.unprotected_at) == (TradeStatus.OPEN, LOT, None)
    assert not trade.orders.filter(role=OrderRole.STOP).exists()
    assert Bot.objects.get().trading_state == TradingState.ACTIVE


@pytest.mark.parametrize("what", ["accept_then_cut", "lose_request"])
def test_after_a_lost_reply_to_the_cancel_the_venue_is_asked_before_anything_follows(fake: Venue, what: str) -> None:
    ports = quoted(fake)
    age(31)
    fake.fault(what, "DELETE order")

    tick_now(ports)
    in_doubt = steps()
    tick_now(ports)

    assert in_doubt == [("limit", "canceling", Decimal(49500))]
    assert steps() == [("limit", "canceled", Decimal(49500)), ("limit", "open", Decimal(49500))]
    assert sum(row["status"] == "NEW" for row in fake.orders()) == 1


def test_a_halt_cancels_the_rest_and_leaves_what_has_filled_protected(fake: Venue) -> None:
    ports = quoted(fake)
    fill(fake, 2)
    control.tighten(TradingState.HALTED, reason="enough", now=datetime.now(UTC))

    tick_now(ports)

    trade = Trade.objects.get()
    assert steps() == [("limit", "canceled", Decimal(49500))]
    assert (trade.status, trade.is_entering) == (TradeStatus.OPEN, False)
    assert trade.orders.get(role=OrderRole.STOP, status=OrderStatus.OPEN).quantity == trade.remaining
    assert_agrees(fake)


def test_a_position_that_leaves_while_its_quote_rests_cancels_the_rest_first(fake: Venue) -> None:
    ports = quoted(fake)
    fill(fake, 2)
    tick_now(ports)
    trade = Trade.objects.get()

    fake.price(SYMBOL, str(trade.rules["target_1"] + 100))
    tick_now(ports)

    leaving = trade.orders.get(role=OrderRole.EXIT)
    assert [status for _, status, _ in steps()] == ["canceled"]
    assert (leaving.reason, leaving.status) == ("target_1", OrderStatus.FILLED)
    canceled = entry().events.get(to_status=OrderStatus.CANCELED)
    assert canceled.pk < leaving.events.get(to_status=OrderStatus.INTENT).pk
    assert_agrees(fake)


def test_an_exit_waits_under_its_stop_while_the_cancel_of_the_quote_is_in_doubt(fake: Venue) -> None:
    ports = quoted(fake)
    fill(fake, 2)
    tick_now(ports)
    trade = Trade.objects.get()
    fake.price(SYMBOL, str(trade.rules["target_1"] + 100))
    fake.fault("accept_then_cut", "DELETE order")

    tick_now(ports)
    waiting = trade.orders.filter(role=OrderRole.EXIT).exists()
    stop = trade.orders.get(role=OrderRole.STOP)
    tick_now(ports)

    assert (waiting, stop.status) == (False, OrderStatus.OPEN)
    assert trade.orders.get(role=OrderRole.EXIT).status == OrderStatus.FILLED
    assert [status for _, status, _ in steps()] == ["canceled"]
    assert_agrees(fake)


def test_a_quote_does_not_outlive_the_position_that_its_stop_has_closed(fake: Venue) -> None:
    ports = quoted(fake)
    fill(fake, 2)
    tick_now(ports)
    trade = Trade.objects.get()
    fake.fill(trade.orders.get(role=OrderRole.STOP).client_id, price="48500")

    tick_now(ports)

    trade.refresh_from_db()
    assert [status for _, status, _ in steps()] == ["canceled"]
    assert (trade.status, trade.is_entering, trade.remaining) == (TradeStatus.CLOSED, False, Decimal(0))
    assert_agrees(fake)


def held(fake: Venue) -> Ports:
    """Return the ports of an account with one position, entered at the market."""
    ports = opened_at(fake, entry_order="market")
    tick_now(ports)
    assert Trade.objects.get().status == TradeStatus.OPEN
    return ports


def leave(trade: Trade) -> None:
    """Have the whole rest sold, as where a position cannot be protected."""
    Trade.objects.filter(pk=trade.pk).update(remaining_fraction=0.0, exit_reason="unprotected")


def test_an_exit_sells_no_more_than_the_venue_says_is_free_and_people_are_told(fake: Venue) -> None:
    ports = held(fake)
    trade = Trade.objects.get()
    before = Decimal(fake.state()["balances"]["BTC"]["free"])
    fake.transfer("BTC", -before - 100 * LOT)  # the owner takes out coins that the position counts on
    leave(trade)

    tick_now(ports, 3)

    sold = trade.orders.filter(role=OrderRole.EXIT).order_by("number")
    assert [order.status for order in sold] == [OrderStatus.REJECTED, OrderStatus.FILLED, OrderStatus.REJECTED]
    assert sold[1].quantity == trade.remaining - 100 * LOT
    tick_now(ports, 3)
    assert trade.orders.filter(role=OrderRole.EXIT).count() == 3
    assert Event.objects.filter(kind="exit_short").count() == 1
    assert Bot.objects.get().trading_state == TradingState.CLOSE_ONLY


def test_coins_that_another_order_has_locked_are_not_counted_as_free(fake: Venue) -> None:
    ports = held(fake)
    trade = Trade.objects.get()
    fake.cancel(trade.orders.get(role=OrderRole.STOP).client_id)
    free = Decimal(fake.state()["balances"]["BTC"]["free"])
    fake.external_order(SYMBOL, "SELL", free - trade.remaining + 100 * LOT, type="LIMIT", price="90000")
    leave(trade)

    tick_now(ports, 2)

    sold = trade.orders.filter(role=OrderRole.EXIT).order_by("number")
    assert [order.status for order in sold] == [OrderStatus.REJECTED, OrderStatus.FILLED]
    assert sold[1].quantity == trade.remaining - 100 * LOT


def test_an_exit_waits_for_a_suspended_market_and_says_so_once(fake: Venue) -> None:
    ports = held(fake)
    trade = Trade.objects.get()
    fake.market(SYMBOL, status="BREAK")
    leave(trade)

    tick_now(ports, 3)
    waiting = list(trade.orders.filter(role=OrderRole.EXIT).values_list("status", flat=True))
    fake.market(SYMBOL, status="TRADING")
    tick_now(ports)

    assert waiting == [OrderStatus.REJECTED] * 3
    said = Event.objects.get(kind="exit_refused")
    assert "Market is closed" in said.text
    trade.refresh_from_db()
    assert (trade.status, trade.exit_reason, trade.remaining) == (TradeStatus.CLOSED, "unprotected", Decimal(0))
    assert_agrees(fake)


def test_nothing_is_entered_in_a_suspended_market(fake: Venue) -> None:
    ports = opened_at(fake)
    ports.market_data.markets()
    fake.market(SYMBOL, status="BREAK")

    tick_now(ports)

    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert Bot.objects.get().trading_state == TradingState.ACTIVE
    assert fake.orders() == []
