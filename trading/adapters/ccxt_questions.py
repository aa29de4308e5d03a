"""Questions to a venue about an account: each one answers whole, or raises OutcomeUnknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from trading.adapters import ccxt_reports as reports
from trading.adapters.ccxt_client import Call, CcxtClient
from trading.adapters.ccxt_codes import BINANCE, MEXC
from trading.adapters.ccxt_outcomes import VENDOR_ERRORS, code_of, is_denied, is_plausible_id, parsed
from trading.core import redaction, timeframes
from trading.core.ports import OutcomeUnknown

T = TypeVar("T")

# What the venue gives at most in one answer, where we know it; elsewhere paging goes on until nothing new comes.
_PAGE = {"binance": 1000, "binanceusdm": 1000, "mexc": 100}
_WINDOW = timedelta(days=1)
_LISTS_ARE_BARE = BINANCE | MEXC


def ask(client: CcxtClient, question: Callable[[], T], *, lists: bool = False, urgent: bool = True) -> T:
    """Return the answer; `lists`: it must be a JSON list, since ccxt makes an empty list of any junk."""
    with client.call(urgent=urgent) as call:
        try:
            answer = question()
        except VENDOR_ERRORS as error:
            raise doubt(client, call, error) from error
    if lists:
        _check_list(client, call)
    return answer


def doubt(client: CcxtClient, call: Call, error: BaseException) -> OutcomeUnknown:
    """Return what a failed question means to the port; the client's owner hears of a key that was refused."""
    if is_denied(client.exchange_id, error, sent=call.sent):
        said = " ".join(code_of(call.reply)).strip() if call.reply else ""
        client.on_denied(f"{client.exchange_id}: {said or words(error)}")
    return OutcomeUnknown(words(error))


def words(error: BaseException) -> str:
    """Return what went wrong in one short line."""
    return f"{type(error).__name__}: {redaction.scrub(' '.join(str(error).split()))[:200]}"


def totals(client: CcxtClient) -> dict[str, Decimal]:
    """Return what the account holds by coin, free and locked; an empty answer is no answer.

    On a swap it is the wallet's: what open positions would make is in no book of ours before they are closed.
    """
    with client.call(urgent=True) as call:
        try:
            balance = client.exchange.fetch_balance()
            held = {coin: _total(balance[coin]) for coin in balance["total"]} | _wallet(client, balance)
        except VENDOR_ERRORS as error:
            raise doubt(client, call, error) from error
    if not held or not isinstance(parsed(call.reply.body if call.reply else ""), dict | list):
        raise OutcomeUnknown(f"{client.exchange_id} gave an empty balance, which says nothing")
    return held


def positions(client: CcxtClient, markets: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return the net position of each of `markets` in base, short negative."""
    found = dict.fromkeys(markets, Decimal(0))

    def question() -> dict[str, Decimal]:
        for position in client.exchange.fetch_positions(list(markets)):
            symbol = position["symbol"]
            if symbol not in found:
                continue
            size = reports.decimal(position["contracts"]) * reports.unit(markets[symbol])
            if size and position["side"] not in ("long", "short"):
                raise ValueError(f"a position of {symbol} without a side")
            found[symbol] += -size if position["side"] == "short" else size
        return found

    with client.call(urgent=True) as call:
        try:
            answer = question()
        except VENDOR_ERRORS as error:
            raise doubt(client, call, error) from error
    if not isinstance(parsed(call.reply.body if call.reply else ""), dict | list):
        raise OutcomeUnknown(f"{client.exchange_id} did not answer with positions")
    return answer


def trades(client: CcxtClient, symbol: str, since: datetime, now: datetime) -> list[Any]:
    """Return every trade of the account in `symbol` from `since` on, each once, oldest window first."""
    found: dict[str, Any] = {}
    start = since
    # The venue's clock may be ahead, and Binance answers for one day at a time.
    end = now + timedelta(minutes=1)
    while start < end:
        stop = min(start + _WINDOW, end)
        _window(client, symbol, timeframes.to_ms(start), timeframes.to_ms(stop), found)
        start = stop
    return list(found.values())


def order_trades(client: CcxtClient, order_id: str, symbol: str) -> list[Any]:
    """Return the trades of one order."""
    exchange = client.exchange
    if client.exchange_id in BINANCE:
        # ccxt's fetch_order_trades is for Binance spot alone.
        listed = ask(client, lambda: exchange.fetch_my_trades(symbol, None, 1000, {"orderId": order_id}), lists=True)
    else:
        listed = ask(client, lambda: exchange.fetch_order_trades(order_id, symbol), lists=True)
    return [trade for trade in listed if _id(trade) and str(trade.get("order")) == order_id]


def _window(client: CcxtClient, symbol: str, since: int, until: int, found: dict[str, Any]) -> None:
    """Add the trades of a window to `found`."""
    if client.exchange_id in MEXC:
        _both_ways(client, symbol, since, until, found)
        return
    limit = _PAGE.get(client.exchange_id)
    params: dict[str, Any] = {"until": until}
    cursor: int | None = since
    while True:
        page = _page(client, symbol, cursor, params)
        fresh = [trade for trade in page if str(_id(trade)) not in found]
        found |= {str(_id(trade)): trade for trade in fresh}
        if not fresh or (limit is not None and len(page) < limit):
            if limit is not None and len(page) >= limit:
                raise _too_many(client, symbol)
            return
        last = max(page, key=_at)
        if client.exchange_id in BINANCE:
            cursor, params = None, {"fromId": str(max(int(_id(trade)) for trade in page) + 1)}
            if _at(last) > until:
                return
        else:
            cursor = _at(last)


def _both_ways(client: CcxtClient, symbol: str, since: int, until: int, found: dict[str, Any]) -> None:
    """Add MEXC's trades of a window: it does not say which end a full page is from, so both ways are gone from there."""

    def take(first: int, last: int) -> tuple[list[Any], bool]:
        page = _page(client, symbol, first, {("end_time" if client.kind == "swap" else "until"): last})
        known = len(found)
        found.update({str(_id(trade)): trade for trade in page})
        return page, len(found) > known

    limit = _PAGE[client.exchange_id]
    first_page, _ = take(since, until)
    for is_newer in (True, False):
        page, goes_on = first_page, True
        while goes_on and len(page) >= limit:
            oldest, newest = min(map(_at, page)), max(map(_at, page))
            if oldest == newest:
                raise _too_many(client, symbol)
            page, goes_on = take(newest, until) if is_newer else take(since, oldest)


def _page(client: CcxtClient, symbol: str, since: int | None, params: dict[str, Any]) -> list[Any]:
    limit = _PAGE.get(client.exchange_id, 1000)
    return ask(client, lambda: client.exchange.fetch_my_trades(symbol, since, limit, dict(params)), lists=True)


def _too_many(client: CcxtClient, symbol: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"{client.exchange_id} has more trades of {symbol} in one millisecond than it lists")


def _id(trade: Any) -> str:
    if not isinstance(trade, dict) or not is_plausible_id(trade.get("id")):
        raise OutcomeUnknown(f"a trade without a plausible id: {str(trade)[:100]}")
    return str(trade["id"])


def _at(trade: Any) -> int:
    if not isinstance(trade.get("timestamp"), int):
        raise OutcomeUnknown(f"trade {trade.get('id')} has no time")
    return int(trade["timestamp"])


def _wallet(client: CcxtClient, balance: Any) -> dict[str, Decimal]:
    """Return a swap account's coins without open PnL, where the venue tells them apart; ccxt's totals include it."""
    if client.kind != "swap":
        return {}
    if client.exchange_id in BINANCE:
        return {row["asset"]: reports.decimal(row["walletBalance"]) for row in balance["info"]["assets"]}
    if client.exchange_id in MEXC:
        rows = balance["info"]["data"]
        return {row["currency"]: reports.decimal(row["equity"]) - reports.decimal(row["unrealized"]) for row in rows}
    return {}


def _total(account: Any) -> Decimal:
    if account.get("total") is not None:
        return reports.decimal(account["total"])
    return reports.decimal(account["free"]) + reports.decimal(account["used"])


def _check_list(client: CcxtClient, call: Call) -> None:
    answer = parsed(call.reply.body if call.reply else "")
    if client.exchange_id in MEXC and client.kind == "swap":
        # Contracts wrap a list, and say so where there is nothing in it.
        is_list = isinstance(answer, dict) and answer.get("success") is True
    elif client.exchange_id in _LISTS_ARE_BARE:
        is_list = isinstance(answer, list)
    else:
        is_list = isinstance(answer, dict | list)
    if not is_list:
        raise OutcomeUnknown(f"{client.exchange_id} did not answer with a list")
