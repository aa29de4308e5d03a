"""Looking ahead: whoever peeks, forgets to warm up or changes its mind is caught; what ships is clean."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from tests.unit.core_values import EveryBar, walk
from tests.unit.results_values import silent
from trading.core import filters, indicators
from trading.core.analysis import Analysis
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.strategies import BandReversion, Sides, Strategy, StrategyError, TrendCross
from trading.research import lookahead
from trading.research.lookahead import Finding, Study, TooShort


class NextClose(EveryBar):
    """Buys when the next bar closes higher."""

    name = "next_close"

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return np.append(np.diff(candles.close) > 0, False).astype(np.int8)


class RareNextClose(EveryBar):
    """Peeks only at the few bars at which it enters at all."""

    name = "rare"

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        follows: Floats = np.append(np.diff(np.log(candles.close)), 0.0)
        return np.asarray(follows > 0.0095, dtype=np.int8)


class CheapAgainstAll(EveryBar):
    """Buys below the mean of the whole series, the future's too."""

    name = "cheap"

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return np.asarray(candles.close < candles.close.mean(), dtype=np.int8)


class CheapSinceTheStart(EveryBar):
    """Buys below the mean since the series began, wherever that is: no peek, but live it begins elsewhere."""

    name = "since"

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        mean = np.cumsum(candles.close) / np.arange(1.0, len(candles) + 1.0)
        return np.asarray(candles.close < mean, dtype=np.int8)


class LongMemory(EveryBar):
    """Looks back further than it says."""

    name = "long"

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        found = np.zeros(len(candles), dtype=np.int8)
        found[1500:] = candles.close[1500:] > candles.close[:-1500]
        return found


class Moody(EveryBar):
    """Says something else every time."""

    name = "moody"

    def __init__(self) -> None:
        self.asked = 0

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        self.asked += 1
        return np.full(len(candles), 1 if self.asked % 2 else -1, dtype=np.int8)


def study(*strategies: Strategy, bars: int = 2400, cuts: int = 8) -> Study:
    return lookahead.study(walk(1, bars), params=Params(), strategies=strategies, cuts=cuts, seed=1, progress=silent)


def faults(found: Study) -> set[tuple[str, str]]:
    return {(each.column, each.fault) for each in found.findings}


@pytest.mark.parametrize(
    ("strategy", "fault"),
    [
        (NextClose(), "peeks"),
        (RareNextClose(), "peeks"),
        (CheapAgainstAll(), "peeks"),
        (CheapSinceTheStart(), "starts"),
        (LongMemory(), "starts"),
        (Moody(), "varies"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_strategy_with_a_fault_is_caught_and_nothing_else_is_blamed(strategy: Strategy, fault: str) -> None:
    found = faults(study(strategy, TrendCross()))

    assert (f"strategy {strategy.name}", fault) in found
    assert {column for column, _ in found} == {f"strategy {strategy.name}"}


def test_what_ships_is_clean_and_everything_is_looked_at() -> None:
    found = study(TrendCross(), BandReversion(), cuts=20)

    assert found.findings == []
    assert set(found.columns) >= {each.name for each in fields(Analysis)}
    assert sum(name.startswith("filter") for name in found.columns) == 2 * len(filters.FILTERS)
    assert found.signals["trend"] > 20
    assert found.signals["reversion"] > 0
    assert found.cuts == 20
    assert 0 < found.late_starts < 20


def test_an_indicator_that_peeks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = indicators.rsi
    monkeypatch.setattr(indicators, "rsi", lambda close, period: np.append(honest(close, period)[1:], 50.0))

    found = faults(study(TrendCross()))

    assert ("rsi", "peeks") in found
    assert ("score", "peeks") in found
    assert ("adx", "peeks") not in found


def test_a_recursive_indicator_is_off_after_its_warm_up_and_settled_after_what_a_tick_loads() -> None:
    found = study(TrendCross(), bars=2400)

    off = found.deviation["adx"]
    assert list(off) == [202, 402, found.history]
    assert 0.01 > off[202] > 1e-9
    assert off[402] < off[202] / 10
    assert off[found.history] == 0.0
    assert found.deviation["sma_slow"][202] == 0.0


def test_the_first_bar_and_the_number_of_places_are_told() -> None:
    found = study(NextClose(), cuts=6)

    peek = next(each for each in found.findings if each.fault == "peeks")
    assert isinstance(peek, Finding)
    assert 0 < peek.times <= 6
    assert 201 <= peek.bar < 2400


def test_where_too_few_bars_are_left_to_begin_later_nothing_is_claimed() -> None:
    found = study(LongMemory(), bars=700)

    assert found.late_starts == 0
    assert all(found.history not in by_length for by_length in found.deviation.values())


def test_too_few_bars_and_a_wrong_shape_are_refused() -> None:
    with pytest.raises(TooShort, match="120 bars are too few to look for mistakes: give 251 or more"):
        study(TrendCross(), bars=120)

    class Short(EveryBar):
        name = "short"

        def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
            return np.ones(3, dtype=np.int8)

    with pytest.raises(StrategyError, match="'short' must return one of -1, 0, 1"):
        study(Short())
