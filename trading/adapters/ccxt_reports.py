"""Orders and trades as ccxt returns them, made into reports; junk is refused with ValueError, never guessed at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from trading.adapters.ccxt_outcomes import is_plausible_id
from trading.core import timeframes
from trading.core.ports import FillReport, OrderReport, OrderSide, ReportStatus

_STATUS = {
    "open": ReportStatus.OPEN,
    "closed": ReportStatus.FILLED,
    "canceled": ReportStatus.CANCELED,
    "expired": ReportStatus.CANCELED,
    "rejected": ReportStatus.REJECTED,
    # What ccxt hands on as the venue says it: Binance's orders that wait for another one, that a cancel is under way
    # for, or that it made itself (liquidation, deleveraging); and MEXC's contracts that it calls invalid.
    "PENDING_NEW": ReportStatus.OPEN,
    "canceling": ReportStatus.OPEN,
    "NEW_INSURANCE": ReportStatus.OPEN,
    "NEW_ADL": ReportStatus.OPEN,
    "5": ReportStatus.REJECTED,
}


def decimal(value: object) -> Decimal:
    """Return a venue's number exactly, or raise ValueError for anything else, NaN and infinity too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"{value!r} is not a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One market's terms for reading reports: `unit` is base per contract, 1 on a spot market.

    `rate` returns the price of a coin in quote, or None where there is none; it prices fees in a third coin.
    """

    exchange_id: str
    symbol: str
    base: str
    quote: str
    unit: Decimal
    fee_rate: Decimal
    is_spot: bool
    rate: Callable[[str], Decimal | None] = field(repr=False)

    @classmethod
    def of(cls, exchange_id: str, market: Any, rate: Callable[[str], Decimal | None]) -> Book:
        return cls(
            exchange_id=exchange_id,
            symbol=market["symbol"],
            base=market["base"],
            quote=market["settle"] or market["quote"],
            unit=unit(market),
            fee_rate=fee_rate(market),
            is_spot=market.get("spot") is True,
            rate=rate,
        )

    def fill(self, trade: Any, *, client_id: str = "") -> FillReport:
        """Return one trade as a fill; a fee that cannot be known is taken as the market's taker fee."""
        if not isinstance(trade, dict) or not is_plausible_id(trade.get("id")):
            raise ValueError(f"a trade without a plausible id: {str(trade)[:100]}")
        quantity, price = decimal(trade.get("amount")) * self.unit, decimal(trade.get("price"))
        if quantity <= 0 or price <= 0:
            raise ValueError(f"trade {trade['id']} has quantity {quantity} and price {price}")
        fee, base_fee = self._fees(trade, quantity, price)
        return FillReport(
            venue_fill_id=f"{self.exchange_id}-{self.symbol}-{trade['id']}",
            client_id=client_id,
            quantity=quantity,
            price=price,
            fee=fee,
            base_fee=base_fee,
            at=timeframes.from_ms(int(decimal(trade.get("timestamp")))),
            symbol=self.symbol,
            venue_order_id=str(trade.get("order") or ""),
            side=OrderSide(trade["side"]) if trade.get("side") in ("buy", "sell") else None,
        )

    def _fees(self, trade: Any, quantity: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        """Return (fee in quote, what of it was kept in base)."""
        charged = [fee for fee in [*(trade.get("fees") or []), trade.get("fee")] if fee and fee.get("cost") is not None]
        if not charged:
            return quantity * price * self.fee_rate, Decimal(0)
        cost, coin = decimal(charged[0]["cost"]), charged[0].get("currency")
        if coin == self.quote or not cost:
            return cost, Decimal(0)
        if coin == self.base and self.is_spot:
            return cost * price, cost
        rate = price if coin == self.base else self.rate(str(coin))
        return (cost * rate if rate is not None else quantity * price * self.fee_rate), Decimal(0)


def unit(market: Any) -> Decimal:
    """Return how much base one unit of the venue's amounts is."""
    return decimal(market["contractSize"]) if market.get("contractSize") is not None else Decimal(1)


def fee_rate(market: Any) -> Decimal:
    """Return the taker fee as a fraction of notional; 0.1 % where the venue does not tell it."""
    return decimal(market["taker"]) if market.get("taker") is not None else Decimal("0.001")


def filled(order: Any, book: Book) -> Decimal:
    """Return how much of the order the venue says was executed, in base; 0 where it says nothing."""
    return decimal(order["filled"]) * book.unit if order.get("filled") is not None else Decimal(0)


def own_trades(order: Any) -> list[Any]:
    """Return the trades inside an order's reply where every one can stand for itself."""
    trades = order.get("trades") or []
    whole = all(is_plausible_id(trade.get("id")) and trade.get("timestamp") is not None for trade in trades)
    return list(trades) if whole else []


def is_told(order: Any) -> bool:
    """True where the reply says what state the order is in; a reply may hold no more than an id."""
    return order.get("status") in _STATUS


def report(order: Any, fills: Sequence[FillReport], book: Book, *, client_id: str = "") -> OrderReport:
    """Return the report of an order; `client_id` is the one it was asked for by, else what the venue names counts.

    A stop that a Binance swap has released bears another id than the one that it was placed under.
    A final state whose fills are not all there is told as OPEN or PARTIAL, so that it is asked for again.
    """
    status = _STATUS.get(str(order.get("status")), ReportStatus.OPEN)
    executed = filled(order, book)
    if is_complete(order, fills, book):
        pending = ReportStatus.PARTIAL if fills or executed else ReportStatus.OPEN
        status = pending if status == ReportStatus.OPEN else status
    else:
        status = ReportStatus.PARTIAL
    trigger = order.get("triggerPrice") or order.get("stopLossPrice")
    amount = order.get("amount")
    return OrderReport(
        client_id=client_id or str(order.get("clientOrderId") or ""),
        venue_order_id=str(order["id"]),
        status=status,
        fills=tuple(fills),
        symbol=book.symbol,
        side=OrderSide(order["side"]) if order.get("side") in ("buy", "sell") else None,
        quantity=decimal(amount) * book.unit if amount is not None else None,
        trigger=(decimal(trigger) or None) if trigger is not None else None,
    )


def is_complete(order: Any, fills: Sequence[FillReport], book: Book) -> bool:
    """True where `fills` add up to what the order says was executed."""
    expected = filled(order, book)
    if order.get("status") == "closed" and order.get("filled") is None and order.get("amount") is not None:
        expected = decimal(order["amount"]) * book.unit
    if order.get("status") == "closed" and not expected:
        return False
    return sum((fill.quantity for fill in fills), Decimal(0)) >= expected
