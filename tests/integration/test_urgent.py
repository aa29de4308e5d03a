"""What has no stop comes before everything else a tick does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from tests.engine import (
    assert_books_balance,
    close_of,
    context_at,
    enter_at,
    flaky,
    ports_over,
    run_tick,
    series,
    set_params,
)
from trading.core.ports import (
    Capabilities,
    OrderRejected,
    OrderReport,
    OrderRequest,
    OutcomeUnknown,
    ReportStatus,
    StopSupport,
)
from trading.core.types import Ticker
from trading.models import (
    Bot,
    Event,
    Lease,
    Order,
    OrderRole,
    OrderStatus,
    PaperOrder,
    Trade,
    TradeStatus,
    TradingState,
)
from trading.services import crash_points, execution, lease, reconcile, urgent
from trading.services.context import Context, Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
SYMBOLS = ("AAA/USDT", "BBB/USDT", "CCC/USDT")


@dataclass
class Watched:
    """A venue in front of another that notes what it is asked, and tells fills late where `tells_fills` is False."""

    inner: Any
    calls: list[str] = field(default_factory=list)
    tells_fills: bool = True
    able: Capabilities | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def capabilities(self, symbol: str) -> Capabilities:
        found: Capabilities = self.able or self.inner.capabilities(symbol)
        return found

    def submit(self, request: OrderRequest) -> OrderReport:
        self.calls.append(f"{request.kind} {request.symbol}")
        report: OrderReport = self.inner.submit(request)
        return report if self.tells_fills else replace(report, status=ReportStatus.PARTIAL, fills=())

    def find(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport | None:
        self.calls.append(f"find {symbol}")
        found: OrderReport | None = self.inner.find(client_id, symbol=symbol, now=now)
        return found


def watched(ports: Ports, **venue: Any) -> tuple[Ports, Watched]:
    broker = Watched(ports.broker, **venue)
    return replace(ports, broker=broker, clock=lambda: close_of(-1)), broker


def test_a_lost_stop_is_placed_before_the_next_order_in_doubt_is_asked_about() -> None:
    set_params(pairs=list(SYMBOLS), max_open_risk=0.5)
    candles = {symbol: series([QUIET], symbol=symbol) for symbol in SYMBOLS}
    lost = OutcomeUnknown("cut")
    fate = (("ok", lost), ("before", lost), ("before", lost), ("after", lost), ("after", lost))
    ports, inner = flaky(ports_over(candles, enter_at(-1)), *fate)
    ports, venue = watched(replace(ports, broker=inner))
    run_tick(ports, close_of(-1))
    assert Order.objects.filter(status=OrderStatus.UNKNOWN).count() == 3
    venue.calls.clear()

    run_tick(ports, close_of(-1).replace(second=2))

    stop = venue.calls.index("stop AAA/USDT")
    assert stop < venue.calls.index("find BBB/USDT") < venue.calls.index("find CCC/USDT")
    assert Order.objects.filter(role=OrderRole.STOP, status=OrderStatus.OPEN).count() == 3
    assert not Trade.objects.filter(unprotected_at__isnull=False).exists()


def test_a_market_order_whose_reply_tells_no_fills_is_asked_for_at_once() -> None:
    set_params()
    ports, venue = watched(ports_over(series([QUIET]), enter_at(-1)), tells_fills=False)

    run_tick(ports, close_of(-1))

    assert Trade.objects.get().status == TradeStatus.OPEN
    assert Trade.objects.get().unprotected_at is None
    assert venue.calls == ["market BTC/USDT", "find BTC/USDT", "stop BTC/USDT"]


def test_where_this_process_is_the_stop_a_position_counts_as_protected() -> None:
    set_params()
    able = Capabilities(stop=StopSupport.NONE, receive_window=None)
    ports, _ = watched(ports_over(series([QUIET]), enter_at(-1)), able=able)

    run_tick(replace(ports, accepts_local_stops=True), close_of(-1))

    trade = Trade.objects.get()
    assert (trade.status, trade.unprotected_at) == (TradeStatus.OPEN, None)


def test_an_order_that_cannot_be_booked_halts_and_keeps_nothing_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    set_params(pairs=list(SYMBOLS[:2]), max_open_risk=0.5)
    candles = {symbol: series([QUIET, QUIET], symbol=symbol) for symbol in SYMBOLS[:2]}
    lost = OutcomeUnknown("cut")
    ports, _ = flaky(ports_over(candles, enter_at(-1)), ("after", lost), ("after", lost))
    run_tick(ports, close_of(-1))
    first = Order.objects.order_by("pk")[0]
    book = execution.settle

    def refuse_the_first(order: Order, report: OrderReport, context: Context) -> None:
        if order.pk == first.pk:
            raise IntegrityError("one_open_trade_per_symbol")
        book(order, report, context)

    monkeypatch.setattr(execution, "settle", refuse_the_first)

    run_tick(ports, close_of(-1).replace(second=2))

    assert Bot.objects.get().trading_state == TradingState.HALTED
    assert list(Order.objects.filter(role=OrderRole.STOP).values_list("trade__symbol", flat=True)) == [SYMBOLS[1]]


def test_between_two_slow_answers_the_lease_is_renewed() -> None:
    set_params()
    later = close_of(-1).replace(second=2)
    ports = replace(ports_over(series([QUIET]), enter_at(-1)), clock=lambda: later)
    pressing = urgent.Urgent(context_at(ports, close_of(-1)))
    Lease.objects.update(expires_at=close_of(-1))

    pressing.look()

    assert lease.acquire(owner="rival") is None


def test_a_stop_that_vanishes_while_a_tick_is_slow_is_replaced_before_the_tick_ends() -> None:
    set_params(pairs=list(SYMBOLS[:2]), max_open_risk=0.5)
    candles = {symbol: series([QUIET], symbol=symbol) for symbol in SYMBOLS[:2]}
    ports, venue = watched(ports_over(candles, enter_at(-1)))
    run_tick(ports, close_of(-1))
    seconds = [0]
    ports = replace(ports, clock=lambda: close_of(-1) + timedelta(seconds=seconds[0]))
    pressing = urgent.Urgent(context_at(ports, close_of(-1)))
    PaperOrder.objects.filter(symbol=SYMBOLS[1], status=ReportStatus.OPEN).update(status=ReportStatus.CANCELED)
    venue.calls.clear()

    seconds[0] = 1
    pressing.look()
    asked_after_a_second = list(venue.calls)
    seconds[0] = 2
    pressing.look()

    assert asked_after_a_second == []
    assert venue.calls == [f"find {SYMBOLS[1]}", f"stop {SYMBOLS[1]}"]
    assert not Trade.objects.filter(unprotected_at__isnull=False).exists()


@dataclass
class Falling:
    """A source of prices in which they fall between two looks."""

    inner: Any
    prices: list[float]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Ticker]:
        price = self.prices.pop(0) if len(self.prices) > 1 else self.prices[0]
        return {symbol: Ticker(symbol=symbol, price=price, at=now) for symbol in symbols}


@pytest.mark.parametrize(("price_then", "left"), [(90.0, "closed"), (100.0, "open")])
def test_a_stop_refused_because_the_price_has_passed_it_is_sold_at_once(price_then: float, left: str) -> None:
    set_params()
    refused = OrderRejected("the stop would trigger at once")
    ports, _ = flaky(ports_over(series([QUIET]), enter_at(-1)), ("ok", refused), *[("before", refused)] * 2)
    ports = replace(ports, market_data=Falling(ports.market_data, [100.0, price_then]), clock=lambda: close_of(-1))

    run_tick(ports, close_of(-1))

    assert Trade.objects.get().status == left
    assert [order.reason for order in Order.objects.filter(role=OrderRole.EXIT)] == ["stop"] * (left == "closed")
    assert_books_balance()


class Died(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("point", ["cancel.settled", "exit.recorded"])
def test_who_takes_over_sells_first_what_lost_its_stop_for_an_exit(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_params()
    rally = (100.0, 140.0, 99.9, 139.0)  # every target in one bar: the stop is canceled, then all is sold
    ports, venue = watched(ports_over(series([QUIET, rally, QUIET]), enter_at(-1)))
    ports = replace(ports, clock=None)
    run_tick(ports, close_of(-1))

    def die(name: str) -> None:
        if name == point:
            raise Died

    with monkeypatch.context() as dying:
        dying.setattr(crash_points, "reach", die)
        with pytest.raises(Died):
            run_tick(ports, close_of(1))
    stopped = Trade.objects.get()
    venue.calls.clear()
    compare = reconcile.compare

    def compared(*arguments: Any) -> Any:
        venue.calls.append("compare")
        return compare(*arguments)

    monkeypatch.setattr(reconcile, "compare", compared)
    lease.release("test")

    run_tick(replace(ports, clock=lambda: close_of(1)), close_of(1).replace(second=1), owner="heir")

    assert stopped.unprotected_at is not None
    assert venue.calls.index("market BTC/USDT") < venue.calls.index("compare")
    assert Trade.objects.get().status == TradeStatus.CLOSED
    assert_books_balance()


@dataclass
class Delisting:
    """A source of prices that has forgotten one market."""

    inner: Any
    gone: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def markets(self) -> dict[str, Any]:
        return {symbol: market for symbol, market in self.inner.markets().items() if symbol != self.gone}


def test_a_market_that_is_gone_while_a_trade_is_open_leaves_the_others_followed() -> None:
    set_params(pairs=list(SYMBOLS[:2]), max_open_risk=0.5)
    crash = (100.0, 100.2, 80.0, 81.0)
    candles = {
        symbol: series([QUIET, row, QUIET], symbol=symbol) for symbol, row in zip(SYMBOLS, (QUIET, crash), strict=False)
    }
    ports = ports_over(candles, enter_at(-1))
    run_tick(ports, close_of(-1))
    ports = replace(ports, market_data=Delisting(ports.market_data, gone=SYMBOLS[0]))

    run_tick(ports, close_of(0))
    run_tick(ports, close_of(1))

    assert dict(Trade.objects.values_list("symbol", "status")) == {SYMBOLS[0]: "open", SYMBOLS[1]: "closed"}
    assert Bot.objects.get().trading_state == TradingState.CLOSE_ONLY
    assert Event.objects.filter(kind="delisted").count() == 1
