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
    # Spot and futures: filters, parameters, symbol, precision, kinds of orders.
    "-1013 -1014 -1020 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1108 -1111 -1112 -1114 -1115 -1116 -1117 -1118 -1119"
    " -1121 -1122 -1126 -1128 -1130 -1131 -1134 -1135 -1145"
    # Futures: balance, margin, liquidation, reduce-only, would trigger at once, limits of price and quantity, notional.
    " -2018 -2019 -2022 -2023 -2024 -2025 -2026 -2027 -2028"
    " -4001 -4002 -4003 -4004 -4005 -4006 -4007 -4013 -4014 -4015 -4016 -4023 -4024 -4045 -4050 -4051 -4055 -4061 -4062"
    " -4087 -4108 -4118 -4120 -4131 -4137 -4138 -4139 -4140 -4141 -4142 -4164 -4183 -4184 -4192 -4210 -4211"
    " -4400 -4401 -5021 -5022 -5037 -5038 -5039 -5040 -5041"
)
# These cover everything that the matching engine says no to, also "Duplicate order sent.": only these texts are refusals.
BINANCE_BY_TEXT = frozenset({"-1010", "-2010"})
BINANCE_REFUSALS = (
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
    "order book liquidity is less than",
    "icebergqty exceeds qty",
    "not whitelisted for api key",
)

_BINANCE_CODES = Codes(
    rejected=frozenset(_BINANCE_REJECTED.split()),
    denied=frozenset(
        ["-1002", "-1005", "-1011", "-1022", "-1099", "-1109", "-2008", "-2014", "-2015", "-2017", "-4088"]
    ),
    throttled=frozenset(["-1003", "-1015"]),
    clock=frozenset(["-1021", "-5028"]),
    duplicate=frozenset(["-4116"]),
    # -2026: it ended without an execution more than 90 days ago and was put away.
    unknown_order=frozenset(["-2011", "-2013", "-2026"]),
    busy_status=frozenset({418, 429}),
    echoes_client_id=True,
)

_MEXC_REJECTED = (
    # Spot: suspended, direction, volume, balance, oversold, price, symbol, disabled, limits, parameters, pair.
    "26 -1121 -1128 10007 10015 10095 10096 10097 10101 10102 30000 30001 30002 30003 30004 30005 30010 30014 30016"
    " 30019 30020 30021 30025 30027 30028 30029 30032 30041 30087 33333 44444 700004 700005 700008 700013 730001 730002"
    " 88013 88015"
    # Contracts: parameters, no such contract, not allowed, side, price, balance, no position, quantity, leverage, limits.
    " 600 601 604 801 1001 1002 1003 1004 2001 2002 2003 2004 2005 2006 2007 2008 2009 2011 2012 2015 2018 2021 2022 2023 2024"
    " 2025 2027 2028 2029 2030 2031 2032 2033 2036 2038 6001 6002 6003 6004 6005"
)
_MEXC_DENIED = (
    "401 402 403 406 511 602 701 702 703 704 1000 10001 10072 30018 60005 70011 140002"
    " 700001 700002 700006 700007 730100"
)

_MEXC_CODES = Codes(
    rejected=frozenset(_MEXC_REJECTED.split()),
    denied=frozenset(_MEXC_DENIED.split()),
    throttled=frozenset(["429", "510", "2037"]),
    clock=frozenset(["513", "700003", "10073"]),
    duplicate=frozenset(["603"]),
    # Contracts answer 2040 where spot says -2013.
    unknown_order=frozenset(["-2011", "-2013", "2040"]),
    busy_status=frozenset({429}),
    echoes_client_id=False,
)


def of(exchange_id: str) -> Codes | None:
    """Return the codes of a venue that we have a table for."""
    if exchange_id in BINANCE:
        return _BINANCE_CODES
    return _MEXC_CODES if exchange_id in MEXC else None
