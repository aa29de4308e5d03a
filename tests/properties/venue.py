"""A spot venue in memory that fails as a test tells it to, and keeps its own record of what it accepted and executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from trading.core.ports import (
    Capabilities,
    FillReport,
    NotSent,
    OrderKind,
    OrderRejected,
    OrderReport,
    OrderRequest,
    OrderSide,
    OutcomeUnknown,
    ReportStatus,
    StopSupport,
)

FEE_RATE = Decimal("0.001")
WINDOW = timedelta(seconds=5)
LOT = Decimal("0.0001")
PARTS = {
    "partial_rests": Decimal("0.3"),
    "partial_ends": Decimal("0.6"),
    "crumb_ends": Decimal("0.001"),
    "nothing_ends": Decimal(0),
    "overfilled": Decimal("1.2"),
}
"""How much of a request is filled on its arrival."""
ENDS = ("partial_ends", "crumb_ends", "nothing_ends")
"""After these, the venue cancels what is left."""


@dataclass
class Placed:
    """One order at the venue."""

    request: OrderRequest
    number: int
    status: ReportStatus = ReportStatus.OPEN
    fills: list[FillReport] = field(default_factory=list)
    is_released: bool = False
    """The price has reached the trigger of this stop."""

    @property
    def rest(self) -> Decimal:
        return self.request.quantity - sum((fill.quantity for fill in self.fills), Decimal(0))

    @property
    def is_live(self) -> bool:
        return self.status in (ReportStatus.OPEN, ReportStatus.PARTIAL)


@dataclass
class ScriptedVenue:
    """Implements the Broker port; `script` says how the next requests fare, `deaf` how many questions get no answer.

    A client id is unique among live orders only, as at real venues: a request that is sent twice executes twice.
    """

    clock: Callable[[], datetime]
    money: Decimal
    window: timedelta | None = WINDOW
    stop: StopSupport = StopSupport.MARKET
    prices: dict[str, Decimal] = field(default_factory=dict)
    coins: dict[str, Decimal] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    late: list[tuple[datetime, OrderRequest]] = field(default_factory=list)
    script: list[str] = field(default_factory=list)
    deaf: int = 0
    meanwhile: Callable[[], object] | None = None
    """Called once, while the next request is under way: what other processes do in that time."""
    canceling: Callable[[str], object] | None = None
    """Called once with the client id, before the next cancel takes effect."""
    mode: str = "paper"
    depth: int = 0
    """How many transactions are open around the whole test."""

    def capabilities(self, symbol: str) -> Capabilities:
        return Capabilities(stop=self.stop, receive_window=self.window, pays_notional=True)

    def submit(self, request: OrderRequest) -> OrderReport:
        self._outside_of_transactions()
        how = self.script.pop(0) if self.script else "ok"
        if how == "not_sent":
            raise NotSent("connection refused")
        if how == "refused":
            raise OrderRejected("the venue is busy")
        if how == "lost_request":
            raise OutcomeUnknown("cut before it arrived")
        if how.startswith("late"):
            self.late.append((self.clock() + timedelta(seconds=float(how.split()[1])), request))
            raise OutcomeUnknown("timeout")
        if how == "paused":
            self._let_others_act()
        order = self._accept(request, how)
        if how == "slow":
            self._let_others_act()
        if how == "lost_reply":
            raise OutcomeUnknown("cut after it was accepted")
        if how == "truncated":
            return _report(order, status=ReportStatus.OPEN, fills=())
        return _report(order)

    def find(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport | None:
        self._question()
        found = [order for order in self.placed if order.request.client_id == client_id]
        return _report(found[-1]) if found else None

    def cancel(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport:
        self._question()
        act, self.canceling = self.canceling, None
        if act is not None:
            act(client_id)
        self.cancel_by_hand(client_id)
        report = self.find(client_id, symbol=symbol, now=now)
        if report is None:
            raise OrderRejected(f"unknown order {client_id}")
        return report

    def open_orders(self, symbols: Sequence[str], *, now: datetime) -> Sequence[OrderReport]:
        self._question()
        return [_report(order) for order in self.placed if order.is_live and order.request.symbol in symbols]

    def fills(self, symbols: Sequence[str], *, since: datetime, now: datetime) -> Sequence[FillReport]:
        self._question()
        return [fill for fill in self.executions() if fill.symbol in symbols and fill.at >= since]

    def holdings(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Decimal]:
        self._question()
        return {symbol: self.coins.get(symbol, Decimal(0)) for symbol in symbols}

    def cash(self, *, now: datetime) -> Decimal:
        self._question()
        return self.money

    def clock_offset(self, *, now: datetime) -> timedelta:
        return timedelta(0)

    # --- What a test does to it, or reads in it ---------------------------------------------------------

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move a price, which releases the stops and fills the limits that it reaches; all stops here sell."""
        self.prices[symbol] = price
        for order in self.resting(symbol):
            asked = order.request
            if asked.kind == OrderKind.STOP:
                order.is_released = order.is_released or (asked.trigger is not None and price <= asked.trigger)
                if order.is_released and (asked.price is None or price >= asked.price):
                    self._execute(order, order.rest)
            elif asked.kind == OrderKind.LIMIT and _reaches(asked, price):
                self._execute(order, order.rest, asked.price)

    def arrive(self) -> None:
        """Let the requests arrive whose time has come."""
        due = [request for at, request in self.late if at <= self.clock()]
        self.late = [(at, request) for at, request in self.late if at > self.clock()]
        for request in due:
            try:
                self._accept(request, "ok")
            except OrderRejected:
                continue  # nobody hears of it

    def fill_rest(self) -> None:
        """Fill what rests of market orders."""
        for order in self.placed:
            if order.is_live and order.request.kind == OrderKind.MARKET:
                self._execute(order, order.rest)

    def fill_part(self, part: Decimal) -> None:
        """Fill a part of what is left of every resting quote, at its own price."""
        for order in self.placed:
            quantity = (order.rest * part).quantize(LOT)
            if order.is_live and order.request.kind == OrderKind.LIMIT and quantity > 0:
                self._execute(order, quantity, order.request.price)

    def cancel_by_hand(self, client_id: str) -> None:
        for order in self.placed:
            if order.request.client_id == client_id and order.is_live:
                order.status = ReportStatus.CANCELED

    def heal(self) -> None:
        self.script, self.deaf, self.meanwhile, self.canceling = [], 0, None, None

    def executions(self) -> list[FillReport]:
        return [fill for order in self.placed for fill in order.fills]

    def resting(self, symbol: str) -> list[Placed]:
        return [order for order in self.placed if order.is_live and order.request.symbol == symbol]

    def _accept(self, request: OrderRequest, how: str) -> Placed:
        if self.window is not None and self.clock() - request.at > self.window:
            raise OrderRejected("outside of the receive window")
        if any(order.is_live and order.request.client_id == request.client_id for order in self.placed):
            raise OutcomeUnknown("duplicate client id")
        price, needed = self.prices[request.symbol], request.quantity
        if request.side is OrderSide.SELL and needed > self._free(request.symbol):
            raise OrderRejected("insufficient balance: coins")
        if request.side is OrderSide.BUY and needed * (request.price or price) * (1 + FEE_RATE) > self._free_money():
            raise OrderRejected("insufficient balance: money")
        if request.trigger is not None and price <= request.trigger:
            raise OrderRejected("the stop would trigger at once")
        order = Placed(request, number=len(self.placed) + 1)
        self.placed.append(order)
        is_quote = request.kind == OrderKind.LIMIT
        if request.kind == OrderKind.MARKET or (is_quote and (how in PARTS or _reaches(request, price))):
            part = PARTS.get(how, Decimal(1))
            self._execute(order, (request.quantity * part).quantize(LOT), request.price)
        if how in ENDS and order.is_live and request.kind != OrderKind.STOP:
            order.status = ReportStatus.CANCELED
        return order

    def _execute(self, order: Placed, quantity: Decimal, at: Decimal | None = None) -> None:
        """Fill some of an order, at the price now where no other is given."""
        if quantity == 0:
            return
        request, price = order.request, at or self.prices[order.request.symbol]
        fee = (quantity * price * FEE_RATE).quantize(Decimal("1e-8"))
        self.coins[request.symbol] = self.coins.get(request.symbol, Decimal(0)) + request.side.sign * quantity
        self.money -= request.side.sign * quantity * price + fee
        order.fills.append(
            FillReport(
                venue_fill_id=f"{order.number}-{len(order.fills) + 1}",
                client_id=request.client_id,
                quantity=quantity,
                price=price,
                fee=fee,
                at=self.clock(),
                symbol=request.symbol,
                venue_order_id=str(order.number),
                side=request.side,
            )
        )
        order.status = ReportStatus.FILLED if order.rest <= 0 else ReportStatus.PARTIAL

    def _free_money(self) -> Decimal:
        """Return the money that no resting quote has locked."""
        quotes = [o for o in self.placed if o.is_live and o.request.side is OrderSide.BUY and o.request.price]
        return self.money - sum((o.rest * (o.request.price or 0) * (1 + FEE_RATE) for o in quotes), Decimal(0))

    def _free(self, symbol: str) -> Decimal:
        locked = sum((o.rest for o in self.resting(symbol) if o.request.side is OrderSide.SELL), Decimal(0))
        return self.coins.get(symbol, Decimal(0)) - locked

    def _question(self) -> None:
        self._outside_of_transactions()
        if self.deaf:
            self.deaf -= 1
            raise OutcomeUnknown("no answer")

    def _let_others_act(self) -> None:
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()

    def _outside_of_transactions(self) -> None:
        assert len(connection.savepoint_ids) == self.depth, "the venue was asked inside a transaction"


def _reaches(asked: OrderRequest, price: Decimal) -> bool:
    """Return whether a limit order can be filled at this price."""
    return asked.price is not None and asked.side.sign * (price - asked.price) <= 0


def _report(
    order: Placed, *, status: ReportStatus | None = None, fills: tuple[FillReport, ...] | None = None
) -> OrderReport:
    return OrderReport(
        client_id=order.request.client_id,
        venue_order_id=str(order.number),
        status=status or order.status,
        fills=tuple(order.fills) if fills is None else fills,
        symbol=order.request.symbol,
        side=order.request.side,
        quantity=order.request.quantity,
        trigger=order.request.trigger,
    )
