"""Balances: what is free, what orders lock, and what a fill and its fee move."""

from __future__ import annotations

from decimal import Decimal

from tests.venue.store import Store
from tests.venue.values import ZERO, Market, Order, Reason, Refused, Settings

_DUST = Decimal("0.00000001")


class Balances:
    """Free and locked coins of one account, written through to the store."""

    def __init__(self, exchange: str, store: Store, opening: dict[str, str]) -> None:
        self._exchange, self._store = exchange, store
        self.coins = store.balances(exchange)
        if not self.coins:
            for asset, amount in opening.items():
                self.move(asset, Decimal(amount))

    def free(self, asset: str) -> Decimal:
        return self.coins.get(asset, [ZERO, ZERO])[0]

    def move(self, asset: str, free: Decimal = ZERO, locked: Decimal = ZERO) -> None:
        """Add to what is free and to what is locked; either may be negative."""
        coin = self.coins.setdefault(asset, [ZERO, ZERO])
        coin[0] += free
        coin[1] += locked
        self._store.balance(self._exchange, asset, coin[0], coin[1])

    def lock(self, order: Order, market: Market, reference: Decimal, settings: Settings) -> None:
        """Lock what the order may spend, or refuse it."""
        asset, unit = market.base, Decimal(1)
        if order.side == "BUY":
            asset, unit = market.quote, reference
            if settings.fee_mode == "quote":
                unit *= 1 + settings.fee_rate
        amount = order.quantity * unit
        if amount > self.free(asset):
            raise Refused(Reason.FUNDS)
        order.lock_unit, order.locked = unit, amount
        self.move(asset, -amount, amount)

    def release(self, order: Order, market: Market) -> None:
        """Free what an ended order still locks."""
        self.move(market.base if order.side == "SELL" else market.quote, order.locked, -order.locked)
        order.locked = ZERO

    def settle(
        self, order: Order, market: Market, *, quantity: Decimal, cost: Decimal, fee: tuple[Decimal, str]
    ) -> None:
        """Move the coins of one fill; an overfill or a gap may push free below zero, as a debt."""
        spent = min(order.locked, order.lock_unit * quantity)
        order.locked -= spent
        if order.side == "BUY":
            self.move(market.quote, spent - cost, -spent)
            self.move(market.base, quantity)
        else:
            self.move(market.base, spent - quantity, -spent)
            self.move(market.quote, cost)
        self.move(fee[1], -fee[0])

    def fee(
        self,
        market: Market,
        settings: Settings,
        prices: dict[str, Decimal],
        *,
        side: str,
        fill: tuple[Decimal, Decimal],
    ) -> tuple[Decimal, str]:
        """Return the fee and its coin for a fill of (quantity, cost)."""
        quantity, cost = fill
        rate, mode = settings.fee_rate, settings.fee_mode
        if mode not in ("base", "quote"):
            price = prices.get(mode + market.quote)
            fee = (cost * rate / price).quantize(_DUST) if price else ZERO
            # Binance falls back to the coin received when the discount coin has run out.
            if price and self.free(mode) >= fee:
                return fee, mode
        if mode == "quote" or side == "SELL":
            return (cost * rate).quantize(_DUST), market.quote
        return (quantity * rate).quantize(_DUST), market.base
