"""A real account through ccxt: one request per order, and nothing is believed of a reply that it does not prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from trading.adapters import ccxt_orders as orders
from trading.adapters import ccxt_questions as questions
from trading.adapters import ccxt_reports as reports
from trading.adapters.ccxt_budget import HeldBack
from trading.adapters.ccxt_client import Call, CcxtClient
from trading.adapters.ccxt_codes import BINANCE, MEXC
from trading.adapters.ccxt_mexc_swaps import CROSS, LONG, SHORT
from trading.adapters.ccxt_outcomes import (
    VENDOR_ERRORS,
    Asked,
    Outcome,
    classify,
    code_of,
    is_plausible_id,
    is_unknown_order,
    names_our_order,
)
from trading.adapters.ccxt_reports import Book
from trading.core.ports import (
    AccessDenied,
    Capabilities,
    FillReport,
    NotSent,
    OrderKind,
    OrderRejected,
    OrderReport,
    OrderRequest,
    OutcomeUnknown,
    ReportStatus,
)

_AT_ONCE = 10
"""From more symbols than that on, listing the whole account costs a venue's budget less than asking for each."""
_LEVERAGE = 10
"""The most that the parameter max_leverage may be: the venue then allows no more than Julaba ever uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CcxtBroker:
    """The Broker port over one venue. `quote` is the coin that the account counts its money in."""

    client: CcxtClient
    quote: str = "USDT"
    mode: str = "live"

    def capabilities(self, symbol: str) -> Capabilities:
        """Return what the venue allows; raises OutcomeUnknown where it cannot be asked, OrderRejected without the symbol."""
        return Capabilities(
            stop=orders.stop_support(self.client.exchange_id, self._market(symbol)),
            receive_window=self.client.receive_window,
            pays_notional=self.client.kind == "spot",
        )

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one request, signed for `request.at`; what is off the venue's grid is refused without sending."""
        urgent = request.reduce_only or request.kind == OrderKind.STOP
        market = self._ready(request.symbol, urgent=urgent)
        answer: object
        with self.client.call(urgent=urgent, permit_at=request.at) as call:
            try:
                terms = orders.terms(self.client.exchange, market, request)
                answer = self.client.exchange.create_order(*terms.arguments, terms.params)
            except VENDOR_ERRORS as error:
                answer = error
        asked = Asked(
            client_id=request.client_id, symbol=request.symbol, market_id=market["id"], side=request.side.value
        )
        outcome = classify(self.client.exchange_id, answer, asked, sent=call.sent)
        if outcome != Outcome.ACCEPTED:
            self._fail(outcome, answer, call)
        return self._accepted(answer, request)

    def find(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport | None:
        """Return the order, or None by the venue's own code; a venue without a table of codes never says None."""
        order = self._order(client_id, symbol, trigger=False)
        if order is None and self._has_algo_orders:
            order = self._order(client_id, symbol, trigger=True)
        return None if order is None else self._report(order, symbol, client_id=client_id)

    def cancel(self, client_id: str, *, symbol: str, now: datetime) -> OrderReport:
        """Cancel, then ask for the state; raises OrderRejected where the venue knows no such order."""
        if not self._canceled(client_id, symbol, trigger=False) and self._has_algo_orders:
            self._canceled(client_id, symbol, trigger=True)
        found = self.find(client_id, symbol=symbol, now=now)
        if found is None:
            raise OrderRejected(f"{self.client.exchange_id} knows no order {client_id}")
        return found

    def open_orders(self, symbols: Sequence[str], *, now: datetime) -> Sequence[OrderReport]:
        """Return what rests in the symbols: one request for each, or for all together where that costs less."""
        at_once = len(symbols) > _AT_ONCE and self.client.exchange_id in BINANCE
        return [
            self._report(_resting(order), asked or str(order["symbol"]))
            for asked in ([None] if at_once else symbols)
            for trigger in ((False, True) if self._has_algo_orders else (False,))
            for order in self._listed(asked, trigger=trigger)
            if not at_once or order["symbol"] in symbols
        ]

    def fills(self, symbols: Sequence[str], *, since: datetime, now: datetime) -> Sequence[FillReport]:
        found: list[FillReport] = []
        for symbol in symbols:
            book = self._book(symbol)
            trades = questions.trades(self.client, symbol, since, now)
            try:
                found += [book.fill(trade) for trade in trades]
            except VENDOR_ERRORS as error:
                raise OutcomeUnknown(questions.words(error)) from error
        return sorted((fill for fill in found if fill.at >= since), key=lambda fill: fill.at)

    def holdings(self, symbols: Sequence[str], *, now: datetime) -> Mapping[str, Decimal]:
        markets = {symbol: self._market(symbol) for symbol in symbols}
        if self.client.kind == "swap":
            return questions.positions(self.client, markets)
        totals = questions.totals(self.client)
        return {symbol: totals.get(market["base"], Decimal(0)) for symbol, market in markets.items()}

    def cash(self, *, now: datetime) -> Decimal:
        return questions.totals(self.client).get(self.quote, Decimal(0))

    def clock_offset(self, *, now: datetime) -> timedelta:
        return questions.ask(self.client, self.client.offset)

    @property
    def _has_algo_orders(self) -> bool:
        """Binance keeps the stops of a swap apart from its other orders."""
        return self.client.kind == "swap" and self.client.exchange_id in BINANCE

    @property
    def _is_known(self) -> bool:
        return self.client.exchange_id in BINANCE | MEXC

    def _ready(self, symbol: str, *, urgent: bool) -> Any:
        """Return the market once its rules and the venue's clock are known, so that one request is enough."""
        try:
            questions.ask(self.client, self.client.prepare, urgent=urgent)
            market = questions.ask(self.client, self.client.markets, urgent=urgent).get(symbol)
        except OutcomeUnknown as doubt:
            raise NotSent(f"not ready to send: {doubt}", retry_after=_held(doubt.__cause__)) from doubt
        if market is None or market.get("active") is False:
            self.client.doubt_markets()
            raise OrderRejected(f"{self.client.exchange_id} has no {symbol} that trades")
        if self.client.kind == "swap" and self._is_known and not urgent and symbol not in self.client.capped:
            self._cap_leverage(symbol)
        return market

    def _cap_leverage(self, symbol: str) -> None:
        """Before the first entry: see that a symbol has one net position, and cap its leverage; margin stays as it is."""
        exchange = self.client.exchange
        try:
            if questions.ask(self.client, lambda: exchange.fetch_position_mode(symbol))["hedged"] is not False:
                raise OrderRejected(
                    f"{self.client.exchange_id} keeps long and short apart: set the position mode to one-way"
                )
            for params in self._leverage_terms():
                questions.ask(self.client, lambda p=params: exchange.set_leverage(_LEVERAGE, symbol, p))  # type: ignore[misc]
        except OutcomeUnknown as doubt:
            raise NotSent(
                f"the leverage of {symbol} could not be capped: {doubt}", retry_after=_held(doubt.__cause__)
            ) from doubt
        self.client.capped.add(symbol)

    def _leverage_terms(self) -> list[dict[str, int]]:
        """Return what a venue wants told besides: MEXC caps each side of a symbol on its own."""
        if self.client.exchange_id in BINANCE:
            return [{}]
        return [{"openType": CROSS, "positionType": side} for side in (LONG, SHORT)]

    def _market(self, symbol: str) -> Any:
        market = questions.ask(self.client, self.client.markets).get(symbol)
        if market is None:
            raise OutcomeUnknown(f"{self.client.exchange_id} lists no {symbol} now")
        return market

    def _book(self, symbol: str) -> Book:
        return Book.of(self.client.exchange_id, self._market(symbol), cache(self._rate))

    def _rate(self, coin: str) -> Decimal | None:
        with self.client.call(urgent=True):
            try:
                return reports.decimal(self.client.exchange.fetch_ticker(f"{coin}/{self.quote}")["last"])
            except VENDOR_ERRORS:
                return None  # the fee is then estimated

    def _fail(self, outcome: Outcome, answer: object, call: Call) -> None:
        """Raise what a request that was not accepted means to the port."""
        code, text = code_of(call.reply) if call.reply else ("", "")
        said = f"{code} {text}".strip() or (questions.words(answer) if isinstance(answer, BaseException) else "")
        reason = f"{self.client.exchange_id}: {outcome}: {said or 'a reply that names no order of ours'}"
        cause = answer if isinstance(answer, BaseException) else None
        if outcome == Outcome.CLOCK:
            self.client.doubt_clock()
        if outcome in (Outcome.NOT_SENT, Outcome.THROTTLED, Outcome.CLOCK):
            raise NotSent(reason, retry_after=self.client.pause_left() or _held(cause)) from cause
        if outcome == Outcome.REJECTED:
            self.client.doubt_markets()
            raise OrderRejected(reason) from cause
        if outcome == Outcome.DENIED_ACCESS:
            raise AccessDenied(reason) from cause
        raise OutcomeUnknown(reason) from cause

    def _accepted(self, order: Any, request: OrderRequest) -> OrderReport:
        """Report an order that was accepted; what cannot be learned now is left to the next reconciliation."""
        fills: list[FillReport] = []
        try:
            if not reports.is_told(order):
                order = self._order(request.client_id, request.symbol, trigger=False) or order
            book = self._book(request.symbol)
            with suppress(OutcomeUnknown):
                fills = self._fills_of(order, book, client_id=request.client_id)
            return reports.report(order, fills, book, client_id=request.client_id)
        except (OutcomeUnknown, *VENDOR_ERRORS):
            return OrderReport(
                client_id=request.client_id,
                venue_order_id=str(order["id"]),
                status=ReportStatus.OPEN,
                symbol=request.symbol,
                side=request.side,
                quantity=request.quantity,
                trigger=request.trigger,
            )

    def _order(self, client_id: str, symbol: str, *, trigger: bool) -> Any:
        """Return ccxt's order, or None where the venue's own code says that it does not know the id."""
        params: dict[str, Any] = {"clientOrderId": client_id, **({"trigger": True} if trigger else {})}
        market = self._market(symbol)
        with self.client.call(urgent=True) as call:
            try:
                order = self.client.exchange.fetch_order(client_id, symbol, params)
                asked = Asked(client_id=client_id, symbol=symbol, market_id=market["id"], side="")
                if not names_our_order(self.client.exchange_id, order, asked, sent=call.sent):
                    raise ValueError(f"the reply names no order {client_id}: {str(order)[:100]}")
                if actual := order["info"].get("actualOrderId"):
                    # A triggered stop of a Binance swap lives on as an order of its own.
                    return self.client.exchange.fetch_order(str(actual), symbol)
            except VENDOR_ERRORS as error:
                if is_unknown_order(self.client.exchange_id, call.reply):
                    return None
                raise questions.doubt(self.client, call, error) from error
        return order

    def _canceled(self, client_id: str, symbol: str, *, trigger: bool) -> bool:
        """Cancel; False where the venue knows no such order that rests."""
        params: dict[str, Any] = {"clientOrderId": client_id, **({"trigger": True} if trigger else {})}
        self._market(symbol)
        with self.client.call(urgent=True) as call:
            try:
                self.client.exchange.cancel_order(client_id, symbol, params)
            except VENDOR_ERRORS as error:
                if is_unknown_order(self.client.exchange_id, call.reply):
                    return False
                raise questions.doubt(self.client, call, error) from error
        return True

    def _listed(self, symbol: str | None, *, trigger: bool) -> list[Any]:
        """Return ccxt's open orders of one symbol, or of every one."""
        params = {"trigger": True} if trigger else {}
        if symbol is not None:
            self._market(symbol)
        return questions.ask(
            self.client,
            lambda: list(self.client.exchange.fetch_open_orders(symbol, None, None, params)),
            lists=True,
        )

    def _report(self, order: Any, symbol: str, *, client_id: str = "") -> OrderReport:
        """Report an order with its fills, or raise OutcomeUnknown: a final state without its fills is no answer."""
        book = self._book(symbol)
        try:
            if not is_plausible_id(order["id"]) or not reports.is_told(order):
                raise ValueError(f"an order without a plausible id or status: {str(order)[:100]}")
            fills = self._fills_of(order, book, client_id=client_id or str(order.get("clientOrderId") or ""))
            if not reports.is_complete(order, fills, book) and order["status"] != "open":
                raise ValueError(f"order {order['id']} is {order['status']}, but its trades are not all listed yet")
            return reports.report(order, fills, book, client_id=client_id)
        except VENDOR_ERRORS as error:
            raise OutcomeUnknown(questions.words(error)) from error

    def _fills_of(self, order: Any, book: Book, *, client_id: str) -> list[FillReport]:
        try:
            trades = reports.own_trades(order)
            fills = [book.fill(trade, client_id=client_id) for trade in trades]
            if reports.is_complete(order, fills, book):
                return fills
            trades = questions.order_trades(self.client, str(order["id"]), book.symbol)
            return [book.fill(trade, client_id=client_id) for trade in trades]
        except VENDOR_ERRORS as error:
            raise OutcomeUnknown(questions.words(error)) from error


def _resting(order: Any) -> Any:
    """Return a listed order as one that rests, whatever word the venue has for its state: it is among the open ones."""
    return order if reports.is_told(order) else {**order, "status": "open"}


def _held(cause: BaseException | None) -> timedelta | None:
    return cause.retry_after if isinstance(cause, HeldBack) else None
