"""From the kernel's arrays to a result in Decimal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np

from trading.core import sizing, timeframes
from trading.core.candles import Ints
from trading.core.position import ExitReason
from trading.core.strategies import Strategy
from trading.core.types import REGIMES, Market, Side
from trading.research.booking import ENTRY
from trading.research.inputs import VERDICTS, Setups
from trading.research.money import UNIT
from trading.research.records import BALANCE, EQUITY, FILLS, PEAK, TRADES, Limits, Records
from trading.research.results import ExitFill, RunResult, TradeResult


def of(
    records: Records,
    setups: Setups,
    limits: Limits,
    markets: Sequence[Market],
    strategies: Sequence[Strategy],
    balance: Decimal,
) -> RunResult:
    """Return what the records say."""
    exits: dict[int, list[ExitFill]] = {}
    for fill in records.fills[: records.account[FILLS]].tolist():
        trade, tick, reason, lots, steps, fee = fill
        if reason == ENTRY:
            continue
        market = markets[int(records.symbol[trade])]
        exits.setdefault(trade, []).append(
            ExitFill(
                at=timeframes.from_ms(limits.start_ms + tick * limits.span_ms),
                price=steps * market.price_step,
                quantity=lots * market.quantity_step,
                reason=ExitReason(reason).label,
                fee=_money(fee),
            )
        )
    taken = int(records.account[TRADES])
    return RunResult(
        initial_balance=balance,
        balance=_money(records.account[BALANCE]),
        equity=_money(records.account[EQUITY]),
        peak_equity=_money(records.account[PEAK]),
        setups={
            strategy.name: int(count)
            for index, strategy in enumerate(strategies)
            if (count := (setups.finder == index).sum())
        },
        taken=taken,
        refusals=_first_bits(records.mask),
        failed_verdicts=_bits(records.mask),
        trades=[
            _trade(number, records, setups, limits, markets, strategies, exits.get(number, []))
            for number in range(taken)
        ],
    )


def refusals(mask: int) -> list[str]:
    """Return the verdicts that failed, in order."""
    return [name for bit, name in enumerate(VERDICTS) if mask >> bit & 1]


def _trade(
    number: int,
    records: Records,
    setups: Setups,
    limits: Limits,
    markets: Sequence[Market],
    strategies: Sequence[Strategy],
    exits: list[ExitFill],
) -> TradeResult:
    setup, market = int(records.setup[number]), markets[int(records.symbol[number])]
    quantity = int(records.lots[number]) * market.quantity_step
    planned, stop = (int(steps[number]) * market.price_step for steps in (records.planned_steps, records.stop_steps))
    lost = quantity * sizing.loss_of_one(entry=planned, stop=stop, market=market)
    is_closed = records.closed_tick[number] >= 0
    return TradeResult(
        symbol=market.symbol,
        side=Side.of(int(setups.side[setup])).value,
        strategy=strategies[int(setups.finder[setup])].name,
        regime=REGIMES[int(setups.regime[setup])].value,
        signal_bar=_moment(limits, int(setups.tick[setup]) - 1),
        opened_at=_moment(limits, int(records.opened_tick[number])),
        entry_price=int(records.entry_steps[number]) * market.price_step,
        quantity=quantity,
        stop=float(stop),
        targets=[float(target) for target in records.rules[number, :3]],
        risk_fraction=float(lost / _money(records.equity[number])),
        exits=exits,
        closed_at=_moment(limits, int(records.closed_tick[number])) if is_closed else None,
        exit_reason=exits[-1].reason if is_closed else "",
        fees=_money(records.fees[number]),
        gross_pnl=_money(records.gross[number]),
    )


def _moment(limits: Limits, tick: int) -> datetime:
    return timeframes.from_ms(limits.start_ms + tick * limits.span_ms)


def _money(units: int) -> Decimal:
    return Decimal(int(units)) / UNIT


def _bits(masks: Ints) -> dict[str, int]:
    counts = {name: int((masks >> bit & 1).sum()) for bit, name in enumerate(VERDICTS)}
    return {name: count for name, count in counts.items() if count}


def _first_bits(masks: Ints) -> dict[str, int]:
    lowest = masks & -masks
    counts = {name: int((lowest == np.int64(1) << bit).sum()) for bit, name in enumerate(VERDICTS)}
    return {name: count for name, count in counts.items() if count}
