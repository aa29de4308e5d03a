"""Entries of the kernel: guards, size and plan of a setup on the account as it stands, as core.decision has them."""

from __future__ import annotations

import numpy as np

from trading.core import sizing
from trading.core.candles import Floats, Ints
from trading.core.position import ExitPlan, ExitRules, Position, rules_at
from trading.core.sizing import RiskRules
from trading.research.booking import enter, keep, mark_now, price_now, slip_now, wide
from trading.research.compiled import inner
from trading.research.inputs import Bars, Grids, Setups
from trading.research.money import FINE, UNIT, price_of, steps_of
from trading.research.records import (
    ATTEMPTED,
    CLOSED,
    DAY_OPENING,
    EQUITY,
    LAST_LOSS,
    LOSSES,
    OPEN,
    PEAK,
    TRADES,
    WEEK_OPENING,
    WINS,
    Limits,
    Records,
)

BIT_ONE_PER_SYMBOL, BIT_OPEN_TRADES, BIT_DAILY, BIT_WEEKLY, BIT_COOL = 14, 15, 16, 17, 18
BIT_OPEN_RISK, BIT_CLUSTER_RISK, BIT_LEVERAGE, BIT_SIDE, BIT_SIZE = 19, 20, 21, 24, 25
"""Places in inputs.VERDICTS."""


@inner
def judge(
    bars: Bars,
    setups: Setups,
    grids: Grids,
    plan: ExitPlan,
    risk: RiskRules,
    limits: Limits,
    slips: Floats,
    overrides: Ints,
    records: Records,
    tick: int,
    setup: int,
) -> None:
    account, symbol = records.account, setups.symbol[setup]
    exposure = _exposure(bars, grids, records, tick)
    mask = setups.mask[setup] | _guards(grids, limits, records, exposure, tick, symbol, setups.side[setup])
    if mask == 0:
        side = setups.side[setup]
        price = price_now(bars, symbol, tick)
        numerator, denominator = grids.numerator[symbol], grids.denominator[symbol]
        planned = steps_of(price * (1.0 + side * limits.slippage), numerator, denominator)
        entry = price_of(planned, numerator, denominator)
        stop = steps_of(entry - side * limits.stop_atr * setups.atr[setup], numerator, denominator)
        lots = 0
        if stop > 0 and stop != planned and planned > 0:
            lots = _size(grids, risk, limits, overrides, records, exposure, setup, setups, planned, stop)
        if lots > 0:
            trade = account[TRADES]
            records.setup[trade], records.symbol[trade], records.lots[trade] = setup, symbol, lots
            records.planned_steps[trade], records.stop_steps[trade] = planned, stop
            filled = steps_of(price * (1.0 + side * slip_now(slips, symbol, tick)), numerator, denominator)
            level = price_of(stop, numerator, denominator)
            rules = rules_at(side, entry, level, plan, grids.costs[symbol], numerator, denominator)
            _keep_rules(records, trade, rules)
            keep(records, trade, Position(side, entry, level, 0, 1.0, 0, entry, 0))
            enter(grids, records, trade, filled, tick)
        else:
            mask = 1 << BIT_SIZE
    records.mask[setup] = mask


@inner
def _keep_rules(records: Records, trade: int, rules: ExitRules) -> None:
    row = records.rules[trade]
    row[0], row[1], row[2], row[3] = rules.target_1, rules.target_2, rules.target_3, rules.fraction_1
    row[4], row[5], row[6], row[7] = rules.fraction_2, rules.break_even, rules.trail_start, rules.trail_distance
    row[8], row[9], row[10] = rules.time_stop, rules.grid_numerator, rules.grid_denominator


@inner
def _exposure(bars: Bars, grids: Grids, records: Records, tick: int) -> tuple[int, int, int, int]:
    """Return what all open positions could lose at their stops and what they are worth, each in units and parts."""
    risk, risk_parts, worth, worth_parts = 0, 0, 0, 0
    for slot in range(records.account[OPEN]):
        trade = records.open_trades[slot]
        symbol, left = records.symbol[trade], records.lots_left[trade]
        more, rest = _risk_of(grids, records, trade)
        risk += more
        risk_parts += rest
        more, rest = wide(mark_now(bars, symbol, tick), left, grids.mark_mul[symbol], grids.mark_div[symbol])
        worth += more
        worth_parts += rest
    return risk + risk_parts // FINE, risk_parts % FINE, worth + worth_parts // FINE, worth_parts % FINE


@inner
def _risk_of(grids: Grids, records: Records, trade: int) -> tuple[int, int]:
    """Return what an open position could lose at its stop, in units and parts."""
    symbol = records.symbol[trade]
    entry = records.entry_steps[trade]
    stop = int(np.rint(records.position[trade, 2] * grids.denominator[symbol] / grids.numerator[symbol]))
    fall = entry - stop if records.position[trade, 0] > 0.0 else stop - entry
    loss = fall * grids.risk_one[symbol] + grids.risk_fee[symbol] * (entry + stop)
    if loss <= 0:
        return 0, 0
    units, parts = wide(loss, records.lots_left[trade], grids.risk_mul[symbol], grids.fee_div[symbol])
    return units, parts


@inner
def _cluster_risk(grids: Grids, limits: Limits, records: Records, tick: int, symbol: int) -> tuple[int, int]:
    """Return what the open positions that move with the symbol could lose, in units and parts."""
    risk, parts, row = 0, 0, limits.ally_row[tick]
    for slot in range(records.account[OPEN]):
        trade = records.open_trades[slot]
        if row < 0 or limits.allies[row, symbol, records.symbol[trade]]:
            more, rest = _risk_of(grids, records, trade)
            risk += more
            parts += rest
    return risk + parts // FINE, parts % FINE


@inner
def _share(units: int, parts: int, equity: int) -> float:
    return (float(units) + float(parts) / float(FINE)) / float(equity) if equity > 0 else np.nan


@inner
def _lost(equity: int, opening: int) -> float:
    return float(opening - equity) / float(opening) if opening > 0 else np.nan


@inner
def _failed(passed: bool, bit: int) -> int:
    return 0 if passed else 1 << bit


@inner
def _guards(
    grids: Grids,
    limits: Limits,
    records: Records,
    exposure: tuple[int, int, int, int],
    tick: int,
    symbol: int,
    side: int,
) -> int:
    """Return a bit for every guard that refuses, in the words and the order of core.guards."""
    account, mask = records.account, 0
    equity = account[EQUITY]
    for slot in range(account[OPEN]):
        if records.symbol[records.open_trades[slot]] == symbol:
            mask |= 1 << BIT_ONE_PER_SYMBOL
    mask |= _failed(account[OPEN] < limits.max_open_trades, BIT_OPEN_TRADES)
    mask |= _failed(_lost(equity, account[DAY_OPENING]) < limits.daily_loss, BIT_DAILY)
    mask |= _failed(_lost(equity, account[WEEK_OPENING]) < limits.weekly_loss, BIT_WEEKLY)
    if account[LOSSES] >= limits.cooldown_losses and account[LAST_LOSS] >= 0:
        minutes = float((tick - account[LAST_LOSS]) * limits.span_ms) / 60_000.0
        mask |= _failed(minutes >= limits.cooldown_minutes, BIT_COOL)
    mask |= _failed(_share(exposure[0], exposure[1], equity) < limits.max_open_risk, BIT_OPEN_RISK)
    if limits.max_cluster_risk < 1.0:
        risk, parts = _cluster_risk(grids, limits, records, tick, symbol)
        mask |= _failed(_share(risk, parts, equity) < limits.max_cluster_risk, BIT_CLUSTER_RISK)
    mask |= _failed(_share(exposure[2], exposure[3], equity) < limits.max_leverage, BIT_LEVERAGE)
    return mask | _failed(side > 0 or grids.allows_short[symbol], BIT_SIDE)


@inner
def _size(
    grids: Grids,
    risk: RiskRules,
    limits: Limits,
    overrides: Ints,
    records: Records,
    exposure: tuple[int, int, int, int],
    setup: int,
    setups: Setups,
    planned: int,
    stop: int,
) -> int:
    """Return the lots of sizing.size_position; where a float may have decided a tie, leave a note for the exact check."""
    account, symbol = records.account, setups.symbol[setup]
    if len(overrides) > 0 and overrides[setup] >= 0:
        return int(overrides[setup])
    numerator, denominator = grids.numerator[symbol], grids.denominator[symbol]
    entry, level = price_of(planned, numerator, denominator), price_of(stop, numerator, denominator)
    equity = float(account[EQUITY]) / UNIT
    fraction = np.inf
    if limits.fixed_notional > 0.0:
        raw = limits.fixed_notional / entry / grids.lot[symbol]
    else:
        recent = records.returns[max(0, account[CLOSED] - limits.kelly_window) : account[CLOSED]]
        fall = _lost(account[EQUITY], account[PEAK])
        fraction = sizing.fraction_now(
            risk, account[LOSSES], account[WINS], recent, fall, setups.atr[setup] / setups.price[setup]
        )
        part = min(fraction, limits.max_open_risk - _share(exposure[0], exposure[1], account[EQUITY]))
        loss = abs(entry - level) + grids.fee_rate[symbol] * (entry + level)
        left = equity * grids.max_leverage[symbol] - (float(exposure[2]) + float(exposure[3]) / FINE) / UNIT
        raw = min(equity * part / loss, left / entry) / grids.lot[symbol]
    most = grids.max_lots[symbol]
    lots = min(int(np.floor(raw)), most) if raw > 0.0 else 0
    least = grids.min_notional[symbol] / grids.lot[symbol] / entry
    near = 1e-9 + 1e-12 * abs(raw)
    is_enough = lots >= least and lots >= grids.min_lots[symbol]
    if (raw < most + 1.0 and abs(raw - np.rint(raw)) < near) or abs(lots - least) < near:
        row = records.attempts[account[ATTEMPTED]]
        row[0], row[1], row[2], row[3], row[4] = setup, account[EQUITY], planned, stop, lots if is_enough else 0
        row[5], row[6], row[7], row[8] = exposure
        records.attempt_fraction[account[ATTEMPTED]] = fraction
        account[ATTEMPTED] += 1
    return lots if is_enough else 0
