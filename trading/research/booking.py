"""Prices, fills and money of the kernel: what services.ledger does to rows, done to arrays."""

from __future__ import annotations

from trading.core.candles import Floats
from trading.core.position import Position
from trading.research.compiled import inner
from trading.research.inputs import Bars, Grids
from trading.research.money import FINE, floor_parts, half_even
from trading.research.records import (
    BALANCE,
    CLOSED,
    EQUITY,
    FILLS,
    LAST_LOSS,
    LOSSES,
    OPEN,
    STOPS,
    TRADES,
    WINS,
    Records,
)

ENTRY = -1
"""The reason of an entry's fill."""


@inner
def price_now(bars: Bars, symbol: int, tick: int) -> float:
    bar = tick - bars.first[symbol] + 1
    return float(bars.open[bars.offset[symbol] + bar] if bar < bars.counts[symbol] else bars.last[symbol])


@inner
def mark_now(bars: Bars, symbol: int, tick: int) -> int:
    bar = tick - bars.first[symbol] + 1
    return int(bars.marks[bars.offset[symbol] + bar] if bar < bars.counts[symbol] else bars.last_mark[symbol])


@inner
def slip_now(slips: Floats, symbol: int, tick: int) -> float:
    return float(slips[0, 0] if slips.shape[0] == 1 and slips.shape[1] == 1 else slips[symbol, tick])


@inner
def keep(records: Records, trade: int, position: Position) -> None:
    row = records.position[trade]
    row[0], row[1], row[2], row[3] = position.side, position.entry, position.stop, position.stop_reason
    row[4], row[5], row[6], row[7] = position.remaining, position.targets_hit, position.best, position.bars


@inner
def wide(amount: int, factor: int, multiplier: int, divisor: int) -> tuple[int, int]:
    """Return a product exactly, as units and FINE parts of a unit."""
    estimate = float(amount) * float(factor) * float(multiplier) / float(divisor)
    units, rest = floor_parts(amount * factor * multiplier, estimate, divisor)
    return units, rest * (FINE // divisor)


@inner
def _worth(grids: Grids, symbol: int, steps: int, lots: int) -> int:
    multiplier, divisor = grids.value_mul[symbol], grids.value_div[symbol]
    estimate = float(steps) * float(lots) * float(multiplier) / float(divisor)
    return half_even(steps * lots * multiplier, estimate, divisor)


@inner
def _fee(grids: Grids, symbol: int, steps: int, lots: int) -> int:
    multiplier, divisor = grids.fee_mul[symbol], grids.fee_div[symbol]
    estimate = float(steps) * float(lots) * float(multiplier) / float(divisor)
    return half_even(steps * lots * multiplier, estimate, divisor)


@inner
def _fill(records: Records, trade: int, lots: int, steps: int, reason: int, fee: int, tick: int) -> None:
    row = records.fills[records.account[FILLS]]
    row[0], row[1], row[2], row[3], row[4], row[5] = trade, tick, reason, lots, steps, fee
    records.account[FILLS] += 1


@inner
def leave(grids: Grids, records: Records, trade: int, lots: int, steps: int, reason: int, tick: int) -> None:
    """Book a fill that reduces: cost leaves in proportion, and the last fill takes the rest."""
    account, symbol = records.account, records.symbol[trade]
    left, cost = records.lots_left[trade], records.cost[trade]
    worth = _worth(grids, symbol, steps, lots)
    fee = _fee(grids, symbol, steps, lots)
    gone = cost if lots >= left else half_even(cost * lots, float(cost) * float(lots) / float(left), left)
    side = int(records.position[trade, 0])
    realised = side * (worth - gone)
    records.gross[trade] += realised
    records.fees[trade] += fee
    records.cost[trade] = cost - gone
    records.lots_left[trade] = left - lots
    account[BALANCE] += realised - fee
    _fill(records, trade, lots, steps, reason, fee, tick)
    if lots == left:
        _close(records, trade, reason, tick)


@inner
def _close(records: Records, trade: int, reason: int, tick: int) -> None:
    account = records.account
    records.closed_tick[trade], records.exit_reason[trade] = tick, reason
    pnl = records.gross[trade] - records.fees[trade]
    if pnl > 0:
        account[WINS] += 1
        account[LOSSES] = 0
    else:
        account[LOSSES] += 1
        account[WINS] = 0
        account[LAST_LOSS] = tick
    # Newest last, and of those that closed at the same tick the one that was opened first: as the database orders them.
    place, made = account[CLOSED], float(pnl) / float(records.equity[trade])
    while place > 0:
        other = records.closed_trades[place - 1]
        if records.closed_tick[other] != tick or other < trade:
            break
        records.closed_trades[place], records.returns[place] = other, records.returns[place - 1]
        place -= 1
    records.closed_trades[place], records.returns[place] = trade, made
    account[CLOSED] += 1
    slot = 0
    while records.open_trades[slot] != trade:
        slot += 1
    account[OPEN] -= 1
    for later in range(slot, account[OPEN]):
        records.open_trades[later] = records.open_trades[later + 1]


@inner
def enter(grids: Grids, records: Records, trade: int, steps: int, tick: int) -> None:
    account, symbol, lots = records.account, records.symbol[trade], records.lots[trade]
    fee = _fee(grids, symbol, steps, lots)
    records.entry_steps[trade], records.opened_tick[trade] = steps, tick
    records.lots_left[trade], records.cost[trade] = lots, _worth(grids, symbol, steps, lots)
    records.gross[trade], records.fees[trade] = 0, fee
    records.equity[trade], records.closed_tick[trade] = account[EQUITY], -1
    account[STOPS] += 1
    records.stop_number[trade] = account[STOPS]
    records.open_trades[account[OPEN]] = trade
    account[OPEN] += 1
    account[TRADES] += 1
    account[BALANCE] -= fee
    _fill(records, trade, lots, steps, ENTRY, fee, tick)
