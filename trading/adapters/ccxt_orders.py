"""Orders as a venue wants them: its kinds, its units, and our numbers to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading.adapters import ccxt_reports as reports
from trading.adapters.ccxt_codes import BINANCE, MEXC
from trading.adapters.ccxt_lazy import ccxt
from trading.core.ports import OrderKind, OrderRequest, StopSupport


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The arguments of ccxt's create_order; numbers are exact texts."""

    symbol: str
    type: str
    side: str
    amount: str
    price: str | None
    params: dict[str, Any]

    @property
    def arguments(self) -> tuple[str, str, str, str, str | None]:
        return self.symbol, self.type, self.side, self.amount, self.price


def stop_support(exchange_id: str, market: Any) -> StopSupport:
    """Return how this market holds a stop. Binance spot tells it per market; MEXC spot has none in ccxt."""
    if market.get("swap") is True:
        # MEXC takes no client id with a trigger order, so such a stop could never be found again.
        return StopSupport.NONE if exchange_id in MEXC else StopSupport.MARKET
    if exchange_id not in BINANCE:
        return StopSupport.NONE
    kinds = market["info"].get("orderTypes") or []
    if "STOP_LOSS" in kinds:
        return StopSupport.MARKET
    return StopSupport.LIMIT if "STOP_LOSS_LIMIT" in kinds else StopSupport.NONE


def terms(exchange: Any, market: Any, request: OrderRequest) -> Terms:
    """Return the order in the venue's terms; raise ccxt.InvalidOrder for what it cannot be told exactly."""
    symbol, params = request.symbol, {"clientOrderId": request.client_id}
    kind, price = "market", None
    if request.kind == OrderKind.LIMIT:
        kind, price = "limit", _price(exchange, symbol, "price", request.price)
    elif request.kind == OrderKind.STOP:
        support = stop_support(exchange.id, market)
        if support == StopSupport.NONE:
            raise ccxt.InvalidOrder(f"{exchange.id} holds no stops for {symbol}")
        trigger = _price(exchange, symbol, "trigger", request.trigger)
        params["stopLossPrice" if exchange.id in BINANCE else "triggerPrice"] = trigger
        if support == StopSupport.LIMIT:
            kind, price = "limit", _price(exchange, symbol, "price", request.price)
    if market.get("swap") is True and request.reduce_only:
        params["reduceOnly"] = True  # type: ignore[assignment]
    units = request.quantity / reports.unit(market)
    amount = _exact("quantity", units, exchange.amount_to_precision(symbol, format(units, "f")))
    return Terms(symbol=symbol, type=kind, side=request.side.value, amount=amount, price=price, params=dict(params))


def _price(exchange: Any, symbol: str, name: str, value: Decimal | None) -> str:
    if value is None:
        raise ccxt.InvalidOrder(f"this kind of order needs a {name}")
    return _exact(name, value, exchange.price_to_precision(symbol, format(value, "f")))


def _exact(name: str, value: Decimal, text: str) -> str:
    if Decimal(text) != value:
        raise ccxt.InvalidOrder(f"{name} {value} is not on the venue's grid, which would make it {text}")
    return text
