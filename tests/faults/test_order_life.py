"""What an order may go through after it was accepted: filled in part, canceled by others, overtaken by its stop.

Each test is named with its id in the fault catalogue; the venue is one in memory, and the last ones' is the fake one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.engine import START
from tests.faults.test_limit_entries_venue import assert_agrees, entry, fill, opened_at, quoted, tick_now
from tests.properties.venue import ENDS, FEE_RATE, LOT
from tests.properties.world import World
from tests.venue.launch import Venue
from trading.core.ports import OrderKind, OrderRejected, OutcomeUnknown, ReportStatus, StopSupport
from trading.models import (
    RESTING,
    Bot,
    Event,
    ExternalHolding,
    Order,
    OrderRole,
    OrderStatus,
    Signal,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import invariants, ledger

pytestmark = pytest.mark.django_db

SYMBOL = "BTC/USDT"


def entered(how: str = "ok", *, stop: StopSupport = StopSupport.MARKET) -> World:
    """Return a world whose venue has met one entry in this way."""
    world = World(stop=stop)
    world.tick()
    world.close_bar()
    world.want(SYMBOL)
    world.venue.script = [how]
    world.tick()
    return world


def sold(world: World) -> Decimal:
    fills = [fill for order in world.venue.placed for fill in order.fills if order.request.side == "sell"]
    return sum((fill.quantity for fill in fills), Decimal(0))


def test_ol_02_a_part_that_filled_before_a_cancel_is_what_the_stop_protects() -> None:
    world = entered("partial_ends")

    trade = Trade.objects.get()
    order, stop = trade.orders.get(role=OrderRole.ENTRY), trade.orders.get(role=OrderRole.STOP)
    assert order.status == OrderStatus.CANCELED
    assert trade.remaining == order.filled == (order.quantity * Decimal("0.6")).quantize(LOT)
    assert (stop.status, stop.quantity) == (OrderStatus.OPEN, trade.remaining)
    world.settle_down()


def test_ol_05_more_than_was_ordered_is_booked_protected_and_told() -> None:
    world = entered("overfilled")
    for _ in range(2):
        world.wait(2)
        world.tick()

    trade = Trade.objects.get()
    order = trade.orders.get(role=OrderRole.ENTRY)
    assert (order.status, order.filled) == (OrderStatus.FILLED, (order.quantity * Decimal("1.2")).quantize(LOT))
    assert trade.remaining == order.filled == world.venue.coins[SYMBOL]
    assert [resting.rest for resting in world.venue.resting(SYMBOL)] == [trade.remaining]
    assert [violation.id for violation in invariants.watch(now=world.now, since=START)] == ["I-12"]
    assert "filled beyond its quantity" in Bot.objects.get().state_reason
    assert Bot.objects.get().trading_state == TradingState.CLOSE_ONLY


@pytest.mark.parametrize("tells", [True, False], ids=["filled", "unknown order"])
def test_ol_08_09_12_a_stop_that_fills_while_it_is_canceled_is_the_only_sale(tells: bool) -> None:
    world = entered()
    bought = Trade.objects.get().remaining

    def overtake(client_id: str) -> None:
        world.move(SYMBOL, 90.0)
        if not tells:
            raise OrderRejected(f"unknown order {client_id}")

    world.venue.canceling = act = overtake
    world.move(SYMBOL, float(Trade.objects.get().rules["target_1"]) + 0.5)
    world.wait(2)
    world.tick()
    world.assert_sound()
    world.wait(2)
    world.tick()

    trade = Trade.objects.get()
    assert world.venue.canceling is not act
    assert (trade.status, trade.remaining, sold(world)) == (TradeStatus.CLOSED, Decimal(0), bought)
    assert trade.orders.get(role=OrderRole.STOP).status == OrderStatus.FILLED
    assert not trade.orders.filter(role=OrderRole.EXIT).exists()
    world.settle_down()


def test_ol_10_a_stop_that_the_operator_cancels_is_there_again_within_ten_seconds() -> None:
    world = entered()
    first = world.venue.resting(SYMBOL)[0]
    world.venue.cancel_by_hand(first.request.client_id)

    for _ in range(2):
        world.wait(2)
        world.tick()

    again = world.venue.resting(SYMBOL)
    assert [order.rest for order in again] == [Trade.objects.get().remaining]
    assert again[0].number > first.number
    assert Event.objects.filter(kind="stop_canceled").count() == 1
    world.settle_down()


def test_our_own_cancel_of_a_stop_is_no_news() -> None:
    world = entered()
    world.move(SYMBOL, 103.0)  # a target: the stop is replaced by a smaller one
    world.settle_down()

    assert Order.objects.filter(role=OrderRole.STOP, status=OrderStatus.CANCELED).exists()
    assert not Event.objects.filter(kind="stop_canceled").exists()


@pytest.mark.parametrize("how", [end for end in ENDS if end != "crumb_ends"])
def test_ol_13_what_the_venue_cancels_is_not_entered_again_on_the_same_bar(how: str) -> None:
    world = entered(how)
    for _ in range(5):
        world.wait(2)
        world.tick()

    assert Order.objects.get(role=OrderRole.ENTRY).status == OrderStatus.CANCELED
    nothing = how == "nothing_ends"
    assert Trade.objects.get().status == (TradeStatus.CANCELED if nothing else TradeStatus.OPEN)
    assert Signal.objects.get().status == ("expired" if nothing else "taken")
    world.settle_down()


def test_ol_15_a_price_that_jumps_over_a_stop_limit_is_followed_to_the_market() -> None:
    world = entered(stop=StopSupport.LIMIT)
    stop = world.venue.resting(SYMBOL)[0]
    assert stop.request.price is not None
    world.move(SYMBOL, float(stop.request.price) - 3)
    left_resting = (stop.is_released, stop.status)

    for _ in range(3):
        world.wait(2)
        world.tick()

    trade = Trade.objects.get()
    assert left_resting == (True, ReportStatus.OPEN)
    assert (trade.status, trade.exit_reason, trade.remaining) == (TradeStatus.CLOSED, "stop", Decimal(0))
    assert stop.status == ReportStatus.CANCELED
    assert sum(o.request.kind == OrderKind.MARKET and o.request.side == "sell" for o in world.venue.placed) == 1
    world.settle_down()


def test_ol_18_another_mode_cannot_touch_an_account_with_open_orders() -> None:
    world = entered()
    before = len(world.venue.placed), Order.objects.count()
    world.wait(2)
    world.venue.mode = "live"

    with pytest.raises(ledger.WrongAccount, match="holds the paper account"):
        world.tick()

    world.ports, same = replace(world.ports, venue="another"), world.ports
    world.venue.mode = "paper"
    world.wait(2)
    with pytest.raises(ledger.WrongAccount, match="not the paper account of another"):
        world.tick()
    assert (len(world.venue.placed), Order.objects.count()) == before
    world.ports = same
    world.wait(2)
    world.settle_down()


@pytest.mark.parametrize("coin", ["base", "quote", "BNB"])
def test_ol_04_ten_fills_with_fees_in_any_coin_add_up_and_the_stop_can_be_sold(fake: Venue, coin: str) -> None:
    ports = quoted(fake)
    fake.fees(coin)
    for _ in range(10):
        fill(fake, 10)
    fake.fill(entry().client_id)  # what the lots left over

    tick_now(ports, 2)

    trade, order = Trade.objects.get(), entry()
    state = fake.state()
    held = sum(Decimal(state["balances"]["BTC"][part]) for part in ("free", "locked"))
    stop = trade.orders.get(role=OrderRole.STOP, status__in=RESTING)
    assert (order.status, order.filled) == (OrderStatus.FILLED, order.quantity)
    kept = order.quantity * FEE_RATE if coin == "base" else Decimal(0)
    assert trade.remaining == order.quantity - kept
    assert stop.quantity == ports.market_data.markets()[SYMBOL].quantity(trade.remaining) <= held
    if coin == "quote":
        assert_agrees(fake)
    assert trade.fees >= (order.quantity * 49500 * FEE_RATE).quantize(Decimal("0.01")) > 0


def test_ol_03_a_crumb_is_written_off_and_blocks_nothing(fake: Venue) -> None:
    ports = opened_at(fake, entry_order="market")
    fake.fault("partial", fraction="0.0001")

    tick_now(ports)
    crumb = Order.objects.get(role=OrderRole.ENTRY).filled
    tick_now(ports, 4)

    trade = Trade.objects.get()
    assert 0 < crumb * 50_000 < 5
    assert (trade.status, trade.remaining) == (TradeStatus.CLOSED, Decimal(0))
    assert ExternalHolding.objects.get().quantity == crumb
    assert Event.objects.filter(kind="dust").count() == 1
    assert not [row for row in fake.orders() if row["side"] == "SELL"]
    assert Bot.objects.get().trading_state == TradingState.ACTIVE
    assert invariants.check(now=datetime.now(UTC), since=START) == []


def test_a_stop_whose_cancel_is_in_doubt_protects_nothing() -> None:
    world = entered()

    def cut_off(client_id: str) -> None:
        world.venue.cancel_by_hand(client_id)
        world.venue.deaf = 1_000
        raise OutcomeUnknown("the reply was lost")

    world.venue.canceling = cut_off
    world.move(SYMBOL, float(Trade.objects.get().rules["target_1"]) + 0.5)
    world.wait(2)
    world.tick()
    began = Trade.objects.get().unprotected_at
    world.move(SYMBOL, 100.0)
    for _ in range(2):
        world.wait(2)
        world.tick()

    trade = Trade.objects.get()
    assert trade.orders.get(role=OrderRole.STOP).status == OrderStatus.CANCELING
    assert began is not None
    assert trade.unprotected_at == began
    assert "I-20" in [found.id for found in invariants.check(now=began + timedelta(seconds=11), since=START)]
    for _ in range(3):
        world.wait(2)
        world.tick()
    world.venue.deaf = 0
    world.wait(2)
    world.tick()
    assert (Trade.objects.get().status, Bot.objects.get().trading_state) == ("closed", TradingState.CLOSE_ONLY)
    world.settle_down()
