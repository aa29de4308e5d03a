"""The tick end to end, on bars written down by hand: entries, exits, refusals and the books."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.engine import (
    BALANCE,
    SYMBOL,
    assert_books_balance,
    close_of,
    enter_at,
    ports_over,
    run_rows,
    run_tick,
    series,
    set_params,
)
from trading.models import (
    Bot,
    Event,
    Order,
    OrderRole,
    OrderStatus,
    PaperOrder,
    Signal,
    SignalStatus,
    Trade,
    TradeStatus,
    TradingState,
    Watermark,
)
from trading.services import tick

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
UP = (100.0, 101.6, 99.6, 101.5)


def test_a_setup_becomes_a_trade_with_a_stop_at_the_venue() -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))

    run_rows(ports, -1)

    trade = Trade.objects.get()
    stop = trade.orders.get(role=OrderRole.STOP)
    assert trade.status == TradeStatus.OPEN
    assert trade.entry_price == Decimal("100")
    assert trade.signal.status == SignalStatus.TAKEN
    assert (stop.status, stop.quantity, stop.trigger) == (
        OrderStatus.OPEN,
        trade.quantity,
        Decimal(str(trade.first_stop)),
    )
    assert PaperOrder.objects.get(client_id=stop.client_id).status == "open"
    assert_books_balance()


def test_the_quantity_loses_the_asked_fraction_at_the_stop() -> None:
    set_params(risk_fraction=0.01, risk_floor=0.001)
    ports = ports_over(series([QUIET]), enter_at(-1))

    run_rows(ports, -1)

    trade = Trade.objects.get()
    stop = Decimal(str(trade.first_stop))
    loss = trade.quantity * (trade.entry_price - stop + Decimal("0.001") * (trade.entry_price + stop))
    assert BALANCE * Decimal("0.0099") < loss <= BALANCE * Decimal("0.01")


def test_a_bar_is_decided_once_however_often_the_tick_runs() -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))

    outcomes = [run_tick(ports, close_of(-1) + timedelta(seconds=s)) for s in (0, 0.5, 5, 10)]

    assert outcomes == [tick.Outcome.RAN, tick.Outcome.SLOT_TAKEN, tick.Outcome.RAN, tick.Outcome.RAN]
    assert Signal.objects.count() == Trade.objects.count() == 1
    assert Order.objects.filter(role=OrderRole.ENTRY).count() == 1


def test_a_bar_without_a_setup_only_moves_the_watermark() -> None:
    set_params()
    ports = ports_over(series([QUIET]), enter_at())

    run_rows(ports, -1)

    assert Watermark.objects.get().bar_at == close_of(-2)
    assert not Signal.objects.exists()


def test_a_refusal_keeps_every_verdict_and_names_the_first() -> None:
    set_params(volume_min=5, confluence_min=3, confluence_volume=5)
    ports = ports_over(series([QUIET]), enter_at(-1))

    run_rows(ports, -1)

    signal = Signal.objects.get()
    failed = list(signal.verdicts.filter(passed=False).order_by("position").values_list("name", flat=True))
    assert signal.status == SignalStatus.REFUSED
    assert signal.refused_by == failed[0] == "volume_ratio"
    assert "confluence" in failed
    assert signal.reason == "volume ratio 1.00, needs 5.00"
    assert signal.verdicts.count() > 12
    assert not Trade.objects.exists()


def test_a_setup_older_than_its_deadline_expires() -> None:
    set_params(entry_deadline=0.5)
    ports = ports_over(series([QUIET]), enter_at(-1))

    run_tick(ports, close_of(-1) + timedelta(minutes=8))

    signal = Signal.objects.get()
    assert (signal.status, signal.refused_by) == (SignalStatus.EXPIRED, "setup_age")
    assert not Order.objects.exists()


def test_nothing_is_entered_on_a_price_from_before_the_bar() -> None:
    set_params()
    ports = ports_over(series([QUIET]), enter_at(0))

    run_rows(ports, 0)

    assert Signal.objects.get().refused_by == "price_age"
    assert not Order.objects.exists()


def test_a_pause_refuses_entries_and_never_an_exit() -> None:
    set_params()
    ports = ports_over(series([QUIET, (100.0, 100.0, 90.0, 91.0), QUIET]), enter_at(-1, 0))
    run_rows(ports, -1)
    Bot.objects.update(trading_state=TradingState.CLOSE_ONLY)

    run_rows(ports, 0, 1)

    assert Trade.objects.get().status == TradeStatus.CLOSED
    assert Signal.objects.order_by("pk").last().refused_by == "trading_state"  # type: ignore[union-attr]
    assert_books_balance()


def test_the_venue_fills_the_stop_at_its_trigger() -> None:
    set_params()
    ports = ports_over(series([QUIET, (100.0, 100.2, 90.0, 91.0), QUIET]), enter_at(-1))

    run_rows(ports, -1, 0, 1)

    trade = Trade.objects.get()
    stop = trade.orders.get(role=OrderRole.STOP)
    assert trade.exit_reason == "stop"
    assert stop.fills.get().price == Decimal(str(trade.first_stop))
    assert not trade.orders.filter(role=OrderRole.EXIT).exists()
    assert trade.pnl < 0
    assert Bot.objects.get().losses_in_row == 1
    assert_books_balance()


def test_a_bar_that_opens_beyond_the_stop_fills_at_its_open() -> None:
    set_params()
    ports = ports_over(series([QUIET, (95.0, 95.5, 94.0, 95.0), QUIET]), enter_at(-1))

    run_rows(ports, -1, 0, 1)

    assert Trade.objects.get().orders.get(role=OrderRole.STOP).fills.get().price == Decimal("95")


def test_each_target_takes_its_part_and_the_last_one_the_rest() -> None:
    set_params(trailing=False, break_even=False)
    far = (100.0, 130.0, 99.9, 129.0)
    ports = ports_over(series([QUIET, far, QUIET]), enter_at(-1))

    run_rows(ports, -1, 0, 1)

    trade = Trade.objects.get()
    exits = list(trade.orders.filter(role=OrderRole.EXIT).order_by("number"))
    assert [order.reason for order in exits] == ["target_1", "target_2", "target_3"]
    assert sum(order.filled for order in exits) == trade.quantity
    assert exits[0].filled / trade.quantity == pytest.approx(Decimal("0.4"), abs=Decimal("0.001"))
    assert [order.fills.get().price for order in exits] == [Decimal(str(trade.rules[f"target_{n}"])) for n in (1, 2, 3)]
    assert trade.status == TradeStatus.CLOSED
    assert trade.orders.get(role=OrderRole.STOP).status == OrderStatus.CANCELED
    assert trade.pnl > 0
    assert Bot.objects.get().wins_in_row == 1
    assert_books_balance()


def test_the_stop_at_the_venue_shrinks_and_follows() -> None:
    set_params()
    # ATR is about 1, so 1 R is about 2: the first target lies near 103, the second near 105.
    ports = ports_over(series([QUIET, (100.0, 104.0, 99.9, 103.9), (103.9, 104.0, 103.8, 103.9)]), enter_at(-1))

    run_rows(ports, -1, 0, 1)

    trade = Trade.objects.get()
    stops = list(trade.orders.filter(role=OrderRole.STOP).order_by("number"))
    live = stops[-1]
    assert [stop.status for stop in stops[:-1]] == [OrderStatus.CANCELED] * (len(stops) - 1)
    assert live.status == OrderStatus.OPEN
    assert live.quantity == trade.remaining < trade.quantity
    assert live.trigger is not None
    assert live.trigger > trade.entry_price
    assert live.reason == "trailing"


def test_time_is_up_at_the_open_after_so_many_bars() -> None:
    set_params(time_stop=2)
    ports = ports_over(series([QUIET] * 5), enter_at(-1))

    run_rows(ports, -1, 0, 1, 2)

    trade = Trade.objects.get()
    assert trade.exit_reason == "time"
    assert trade.closed_at == close_of(1)
    assert_books_balance()


def test_a_short_mirrors_a_long() -> None:
    set_params()
    ports = ports_over(series([QUIET, (100.0, 110.0, 99.9, 109.0), QUIET]), enter_at(-1, side=-1))

    run_rows(ports, -1, 0, 1)

    trade = Trade.objects.get()
    assert trade.side == "short"
    assert trade.first_stop > 100
    assert trade.exit_reason == "stop"
    assert trade.pnl < 0
    assert_books_balance()


def test_bars_missed_while_nothing_ran_are_caught_up_in_order() -> None:
    set_params()
    rows = [QUIET, QUIET, (100.0, 100.2, 90.0, 91.0), QUIET]
    ports = ports_over(series(rows), enter_at(-1))
    run_rows(ports, -1)

    run_rows(ports, 3)

    trade = Trade.objects.get()
    assert trade.exit_reason == "stop"
    assert trade.closed_at == close_of(2)
    assert_books_balance()


def test_a_losing_streak_cools_down_and_the_cool_down_ends() -> None:
    set_params(cooldown_losses=1, cooldown_minutes=30)
    crash = (100.0, 100.2, 90.0, 91.0)
    ports = ports_over(series([crash, QUIET, QUIET, QUIET, QUIET]), enter_at(-1, 0, 1, 2))

    run_rows(ports, -1, 0, 1, 2)

    refusals = list(Signal.objects.order_by("bar_at").values_list("refused_by", flat=True))
    assert refusals == ["", "cool_down", "cool_down", ""]


def test_the_day_opens_once_and_a_daily_loss_stops_entries() -> None:
    set_params(daily_loss=0.005, cooldown_losses=20)
    crash = (100.0, 100.2, 90.0, 91.0)
    ports = ports_over(series([crash, QUIET, QUIET]), enter_at(-1, 0))

    run_rows(ports, -1, 0)

    assert Signal.objects.order_by("bar_at").last().refused_by == "daily_loss"  # type: ignore[union-attr]


def test_one_open_trade_per_symbol() -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1, 0))

    run_rows(ports, -1, 0)

    assert Trade.objects.count() == 1
    assert Signal.objects.order_by("bar_at").last().refused_by == "open_on_symbol"  # type: ignore[union-attr]


def test_a_symbol_without_a_market_is_left_out_and_others_go_on() -> None:
    set_params(pairs=["NONE/USDT", SYMBOL])
    ports = ports_over(series([QUIET]), enter_at(-1))

    run_rows(ports, -1)

    assert Trade.objects.get().symbol == SYMBOL


def test_everything_that_happened_is_in_the_journal() -> None:
    set_params()
    ports = ports_over(series([(100.0, 100.2, 90.0, 91.0), QUIET]), enter_at(-1))

    run_rows(ports, -1, 0)

    kinds = list(Event.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds[-4:] == ["signal", "entry", "exit", "trade_closed"]


def test_a_run_of_ticks_without_news_costs_few_queries(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    set_params()
    ports = ports_over(series([QUIET] * 3), enter_at())
    run_rows(ports, -1)

    with django_assert_max_num_queries(18):
        run_rows(ports, 0)
