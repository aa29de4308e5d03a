"""The frozen values that the core passes around; one word per concept, as in docs/ARCHITECTURE.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from enum import StrEnum


class Side(StrEnum):
    """Direction of a setup, trade or position."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """Return +1 for long, -1 for short."""
        return 1 if self is Side.LONG else -1

    @classmethod
    def of(cls, sign: int) -> Side:
        """Return the side of a non-zero sign; the arrays of the core carry signs."""
        if sign == 0:
            raise ValueError("a sign of 0 has no side")
        return cls.LONG if sign > 0 else cls.SHORT


class Regime(StrEnum):
    """What kind of market a bar closed in; `code` is its place in arrays."""

    STRONG_TREND = "strong_trend"
    TREND = "trend"
    WEAK_TREND = "weak_trend"
    RANGING = "ranging"
    CHOPPY = "choppy"
    UNKNOWN = "unknown"

    @property
    def code(self) -> int:
        return REGIMES.index(self)


REGIMES: tuple[Regime, ...] = tuple(Regime)


SPOT_LEVERAGE = Decimal("0.99")
"""Coins are paid in full; a hundredth stays for the fee, and for a price that moves before the order arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What a venue allows for one symbol: its grid, its limits and its taker fee (a fraction of notional)."""

    symbol: str
    price_step: Decimal
    quantity_step: Decimal
    min_notional: Decimal
    fee_rate: Decimal
    allows_short: bool = True
    min_quantity: Decimal = Decimal(0)
    """Base; the least of an order."""
    max_quantity: Decimal | None = None
    """Base; the most of an order at the market. None: the venue names none."""
    max_leverage: Decimal | None = None
    """Times equity; the most that all positions may be worth. None: the venue lends more than any parameter asks for."""

    def price(self, value: float | Decimal) -> Decimal:
        """Return `value` (quote per base) on the price grid, halves away from zero."""
        return _on_grid(value, self.price_step, ROUND_HALF_UP)

    def quantity(self, value: float | Decimal) -> Decimal:
        """Return `value` (base) on the lot grid, rounded toward zero."""
        return _on_grid(value, self.quantity_step, ROUND_DOWN)

    @property
    def price_grid(self) -> tuple[float, float]:
        """Return (numerator, denominator) of the price step, both whole numbers as floats.

        `floor(x * denominator / numerator + 0.5) * numerator / denominator` is then the float nearest to
        the Decimal on the grid, so compiled code and orders agree to the last bit.
        """
        numerator, denominator = self.price_step.as_integer_ratio()
        scale = 10 ** max(0, -int(self.price_step.normalize().as_tuple().exponent))
        return float(numerator * (scale // denominator)), float(scale)


def _on_grid(value: float | Decimal, step: Decimal, rounding: str) -> Decimal:
    # str() of a float is its shortest exact text; Decimal(float) would carry binary dust into orders.
    exact = value if isinstance(value, Decimal) else Decimal(str(float(value)))
    return ((exact / step).to_integral_value(rounding=rounding) * step).quantize(step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """The last price of a symbol (quote per base) and the venue's time of it."""

    symbol: str
    price: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """An entry worth judging, found on the bar that opened at `bar_at` and has closed."""

    symbol: str
    timeframe: str
    bar_at: datetime
    strategy: str
    side: Side
    price: float
    """Close of the bar, quote per base."""
    atr: float
    """Average true range at the bar, quote per base."""
    regime: Regime
    score: float
    """Technical score, 0 to 100."""
    indicators: Mapping[str, float]
    """Each indicator's value at the bar, for the record and for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One filter's or guard's answer; `value` and `limit` are what it compared (NaN: it had nothing to compare)."""

    name: str
    passed: bool
    value: float
    limit: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do about a setup that was taken: prices in quote per base, quantity in base."""

    symbol: str
    side: Side
    quantity: Decimal
    entry: Decimal
    """Expected fill price, slippage included."""
    stop: Decimal
    targets: tuple[Decimal, Decimal, Decimal]
    risk_fraction: float
    """Fraction of equity that is lost at the stop, fees included; at most what was asked."""
    factors: Mapping[str, float]
    """What raised or lowered the risk fraction, by name."""
