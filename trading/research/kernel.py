"""The backtest: many symbols on one account in time order, compiled, with the position machine and the sizing of the live engine.

At each tick, as in services.tick: stops that rest at the venue, then every open position over the bar that closed and
the price now, then equity at the prices now, then the setups of the closed bars with guards and sizing on the account
as it then is. While nothing is open and nothing is found, nothing can happen, and the clock leaps.
"""

from __future__ import annotations

from trading.core.candles import Floats, Ints
from trading.core.position import ExitPlan, ExitRules, Position, advance, take
from trading.core.sizing import RiskRules
from trading.research.booking import keep, leave, mark_now, price_now, slip_now, wide
from trading.research.compiled import inner, outer
from trading.research.inputs import Bars, Grids, Setups
from trading.research.judging import judge
from trading.research.money import FINE, LARGEST, floor_parts, steps_of
from trading.research.records import (
    BALANCE,
    DAY,
    DAY_OPENING,
    EQUITY,
    OPEN,
    OVERFLOW,
    PEAK,
    STOPS,
    WEEK,
    WEEK_OPENING,
    Limits,
    Records,
)

TIME = 6
"""position.ExitReason.TIME, the one reason that is no level."""
DAY_MS = 86_400_000


@inner
def _release_stops(bars: Bars, grids: Grids, records: Records, tick: int) -> None:
    """Fill the stops that the bar or the price now has reached, in the order in which they were placed."""
    account = records.account
    while True:
        chosen, first = -1, 0
        for slot in range(account[OPEN]):
            trade = records.open_trades[slot]
            if (chosen < 0 or records.stop_number[trade] < first) and _stop_price(bars, records, trade, tick) > 0.0:
                chosen, first = trade, records.stop_number[trade]
        if chosen < 0:
            return
        symbol, row = records.symbol[chosen], records.position[chosen]
        price = _stop_price(bars, records, chosen, tick)
        steps = steps_of(price, grids.numerator[symbol], grids.denominator[symbol])
        reason = int(row[3])
        row[4] = 0.0
        leave(grids, records, chosen, records.lots_left[chosen], steps, reason, tick)


@inner
def _stop_price(bars: Bars, records: Records, trade: int, tick: int) -> float:
    """Return what the resting stop fills at: its price or the open beyond it, or the price now; 0.0: not at all."""
    symbol = records.symbol[trade]
    row = records.position[trade]
    side, stop, bar = row[0], row[2], tick - bars.first[symbol]
    if bar < bars.counts[symbol]:
        place = bars.offset[symbol] + bar
        worst = bars.low[place] if side > 0 else bars.high[place]
        if side * (worst - stop) <= 0.0:
            opened = bars.open[place]
            return float(opened if side * (opened - stop) <= 0.0 else stop)
    price = price_now(bars, symbol, tick)
    return price if side * (price - stop) <= 0.0 else 0.0


@inner
def _follow(
    bars: Bars, grids: Grids, limits: Limits, slips: Floats, records: Records, scratch: Floats, tick: int
) -> None:
    account, slot = records.account, 0
    while slot < account[OPEN]:
        trade = records.open_trades[slot]
        symbol, before, lots = records.symbol[trade], records.position[trade, 2], records.lots_left[trade]
        position, rules = _position(records, trade), _rules(records, trade)
        price, bar = price_now(bars, symbol, tick), tick - bars.first[symbol]
        if bar < bars.counts[symbol]:
            place = bars.offset[symbol] + bar
            position, count = advance(position, rules, bars.open[place], bars.high[place], bars.low[place], scratch)
            keep(records, trade, position)
            if count > 0:
                _exit(grids, limits, slips, records, scratch, count, trade, price, tick)
        if position.remaining > 0.0 and records.lots_left[trade] > 0:
            position, count = take(position, rules, price, price, price, scratch, 0)
            if count > 0:
                keep(records, trade, position)
                _exit(grids, limits, slips, records, scratch, count, trade, price, tick)
        if records.lots_left[trade] == 0:
            continue  # the list has moved up
        if records.position[trade, 2] != before or records.lots_left[trade] != lots:
            account[STOPS] += 1
            records.stop_number[trade] = account[STOPS]
        slot += 1


@inner
def _exit(
    grids: Grids,
    limits: Limits,
    slips: Floats,
    records: Records,
    scratch: Floats,
    count: int,
    trade: int,
    price: float,
    tick: int,
) -> None:
    """Sell what fell due: a fraction in whole lots, the last one takes what is left."""
    symbol, first = records.symbol[trade], records.lots[trade]
    numerator, denominator = grids.numerator[symbol], grids.denominator[symbol]
    for row in range(count):
        reason, left = int(scratch[row, 0]), records.lots_left[trade]
        is_last = row == count - 1 and records.position[trade, 4] <= 0.0
        lots = left if is_last else min(left, _part(first, reason, limits))
        if lots <= 0:
            continue
        level = scratch[row, 2]
        if reason == TIME:
            level = price * (1.0 - records.position[trade, 0] * slip_now(slips, symbol, tick))
        leave(grids, records, trade, lots, steps_of(level, numerator, denominator), reason, tick)


@inner
def _part(lots: int, reason: int, limits: Limits) -> int:
    """Return the fraction of a target of the first quantity in whole lots; in whole numbers, so a tie is a tie."""
    which = reason - 3
    whole, one = limits.fraction_whole[which], limits.fraction_one[which]
    return floor_parts(lots * whole, lots * (whole / one), one)[0]


@inner
def _mark(bars: Bars, grids: Grids, limits: Limits, records: Records, tick: int) -> None:
    """Set equity at the prices now, its peak, and what the day and the week began with."""
    account = records.account
    units, parts = account[BALANCE], 0
    for slot in range(account[OPEN]):
        trade = records.open_trades[slot]
        symbol = records.symbol[trade]
        gain = mark_now(bars, symbol, tick) - records.entry_steps[trade] * grids.mark_step[symbol]
        if records.position[trade, 0] < 0.0:
            gain = -gain
        more, rest = wide(gain, records.lots_left[trade], grids.mark_mul[symbol], grids.mark_div[symbol])
        units += more
        parts += rest
    units += parts // FINE
    parts %= FINE
    if 2 * parts > FINE or (2 * parts == FINE and units % 2 != 0):
        units += 1
    account[EQUITY] = units
    account[PEAK] = max(account[PEAK], units)
    if abs(units) > LARGEST:
        account[OVERFLOW] = 1
    day = (limits.start_ms + tick * limits.span_ms) // DAY_MS
    if day != account[DAY]:
        account[DAY], account[DAY_OPENING] = day, units
        if (day + 3) // 7 != account[WEEK]:  # 1970 began on a Thursday, weeks begin on Mondays
            account[WEEK], account[WEEK_OPENING] = (day + 3) // 7, units


@inner
def _position(records: Records, trade: int) -> Position:
    row = records.position[trade]
    return Position(int(row[0]), row[1], row[2], int(row[3]), row[4], int(row[5]), row[6], int(row[7]))


@inner
def _rules(records: Records, trade: int) -> ExitRules:
    row = records.rules[trade]
    return ExitRules(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], int(row[8]), row[9], row[10])


@inner
def _hold(bars: Bars, grids: Grids, limits: Limits, records: Records, scratch: Floats, tick: int, until: int) -> int:
    """Follow the only open position from `tick` on, up to the first tick at which anything falls due, and return that.

    Where the machine lets nothing leave, no stop at the venue was reached either: the position's is as tight or tighter.
    """
    account, trade = records.account, records.open_trades[0]
    symbol, side = records.symbol[trade], int(records.position[trade, 0])
    shift = bars.offset[symbol] - bars.first[symbol]
    day_ends = (account[DAY] + 1) * DAY_MS - limits.start_ms
    until = min(until, bars.first[symbol] + bars.counts[symbol] - 1, -(-day_ends // limits.span_ms))
    position, rules = _position(records, trade), _rules(records, trade)
    begun, best, place = tick, 0, shift + tick
    while tick < until:
        moved, count = advance(position, rules, bars.open[place], bars.high[place], bars.low[place], scratch)
        if count > 0:
            break
        price = bars.open[place + 1]
        moved, count = take(moved, rules, price, price, price, scratch, 0)
        if count > 0:
            break
        position, tick, place = moved, tick + 1, place + 1
        if side * (bars.marks[place] - best) > 0 or tick == begun + 1:
            best = bars.marks[place]
    if tick > begun:
        if position.stop != records.position[trade, 2]:
            account[STOPS] += 1
            records.stop_number[trade] = account[STOPS]
        keep(records, trade, position)
        # Of all that it was worth on the way, only the most matters later.
        account[PEAK] = max(account[PEAK], _equity(grids, records, trade, best))
    return int(tick)


@inner
def _equity(grids: Grids, records: Records, trade: int, mark: int) -> int:
    """Return the account's equity with one position open, at a price in marks."""
    symbol = records.symbol[trade]
    gain = int(records.position[trade, 0]) * (mark - records.entry_steps[trade] * grids.mark_step[symbol])
    units, rest = wide(gain, records.lots_left[trade], grids.mark_mul[symbol], grids.mark_div[symbol])
    units += int(records.account[BALANCE])
    if 2 * rest > FINE or (2 * rest == FINE and units % 2 != 0):
        units += 1
    return units


@outer
def run(
    bars: Bars,
    setups: Setups,
    grids: Grids,
    plan: ExitPlan,
    risk: RiskRules,
    limits: Limits,
    slips: Floats,
    overrides: Ints,
    records: Records,
    scratch: Floats,
) -> None:
    """Trade every setup in turn, writing what happened into `records`.

    `overrides` holds the lots of setups that an exact calculation has corrected, -1 elsewhere; none where empty.
    """
    account, tick, setup, found = records.account, 0, 0, len(setups.tick)
    while tick < limits.ticks and account[OVERFLOW] == 0:
        if account[OPEN] == 0:
            if setup >= found:
                break
            tick = max(tick, setups.tick[setup])
        if account[OPEN] > 0:
            _release_stops(bars, grids, records, tick)
            _follow(bars, grids, limits, slips, records, scratch, tick)
        _mark(bars, grids, limits, records, tick)
        while setup < found and setups.tick[setup] == tick:
            judge(bars, setups, grids, plan, risk, limits, slips, overrides, records, tick, setup)
            setup += 1
        tick += 1
        if account[OPEN] == 1:
            due = setups.tick[setup] if setup < found else limits.ticks
            tick = _hold(bars, grids, limits, records, scratch, tick, min(due, limits.ticks))
