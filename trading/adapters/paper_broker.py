"""A venue of our own for paper money: its orders, fills, positions and cash are rows, so it survives a restart.

It fills market orders at the market's price worsened by slippage, or at the level the fill model names;
it honours resting stops and limits bar by bar, and charges fees. The same order protocol runs over it as over a
real venue. A limit fills whole and at its price, or at the market's where it crosses that on arrival.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from trading.core import timeframes
from trading.core.decision import market_fill
from trading.core.ports import (
    Capabilities,
    FillReport,
    MarketData,
    OrderKind,
    OrderRejected,
    OrderReport,
    OrderRequest,
    OrderSide,
    ReportStatus,
    StopSupport,
)
from trading.core.slippage import Slippage
from trading.core.types import Market
from trading.models import PaperAccount, PaperFill, PaperOrder, PaperPosition
from trading.models.fields import stored

_BURNT = "burnt"
"""The state of an id that was asked for before any order came under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperBroker:
    """The paper venue. `timeframe` is the length of the bars that it matches resting orders with."""

    market_data: MarketData
    timeframe: str
    slippage: Slippage
    initial_balance: Decimal
    mode: str = "paper"

    def submit(self, request: OrderRequest) -> OrderReport:
        """Place an order. A client id that is known already gets its first order back, as at most venues."""
        with transaction.atomic():
            self._account()
            known = PaperOrder.objects.filter(client_id=request.client_id).first()
            if known is not None and known.status == _BURNT:
                raise OrderRejected(f"the id {request.client_id} was given up before this request arrived")
            if known is not None:
                return _report(known)
            quantity = self._accepted_quantity(request)
            order = PaperOrder.objects.create(
                client_id=request.client_id,
                symbol=request.symbol,
                side=request.side,
                kind=request.kind,
                quantity=quantity,
                price=request.price,
                trigger=request.trigger,
                reduce_only=request.reduce_only,
                status=ReportStatus.OPEN,
                placed_at=request.at,
                matched_at=self._first_bar(request),
            )
            if request.kind == OrderKind.LIMIT and (crossed := self._crossed(request)) is not None:
                self._fill(order, crossed, request.at)
            if request.kind == OrderKind.MARKET:
                price = request.level if request.level is not None else self._market_price(request)
                self._fill(order, price, request.at)
            return _report(order)

    def capabilities(self, symbol: str) -> Capabilities:
        return Capabilities(stop=StopSupport.MARKET, receive_window=timedelta(0), absence_is_final=True)

    def find(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport | None:
        """Return the order; an id that is not known is burnt, so a request under way can no longer arrive."""
        self._match(now)
        order, was_burnt = PaperOrder.objects.get_or_create(
            client_id=client_id,
            defaults={
                "symbol": symbol,
                "side": OrderSide.BUY,
                "kind": OrderKind.MARKET,
                "quantity": 0,
                "status": _BURNT,
                "placed_at": now,
                "matched_at": now,
            },
        )
        return None if was_burnt or order.status == _BURNT else _report(order)

    def cancel(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport:
        self._match(now)
        with transaction.atomic():
            PaperOrder.objects.filter(client_id=client_id, status=ReportStatus.OPEN).update(
                status=ReportStatus.CANCELED
            )
            order = PaperOrder.objects.filter(client_id=client_id).exclude(status=_BURNT).first()
        if order is None:
            raise OrderRejected(f"no order {client_id}")
        return _report(order)

    def open_orders(self, symbols: Sequence[str], *, now: datetime) -> Sequence[OrderReport]:
        return [_report(order) for order in self._match(now) if order.symbol in symbols]

    def fills(self, symbols: Sequence[str], *, since: datetime, now: datetime) -> Sequence[FillReport]:
        self._match(now)
        rows = PaperFill.objects.filter(order__symbol__in=symbols, at__gte=since).order_by("pk")
        return [_fill_report(fill) for fill in rows.select_related("order")]

    def holdings(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Decimal]:
        self._match(now)
        held = {row.symbol: row.quantity for row in PaperPosition.objects.filter(symbol__in=symbols)}
        return {symbol: held.get(symbol, Decimal(0)) for symbol in symbols}

    def cash(self, *, now: datetime) -> Decimal:
        self._match(now)
        return self._account().balance

    def clock_offset(self, *, now: datetime) -> timedelta:
        return timedelta(0)

    def _account(self) -> PaperAccount:
        return PaperAccount.objects.get_or_create(pk=1, defaults={"balance": self.initial_balance})[0]

    def _accepted_quantity(self, request: OrderRequest) -> Decimal:
        market = self._market(request.symbol)
        if request.quantity <= 0 or market.quantity(request.quantity) != request.quantity:
            raise OrderRejected(f"quantity {request.quantity} is not on the lot grid of {market.quantity_step}")
        if not request.reduce_only:
            return request.quantity
        position = PaperPosition.objects.filter(symbol=request.symbol).first()
        held = -request.side.sign * (position.quantity if position else Decimal(0))
        if held <= 0:
            raise OrderRejected(f"nothing to reduce in {request.symbol}")
        return min(request.quantity, held)

    def _first_bar(self, request: OrderRequest) -> datetime:
        """Return the open time of the first bar that the order is matched with.

        What the bar that is running saw before a limit arrived must not fill it; a stop is taken to have seen it all.
        """
        running = timeframes.bar_open(request.at, self.timeframe)
        if request.kind != OrderKind.LIMIT or running == request.at:
            return running
        return running + timeframes.length(self.timeframe)

    def _crossed(self, request: OrderRequest) -> Decimal | None:
        """Return what a limit fills at on arrival: the market's price where that is no worse than the limit."""
        if request.price is None:
            raise OrderRejected("a limit order needs a price")
        ticker = self.market_data.tickers([request.symbol], now=request.at).get(request.symbol)
        sign, limit = request.side.sign, request.price
        if ticker is None or sign * (self._market(request.symbol).price(ticker.price) - limit) > 0:
            return None
        price = self._market_price(request)
        return min(price, limit) if sign > 0 else max(price, limit)

    def _market(self, symbol: str) -> Market:
        try:
            return self.market_data.markets()[symbol]
        except KeyError:
            raise OrderRejected(f"unknown symbol {symbol}") from None

    def _market_price(self, request: OrderRequest) -> Decimal:
        ticker = self.market_data.tickers([request.symbol], now=request.at).get(request.symbol)
        if ticker is None:
            raise OrderRejected(f"no price for {request.symbol}")
        fraction = self.slippage.of(request.symbol, request.at)
        return market_fill(ticker.price, sign=request.side.sign, slippage=fraction, market=self._market(request.symbol))

    def _match(self, now: datetime) -> list[PaperOrder]:
        """Release every resting order that a closed bar, or the price now, has reached; return what still rests."""
        resting = []
        for order in PaperOrder.objects.filter(status=ReportStatus.OPEN).order_by("pk"):
            hit = self._reached(order, now)
            if hit is None:
                resting.append(order)
            with transaction.atomic():
                # The row is claimed by its old state, so two processes never fill one order twice.
                untouched = PaperOrder.objects.filter(
                    pk=order.pk, status=ReportStatus.OPEN, matched_at=order.matched_at
                )
                newest = timeframes.bar_open(now, self.timeframe)
                if (hit or newest > order.matched_at) and untouched.update(matched_at=newest) and hit:
                    self._fill(order, *hit)
        return resting

    def _reached(self, order: PaperOrder, now: datetime) -> tuple[Decimal, datetime] | None:
        """Return (price, time) at which an order was released.

        A stop fills at its trigger, or at the open beyond it; a limit that rests fills at its own price, never better.
        """
        limit = order.price if order.kind == OrderKind.LIMIT else None
        level = order.trigger if limit is None else limit
        if level is None:
            raise ValueError(f"paper order {order.client_id} rests without a price")
        # A limit waits for the price to come down to a buy and up to a sale, a stop for the opposite.
        sign, trigger = OrderSide(order.side).sign * (1 if limit is None else -1), float(level)
        market = self._market(order.symbol)
        span = timeframes.length(self.timeframe)
        bars = max(0, (timeframes.bar_open(now, self.timeframe) - order.matched_at) // span)
        if bars:
            candles = self.market_data.candles(order.symbol, self.timeframe, now=now, limit=bars)
            for index in range(len(candles)):
                worst = candles.high[index] if sign > 0 else candles.low[index]
                if candles.opened_at(index) >= order.matched_at and sign * (worst - trigger) >= 0:
                    opened = float(candles.open[index])
                    price = opened if sign * (opened - trigger) >= 0 else trigger
                    return limit or market.price(price), candles.closed_at(index)
        ticker = self.market_data.tickers([order.symbol], now=now).get(order.symbol)
        if ticker is not None and sign * (ticker.price - trigger) >= 0:
            return limit or market.price(ticker.price), now
        return None

    def _fill(self, order: PaperOrder, price: Decimal, at: datetime) -> None:
        account = self._account()
        position, _ = PaperPosition.objects.get_or_create(symbol=order.symbol)
        signed = OrderSide(order.side).sign * order.quantity
        fee = stored(order.quantity * price * self._market(order.symbol).fee_rate)
        account.balance += _add(position, signed, price) - fee
        position.save(update_fields=["quantity", "cost"])
        account.save(update_fields=["balance"])
        PaperFill.objects.create(order=order, quantity=order.quantity, price=price, fee=fee, at=at)
        order.status = ReportStatus.FILLED
        order.save(update_fields=["status"])


def _add(position: PaperPosition, signed: Decimal, price: Decimal) -> Decimal:
    """Add a fill to a net position and return the PnL it realised, in quote."""
    worth = stored(price * abs(signed))
    if position.quantity * signed >= 0:
        position.quantity += signed
        position.cost += worth
        return Decimal(0)
    # Orders that reduce are clamped to the position, so a fill never turns it around.
    is_last = abs(signed) == abs(position.quantity)
    cost = position.cost if is_last else stored(position.cost * abs(signed) / abs(position.quantity))
    realised = worth - cost if position.quantity > 0 else cost - worth
    position.quantity += signed
    position.cost -= cost
    return realised


def _report(order: PaperOrder) -> OrderReport:
    return OrderReport(
        client_id=order.client_id,
        venue_order_id=f"paper-{order.pk}",
        status=ReportStatus(order.status),
        fills=tuple(_fill_report(fill) for fill in order.fills.order_by("pk")),
        symbol=order.symbol,
        side=OrderSide(order.side),
        quantity=order.quantity,
        trigger=order.trigger,
    )


def _fill_report(fill: PaperFill) -> FillReport:
    return FillReport(
        venue_fill_id=f"paper-{fill.pk}",
        client_id=fill.order.client_id,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        at=fill.at,
        symbol=fill.order.symbol,
        venue_order_id=f"paper-{fill.order_id}",
        side=OrderSide(fill.order.side),
    )
