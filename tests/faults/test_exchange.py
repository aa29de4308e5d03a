"""The exchange is out of order for a while, changes its rules, or tells old news.

Each test is named with its id in the fault catalogue. What one reply proves is in `test_ccxt_outcomes`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.engine import START
from tests.faults.test_limit_entries_venue import assert_agrees, held, leave, tick_now
from tests.faults.test_order_life import SYMBOL, entered
from tests.venue.launch import Venue
from trading.adapters.ccxt_broker import CcxtBroker
from trading.core.ports import OrderReport, ReportStatus
from trading.models import Bot, Event, Order, OrderRole, OrderStatus, Trade, TradeStatus, TradingState
from trading.services import execution, invariants, lease, tick
from trading.services.context import Ports

pytestmark = pytest.mark.django_db


def test_xr_07_in_a_storm_of_errors_nothing_is_sent_twice_and_the_stop_still_works(fake: Venue) -> None:
    ports = held(fake)
    trade, before = Trade.objects.get(), len(fake.accepted())
    fake.fault("http_5xx", "*", probability=1.0)

    tick_now(ports, 3)
    Bot.objects.update(reconciled_epoch=0)
    tick_now(ports, 2)
    unknown = Bot.objects.get().reconciled_epoch
    fake.price(SYMBOL, str(trade.stop - 200))
    tick_now(ports, 2)
    fake.heal()
    tick_now(ports, 2)

    trade.refresh_from_db()
    assert unknown == 0
    assert len(fake.accepted()) == before
    assert (trade.status, trade.exit_reason, trade.remaining) == (TradeStatus.CLOSED, "stop", Decimal(0))
    assert Bot.objects.get().trading_state == TradingState.ACTIVE
    assert_agrees(fake)
    assert invariants.check(now=datetime.now(UTC), since=START) == []


def test_xr_12_a_coarser_grid_does_not_keep_a_position_from_being_sold(fake: Venue) -> None:
    ports = held(fake)
    trade = Trade.objects.get()
    fake.market(SYMBOL, lot="0.001", min_quantity="0.001")
    leave(trade)
    grow_old(ports)

    tick_now(ports, 4)

    sold = sum((order.filled for order in trade.orders.filter(role=OrderRole.EXIT)), Decimal(0))
    assert 0 <= trade.quantity - sold < Decimal("0.001")
    assert sold % Decimal("0.001") == 0
    assert Trade.objects.get().status == TradeStatus.CLOSED


def test_xr_11_a_position_in_a_market_that_rests_waits_and_keeps_nothing_else_waiting(fake: Venue) -> None:
    ports = held(fake)
    trade = Trade.objects.get()
    fake.market(SYMBOL, status="BREAK")
    leave(trade)
    grow_old(ports)

    tick_now(ports, 3)
    waiting = set(trade.orders.filter(role=OrderRole.EXIT).values_list("status", flat=True))
    said = Event.objects.filter(kind="exit_refused").count()
    fake.market(SYMBOL, status="TRADING")
    grow_old(ports)
    tick_now(ports, 3)

    assert (waiting, said) == ({OrderStatus.REJECTED}, 1)
    trade.refresh_from_db()
    assert (trade.status, trade.remaining) == (TradeStatus.CLOSED, Decimal(0))
    assert_agrees(fake)


def test_xr_11_rules_that_cannot_be_read_anew_are_kept(fake: Venue) -> None:
    ports = held(fake)
    leave(Trade.objects.get())
    fake.fault("http_5xx", "GET exchangeInfo", probability=1.0)
    grow_old(ports, seconds=4000)

    tick_now(ports, 2)

    assert Trade.objects.get().status == TradeStatus.CLOSED
    assert_agrees(fake)


def grow_old(ports: Ports, seconds: float = 61) -> None:
    """Let the rules of the markets have been read so long ago."""
    broker = ports.broker
    assert isinstance(broker, CcxtBroker)
    broker.client._markets_at -= seconds


def test_xr_15_old_news_of_an_order_change_nothing() -> None:
    world = entered()
    order = Order.objects.get(role=OrderRole.ENTRY)
    told = world.venue.find(order.client_id, symbol=SYMBOL, now=world.now)
    assert told is not None
    trade, events = Trade.objects.get(), order.events.count()
    held_lease = lease.acquire(owner="process 1")
    assert held_lease is not None
    context = tick._context(world.ports, held_lease, world.now)

    for status in (ReportStatus.PARTIAL, ReportStatus.OPEN, ReportStatus.CANCELED, ReportStatus.FILLED):
        for fills in ((), told.fills):
            old = OrderReport(client_id=told.client_id, venue_order_id=told.venue_order_id, status=status, fills=fills)
            execution.settle(order, old, context)

    order.refresh_from_db()
    assert (order.status, order.events.count()) == (OrderStatus.FILLED, events)
    assert Trade.objects.get().remaining == trade.remaining
    world.settle_down()
