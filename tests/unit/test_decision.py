from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import ACCOUNT, MARKET, RECORD, SETUP, EveryBar, priced, walk
from trading.core import decision, indicators
from trading.core.analysis import Analysis, analyse
from trading.core.candles import Candles
from trading.core.decision import Decision
from trading.core.guards import Account
from trading.core.params import Params
from trading.core.strategies import BandReversion, Sides, Strategy, TrendCross
from trading.core.types import REGIMES, Market, Plan, Setup, Side, Verdict

PARAMS = Params()
WARMUP = indicators.warmup_bars(PARAMS)
SPOT = replace(MARKET, allows_short=False)
SHORT = replace(SETUP, side=Side.SHORT)

PASSED = Verdict(name="score", passed=True, value=60.0, limit=40.0, reason="score 60.00, needs 40.00")
FAILED = Verdict(name="volume_ratio", passed=False, value=0.62, limit=0.9, reason="volume ratio 0.62, needs 0.90")
GUARDS = (
    "trading_state",
    "open_on_symbol",
    "open_trades",
    "daily_loss",
    "weekly_loss",
    "cool_down",
    "open_risk",
    "cluster_risk",
    "leverage",
    "local_trades",
    "local_notional",
)
IN_ORDER = ("setup_age", "price_age", "score", "volume_ratio", *GUARDS, "side")

# What makes each guard refuse, on its own.
FAULTS: dict[str, dict[str, Any]] = {
    "trading_state": {"accepts_entries": False},
    "open_on_symbol": {"open_symbols": frozenset({"BTC/USDT", "ETH/USDT", "SOL/USDT"})},
    "open_trades": {"open_symbols": frozenset({"OP/USDT", "ETH/USDT", "SOL/USDT"})},
    "daily_loss": {"day_opening": Decimal(20_000)},
    "weekly_loss": {"week_opening": Decimal(20_000)},
    "cool_down": {"record": replace(RECORD, losses_in_row=2), "last_loss_at": ACCOUNT.now},
    "open_risk": {"open_risk": Decimal(600)},
    "cluster_risk": {"cluster_risk": Decimal(10_000)},
    "leverage": {"open_notional": Decimal(30_000)},
    "local_trades": {
        "local_symbols": frozenset({"BTC/USDT", "OP/USDT"}),
        "open_symbols": frozenset({"OP/USDT"}),
    },
    "local_notional": {"local_symbols": frozenset({"BTC/USDT"}), "local_notional": Decimal(1000)},
}


class Last(EveryBar):
    """Answers one side on the last bar and another on all before."""

    def __init__(self, last: int, before: int = 0, *, name: str = "last", warmup: int = 0) -> None:
        self.last, self.before, self.name, self.warmup = last, before, name, warmup

    def warmup_bars(self, params: Params) -> int:
        return self.warmup

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return np.array([self.before] * (len(candles) - 1) + [self.last], dtype=np.int8)


def find(
    candles: Candles, *strategies: Strategy, params: Params = PARAMS, market: Market = MARKET
) -> tuple[Setup, tuple[Verdict, ...]] | None:
    return decision.find_setup(candles, strategies=strategies, params=params, market=market)


def decide(
    setup: Setup = SETUP,
    filter_verdicts: Sequence[Verdict] = (PASSED,),
    *,
    price: float = 100.0,
    price_at: datetime = ACCOUNT.now,
    account: Account = ACCOUNT,
    params: Params = PARAMS,
    market: Market = MARKET,
) -> Decision:
    return decision.decide(
        setup,
        tuple(filter_verdicts),
        price=price,
        price_at=price_at,
        account=account,
        params=params,
        market=market,
    )


def planned(decided: Decision) -> Plan:
    assert decided.plan is not None
    return decided.plan


def test_there_is_no_setup_before_the_warm_up() -> None:
    bars = walk(1, WARMUP + 1)

    assert find(bars.slice(0, 0), EveryBar()) is None
    assert find(bars.slice(0, 1), EveryBar()) is None
    assert find(bars.slice(0, WARMUP), EveryBar()) is None
    assert find(bars, EveryBar()) is not None


def test_there_is_no_setup_before_the_strategys_own_warm_up() -> None:
    bars = walk(1, WARMUP + 50)

    assert find(bars, Last(1, warmup=WARMUP + 50)) is None
    assert find(bars, Last(1, warmup=WARMUP + 49)) is not None


@pytest.mark.parametrize("strategies", [(), (Last(0),), (Last(0, before=1),), (Last(0), Last(0, before=-1, name="b"))])
def test_only_the_last_closed_bar_counts(strategies: tuple[Strategy, ...]) -> None:
    assert find(walk(2, WARMUP + 20), *strategies) is None


def test_a_price_that_stands_still_has_no_setup() -> None:
    assert find(priced(np.full(WARMUP + 20, 100.0)), EveryBar()) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_setup_says_what_was_seen_on_its_bar(sign: int) -> None:
    bars = walk(3, WARMUP + 20)
    last = len(bars) - 1

    found = find(bars, Last(0, name="silent"), Last(sign, name="mine"), EveryBar())

    assert found is not None
    setup, verdicts = found
    measured = analyse(bars, PARAMS).at(last)
    assert (setup.symbol, setup.timeframe, setup.bar_at) == ("BTC/USDT", "15m", bars.opened_at(last))
    assert (setup.strategy, setup.side.sign, setup.price) == ("mine", sign, bars.close[last])
    assert (setup.atr, setup.score, setup.indicators) == (measured["atr"], measured["score"], measured)
    assert setup.regime is REGIMES[int(measured["regime"])]
    assert [verdict.name for verdict in verdicts] == [
        "score",
        "adx",
        "adx_danger",
        "volume_ratio",
        "confluence",
        "target_over_cost",
    ]


def test_the_cost_filter_counts_two_fees_and_two_slippages() -> None:
    bars = walk(3, WARMUP + 20)

    found = find(bars, EveryBar())

    assert found is not None
    setup, verdicts = found
    assert verdicts[-1].value == pytest.approx(1.5 * 2.0 * setup.atr / setup.price / (2 * (0.001 + 0.0005)))


def test_the_bars_to_load_cover_the_slowest_memory_and_the_longest_warm_up() -> None:
    built_in = (TrendCross(), BandReversion())

    assert decision.history_bars(PARAMS, built_in) == 37 * 28 + 201
    assert decision.history_bars(PARAMS, ()) == 37 * 28 + 201
    assert decision.history_bars(PARAMS, (*built_in, Last(1, warmup=5000))) == 37 * 28 + 5000


def test_a_plan_for_a_long_by_hand() -> None:
    # Bought at 100 and 0.05 % more; the stop 2 ATR of 2 below; 1 R is 4. A unit loses 4 and 0.1 % of both prices
    # in fees, 4.1961; 2 % of 10,000 are 200, and 200 / 4.1961 = 47.6633.
    plan = planned(decide())

    assert plan == Plan(
        symbol="BTC/USDT",
        side=Side.LONG,
        quantity=Decimal("47.663"),
        entry=Decimal("100.05"),
        stop=Decimal("96.05"),
        targets=(Decimal("106.05"), Decimal("110.05"), Decimal("116.05")),
        risk_fraction=float(Decimal("47.663") * Decimal("4.1961") / 10_000),
        factors={"volatility": 1.0, "streak": 1.0, "drawdown": 1.0},
    )


def test_a_plan_for_a_short_by_hand() -> None:
    # Sold at 100 and 0.05 % less; a unit loses 4 + 0.001 * (99.95 + 103.95) = 4.2039; 200 / 4.2039 = 47.5749.
    plan = planned(decide(SHORT))

    assert (plan.side, plan.entry, plan.stop) == (Side.SHORT, Decimal("99.95"), Decimal("103.95"))
    assert plan.targets == (Decimal("93.95"), Decimal("89.95"), Decimal("83.95"))
    assert plan.quantity == Decimal("47.574")


def test_the_plan_follows_the_market_not_the_bar() -> None:
    plan = planned(decide(price=104.0))

    assert (plan.entry, plan.stop) == (Decimal("104.05"), Decimal("100.05"))


def test_a_plan_that_was_taken_keeps_every_verdict() -> None:
    decided = decide()

    assert [verdict.name for verdict in decided.verdicts] == [
        *(name for name in IN_ORDER if name != "volume_ratio"),
        "size",
    ]
    assert all(verdict.passed for verdict in decided.verdicts)
    assert (decided.refused_by, decided.reason) == ("", "")
    assert decided.verdicts[-1].value == float(Decimal("47.663") * Decimal("100.05"))


@pytest.mark.parametrize("first", IN_ORDER)
def test_the_first_refusal_is_named_and_all_verdicts_are_kept(first: str) -> None:
    wrong = [name for name in IN_ORDER if IN_ORDER.index(name) >= IN_ORDER.index(first)]
    changes: dict[str, Any] = {}
    for name in reversed([name for name in wrong if name in FAULTS]):
        changes |= FAULTS[name]
    late = timedelta(minutes=9) if "setup_age" in wrong else timedelta(0)
    account = replace(ACCOUNT, **{**changes, "now": ACCOUNT.now + late})
    stale = timedelta(seconds=16) if "price_age" in wrong else timedelta(0)
    filter_verdicts = [
        replace(PASSED, passed="score" not in wrong),
        replace(FAILED, passed="volume_ratio" not in wrong),
    ]

    decided = decide(SHORT, filter_verdicts, price_at=account.now - stale, account=account, market=SPOT)

    assert (decided.plan, decided.refused_by) == (None, first)
    assert [verdict.name for verdict in decided.verdicts] == list(IN_ORDER)
    refused = [verdict.name for verdict in decided.verdicts if not verdict.passed]
    assert refused == wrong
    assert decided.reason == next(verdict.reason for verdict in decided.verdicts if verdict.name == first)


@pytest.mark.parametrize(("setup", "entry", "stop"), [(SETUP, "99.00", "95.00"), (SHORT, "101.00", "105.00")])
def test_an_entry_by_limit_is_planned_at_its_limit(setup: Setup, entry: str, stop: str) -> None:
    params = Params.of({"entry_order": "limit", "entry_limit_offset": 0.01, "slippage": 0.05, "cost_multiple": 0})

    made = planned(decide(setup, params=params))

    assert (made.entry, made.stop) == (Decimal(entry), Decimal(stop))


def test_a_position_without_a_stop_at_the_venue_is_as_small_as_the_cap() -> None:
    local = replace(ACCOUNT, local_symbols=frozenset({"BTC/USDT"}))

    made = planned(decide(account=local))

    assert made.quantity * made.entry <= ACCOUNT.equity / 10 < (made.quantity + MARKET.quantity_step) * made.entry


def test_a_refusal_reads_as_its_verdict() -> None:
    decided = decide(filter_verdicts=[PASSED, FAILED])

    assert (decided.refused_by, decided.reason) == ("volume_ratio", "volume ratio 0.62, needs 0.90")


def test_a_short_is_refused_where_the_market_allows_none() -> None:
    short, long = decide(SHORT, market=SPOT), decide(market=SPOT)

    assert (short.plan, short.refused_by) == (None, "side")
    assert short.reason == "BTC/USDT cannot be sold short here"
    assert long.plan is not None


@pytest.mark.parametrize(
    ("_case", "changes", "price"),
    [
        ("little equity", {"account": replace(ACCOUNT, equity=Decimal("20"), peak_equity=Decimal(20))}, 100.0),
        ("a high minimum", {"market": replace(MARKET, min_notional=Decimal(100_000))}, 100.0),
        ("hardly any leverage left", {"account": replace(ACCOUNT, open_notional=Decimal(29_999))}, 100.0),
        ("a stop at or below zero", {"setup": replace(SETUP, atr=60.0)}, 100.0),
        ("a stop on the entry", {"market": replace(MARKET, price_step=Decimal(10))}, 100.0),
    ],
)
def test_what_is_too_small_to_trade_is_refused_as_size(_case: str, changes: dict[str, Any], price: float) -> None:
    account = changes.get("account", ACCOUNT)
    opening = {"day_opening": account.equity, "week_opening": account.equity}

    decided = decide(**{**changes, "account": replace(account, **opening)}, price=price)

    assert (decided.plan, decided.refused_by) == (None, "size")
    assert (decided.verdicts[-1].name, decided.verdicts[-1].passed) == ("size", False)


def test_open_risk_leaves_only_the_rest_of_the_portfolios_limit() -> None:
    # 5 % are at risk already, so 1 % is left: 100 / 4.1961 = 23.8316.
    plan = planned(decide(account=replace(ACCOUNT, open_risk=Decimal(500))))

    assert plan.quantity == Decimal("23.831")
    assert plan.risk_fraction <= 0.01


def test_open_positions_leave_only_the_rest_of_the_leverage() -> None:
    # Three times 10,000 less 29,000 are 1,000, and 1000 / 100.05 = 9.995.
    plan = planned(decide(account=replace(ACCOUNT, open_notional=Decimal(29_000))))

    assert plan.quantity == Decimal("9.995")
    # A capped position risks less than was asked, and says how much.
    assert plan.risk_fraction == float(Decimal("9.995") * Decimal("4.1961") / 10_000)


def test_record_drawdown_and_volatility_lower_the_risk() -> None:
    account = replace(
        ACCOUNT,
        peak_equity=Decimal(12_500),
        record=replace(RECORD, losses_in_row=2),
        last_loss_at=ACCOUNT.now - timedelta(hours=1),
    )

    plan = planned(decide(replace(SETUP, atr=6.0), account=account))

    assert plan.factors == {"volatility": 0.5, "streak": 0.5, "drawdown": 0.25}
    # The factors come to 0.00125; the floor is 0.2 %, and lots are rounded down.
    assert 0.00199 < plan.risk_fraction <= 0.002


@settings(max_examples=200, deadline=None)
@given(
    price=st.floats(0.5, 50_000),
    atr_fraction=st.floats(0.0001, 0.2),
    side=st.sampled_from(Side),
    equity=st.decimals("50", "1000000", places=2),
    used=st.floats(0.0, 0.059),
    notional=st.floats(0.0, 2.9),
    step=st.sampled_from(["0.0001", "0.01", "0.05", "0.25"]),
)
def test_a_plan_never_risks_more_than_was_asked_and_lies_on_the_grid(
    price: float, atr_fraction: float, side: Side, equity: Decimal, used: float, notional: float, step: str
) -> None:
    market = replace(MARKET, price_step=Decimal(step))
    account = replace(
        ACCOUNT,
        equity=equity,
        peak_equity=equity,
        open_risk=equity * Decimal(str(used)),
        open_notional=equity * Decimal(str(notional)),
    )
    setup = replace(SETUP, side=side, price=price, atr=price * atr_fraction)

    plan = decision.plan(setup, price=price, account=account, params=PARAMS, market=market)

    if plan is None:
        return
    loss = plan.quantity * (abs(plan.entry - plan.stop) + market.fee_rate * (plan.entry + plan.stop))
    assert loss <= equity * Decimal("0.02")
    assert loss + account.open_risk <= equity * Decimal("0.06") * (1 + Decimal("1e-12"))
    assert plan.quantity * plan.entry + account.open_notional <= 3 * equity
    assert math.isclose(plan.risk_fraction, float(loss / equity), rel_tol=1e-12)
    ordered = (plan.stop, plan.entry, *plan.targets)
    assert list(ordered) == sorted(ordered, reverse=side is Side.SHORT)
    assert all(level % Decimal(step) == 0 for level in ordered)
    assert plan.quantity > 0
    assert plan.quantity % market.quantity_step == 0
