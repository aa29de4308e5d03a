"""Error codes of Binance and MEXC by what they prove about an order, our own list and no more than it.

Sources: developers.binance.com (spot errors, usds-margined-futures errors), mexc.com/api-docs (spot-v3, futures), ccxt 4.5.90.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "ccxt 4.5.90, 2026-11"

BINANCE = frozenset({"binance", "binanceusdm"})
MEXC = frozenset({"mexc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """Codes by what they prove, for a reply to an order."""

    rejected: frozenset[str]
    denied: frozenset[str]
    throttled: frozenset[str]
    clock: frozenset[str]
    duplicate: frozenset[str]
    unknown_order: frozenset[str]
    busy_status: frozenset[int]
    echoes_client_id: bool


_BINANCE_REJECTED = (
    # Spot and futures: filters, parameters, symbol, precision.
    "-1013 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1111 -1112 -1114 -1115 -1116 -1117 -1118 -1119 -1121 -1130 -1131"
    # Futures: balance, margin, reduce-only, would trigger at once, limits of price and quantity, notional.
    " -2018 -2019 -2022 -2024 -2025 -2026 -2027 -2028"
    " -4001 -4002 -4003 -4004 -4005 -4013 -4014 -4015 -4016 -4023 -4024 -4061 -4120 -4131 -4164"
)
# -2010 covers everything that the matching engine refuses, also "Duplicate order sent.": only these texts are refusals.
BINANCE_2010 = (
    "insufficient balance",
    "filter failure",
    "market is closed",
    "not supported for this symbol",
    "not support for this symbol",
    "price * qty is zero",
    "action is disabled on this account",
    "may not place or cancel orders",
    "unsupported order combination",
    "would trigger immediately",
    "would immediately trigger",
    "would immediately match",
    "relationship of the prices",
    "not permitted for this account",
    "restricted for this account",
    "trading is not enabled",
)

_BINANCE_CODES = Codes(
    rejected=frozenset(_BINANCE_REJECTED.split()),
    denied=frozenset(["-1002", "-1022", "-2008", "-2014", "-2015"]),
    throttled=frozenset(["-1003", "-1015"]),
    clock=frozenset(["-1021", "-5028"]),
    duplicate=frozenset(["-4116"]),
    unknown_order=frozenset(["-2011", "-2013"]),
    busy_status=frozenset({418, 429}),
    echoes_client_id=True,
)

_MEXC_REJECTED = (
    # Spot: suspended, direction, volume, balance, oversold, price, symbol, disabled, limits, parameters, pair.
    "-1121 -1128 10007 10095 10096 10097 10101 10102 30000 30001 30002 30003 30004 30005 30010 30014 30016 30021 30027"
    " 30028 30029 30032 30041 30087 700004 700008 730001 730002 88013"
    # Contracts: no such contract, not allowed, price, balance, no position, quantity.
    " 1001 1002 2003 2005 2009 2011"
)

_MEXC_CODES = Codes(
    rejected=frozenset(_MEXC_REJECTED.split()),
    denied=frozenset(
        [
            "401",
            "402",
            "403",
            "406",
            "511",
            "602",
            "701",
            "702",
            "703",
            "704",
            "10072",
            "30018",
            "30020",
            "70011",
            "700001",
            "700002",
            "700006",
            "700007",
        ]
    ),
    throttled=frozenset(["429", "510"]),
    clock=frozenset(["700003", "10073"]),
    duplicate=frozenset(["603"]),
    unknown_order=frozenset(["-2011", "-2013"]),
    busy_status=frozenset({429}),
    echoes_client_id=False,
)


def of(exchange_id: str) -> Codes | None:
    """Return the codes of a venue that we have a table for."""
    if exchange_id in BINANCE:
        return _BINANCE_CODES
    return _MEXC_CODES if exchange_id in MEXC else None
