"""What a run over the past found, earned and refused, as JSON values: one schema for `replay` and `backtest`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitFill:
    """A fill that reduced a position: price in quote per base, quantity in base, fee in quote."""

    at: datetime
    price: Decimal
    quantity: Decimal
    reason: str
    fee: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeResult:
    """One trade; money in quote. `closed_at` is None while it is open."""

    symbol: str
    side: str
    strategy: str
    regime: str
    signal_bar: datetime
    opened_at: datetime | None
    entry_price: Decimal
    quantity: Decimal
    stop: float
    targets: Sequence[float]
    risk_fraction: float
    exits: Sequence[ExitFill]
    closed_at: datetime | None
    exit_reason: str
    fees: Decimal
    gross_pnl: Decimal
    revision: int | None = None
    """Of the parameters; None: the run has one set of them."""

    @property
    def pnl(self) -> Decimal:
        return self.gross_pnl - self.fees


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A run as a whole. The counts are of setups by strategy, of refusals and of failed verdicts by name."""

    initial_balance: Decimal
    balance: Decimal
    equity: Decimal
    peak_equity: Decimal
    setups: Mapping[str, int]
    taken: int
    refusals: Mapping[str, int]
    failed_verdicts: Mapping[str, int]
    trades: Sequence[TradeResult]


def report(
    result: RunResult,
    *,
    symbols: Sequence[str],
    timeframe: str,
    params: Mapping[str, Any],
    bars: Mapping[str, int],
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the result as JSON values; money and prices are text, times UTC."""
    closed = [trade for trade in result.trades if trade.closed_at is not None]
    return {
        "symbols": list(symbols),
        "timeframe": timeframe,
        "bars": dict(bars),
        "parameters": dict(params),
        "initial_balance": _text(result.initial_balance),
        "final_balance": _text(result.balance),
        "final_equity": _text(result.equity),
        "peak_equity": _text(result.peak_equity),
        "summary": _summary(closed, result),
        "metrics": dict(metrics),
        "setups": sum(result.setups.values()),
        "setups_by_strategy": _sorted(result.setups),
        "taken": result.taken,
        "refusals": _sorted(result.refusals),
        "failed_verdicts": _sorted(result.failed_verdicts),
        "trades": [_trade(trade) for trade in result.trades],
    }


def counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values))


def _summary(closed: Sequence[TradeResult], result: RunResult) -> dict[str, Any]:
    won = sum((trade.pnl for trade in closed if trade.pnl > 0), Decimal(0))
    lost = -sum((trade.pnl for trade in closed if trade.pnl <= 0), Decimal(0))
    wins = sum(trade.pnl > 0 for trade in closed)
    return {
        "closed_trades": len(closed),
        "wins": wins,
        "win_rate": round(wins / len(closed), 6) if closed else None,
        "gross_pnl": _text(sum((trade.gross_pnl for trade in closed), Decimal(0))),
        "fees": _text(sum((trade.fees for trade in closed), Decimal(0))),
        "pnl": _text(won - lost),
        "profit_factor": round(float(won / lost), 6) if lost else None,
        "return_fraction": round(float(result.equity / result.initial_balance - 1), 9),
    }


def _trade(trade: TradeResult) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "side": trade.side,
        "strategy": trade.strategy,
        "regime": trade.regime,
        "signal_bar": _moment(trade.signal_bar),
        "entry_time": _moment(trade.opened_at),
        "entry_price": _text(trade.entry_price),
        "quantity": _text(trade.quantity),
        "stop": repr(trade.stop),
        "targets": [repr(target) for target in trade.targets],
        "risk_fraction": round(trade.risk_fraction, 12),
        "exits": [
            {
                "time": _moment(fill.at),
                "price": _text(fill.price),
                "quantity": _text(fill.quantity),
                "reason": fill.reason,
                "fee": _text(fill.fee),
            }
            for fill in trade.exits
        ],
        "closed_time": _moment(trade.closed_at),
        "exit_reason": trade.exit_reason or None,
        "fees": _text(trade.fees),
        "pnl": _text(trade.pnl),
    }


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _moment(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
