"""The matching engine of one account: orders rest, trigger, fill and end as the price moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from tests.venue.account import Balances
from tests.venue.store import Store
from tests.venue.values import (
    DEFAULT_BALANCES,
    DEFAULT_PRICES,
    STOPS,
    TAKERS,
    Key,
    Market,
    NewOrder,
    Order,
    Reason,
    Refused,
    Settings,
    Trade,
    default_markets,
    down,
    is_on_grid,
)  # fmt: skip


class Clock:
    """The venue's time in milliseconds, which may be wrong on purpose."""

    skew_ms = 0

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self.skew_ms


class Engine:
    """Everything one exchange knows: markets, prices, one account and its orders."""

    def __init__(self, name: str, store: Store, clock: Clock, order_types: frozenset[str]) -> None:
        self.name, self.store, self.clock, self.order_types = name, store, clock, order_types
        self.markets = {market.symbol: market for market in default_markets()}
        self.prices = {symbol: Decimal(price) for symbol, price in DEFAULT_PRICES.items()}
        self.settings = Settings()
        self._restore()
        self.balances = Balances(name, store, DEFAULT_BALANCES)
        self.orders = {order.id: order for order in store.orders(name)}
        self.trades = store.trades(name)
        self.open = {order.id: order for order in self.orders.values() if order.is_open}
        self.by_client = {order.client_id: order for order in self.orders.values()}
        self.by_order: dict[int, list[Trade]] = {}
        for trade in self.trades:
            self.by_order.setdefault(trade.order_id, []).append(trade)
        self._last_order = max(self.orders, default=1000)
        self._last_trade = max((trade.id for trade in self.trades), default=5000)
        self.on_price: Callable[[str, Decimal], None] = lambda symbol, price: None
        store.flush()

    def bid(self, symbol: str) -> Decimal:
        market = self.markets[symbol]
        return self.prices[symbol] - market.tick * market.spread_ticks

    def ask(self, symbol: str) -> Decimal:
        market = self.markets[symbol]
        return self.prices[symbol] + market.tick * market.spread_ticks

    def market(self, symbol: str) -> Market:
        if symbol not in self.markets:
            raise Refused(Reason.SYMBOL)
        return self.markets[symbol]

    def save(self) -> None:
        """Keep markets, prices and rights over a restart."""
        body = {
            "markets": [asdict(market) for market in self.markets.values()],
            "prices": self.prices,
            "settings": asdict(self.settings),
        }
        self.store.setting(self.name, body)

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market; stops trigger and limits fill, oldest order first."""
        self.prices[symbol] = price
        if self.market(symbol).status == "TRADING":
            for order in [order for order in self.open.values() if order.symbol == symbol]:
                self._work(order, arriving=False)
        self.on_price(symbol, price)

    def place(self, new: NewOrder) -> Order:
        """Accept an order and match it, or raise `Refused`."""
        market = self.market(new.symbol)
        now = self.clock.now()
        quantity = self._checked(new, market)
        order = Order(
            id=self._last_order + 1, client_id=new.client_id or f"web_{self._last_order + 1}", symbol=new.symbol,
            side=new.side, type=new.type, time_in_force=new.time_in_force, quantity=quantity,
            quote_quantity=new.quote_quantity, price=new.price, stop_price=new.stop_price, signed_at=new.signed_at,
            accepted_at=now, updated_at=now, origin=new.origin, fill_fraction=new.fill_fraction, pieces=new.pieces,
        )  # fmt: skip
        self.balances.lock(order, market, self._reference(new), self.settings)
        self._last_order = order.id
        self.orders[order.id] = self.open[order.id] = self.by_client[order.client_id] = order
        self.store.accept(self.name, order)
        self._work(order, arriving=True)
        self.store.order(self.name, order)
        return order

    def find(self, symbol: str, *, order_id: int = 0, client_id: str = "") -> Order | None:
        """Return an order; a client id used twice names the newest."""
        order = self.orders.get(order_id) if order_id else self.by_client.get(client_id)
        return order if order is not None and order.symbol == symbol else None

    def cancel(self, order: Order) -> Order:
        if not order.is_open:
            raise Refused(Reason.CANCEL_UNKNOWN)
        self._end(order, "CANCELED")
        return order

    def fill(self, order: Order, quantity: Decimal, price: Decimal, *, is_maker: bool = False) -> None:
        """Fill some of an order; more than remains is an overfill, and is booked as one."""
        market = self.markets[order.symbol]
        cost = quantity * price
        fee = self.balances.fee(market, self.settings, self.prices, side=order.side, fill=(quantity, cost))
        self.balances.settle(order, market, quantity=quantity, cost=cost, fee=fee)
        self._last_trade += 1
        order.updated_at = self.clock.now()
        trade = Trade(
            id=self._last_trade, order_id=order.id, symbol=order.symbol, side=order.side, price=price,
            quantity=quantity, cost=cost, fee=fee[0], fee_asset=fee[1], is_maker=is_maker, at=order.updated_at,
        )  # fmt: skip
        self.trades.append(trade)
        self.by_order.setdefault(order.id, []).append(trade)
        self.store.trade(self.name, trade)
        order.executed += quantity
        order.quote_executed += cost
        order.status = "PARTIALLY_FILLED"
        if order.remaining == 0:
            self._end(order, "FILLED")
        self.store.order(self.name, order)

    def _end(self, order: Order, status: str) -> None:
        self.balances.release(order, self.markets[order.symbol])
        order.status, order.updated_at = status, self.clock.now()
        self.open.pop(order.id, None)
        self.store.order(self.name, order)

    def _work(self, order: Order, *, arriving: bool) -> None:
        """Trigger, match and end one open order at the present price."""
        taking = arriving
        if order.type in STOPS and not order.triggered:
            if not self._is_triggered(order):
                return
            order.triggered = taking = True
            self.store.order(self.name, order)
        touch = self.ask(order.symbol) if order.side == "BUY" else self.bid(order.symbol)
        if order.type in TAKERS:
            self._take(order, touch, is_maker=False)
            if order.is_open:
                self._end(order, "EXPIRED")
            return
        crosses = touch <= order.price if order.side == "BUY" else touch >= order.price
        whole = order.fill_fraction * self.markets[order.symbol].fill_fraction == 1
        if crosses and (whole or order.time_in_force != "FOK"):
            self._take(order, touch if taking else order.price, is_maker=not taking)
        if order.is_open and taking and order.time_in_force in ("IOC", "FOK"):
            self._end(order, "EXPIRED")

    def _take(self, order: Order, price: Decimal, *, is_maker: bool) -> None:
        """Fill what the book holds, in as many pieces as were asked for."""
        market = self.markets[order.symbol]
        total = order.remaining * order.fill_fraction * market.fill_fraction
        if total != order.remaining:
            total = down(total, market.lot)
        pieces = max(order.pieces, market.pieces)
        order.fill_fraction, order.pieces = Decimal(1), 1  # the next price finds a deep book again
        piece = down(total / pieces, market.lot) or total
        while total > 0:
            quantity = total if total < 2 * piece else piece
            total -= quantity
            self.fill(order, quantity, price, is_maker=is_maker)

    def _is_triggered(self, order: Order | NewOrder) -> bool:
        price = self.prices[order.symbol]
        falls = (order.side == "SELL") == order.type.startswith("STOP_LOSS")
        return price <= order.stop_price if falls else price >= order.stop_price

    def _reference(self, new: NewOrder) -> Decimal:
        """Return the price at which a buy locks quote coins."""
        if new.type in ("STOP_LOSS", "TAKE_PROFIT"):
            return new.stop_price
        return self.ask(new.symbol) if new.type == "MARKET" else new.price

    def _checked(self, new: NewOrder, market: Market) -> Decimal:
        """Return the quantity of an acceptable order, or raise what is wrong with it."""
        if market.status != "TRADING":
            raise Refused(Reason.CLOSED)
        if new.type not in self.order_types:
            raise Refused(Reason.TYPE)
        if new.side not in ("BUY", "SELL"):
            raise Refused(Reason.PARAMETER, "side")
        self._check_prices(new, market)
        reference = self._reference(new)
        quantity = new.quantity
        if new.quote_quantity and new.type == "MARKET":
            quantity = down(new.quote_quantity / reference, market.lot)
        if quantity < market.min_quantity or quantity <= 0 or not is_on_grid(quantity, market.lot):
            raise Refused(Reason.LOT_SIZE)
        if quantity * reference < market.min_notional:
            raise Refused(Reason.NOTIONAL, f"{market.min_notional.normalize():f}{market.quote}")
        same = self.by_client.get(new.client_id)
        if new.client_id and same is not None and same.is_open:
            raise Refused(Reason.DUPLICATE)
        self._check_market(new)
        return quantity

    def _check_prices(self, new: NewOrder, market: Market) -> None:
        needs_price = new.type not in TAKERS
        needs_stop = new.type in STOPS
        for needed, price in ((needs_price, new.price), (needs_stop, new.stop_price)):
            if needed and (price <= 0 or not is_on_grid(price, market.tick)):
                raise Refused(Reason.PRICE_FILTER)

    def _check_market(self, new: NewOrder) -> None:
        if new.type in STOPS and self._is_triggered(new):
            raise Refused(Reason.WOULD_TRIGGER)
        if new.type == "LIMIT_MAKER":
            buying = new.side == "BUY"
            touch = self.ask(new.symbol) if buying else self.bid(new.symbol)
            if touch <= new.price if buying else touch >= new.price:
                raise Refused(Reason.WOULD_TAKE)

    def _restore(self) -> None:
        body: dict[str, Any] | None = self.store.read_setting(self.name)
        if body is None:
            return
        decimals = ("tick", "lot", "min_notional", "min_quantity", "fill_fraction")
        for row in body["markets"]:
            self.markets[row["symbol"]] = Market(**{**row, **{name: Decimal(row[name]) for name in decimals}})
        self.prices = {symbol: Decimal(price) for symbol, price in body["prices"].items()}
        kept = body["settings"]
        self.settings = Settings(kept["fee_mode"], Decimal(kept["fee_rate"]), Key(**kept["key"]))
