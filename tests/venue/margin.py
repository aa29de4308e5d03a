"""Matching on margin: positions instead of coins, and orders that may only reduce them."""

from __future__ import annotations

from decimal import Decimal

from tests.venue.account import Balances
from tests.venue.engine import Clock, Engine
from tests.venue.store import Store
from tests.venue.values import DEFAULT_BALANCES, ZERO, Market, NewOrder, Order, Reason, Refused, Settings, Trade

_DUST = Decimal("0.00000001")


class Wallet(Balances):
    """The quote coins of a margin account; fills move fees and what a position made."""

    engine: MarginEngine

    def lock(self, order: Order, market: Market, reference: Decimal, settings: Settings) -> None:
        held, _ = self.engine.position(order.symbol)
        grows = held == 0 or (held > 0) == (order.side == "BUY")
        needed = order.quantity * reference / self.engine.leverage(order.symbol)
        if grows and needed > self.free(market.quote) + self.engine.unrealised() - self.engine.used():
            raise Refused(Reason.FUNDS)

    def settle(
        self, order: Order, market: Market, *, quantity: Decimal, cost: Decimal, fee: tuple[Decimal, str]
    ) -> None:
        held, entry = self.engine.position(order.symbol)
        sign = 1 if order.side == "BUY" else -1
        closed = min(quantity, abs(held)) if held * sign < 0 else ZERO
        self.move(market.quote, -sign * closed * (cost / quantity - entry) - fee[0])

    def fee(
        self,
        market: Market,
        settings: Settings,
        prices: dict[str, Decimal],
        *,
        side: str,
        fill: tuple[Decimal, Decimal],
    ) -> tuple[Decimal, str]:
        return (fill[1] * settings.fee_rate).quantize(_DUST), market.quote


class MarginEngine(Engine):
    """An engine whose account holds one net position of each symbol, on cross margin."""

    def __init__(self, name: str, store: Store, clock: Clock, order_types: frozenset[str]) -> None:
        super().__init__(name, store, clock, order_types)
        self.balances: Wallet = Wallet(name, store, DEFAULT_BALANCES)
        self.balances.engine = self
        self.leverages: dict[str, int] = {}
        self.reducing: set[int] = set()
        self.next_reduces = False
        self.is_hedged = False

    def leverage(self, symbol: str) -> int:
        """Return what was set, or the venue's own 20."""
        return self.leverages.get(symbol, 20)

    def position(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return the net quantity (base, short negative) and its entry price, from all trades."""
        held, entry = ZERO, ZERO
        for trade in self.trades:
            if trade.symbol == symbol:
                held, entry = _after(held, entry, trade)
        return held, entry

    def unrealised(self) -> Decimal:
        rows = ((self.position(symbol), price) for symbol, price in self.prices.items())
        return sum((held * (price - entry) for (held, entry), price in rows if held), ZERO)

    def used(self) -> Decimal:
        """Return the initial margin of all positions."""
        prices = self.prices.items()
        return sum((abs(self.position(name)[0]) * price / self.leverage(name) for name, price in prices), ZERO)

    def place(self, new: NewOrder) -> Order:
        reduces, self.next_reduces = self.next_reduces, False
        if reduces:
            self.reducing.add(self._last_order + 1)
            if new.type == "MARKET" and not self._reducible(new.symbol, new.side):
                raise Refused(Reason.REDUCE_ONLY)
        return super().place(new)

    def _take(self, order: Order, price: Decimal, *, is_maker: bool) -> None:
        if order.id not in self.reducing:
            super()._take(order, price, is_maker=is_maker)
            return
        quantity = min(order.remaining, self._reducible(order.symbol, order.side))
        if quantity > 0:
            self.fill(order, quantity, price, is_maker=is_maker)

    def _reducible(self, symbol: str, side: str) -> Decimal:
        held, _ = self.position(symbol)
        return abs(held) if held * (1 if side == "BUY" else -1) < 0 else ZERO


def _after(held: Decimal, entry: Decimal, trade: Trade) -> tuple[Decimal, Decimal]:
    """Return quantity and entry price after a trade."""
    change = trade.quantity if trade.side == "BUY" else -trade.quantity
    rest = held + change
    if held * change >= 0:
        return rest, (abs(held) * entry + trade.quantity * trade.price) / abs(rest)
    return rest, (entry if rest * held > 0 else trade.price if rest else ZERO)
