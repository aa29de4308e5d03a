"""What ccxt's class for MEXC lacks on perpetual contracts: orders are found and canceled by our own id, sides are read.

MEXC calls our id `externalOid`, and has four sides: 1 opens a long, 2 closes a short, 3 opens a short, 4 closes a long.
"""

from __future__ import annotations

from typing import Any

from trading.adapters.ccxt_lazy import ccxt

CROSS = 2
LONG, SHORT = 1, 2
_SIDES = {"1": "buy", "2": "buy", "3": "sell", "4": "sell"}
_RESTING = frozenset({"1", "2"})
_CANCELED, _UNKNOWN, _ENDED = "0", "2040", "2041"


def overrides(base: Any) -> dict[str, Any]:
    """Return the methods to put over those of ccxt's class."""
    return _orders(base) | _words(base)


def _orders(base: Any) -> dict[str, Any]:
    def create_swap_order(self: Any, market: Any, *arguments: Any, **named: Any) -> Any:
        # The reply names nothing but an id, and ccxt leaves out what it was about.
        order = base.create_swap_order(self, market, *arguments, **named)
        return {**order, "symbol": market["symbol"], "info": {"orderId": order["id"]}}

    def fetch_order(self: Any, id: str, symbol: str | None = None, params: Any = None) -> Any:
        params = params or {}
        if params.get("clientOrderId") is None:
            return base.fetch_order(self, id, symbol, params)
        return self.parse_order(_row(self, params["clientOrderId"], symbol), self.market(symbol))

    def cancel_order(self: Any, id: str, symbol: str | None = None, params: Any = None) -> Any:
        """Cancel by our id; an order that has ended by now is left to whoever asks for its state."""
        row = _row(self, (params or {}).get("clientOrderId") or id, symbol)
        if str(row.get("state")) not in _RESTING:
            return self.parse_order(row, self.market(symbol))
        answer = self.contract_private_post_order_cancel([row["orderId"]])
        told = answer.get("data")
        code = str(told[0].get("errorCode")) if isinstance(told, list) and told and isinstance(told[0], dict) else ""
        if code not in (_CANCELED, _UNKNOWN, _ENDED):
            raise ccxt.ExchangeError(f"mexc cancelOrder() {answer}")
        return self.parse_order(row, self.market(symbol))

    return {"create_swap_order": create_swap_order, "fetch_order": fetch_order, "cancel_order": cancel_order}


def _words(base: Any) -> dict[str, Any]:
    def parse_order(self: Any, order: Any, market: Any = None) -> Any:
        parsed = base.parse_order(self, order, market)
        if not isinstance(order, dict) or "externalOid" not in order:
            return parsed
        return {**parsed, "clientOrderId": order["externalOid"] or None, "side": _SIDES.get(str(order.get("side")))}

    def parse_trade(self: Any, trade: Any, market: Any = None) -> Any:
        if "vol" not in trade:
            return base.parse_trade(self, trade, market)
        # ccxt knows a contract's trade by a field that need not be there.
        parsed = base.parse_trade(self, {"positionMode": "", **trade}, market)
        return {**parsed, "side": _SIDES.get(str(trade.get("side")))}

    return {"parse_order": parse_order, "parse_trade": parse_trade}


def _row(exchange: Any, client_id: str, symbol: str | None) -> Any:
    """Return MEXC's own words about an order."""
    asked = {"symbol": exchange.market(symbol)["id"], "external_oid": client_id}
    answer = exchange.contract_private_get_order_external_symbol_external_oid(asked)
    row = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(row, dict) or row.get("externalOid") != client_id:
        raise ccxt.BadResponse(f"mexc names no order {client_id}: {str(answer)[:100]}")
    return row
