"""Limit orders at the paper venue: when they fill, at what, and what they cost."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.engine import BALANCE, SYMBOL, close_of, series
from trading.adapters.paper_broker import PaperBroker
from trading.adapters.stored_market import StoredMarket
from trading.core.ports import OrderKind, OrderRejected, OrderReport, OrderRequest, OrderSide, ReportStatus
from trading.core.slippage import Slippage

pytestmark = pytest.mark.django_db

OPEN = close_of(-1)
"""When the first written bar opens, at 100."""
LATER = close_of(0)
ROW = (100.0, 101.0, 99.0, 100.0)


def venue(*rows: tuple[float, float, float, float], slippage: float = 0.0) -> PaperBroker:
    market = StoredMarket({SYMBOL: series(rows or [ROW, ROW])}, fee_rate=Decimal("0.001"))
    return PaperBroker(
        market_data=market, timeframe="15m", slippage=Slippage(fraction=slippage), initial_balance=BALANCE
    )


def place(
    broker: PaperBroker, price: str | None, *, side: OrderSide = OrderSide.BUY, at: datetime = OPEN, name: str = "jl1"
) -> OrderReport:
    return broker.submit(
        OrderRequest(
            client_id=name,
            symbol=SYMBOL,
            side=side,
            kind=OrderKind.LIMIT,
            quantity=Decimal(2),
            at=at,
            price=Decimal(price) if price else None,
        )
    )


def found(broker: PaperBroker, now: datetime = LATER, name: str = "jl1") -> OrderReport:
    report = broker.find(name, symbol=SYMBOL, now=now)
    assert report is not None
    return report


@pytest.mark.parametrize(("side", "price"), [(OrderSide.BUY, "99.5"), (OrderSide.SELL, "100.5")])
def test_a_limit_that_a_bar_reaches_fills_at_its_own_price(side: OrderSide, price: str) -> None:
    broker = venue(slippage=0.01)

    resting = place(broker, price, side=side)
    filled = found(broker)

    assert (resting.status, resting.fills) == (ReportStatus.OPEN, ())
    assert filled.status == ReportStatus.FILLED
    (fill,) = filled.fills
    assert (fill.quantity, fill.price, fill.at) == (Decimal(2), Decimal(price), LATER)
    assert fill.fee == 2 * Decimal(price) * Decimal("0.001")


def test_a_bar_that_opens_beyond_a_resting_limit_makes_it_no_better() -> None:
    broker = venue(ROW, (98.0, 98.5, 97.0, 98.0), ROW)

    place(broker, "98.9")

    assert found(broker, close_of(1)).fills[0].price == Decimal("98.9")


@pytest.mark.parametrize(("side", "price"), [(OrderSide.BUY, "98.99"), (OrderSide.SELL, "101.01")])
def test_a_limit_that_nothing_reaches_rests_and_can_be_canceled_twice(side: OrderSide, price: str) -> None:
    broker = venue()
    place(broker, price, side=side)

    assert found(broker).status == ReportStatus.OPEN
    assert [report.client_id for report in broker.open_orders([SYMBOL], now=LATER)] == ["jl1"]
    for _ in range(2):
        assert broker.cancel("jl1", symbol=SYMBOL, now=LATER).status == ReportStatus.CANCELED
    assert broker.open_orders([SYMBOL], now=LATER) == []


@pytest.mark.parametrize(
    ("side", "price", "slippage", "expected"),
    [
        (OrderSide.BUY, "100.00", 0.0, "100.00"),
        (OrderSide.BUY, "103.00", 0.01, "101.00"),
        (OrderSide.BUY, "100.50", 0.01, "100.50"),
        (OrderSide.SELL, "97.00", 0.01, "99.00"),
        (OrderSide.SELL, "99.50", 0.01, "99.50"),
    ],
)
def test_a_limit_that_crosses_on_arrival_takes_the_market_and_never_more_than_its_price(
    side: OrderSide, price: str, slippage: float, expected: str
) -> None:
    report = place(venue(slippage=slippage), price, side=side)

    assert (report.status, report.fills[0].price) == (ReportStatus.FILLED, Decimal(expected))


def test_what_a_bar_saw_before_the_limit_came_does_not_fill_it() -> None:
    broker = venue(ROW, (100.0, 100.2, 99.8, 100.0), ROW)
    place(broker, "99.5", at=OPEN + timedelta(minutes=5))

    assert found(broker, close_of(0)).status == ReportStatus.OPEN
    assert found(broker, close_of(1)).status == ReportStatus.OPEN
    assert found(broker, close_of(2)).status == ReportStatus.FILLED


def test_a_limit_without_a_price_is_refused() -> None:
    with pytest.raises(OrderRejected, match="needs a price"):
        place(venue(), None)
