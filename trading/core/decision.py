"""From the bars of one symbol to a setup, and from a setup to a plan or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from trading.core import filters, guards, indicators, position, sizing, timeframes
from trading.core.analysis import Analysis, analyse
from trading.core.candles import Candles
from trading.core.guards import Account
from trading.core.params import Params
from trading.core.strategies import Sides, Strategy, first_entries
from trading.core.types import REGIMES, Market, Plan, Setup, Side, Verdict

PROPOSED = "ai_proposal"
"""The strategy of an entry that no strategy found: the AI proposed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of a setup: every verdict, and either a plan or the reason of the refusal."""

    verdicts: tuple[Verdict, ...]
    plan: Plan | None
    refused_by: str = ""
    reason: str = ""


def history_bars(params: Params, strategies: Sequence[Strategy]) -> int:
    """Return how many bars to load so that the last one reads as if the whole past had been given."""
    needed = [strategy.warmup_bars(params) for strategy in strategies]
    warm = max([indicators.warmup_bars(params), *needed])
    return max(indicators.longest_memory(params) + warm, filters.bars_needed(params))


def find_setup(
    candles: Candles,
    *,
    strategies: Sequence[Strategy],
    params: Params,
    market: Market,
    leader: Callable[[], Candles | None] = lambda: None,
) -> tuple[Setup, tuple[Verdict, ...]] | None:
    """Return the setup of the last bar with its filters' verdicts, or None where there is no entry (or no warm-up).

    `leader` returns BTC's bars of the same time; it is asked only where there is a setup and a filter wants them.
    """
    if len(candles) <= indicators.warmup_bars(params):
        return None
    last = len(candles) - 1
    analysis = analyse(candles, params)
    sides, finder = first_entries(strategies, candles, analysis, params)
    if not sides[last]:
        return None
    name = strategies[finder[last]].name
    return _setup(candles, analysis, sides, strategy=name, params=params, market=market, leader=leader)


def proposed_setup(
    candles: Candles,
    *,
    side: Side,
    params: Params,
    market: Market,
    leader: Callable[[], Candles | None] = lambda: None,
) -> tuple[Setup, tuple[Verdict, ...]] | None:
    """Return an entry that no strategy found, on the last bar, with the verdicts of the same filters."""
    if len(candles) <= indicators.warmup_bars(params):
        return None
    sides = np.zeros(len(candles), dtype=np.int8)
    sides[-1] = side.sign
    analysis = analyse(candles, params)
    return _setup(candles, analysis, sides, strategy=PROPOSED, params=params, market=market, leader=leader)


def _setup(
    candles: Candles,
    analysis: Analysis,
    sides: Sides,
    *,
    strategy: str,
    params: Params,
    market: Market,
    leader: Callable[[], Candles | None],
) -> tuple[Setup, tuple[Verdict, ...]] | None:
    last = len(candles) - 1
    if np.isnan(analysis.atr[last]) or analysis.atr[last] <= 0:
        return None
    setup = Setup(
        symbol=candles.symbol,
        timeframe=candles.timeframe,
        bar_at=candles.opened_at(last),
        strategy=strategy,
        side=Side.of(int(sides[last])),
        price=float(candles.close[last]),
        atr=float(analysis.atr[last]),
        regime=REGIMES[analysis.regime[last]],
        score=float(analysis.score[last]),
        indicators=analysis.at(last),
    )
    columns = filters.evaluate(
        filters.Context(
            candles=candles,
            analysis=analysis,
            sides=sides,
            params=params,
            round_trip=2.0 * (float(market.fee_rate) + params.slippage),
            leader=leader() if params.bitcoin_filter else None,
        )
    )
    return setup, tuple(column.verdict(last) for column in columns)


def decide(
    setup: Setup,
    filter_verdicts: tuple[Verdict, ...],
    *,
    price: float,
    price_at: datetime,
    account: Account,
    params: Params,
    market: Market,
) -> Decision:
    """Return the plan for a setup at the market's `price`, seen at `price_at`, or the first reason against it."""
    bar = timeframes.length(setup.timeframe)
    verdicts = (
        *guards.freshness(now=account.now, closed_at=setup.bar_at + bar, price_at=price_at, bar=bar, params=params),
        *filter_verdicts,
        *guards.evaluate(account, params, setup.symbol),
        *_market_verdicts(setup, market),
    )
    refusal = next((verdict for verdict in verdicts if not verdict.passed), None)
    if refusal is not None:
        return Decision(verdicts=verdicts, plan=None, refused_by=refusal.name, reason=refusal.reason)
    made = plan(setup, price=price, account=account, params=params, market=market)
    size = Verdict(
        name="size",
        passed=made is not None,
        value=float(made.quantity * made.entry) if made else 0.0,
        limit=float(market.min_notional),
        reason="large enough" if made else f"position too small for the minimum of {market.min_notional} a trade",
    )
    verdicts = (*verdicts, size)
    if made is None:
        return Decision(verdicts=verdicts, plan=None, refused_by=size.name, reason=size.reason)
    return Decision(verdicts=verdicts, plan=made)


def advised(made: Decision, advice: tuple[Verdict, ...]) -> Decision:
    """Return the decision with the advisers' verdicts after its own; they can take its plan away and never make one."""
    refusal = next((verdict for verdict in advice if not verdict.passed), None)
    verdicts = (*made.verdicts, *advice)
    if made.plan is None or refusal is None:
        return replace(made, verdicts=verdicts)
    return Decision(verdicts=verdicts, plan=None, refused_by=refusal.name, reason=refusal.reason)


def plan(setup: Setup, *, price: float, account: Account, params: Params, market: Market) -> Plan | None:
    """Return stop, targets and quantity for an entry at the market's `price`; None: too small to trade.

    This is where measured floats become owned Decimals, on the market's grids.
    """
    entry = entry_price(price, sign=setup.side.sign, params=params, market=market)
    stop = market.price(float(entry) - setup.side.sign * params.stop_atr * setup.atr)
    if stop <= 0 or stop == entry or entry <= 0:
        return None
    risk = sizing.risk_now(
        params=params,
        record=account.record,
        drawdown=account.drawdown,
        atr_fraction=setup.atr / setup.price,
    )
    # What other positions could still lose leaves only so much of the portfolio's limit for this one.
    fraction = min(risk.fraction, params.max_open_risk - float(account.open_risk / account.equity))
    quantity = sizing.size_position(
        equity=account.equity,
        entry=entry,
        stop=stop,
        risk_fraction=fraction,
        notional_left=guards.notional_left(account, params, market),
        market=market,
    )
    if quantity <= 0:
        return None
    lost = quantity * sizing.loss_of_one(entry=entry, stop=stop, market=market)
    rules = position.exit_rules(side=setup.side, entry=float(entry), stop=float(stop), params=params, market=market)
    return Plan(
        symbol=setup.symbol,
        side=setup.side,
        quantity=quantity,
        entry=entry,
        stop=stop,
        targets=(market.price(rules.target_1), market.price(rules.target_2), market.price(rules.target_3)),
        risk_fraction=float(lost / account.equity),
        factors=risk.factors,
    )


def entry_price(price: float, *, sign: int, params: Params, market: Market) -> Decimal:
    """Return where an entry is expected to fill: at its limit, or at the market's price plus slippage."""
    if params.entry_order == "limit":
        return limit_price(price, sign=sign, params=params, market=market)
    return market_fill(price, sign=sign, slippage=params.slippage, market=market)


def limit_price(price: float, *, sign: int, params: Params, market: Market) -> Decimal:
    """Return an entry's limit at the market's `price`: better by the offset, on the price grid."""
    return market.price(price * (1.0 - sign * params.entry_limit_offset))


def market_fill(price: float, *, sign: int, slippage: float, market: Market) -> Decimal:
    """Return what a market order fills at: `price` worsened by the slippage fraction; `sign` +1 buys, -1 sells."""
    return market.price(price * (1.0 + sign * slippage))


def _market_verdicts(setup: Setup, market: Market) -> tuple[Verdict, ...]:
    allowed = setup.side is Side.LONG or market.allows_short
    reason = "allowed" if allowed else f"{market.symbol} cannot be sold short here"
    return (Verdict(name="side", passed=allowed, value=float(setup.side.sign), limit=0.0, reason=reason),)
