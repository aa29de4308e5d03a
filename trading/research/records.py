"""What the kernel writes: the account, the trades and their fills, as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.core.candles import Floats, Ints

BALANCE, EQUITY, PEAK, DAY_OPENING, WEEK_OPENING, DAY, WEEK, LOSSES, WINS, LAST_LOSS = range(10)
OPEN, TRADES, FILLS, CLOSED, STOPS, ATTEMPTED, OVERFLOW = range(10, 17)
"""Places in Records.account: money in units of 1e-8 quote, moments in ticks, then counts."""

EXITS = 3
"""Most fills by which a trade leaves: two targets and what takes the rest."""


class Limits(NamedTuple):
    """The clock, and the parameters that entries heed, for compiled code."""

    ticks: int
    start_ms: int
    span_ms: int
    stop_atr: float
    slippage: float
    max_open_trades: int
    max_open_risk: float
    max_leverage: float
    daily_loss: float
    weekly_loss: float
    cooldown_losses: int
    cooldown_minutes: float
    kelly_window: int
    fraction_whole: Ints
    """The fractions of the first two targets as whole numbers over `fraction_one`."""
    fraction_one: Ints
    max_cluster_risk: float
    ally_row: Ints
    """By tick, the row of `allies`; empty where nothing limits clusters."""
    allies: NDArray[np.bool_]
    """By row, which two symbols count as one risk."""
    fixed_notional: float
    """Quote of every position; 0: sized by risk."""


class Records(NamedTuple):
    """Trades by number, in the order of entry; the arrays are longer than what is in use, `account` counts that."""

    account: Ints
    mask: Ints
    """By setup: a bit for each verdict that failed."""
    setup: Ints
    symbol: Ints
    lots: Ints
    planned_steps: Ints
    stop_steps: Ints
    entry_steps: Ints
    equity: Ints
    opened_tick: Ints
    closed_tick: Ints
    """-1 while open."""
    exit_reason: Ints
    lots_left: Ints
    cost: Ints
    gross: Ints
    fees: Ints
    stop_number: Ints
    position: Floats
    rules: Floats
    fills: Ints
    """Trade, tick, ExitReason (-1: entry), lots, price steps, fee."""
    open_trades: Ints
    closed_trades: Ints
    returns: Floats
    attempts: Ints
    """Sizes that a float may have decided: setup, equity, entry, stop, lots, open risk (2) and notional (2)."""
    attempt_fraction: Floats


_BY_TRADE = (
    *("setup", "symbol", "lots", "planned_steps", "stop_steps", "entry_steps", "equity", "opened_tick", "closed_tick"),
    *("exit_reason", "lots_left", "cost", "gross", "fees", "stop_number", "closed_trades"),
)


def empty(*, setups: int, candidates: int, symbols: int, balance: int) -> Records:
    """Return records of an account that has only its balance (units); `candidates` is the most trades there can be."""
    account = np.zeros(17, dtype=np.int64)
    account[[BALANCE, EQUITY, PEAK, DAY_OPENING, WEEK_OPENING]] = balance
    account[[DAY, WEEK, LAST_LOSS]] = -1
    size = max(1, candidates)
    numbers: dict[str, Ints] = {name: np.empty(size, dtype=np.int64) for name in _BY_TRADE}
    return Records(
        account=account,
        mask=np.zeros(setups, dtype=np.int64),
        position=np.empty((size, 8)),
        rules=np.empty((size, 11)),
        fills=np.empty((size * (1 + EXITS), 6), dtype=np.int64),
        open_trades=np.empty(symbols + 1, dtype=np.int64),
        returns=np.empty(size),
        attempts=np.empty((size, 9), dtype=np.int64),
        attempt_fraction=np.empty(size),
        **numbers,
    )
