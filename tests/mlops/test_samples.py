"""Samples of backtests: what was traded, and every setup alone; doing it again changes nothing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import numpy as np
import pytest

from mlops import dataset, features, pipeline, samples
from mlops.models import Sample, SampleSource
from tests.mlops.learned import BAR, NOW, VENUE, planted, stored, walk
from trading.adapters.stored_market import StoredMarket
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.ports import UnknownSymbol
from trading.core.strategies import BandReversion, TrendCross
from trading.core.types import Side
from trading.research.performance import Stretch

STRATEGIES = (TrendCross(), BandReversion())
PARAMS = Params.of({"pairs": ["BTC/USDT"], "timeframe": "15m", "slippage": 0.0005, "time_stop": 0})


WALK = walk(11, 2_500)


def found(candles: Candles = WALK, params: Params = PARAMS) -> samples.Found:
    series = {"BTC/USDT": candles}
    markets = StoredMarket(series, fee_rate=Decimal("0.001")).markets()
    [made] = samples.every_setup(series, markets, params, STRATEGIES, series)
    return made


def traded(candles: Candles = WALK, params: Params = PARAMS) -> samples.Found:
    series = {"BTC/USDT": candles}
    markets = StoredMarket(series, fee_rate=Decimal("0.001")).markets()
    last = candles.closed_at(len(candles) - 1)
    stretch = Stretch(params=params, series=series, first=candles.closed_at(0), last=last)
    [made] = samples.traded_setups(stretch, markets, STRATEGIES, Decimal(10_000), series)
    return made


@pytest.mark.parametrize("time_stop", [0, 12])
def test_a_setup_followed_alone_makes_what_the_backtests_trade_made(time_stop: int) -> None:
    params = Params.of({**PARAMS.as_json(), "time_stop": time_stop})
    alone, taken = found(params=params), traded(params=params)

    place = {int(bar): number for number, bar in enumerate(alone.bar)}
    own = [place[int(bar)] for bar in taken.bar]

    assert 5 < len(taken.bar) < len(alone.bar)
    # Lots are whole, so the parts that leave at targets differ from their fractions a little.
    np.testing.assert_allclose(alone.r[own], taken.r, atol=1e-5)
    np.testing.assert_array_equal(alone.won[own], taken.won)
    np.testing.assert_array_equal(alone.side[own], taken.side)
    np.testing.assert_array_equal(alone.passed[own], True)
    assert np.abs(alone.ended[own] - taken.ended).max() <= 1
    np.testing.assert_array_equal(alone.x[own], taken.x)


def test_features_are_those_that_are_served_at_the_setups_bar() -> None:
    made = found(WALK.slice(0, 1_200))

    for number, bar in enumerate(made.bar):
        seen = made.candles.slice(0, int(bar) + 1)
        side = Side.of(int(made.side[number]))
        served = features.last(seen, analyse(seen, PARAMS), side=side, params=PARAMS, leader=seen)
        np.testing.assert_array_equal(served, made.x[number])


def test_what_has_not_ended_is_no_sample() -> None:
    made = found()

    shorter = found(WALK.slice(0, int(made.ended.max())))

    assert (made.ended > made.bar).all()
    assert set(shorter.bar) == set(made.bar[made.ended < made.ended.max()])


@pytest.mark.django_db
def test_storing_again_changes_nothing_and_another_strategy_forgets_what_is_no_setup_any_more() -> None:
    made = found()

    assert samples.store(made, venue=VENUE, now=NOW) == len(made.bar)
    before = list(Sample.objects.order_by("bar_at").values_list("pk", "bar_at", "won", "r", "features"))
    samples.store(made, venue=VENUE, now=NOW + BAR)
    assert list(Sample.objects.order_by("bar_at").values_list("pk", "bar_at", "won", "r", "features")) == before

    fewer = found(params=Params.of({**PARAMS.as_json(), "reversion_entries": False}))
    samples.store(fewer, venue=VENUE, now=NOW + 2 * BAR)
    assert Sample.objects.count() == len(fewer.bar) < len(made.bar)
    row = Sample.objects.order_by("bar_at")[0]
    assert (row.source, row.weight, row.mode, row.schema_hash) == ("backtest", 0.3, "", features.schema_hash())


@pytest.mark.django_db
def test_the_table_comes_back_as_it_went_in() -> None:
    made = found()
    samples.store(made, venue=VENUE, now=NOW)

    data = dataset.load(venues={VENUE}, timeframe="15m", mode="paper")

    np.testing.assert_array_equal(data.x, made.x.astype(np.float32))
    np.testing.assert_array_equal(data.won, made.won)
    np.testing.assert_array_equal(data.began, made.candles.opened[made.bar])
    assert data.weight.mean() == pytest.approx(1.0)
    assert data.sources == {"backtest": len(made.bar), "shadow": 0, "live": 0}
    assert data.hash() == dataset.load(venues={VENUE}, timeframe="15m", mode="live").hash()


@pytest.mark.django_db
def test_the_most_real_sample_of_a_bar_counts_and_other_money_other_markets_and_other_features_do_not() -> None:
    data = planted(5, edge=0.0)
    stored(data)
    stored(data, source=SampleSource.SHADOW, mode="paper", won=True)
    stored(data, source=SampleSource.LIVE, mode="live", won=False)
    stored(data, source=SampleSource.LIVE, mode="paper", venue="binance")
    stored(data, source=SampleSource.LIVE, mode="paper", venue="other", schema_hash="old")

    paper = dataset.load(venues={VENUE, "other"}, timeframe="15m", mode="paper")
    live = dataset.load(venues={VENUE}, timeframe="15m", mode="live")

    assert paper.sources == {"backtest": 0, "shadow": 5, "live": 0}
    assert paper.won.all()
    assert live.sources == {"backtest": 0, "shadow": 0, "live": 5}
    assert len(dataset.load(venues={VENUE}, timeframe="1h", mode="paper")) == 0


def test_a_pair_that_is_traded_without_bitcoin_is_seen_beside_it_all_the_same() -> None:
    pair, leader = walk(21, 900, symbol="ETH/USDT"), walk(22, 900)
    params = Params.of({**PARAMS.as_json(), "pairs": ["ETH/USDT", "SOL/EUR"]})
    series = {"ETH/USDT": pair, "SOL/EUR": walk(23, 900, symbol="SOL/EUR")}
    stretch = Stretch(params=params, series=series, first=pair.closed_at(0), last=pair.closed_at(899))

    def read(symbol: str, timeframe: str, start: datetime, end: datetime) -> Candles | None:
        if symbol == "BTC/EUR":
            raise UnknownSymbol(symbol, ["BTC/USDT"])
        assert (symbol, timeframe, start, end) == ("BTC/USDT", "15m", pair.opened_at(0), stretch.last)
        return leader

    leaders = pipeline.leaders_of(stretch, read)
    markets = StoredMarket(series, fee_rate=Decimal("0.001")).markets()
    beside, alone = samples.every_setup(series, markets, params, STRATEGIES, leaders)

    place = features.NAMES.index("bitcoin_correlation")
    late = beside.bar > 200
    assert late.sum() > 3
    assert np.isfinite(beside.x[late, place]).all()
    assert (np.abs(beside.x[late, place]) < 0.5).all()
    assert np.isnan(alone.x[:, place]).all()
