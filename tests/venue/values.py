"""What a venue keeps: markets, orders, trades, and why it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Any

ZERO = Decimal(0)
OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})
STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
TAKERS = frozenset({"MARKET", "STOP_LOSS", "TAKE_PROFIT"})


class Reason(StrEnum):
    """Why an order or a question is refused; each dialect has its own code for it."""

    SYMBOL = "symbol"
    CLOSED = "closed"
    TYPE = "type"
    PARAMETER = "parameter"
    PRICE_FILTER = "price_filter"
    LOT_SIZE = "lot_size"
    NOTIONAL = "notional"
    FUNDS = "funds"
    DUPLICATE = "duplicate"
    WOULD_TRIGGER = "would_trigger"
    WOULD_TAKE = "would_take"
    CANCEL_UNKNOWN = "cancel_unknown"
    QUERY_UNKNOWN = "query_unknown"
    NO_TRADE_RIGHT = "no_trade_right"
    REDUCE_ONLY = "reduce_only"


class Refused(Exception):
    """The venue says no."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Market:
    """A pair, its grid, and how much of an order its book can fill at once."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    min_quantity: Decimal = ZERO
    status: str = "TRADING"
    spread_ticks: int = 0
    fill_fraction: Decimal = Decimal(1)
    pieces: int = 1


@dataclass(slots=True, kw_only=True)
class NewOrder:
    """What a client asks for; zero means that the field was not sent."""

    symbol: str
    side: str
    type: str
    quantity: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    time_in_force: str = "GTC"
    client_id: str = ""
    signed_at: int = 0
    origin: str = "api"
    fill_fraction: Decimal = Decimal(1)
    pieces: int = 1


@dataclass(slots=True, kw_only=True)
class Order:
    """An accepted order; times are milliseconds of the venue's clock."""

    id: int
    client_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    quantity: Decimal
    quote_quantity: Decimal
    price: Decimal
    stop_price: Decimal
    signed_at: int
    accepted_at: int
    updated_at: int
    origin: str
    status: str = "NEW"
    executed: Decimal = ZERO
    quote_executed: Decimal = ZERO
    triggered: bool = False
    locked: Decimal = ZERO
    lock_unit: Decimal = ZERO
    fill_fraction: Decimal = Decimal(1)
    pieces: int = 1
    cancel_id: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def remaining(self) -> Decimal:
        return max(self.quantity - self.executed, ZERO)


@dataclass(slots=True, kw_only=True)
class Trade:
    """One fill, with the coin that its fee was taken in."""

    id: int
    order_id: int
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    at: int


@dataclass(slots=True)
class Key:
    """The rights of the one API key of an account."""

    trade: bool = True
    withdraw: bool = False
    ip_restrict: bool = True
    revoked: bool = False


@dataclass(slots=True)
class Settings:
    """What an operator may change about an account while it runs."""

    fee_mode: str = "base"  # base: in what is received; quote: always in the quote coin; else a coin's name
    fee_rate: Decimal = Decimal("0.001")
    key: Key = field(default_factory=Key)


def text(value: Decimal) -> str:
    """Return a decimal as the venues write it: plain, eight places."""
    return f"{value:.8f}"


def down(value: Decimal, step: Decimal) -> Decimal:
    """Return the value on the grid at or below it."""
    return (value / step).to_integral_value(ROUND_DOWN) * step


def is_on_grid(value: Decimal, step: Decimal) -> bool:
    """Return whether a value is a multiple of the step."""
    return value % step == 0


def default_markets() -> list[Market]:
    """Return the pairs every new venue lists."""
    rows: list[tuple[str, str, str, str, str]] = [
        ("BTC", "USDT", "0.01", "0.00001", "5"),
        ("ETH", "USDT", "0.01", "0.0001", "5"),
        ("SOL", "USDT", "0.01", "0.001", "5"),
        ("BNB", "USDT", "0.1", "0.001", "5"),
        ("XRP", "USDT", "0.0001", "0.1", "5"),
        ("ADA", "USDT", "0.0001", "0.1", "5"),
        ("DOGE", "USDT", "0.00001", "1", "1"),
        ("ETH", "BTC", "0.00001", "0.0001", "0.0001"),
    ]
    return [
        Market(base + quote, base, quote, Decimal(tick), Decimal(lot), Decimal(notional), min_quantity=Decimal(lot))
        for base, quote, tick, lot, notional in rows
    ]


DEFAULT_PRICES: dict[str, str] = {
    "BTCUSDT": "50000", "ETHUSDT": "3000", "SOLUSDT": "150", "BNBUSDT": "600",
    "XRPUSDT": "0.5", "ADAUSDT": "0.4", "DOGEUSDT": "0.1", "ETHBTC": "0.06",
}  # fmt: skip
DEFAULT_BALANCES: dict[str, str] = {"USDT": "100000", "BNB": "10"}


def plain(row: object) -> Any:
    """Return what JSON cannot hold as text; for `orjson.dumps(default=)`."""
    if isinstance(row, Decimal):
        return format(row, "f")
    raise TypeError(type(row).__name__)
