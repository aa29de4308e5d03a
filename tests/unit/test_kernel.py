"""The kernel: equal to the slow reference on random walks, exact where floats are not, and refusing what it cannot hold."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import kernel_alone
from tests.reference import Reference
from tests.unit.core_values import MARKET, EveryBar, candles, walk
from trading.adapters.stored_market import StoredMarket
from trading.core import filters, guards
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.core.strategies import BandReversion, Strategy, TrendCross
from trading.core.types import Market
from trading.research import backtest, inputs, money, parity
from trading.research.backtest import NotModelled
from trading.research.inputs import FRESHNESS, VERDICTS, TooCoarse
from trading.research.records import TRADES
from trading.research.results import RunResult

FEE = Decimal("0.001")
OPEN: dict[str, Any] = {
    name: 0
    for name in Params().as_json()
    if name.startswith(("score_min_", "adx_min_")) or name in ("volume_min", "confluence_min", "cost_multiple")
}


def backtested(
    bars: Candles, market: Market, params: Params, strategies: tuple[Strategy, ...], balance: int = 10_000
) -> RunResult:
    return backtest.run(
        {bars.symbol: bars},
        {bars.symbol: market},
        params=params,
        strategies=strategies,
        slippage=Slippage(fraction=params.slippage),
        balance=Decimal(balance),
        start=bars.closed_at(0),
        end=bars.closed_at(len(bars) - 1),
    )


def rounded(bars: Candles, places: int) -> Candles:
    columns = {name: np.round(getattr(bars, name), places) for name in ("open", "high", "low", "close")}
    return replace(bars, **columns)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    deviation=st.sampled_from([0.002, 0.01]),
    places=st.sampled_from([2, 4, None]),
    own=st.booleans(),
)
def test_random_walks_and_parameters_equal_the_slow_reference(
    seed: int, deviation: float, places: int | None, own: bool
) -> None:
    bars = walk(seed, 420, deviation=deviation)
    bars = bars if places is None else rounded(bars, places)
    rng = np.random.default_rng(seed)
    params = parity.draw(rng, timeframe="15m", pairs=[bars.symbol], bars=420)
    strategies: tuple[Strategy, ...] = (EveryBar(),) if own else (TrendCross(), BandReversion())
    market = StoredMarket({bars.symbol: bars}, fee_rate=FEE).markets()[bars.symbol]

    result = backtested(bars, market, params, strategies)

    slow = Reference(bars, market, params, strategies)
    expected = slow.run()
    assert [(t.opened_at, t.side, t.entry_price, t.quantity) for t in result.trades] == [
        (d.entered_at, d.plan.side.value, d.plan.entry, d.plan.quantity) for d in expected
    ]
    assert [[(e.at, e.price, e.quantity, e.reason) for e in t.exits] for t in result.trades] == [
        [(leg.at, leg.price, leg.quantity, leg.reason) for leg in d.exits] for d in expected
    ]
    assert result.balance == slow.balance


@pytest.mark.parametrize("seed", [11, 12])
def test_the_least_and_the_most_that_a_venue_takes_are_those_of_the_live_engine(seed: int) -> None:
    bars = rounded(walk(seed, 420, deviation=0.01), 2)
    params = Params.of({**OPEN, "timeframe": "15m", "pairs": [bars.symbol], "losing_streak": 1})
    free = StoredMarket({bars.symbol: bars}, fee_rate=FEE).markets()[bars.symbol]
    sizes = sorted(trade.quantity for trade in backtested(bars, free, params, (EveryBar(),)).trades)
    low, high = sizes[len(sizes) // 4], sizes[-len(sizes) // 4]
    # Off the grid, as some venues name them: the least is rounded up, the most down.
    market = replace(
        free, min_quantity=low - free.quantity_step * Decimal("0.5"), max_quantity=high + free.quantity_step / 2
    )

    result = backtested(bars, market, params, (EveryBar(),))

    slow = Reference(bars, market, params, (EveryBar(),))
    expected = [(done.entered_at, done.plan.quantity) for done in slow.run()]
    assert [(trade.opened_at, trade.quantity) for trade in result.trades] == expected
    assert result.balance == slow.balance
    assert max(quantity for _, quantity in expected) == high < sizes[-1]
    assert result.refusals["size"] > 0


@pytest.mark.parametrize("seed", [5, 6])
def test_what_a_venue_lends_bounds_a_backtest_as_it_bounds_the_live_engine(seed: int) -> None:
    bars = rounded(walk(seed, 420, deviation=0.01), 2)
    # A stop beside the entry: what may be risked is worth several times the money.
    params = Params.of({**OPEN, "timeframe": "15m", "pairs": [bars.symbol], "stop_atr": 0.3, "max_leverage": 3.0})
    lent = StoredMarket({bars.symbol: bars}, fee_rate=FEE).markets()[bars.symbol]
    paid = replace(lent, max_leverage=Decimal("0.99"))

    result = backtested(bars, paid, params, (EveryBar(),))

    slow = Reference(bars, paid, params, (EveryBar(),))
    expected = [(done.entered_at, done.plan.quantity) for done in slow.run()]
    assert [(trade.opened_at, trade.quantity) for trade in result.trades] == expected
    assert result.balance == slow.balance
    assert len(expected) > 5
    free = backtested(bars, lent, params, (EveryBar(),)).trades
    assert result.trades[0].quantity < free[0].quantity / 2


def test_bars_after_the_end_change_nothing() -> None:
    bars = walk(3, 420)
    params = Params.of({**OPEN, "timeframe": "15m", "pairs": [bars.symbol], "max_cluster_risk": 0.02})
    asked: dict[str, Any] = {"params": params, "strategies": (EveryBar(),), "slippage": Slippage(fraction=0.0)}

    made = [
        backtest.run(
            {bars.symbol: each}, {bars.symbol: MARKET}, **asked,
            balance=Decimal(10_000), start=bars.closed_at(0), end=bars.closed_at(299),
        )
        for each in (bars, bars.slice(0, 301))
    ]  # fmt: skip

    assert made[0] == made[1]
    assert made[0].trades


def test_the_names_of_the_verdicts_are_those_of_the_live_engine_in_its_order() -> None:
    bars, params = walk(1, 300), Params.of(dict.fromkeys((switch for switch, _ in filters.OPTIONAL), True))
    sides = np.ones(300, dtype=np.int8)
    context = filters.Context(
        candles=bars, analysis=analyse(bars, params), sides=sides, params=params, round_trip=0.003
    )
    asked = [column.name for column in filters.evaluate(context)]
    from tests.unit.core_values import ACCOUNT

    guarded = [verdict.name for verdict in guards.evaluate(ACCOUNT, params, "BTC/USDT")]

    assert (*FRESHNESS, *asked, *guarded, "side", "size") == VERDICTS


@given(
    steps=st.integers(1, 10**8),
    lots=st.integers(1, 10**9),
    places=st.integers(0, 8),
    fee=st.integers(1, 999),
)
def test_a_product_is_rounded_as_decimal_rounds_it(steps: int, lots: int, places: int, fee: int) -> None:
    divisor = 10**places
    exact = (Decimal(steps) * lots * fee / divisor).quantize(Decimal(1), ROUND_HALF_EVEN)
    if exact > 10**15:
        return

    product = (steps * lots * fee + 2**63) % 2**64 - 2**63  # as 64 bits keep it
    made = money.half_even(product, float(steps) * lots * fee / divisor, divisor)

    assert made == int(exact)


@given(price=st.floats(0.0001, 99_999, allow_nan=False), places=st.integers(0, 8))
def test_a_price_lands_on_the_step_that_the_market_says(price: float, places: int) -> None:
    market = replace(MARKET, price_step=Decimal(1).scaleb(-places))

    steps = money.steps_of(price, *market.price_grid)

    assert steps * market.price_step == market.price(price)


@pytest.mark.parametrize("price", [130.065, 130 * 1.0005, 1.005, 2.675, 1234.5649999999998])
def test_a_tie_between_two_steps_is_decided_by_the_text_of_the_price(price: float) -> None:
    assert money.steps_of(price, 1.0, 100.0) * Decimal("0.01") == MARKET.price(price)


class Once:
    """A setup on one bar."""

    name = "once"

    def __init__(self, bar: int) -> None:
        self._bar = bar

    def warmup_bars(self, params: Params) -> int:
        return 0

    def sides(self, bars: Candles, analysis: Any, params: Params) -> Any:
        return (np.arange(len(bars)) == self._bar).astype(np.int8)


def test_a_size_on_the_edge_of_a_lot_is_decided_by_decimal_and_the_run_repeated() -> None:
    # True range 0.7 on every bar, so the stop lies 0.7 away: 10000 * 0.007 / 0.7 is 100 lots of 1, and floats say 99.99.
    closes = 100.0 + np.random.default_rng(1).integers(-9, 10, 400) / 100.0
    bars = candles([(100.0, 100.35, 99.65, close, 1.0) for close in closes])
    values = {**OPEN, "stop_atr": 1.0, "risk_fraction": 0.007, "slippage": 0, "kelly": False, "timeframe": "15m"}
    params = Params.of({**values, "pairs": [bars.symbol]})
    market = replace(MARKET, fee_rate=Decimal(0), quantity_step=Decimal(1))
    prepared = backtest.prepare(
        {bars.symbol: bars}, {bars.symbol: market}, params=params, strategies=(Once(300),),
        slippage=Slippage(fraction=0.0), start=bars.closed_at(0), end=bars.closed_at(399),
    )  # fmt: skip

    written, corrected = backtest.trade(prepared, Decimal(10_000))

    assert written.account[TRADES] == 1
    assert written.lots[0] == 100
    assert corrected == 1


def test_what_filters_refused_is_measured_for_clusters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    series = {name: replace(walk(seed, 420), symbol=name) for seed, name in enumerate(("A/USDT", "B/USDT", "C/USDT"))}
    markets = {name: replace(MARKET, symbol=name) for name in series}
    values = {"timeframe": "15m", "pairs": list(series), "max_cluster_risk": 0.005, "cluster_correlation": 0.9}
    params = Params.of({**OPEN, **values, "volume_min": 1.5})
    first, last = walk(0, 420).closed_at(0), walk(0, 420).closed_at(419)

    def refused() -> dict[str, int]:
        made = backtest.run(
            series, markets, params=params, strategies=(EveryBar(),), slippage=Slippage(fraction=0.0),
            balance=Decimal(10_000), start=first, end=last,
        )  # fmt: skip
        return dict(made.failed_verdicts)

    lazily, measure = refused(), inputs.allies_of
    monkeypatch.setattr(
        backtest, "allies_of", lambda listed, setups, *rest, **_: measure(listed, setups, *rest, also=setups.tick)
    )
    everything = refused()
    monkeypatch.setattr(backtest, "allies_of", lambda *asked, **_: measure(*asked))

    assert lazily == everything
    assert refused()["cluster_risk"] > everything.get("cluster_risk", 0)


def test_limit_entries_are_refused_in_one_sentence() -> None:
    bars = walk(1, 300)
    params = Params.of({"entry_order": "limit", "timeframe": "15m", "pairs": [bars.symbol]})

    with pytest.raises(NotModelled, match="a backtest models market entries only, and entry_order is 'limit'"):
        backtested(bars, MARKET, params, (EveryBar(),))


def test_an_account_that_cannot_be_counted_is_refused() -> None:
    bars = walk(1, 300)
    params = Params.of({"timeframe": "15m", "pairs": [bars.symbol]})

    with pytest.raises(TooCoarse, match="a balance of 1000000000000 cannot be counted"):
        backtested(bars, MARKET, params, (EveryBar(),), balance=10**12)


def test_every_draw_is_valid_and_repeats() -> None:
    def drawn() -> list[Params]:
        return list(parity.draws(7, 60, timeframe="15m", pairs=["BTC/USDT"], bars=2_000))

    assert drawn() == drawn()
    assert len({tuple(parity.changed(params).items()) for params in drawn()}) == 60
    assert all(params.entry_order == "market" for params in drawn())


def test_a_sweep_scores_each_point_as_a_run_of_its_own() -> None:
    bars = rounded(walk(3, 3_000), 2)
    params = Params.of({"timeframe": "15m", "pairs": [bars.symbol], "target_one_fraction": 1, "target_two_fraction": 0})
    on = kernel_alone.ground(bars, MARKET, params=params, notional=1_000.0)
    distance = 2.0 * analyse(bars, params).atr

    def find(every: int) -> Any:
        sides = np.where((np.arange(3_000) % every == 0) & (np.arange(3_000) > 250), 1, 0).astype(np.int8)
        sides[-1] = 0
        return kernel_alone.entries(on, sides, distance)

    made = kernel_alone.scores(on, [40, 70, 200], find)

    alone = [kernel_alone.trade(on, find(every)).account[TRADES] for every in (40, 70, 200)]
    assert [score.trades for score in made] == alone
    assert made[0].trades > made[2].trades > 0
