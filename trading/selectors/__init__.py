"""Reads for everyone above: typed values, each with a fixed number of queries."""

from trading.selectors.account import (
    CURVE_POINTS,
    Day,
    Record,
    bot,
    day_opening,
    days,
    equity_curve,
    params,
    record,
    revision,
)
from trading.selectors.decisions import (
    Funnel,
    Refusals,
    Step,
    decision,
    funnel,
    is_advice_wanted,
    refusals,
    signals,
    wanting_advice,
)
from trading.selectors.health import Signs, pauses, signs
from trading.selectors.journal import events
from trading.selectors.keeping import Keeping, keeping
from trading.selectors.pairs import Watched, blacklist, latest_scan, locks, switches, watch_list
from trading.selectors.performance import WEEKDAYS, Adder, Group, Result, Summary, adder, closed, summary
from trading.selectors.positions import Holding, OpenTrade, closed_trades, holdings, open_trades
from trading.selectors.risk import Limit, limits
from trading.selectors.trades import orders, trade, trades, trades_on

__all__ = [
    "CURVE_POINTS",
    "WEEKDAYS",
    "Adder",
    "Day",
    "Funnel",
    "Group",
    "Holding",
    "Keeping",
    "Limit",
    "OpenTrade",
    "Record",
    "Refusals",
    "Result",
    "Signs",
    "Step",
    "Summary",
    "Watched",
    "adder",
    "blacklist",
    "bot",
    "closed",
    "closed_trades",
    "day_opening",
    "days",
    "decision",
    "equity_curve",
    "events",
    "funnel",
    "holdings",
    "is_advice_wanted",
    "keeping",
    "latest_scan",
    "limits",
    "locks",
    "open_trades",
    "orders",
    "params",
    "pauses",
    "record",
    "refusals",
    "revision",
    "signals",
    "signs",
    "summary",
    "switches",
    "trade",
    "trades",
    "trades_on",
    "wanting_advice",
    "watch_list",
]
