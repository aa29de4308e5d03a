"""What the doctor asks a venue through ccxt: the rights of the key, and a trial order far from the price."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from trading.adapters import ccxt_questions as questions
from trading.adapters import ccxt_reports as reports
from trading.adapters.ccxt_broker import CcxtBroker
from trading.adapters.ccxt_codes import BINANCE
from trading.adapters.ccxt_market import CcxtMarket
from trading.core.ports import (
    TRIAL_PREFIX,
    MarketDataUnavailable,
    OrderKind,
    OrderRejected,
    OrderRequest,
    OrderSide,
    OutcomeUnknown,
    ReportStatus,
    StopSupport,
)
from trading.core.types import Market

_FAR = Decimal("0.5")
"""Of the last price: nothing trades there, and venues still take it."""
_LIMIT_BELOW = Decimal("0.99")
_MARGIN = Decimal("1.2")
"""How much more than the least the trial is worth, since the venue may count with another price."""
_WAYS_OUT = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What the venue says of the key; None where it does not tell."""

    can_trade: bool
    can_withdraw: bool | None
    ip_restricted: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CcxtProbe:
    """Questions to one account, which fail only by the exceptions of trading.core.ports."""

    broker: CcxtBroker
    market: CcxtMarket
    sandbox: bool = False
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def clock_offset(self, *, now: datetime) -> timedelta:
        return self.broker.clock_offset(now=now)

    def cash(self, *, now: datetime) -> Decimal:
        return self.broker.cash(now=now)

    def markets(self) -> Mapping[str, Market]:
        return self.market.markets()

    def stop_support(self, symbol: str) -> StopSupport:
        return self.broker.capabilities(symbol).stop

    def rights(self) -> Rights:
        """Return the key's rights; Binance's sandbox and other venues tell only whether the account may trade."""
        self._prepare()
        if self.broker.client.exchange_id in BINANCE and not self.sandbox:
            return self._restrictions()
        return Rights(can_trade=self._account_trades(), can_withdraw=None, ip_restricted=None)

    def self_test(self, symbol: str, *, now: datetime) -> str:
        """Place a far-away order, see it open under our id, cancel it and see it gone; return what it was, in words.

        A stop where there are free coins or a position to protect, elsewhere a limit order to buy: a venue takes no
        stop for coins that are not there. It is canceled whatever happens after it was sent; raises OrderRejected
        where something else was seen, or what the failed call raised.
        """
        request = self._trial(symbol, now)
        try:
            self.broker.submit(request)
        except OutcomeUnknown:
            self._withdraw(request)
            raise
        try:
            seen = self._is_open(request)
        finally:
            self._withdraw(request)
        if not seen:
            raise OrderRejected(f"the trial order {request.client_id} was accepted but is not among the open orders")
        return self._named(request)

    def _withdraw(self, request: OrderRequest) -> None:
        left = self.broker.cancel(request.client_id, symbol=request.symbol, now=self.clock())
        if left.status != ReportStatus.CANCELED:
            raise OrderRejected(f"the trial order {request.client_id} was canceled but is {left.status}")
        if self._is_open(request):
            raise OrderRejected(f"the trial order {request.client_id} was canceled but is still open")

    def _is_open(self, request: OrderRequest) -> bool:
        listed = self.broker.open_orders([request.symbol], now=self.clock())
        return any(report.client_id == request.client_id for report in listed)

    def _trial(self, symbol: str, now: datetime) -> OrderRequest:
        market = self.market.markets().get(symbol)
        ticker = self.market.tickers([symbol], now=now).get(symbol)
        if market is None or ticker is None:
            raise MarketDataUnavailable(f"there is no price of {symbol}")
        price = _down(Decimal(str(ticker.price)) * _FAR, market.price_step)
        limit = _down(price * _LIMIT_BELOW, market.price_step)
        quantity = self._least(market, limit)
        is_stop = self._held(symbol, now) >= quantity
        return OrderRequest(
            client_id=f"{TRIAL_PREFIX}{secrets.token_hex(10)}",
            symbol=symbol,
            side=OrderSide.SELL if is_stop else OrderSide.BUY,
            kind=OrderKind.STOP if is_stop else OrderKind.LIMIT,
            quantity=quantity,
            at=self.clock(),
            price=limit,
            trigger=price if is_stop else None,
            reduce_only=is_stop,
        )

    def _least(self, market: Market, price: Decimal) -> Decimal:
        """Return the smallest quantity (base) that the venue takes at this price."""
        listed = questions.ask(self.broker.client, self.broker.client.markets)[market.symbol]
        least = (listed["limits"].get("amount") or {}).get("min")
        floor = reports.decimal(least) * reports.unit(listed) if least is not None else market.quantity_step
        wanted = max(floor, market.min_notional * _MARGIN / price, market.quantity_step)
        return (wanted / market.quantity_step).to_integral_value(ROUND_CEILING) * market.quantity_step

    def _held(self, symbol: str, now: datetime) -> Decimal:
        """Return what a trial stop could sell: coins that no order has locked, or a long position, in base."""
        client = self.broker.client
        if client.kind == "swap":
            return self.broker.holdings([symbol], now=now)[symbol]
        base = questions.ask(client, client.markets)[symbol]["base"]
        balance = questions.ask(client, lambda: client.exchange.fetch_balance())
        free = balance.get("free", {}).get(base)
        return reports.decimal(free) if free is not None else Decimal(0)

    def _named(self, request: OrderRequest) -> str:
        what = f"{request.quantity.normalize():f} {request.symbol}"
        if request.trigger is not None:
            return f"a stop to sell {what} at {request.trigger.normalize():f}"
        missing = "position" if self.broker.client.kind == "swap" else "free coins"
        return (
            f"a limit order to buy {what} far below the price (there were no {missing} that a stop could sell, "
            "so no stop was tried)"
        )

    def _prepare(self) -> None:
        questions.ask(self.broker.client, self.broker.client.prepare)

    def _restrictions(self) -> Rights:
        client = self.broker.client
        told = questions.ask(client, lambda: client.exchange.sapi_get_account_apirestrictions())
        trade = "enableFutures" if client.kind == "swap" else "enableSpotAndMarginTrading"
        return Rights(
            can_trade=_told(told, trade),
            can_withdraw=True in [_told(told, name) for name in _WAYS_OUT],
            ip_restricted=_told(told, "ipRestrict"),
        )

    def _account_trades(self) -> bool:
        client = self.broker.client
        balance = questions.ask(client, lambda: client.exchange.fetch_balance())
        return _told(balance.get("info"), "canTrade")


def _told(answer: Any, name: str) -> bool:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, bool):
        raise OutcomeUnknown(f"the venue does not tell {name}")
    return value


def _down(price: Decimal, step: Decimal) -> Decimal:
    return (price / step).to_integral_value(ROUND_FLOOR) * step
