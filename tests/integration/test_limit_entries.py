"""Entries by limit order on the paper venue: quotes rest, are replaced one by one, and end as was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Sum

from tests.engine import (
    START,
    SYMBOL,
    assert_books_balance,
    close_of,
    context_at,
    enter_at,
    ports_over,
    ports_with,
    run_rows,
    run_tick,
    series,
    set_params,
)
from tests.integration.test_replay import replayed, stored
from trading.adapters.stored_market import StoredMarket
from trading.core.candles import Candles
from trading.core.ports import OrderReport, OutcomeUnknown
from trading.core.slippage import Slippage
from trading.core.types import Market, Ticker
from trading.models import (
    LIVE,
    Bot,
    Fill,
    Order,
    OrderRole,
    OrderStatus,
    PaperOrder,
    Signal,
    SignalStatus,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import accounts, control, crash_points, invariants
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
LIMIT = {"entry_order": "limit", "entry_limit_offset": 0.01, "entry_timeout_s": 30, "price_age": 600}
Step = tuple[str, str, Decimal | None]


class ProcessDied(BaseException):
    """Stands for kill -9: nothing catches it."""


class Moving:
    """Stored bars, and a price that a test moves."""

    def __init__(self, candles: Candles, price: float = 100.0) -> None:
        self._bars, self.price = StoredMarket({SYMBOL: candles}, fee_rate=Decimal("0.001")), price

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        return self._bars.candles(symbol, timeframe, now=now, limit=limit)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Ticker]:
        return {SYMBOL: Ticker(symbol=SYMBOL, price=self.price, at=now)}

    def markets(self) -> Mapping[str, Market]:
        return self._bars.markets()


@dataclass
class Venue:
    """The paper venue, whose answers to a cancel may be lost: `before` or `after` the cancel took effect."""

    inner: Any
    lost: list[str] = field(default_factory=list)
    meanwhile: Callable[[str], None] = lambda client_id: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def cancel(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport:
        when = self.lost.pop(0) if self.lost else ""
        self.meanwhile(client_id)
        if when == "before":
            raise OutcomeUnknown("cut")
        report: OrderReport = self.inner.cancel(client_id, symbol=symbol, now=now)
        if when == "after":
            raise OutcomeUnknown("cut")
        return report


def quoted(**values: Any) -> tuple[Ports, Moving, Venue]:
    """Return a venue at which one quote of 99 rests since `close_of(-1)`."""
    set_params(**{**LIMIT, **values})
    market = Moving(series([QUIET] * 3))
    ports = ports_with(market, enter_at(-1), slippage=Slippage(fraction=0.0))
    venue = Venue(ports.broker)
    ports = replace(ports, broker=venue)
    tick_at(ports, 0)
    assert steps() == [("limit", "open", Decimal("99.00"))]
    return ports, market, venue


def tick_at(ports: Ports, *seconds: float) -> None:
    """Tick so many seconds after the setup's bar closed; at most one entry order lives, whenever one looks."""
    for second in seconds:
        run_tick(ports, close_of(-1) + timedelta(seconds=second))
        assert_entered_once()
        assert invariants.check(now=close_of(-1) + timedelta(seconds=second), since=START) == []


def steps() -> list[Step]:
    rows = Order.objects.filter(role=OrderRole.ENTRY).order_by("number")
    return [(row.kind, row.status, row.price) for row in rows]


def assert_entered_once() -> None:
    """At most one entry order of a trade lives, and never more is entered than was planned."""
    for trade in Trade.objects.all():
        orders = trade.orders.filter(role=OrderRole.ENTRY)
        assert orders.filter(status__in=LIVE).count() <= 1
        assert (orders.aggregate(sum=Sum("filled"))["sum"] or 0) <= trade.planned_quantity
    assert PaperOrder.objects.filter(kind="limit", status="open").count() <= 1


def test_a_quote_rests_and_fills_at_its_own_price() -> None:
    ports, market, _ = quoted()
    opening = Trade.objects.get()
    market.price = 98.5

    tick_at(ports, 10)

    trade = Trade.objects.get()
    assert (opening.status, opening.planned_entry, opening.is_entering) == (TradeStatus.OPENING, Decimal(99), True)
    assert (trade.status, trade.entry_price, trade.quantity) == (TradeStatus.OPEN, Decimal(99), trade.planned_quantity)
    assert not trade.is_entering
    assert trade.orders.get(role=OrderRole.STOP, status=OrderStatus.OPEN).quantity == trade.remaining
    assert Fill.objects.get().fee == trade.quantity * 99 * Decimal("0.001")
    assert_books_balance()


def test_a_quote_at_the_price_is_filled_on_arrival() -> None:
    set_params(**{**LIMIT, "entry_limit_offset": 0})
    run_rows(ports_over(series([QUIET]), enter_at(-1)), -1)

    assert steps() == [("limit", "filled", Decimal("100.00"))]
    assert (Trade.objects.get().entry_price, Trade.objects.get().is_entering) == (Decimal(100), False)


def test_after_its_time_a_quote_is_replaced_at_the_price_then() -> None:
    ports, market, _ = quoted()
    market.price = 100.5

    tick_at(ports, 29, 30)
    market.price = 99.4
    tick_at(ports, 40)

    assert steps() == [("limit", "canceled", Decimal("99.00")), ("limit", "filled", Decimal("99.50"))]
    trade = Trade.objects.get()
    first, second = trade.orders.filter(role=OrderRole.ENTRY).order_by("number")
    assert (first.number, second.number, first.client_id != second.client_id) == (1, 2, True)
    assert (trade.planned_entry, trade.entry_price, trade.first_stop) == (Decimal(99), Decimal("99.5"), trade.stop)
    assert_books_balance()


def test_a_dearer_quote_is_smaller_so_that_the_stop_costs_no_more() -> None:
    ports, market, _ = quoted()
    market.price = 101.0
    tick_at(ports, 30)

    trade = Trade.objects.get()
    second = trade.orders.get(number=2)
    stop, fee = Decimal(str(trade.first_stop)), Decimal("0.001")

    def lost(entry: Decimal, quantity: Decimal) -> Decimal:
        return quantity * (entry - stop + fee * (entry + stop))

    assert second.price == Decimal("99.99")
    planned = lost(trade.planned_entry, trade.planned_quantity)
    assert planned - Decimal("0.1") < lost(second.price, second.quantity) <= planned


@pytest.mark.parametrize(
    ("fallback", "last", "status"), [("market", "filled", TradeStatus.OPEN), ("abandon", None, TradeStatus.CANCELED)]
)
def test_after_the_last_quote_the_rest_is_entered_at_the_market_or_abandoned(
    fallback: str, last: str | None, status: TradeStatus
) -> None:
    ports, _, _ = quoted(entry_requotes=1, entry_fallback=fallback)

    tick_at(ports, 30, 60, 62)

    limits = [("limit", "canceled", Decimal("99.00"))] * 2
    assert steps() == limits + ([("market", last, None)] if last else [])
    trade, signal = Trade.objects.get(), Signal.objects.get()
    assert (trade.status, trade.is_entering) == (status, False)
    if last is None:
        assert (signal.status, signal.reason) == (
            SignalStatus.EXPIRED,
            "not entered: its quotes did not fill in time",
        )
    assert_books_balance()


def test_no_quote_follows_when_the_setup_has_grown_too_old() -> None:
    ports, _, _ = quoted(entry_timeout_s=600)

    tick_at(ports, 600)

    assert steps() == [("limit", "canceled", Decimal("99.00"))]
    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert Signal.objects.get().reason == "not entered: its setup was too old to enter"


def test_no_quote_follows_a_price_that_has_reached_the_first_target() -> None:
    ports, market, _ = quoted()
    market.price = Trade.objects.get().rules["target_1"]

    tick_at(ports, 30)

    assert steps() == [("limit", "canceled", Decimal("99.00"))]
    assert Trade.objects.get().status == TradeStatus.CANCELED


def test_a_quote_that_the_permit_denies_ends_the_entry() -> None:
    ports, _, _ = quoted()
    Bot.objects.update(last_loss_at=close_of(-1), losses_in_row=5)

    tick_at(ports, 30)

    assert [status for _, status, _ in steps()] == ["canceled", "denied"]
    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert "since the last of 5 losses" in Signal.objects.get().reason


@pytest.mark.parametrize("state", [TradingState.CLOSE_ONLY, TradingState.HALTED])
def test_a_halt_cancels_the_quote_at_the_next_tick(state: TradingState) -> None:
    ports, _, _ = quoted()
    control.tighten(state, reason="enough", now=close_of(-1))

    tick_at(ports, 2)

    assert steps() == [("limit", "canceled", Decimal("99.00"))]
    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert Signal.objects.get().reason.endswith("enough")
    assert not PaperOrder.objects.filter(status="open").exists()


def test_a_halt_by_file_cancels_the_quote_too(tmp_path: Path) -> None:
    ports, _, _ = quoted()
    (tmp_path / "HALT").touch()

    tick_at(replace(ports, halt_file=tmp_path / "HALT"), 2)

    assert steps() == [("limit", "canceled", Decimal("99.00"))]


def test_a_quote_that_somebody_else_canceled_is_not_replaced() -> None:
    ports, _, venue = quoted()
    order = Order.objects.get()
    venue.inner.cancel(order.client_id, symbol=SYMBOL, now=close_of(-1))

    tick_at(ports, 30, 32)

    assert steps() == [("limit", "canceled", Decimal("99.00"))]
    assert Trade.objects.get().status == TradeStatus.CANCELED


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_reply_to_the_cancel_is_settled_before_anything_follows(when: str) -> None:
    ports, _, venue = quoted()
    venue.lost = [when]

    tick_at(ports, 30)
    in_doubt = steps()
    tick_at(ports, 32)

    assert in_doubt == [("limit", "canceling", Decimal("99.00"))]
    assert steps() == [("limit", "canceled", Decimal("99.00")), ("limit", "open", Decimal("99.00"))]


def test_a_quote_that_fills_while_it_is_canceled_is_entered_and_not_followed() -> None:
    ports, market, venue = quoted()

    def drop(client_id: str) -> None:
        market.price = 98.9

    venue.meanwhile, venue.lost = drop, ["after"]
    tick_at(ports, 30, 32, 34)

    assert steps() == [("limit", "filled", Decimal("99.00"))]
    assert Trade.objects.get().quantity == Trade.objects.get().planned_quantity
    assert_books_balance()


POINTS = (
    *(f"cancel.{step}:1" for step in ("permitted", "answered", "settled")),
    *(f"entry.{step}:1" for step in ("recorded", "permitted", "answered", "settled")),
)


@pytest.mark.parametrize("point", POINTS)
def test_a_death_between_cancel_and_next_quote_never_doubles_the_entry(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports, market, _ = quoted()
    _die_at(point, monkeypatch, ports)

    tick_at(ports, 32, 38, 40)
    market.price = 98.0
    tick_at(ports, 42, 44)

    expected = "absent" if point == "entry.permitted:1" else "filled"
    assert [status for _, status, _ in steps()] == ["canceled", expected]
    trade = Trade.objects.get()
    assert trade.status == (TradeStatus.CANCELED if expected == "absent" else TradeStatus.OPEN)
    assert trade.remaining == (0 if expected == "absent" else trade.planned_quantity)
    assert_books_balance()


def _die_at(point: str, monkeypatch: pytest.MonkeyPatch, ports: Ports) -> None:
    assert point.removesuffix(":1") in crash_points.NAMES

    def reach(name: str) -> None:
        if f"{name}:1" == point:
            raise ProcessDied

    with monkeypatch.context() as patched:
        patched.setattr(crash_points, "reach", reach)
        with pytest.raises(ProcessDied):
            run_tick(ports, close_of(-1) + timedelta(seconds=30))
    assert_entered_once()


def test_the_bar_of_the_fill_can_stop_a_position_out() -> None:
    set_params(**LIMIT)
    rows = [(100.0, 100.2, 90.0, 91.0), QUIET]
    run_rows(ports_over(series(rows), enter_at(-1)), -1, 0)

    trade = Trade.objects.get()
    assert (trade.status, trade.entry_price, trade.exit_reason) == (TradeStatus.CLOSED, Decimal(99), "stop")
    assert float(trade.orders.get(role=OrderRole.EXIT).fills.get().price) == trade.first_stop
    assert_books_balance()


def test_a_target_that_the_bar_of_the_fill_has_seen_is_not_believed() -> None:
    set_params(**LIMIT, trailing=False)
    rows = [(100.0, 110.0, 98.9, 100.0), QUIET, QUIET]
    run_rows(ports_over(series(rows), enter_at(-1)), -1, 0)

    trade = Trade.objects.get()
    assert (trade.status, trade.targets_hit, trade.bars, trade.best) == (TradeStatus.OPEN, 0, 1, 99.0)


def test_a_short_quote_rests_above_the_price() -> None:
    set_params(**LIMIT)
    market = Moving(series([QUIET] * 2))
    ports = ports_with(market, enter_at(-1, side=-1), slippage=Slippage(fraction=0.0))
    tick_at(ports, 0)
    market.price = 101.5

    tick_at(ports, 10)

    assert steps() == [("limit", "filled", Decimal("101.00"))]
    assert Trade.objects.get().entry_price == Decimal(101)


def test_what_a_quote_may_still_fill_counts_as_open() -> None:
    ports, _, _ = quoted()
    trade = Trade.objects.get()

    account = accounts.snapshot(Bot.objects.get(), context_at(ports, close_of(-1)), symbol="ETH/USDT")

    assert account.open_notional == trade.planned_quantity * 100
    assert account.open_symbols == {SYMBOL}


def test_a_replay_with_quotes_repeats_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    stored("SOL/USDT")
    values = {"entry_order": "limit", "entry_limit_offset": 0.001, "score_min_ranging": 0, "volume_min": 0.3}

    first = replayed(tmp_path, "SOL/USDT", name="one.json", params=values, until="2026-03-08")
    second = replayed(tmp_path, "SOL/USDT", name="two.json", params=values, until="2026-03-08")

    assert first["trades"]
    assert json.dumps(first) == json.dumps(second)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
