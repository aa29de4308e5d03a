from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import NAN, floats_that_raise, priced, prices, walk
from trading.core import indicators
from trading.core.analysis import analyse
from trading.core.candles import Candles, Floats
from trading.core.params import Params

WINDOW = Params().hurst_window

periods = pytest.mark.parametrize("period", [2, 3, 14, 50])


@pytest.fixture(autouse=True)
def strict_floats() -> Iterator[None]:
    with floats_that_raise():
        yield


def same(found: Floats, expected: list[float] | Floats, rtol: float = 1e-9, atol: float = 0.0) -> None:
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)


# Slow loops, from Wilder's definitions (New Concepts in Technical Trading Systems, 1978): a smoothed mean keeps
# (n - 1) / n of itself, and TA-Lib begins each with the plain mean of the first n values.


def wilder_rsi(close: Floats, n: int) -> list[float]:
    moves = [0.0] + [float(after - before) for before, after in pairwise(close)]
    result = [NAN] * len(close)
    for k in range(n, len(close)):
        if k == n:
            gain = sum(max(move, 0.0) for move in moves[1 : n + 1]) / n
            loss = sum(max(-move, 0.0) for move in moves[1 : n + 1]) / n
        else:
            gain = (gain * (n - 1) + max(moves[k], 0.0)) / n
            loss = (loss * (n - 1) + max(-moves[k], 0.0)) / n
        result[k] = 100.0 * gain / (gain + loss)
    return result


def true_range(bars: Candles, k: int) -> float:
    before = bars.close[k - 1]
    return float(max(bars.high[k] - bars.low[k], abs(bars.high[k] - before), abs(bars.low[k] - before)))


def wilder_atr(bars: Candles, n: int) -> list[float]:
    result = [NAN] * len(bars)
    for k in range(n, len(bars)):
        if k == n:
            value = sum(true_range(bars, i) for i in range(1, n + 1)) / n
        else:
            value = (value * (n - 1) + true_range(bars, k)) / n
        result[k] = value
    return result


def movement(bars: Candles, k: int) -> tuple[float, float]:
    up, down = float(bars.high[k] - bars.high[k - 1]), float(bars.low[k - 1] - bars.low[k])
    return (up if up > down and up > 0 else 0.0), (down if down > up and down > 0 else 0.0)


def wilder_adx(bars: Candles, n: int) -> list[float]:
    # TA-Lib sums n - 1 bars before the first smoothing, then averages the first n directional indexes.
    result = [NAN] * len(bars)
    plus = sum(movement(bars, k)[0] for k in range(1, n))
    minus = sum(movement(bars, k)[1] for k in range(1, n))
    spread = sum(true_range(bars, k) for k in range(1, n))
    first: list[float] = []
    for k in range(n, len(bars)):
        up, down = movement(bars, k)
        plus, minus = plus - plus / n + up, minus - minus / n + down
        spread = spread - spread / n + true_range(bars, k)
        up_index, down_index = 100.0 * plus / spread, 100.0 * minus / spread
        index = 100.0 * abs(up_index - down_index) / (up_index + down_index)
        if len(first) < n:
            first.append(index)
            value = sum(first) / n
        else:
            value = (value * (n - 1) + index) / n
        result[k] = value if len(first) == n else NAN
    return result


def exponential_mean(values: list[float], n: int) -> list[float]:
    result = [NAN] * (n - 1) + [sum(values[:n]) / n]
    for value in values[n:]:
        result.append(result[-1] + 2.0 / (n + 1) * (value - result[-1]))
    return result


def autocorrelated(seed: int, bars: int, coefficient: float) -> Floats:
    """Make prices whose returns carry on (coefficient above 0) or turn back (below 0)."""
    noise = np.random.default_rng(seed).normal(0.0, 0.003, bars)
    moves = np.zeros(bars)
    for k in range(1, bars):
        moves[k] = coefficient * moves[k - 1] + noise[k]
    return np.asarray(100.0 * np.exp(np.cumsum(moves)), dtype=np.float64)


@periods
def test_rsi_is_wilders(period: int) -> None:
    close = prices(1, 300)

    same(indicators.rsi(close, period), wilder_rsi(close, period))


@periods
def test_atr_is_wilders(period: int) -> None:
    bars = walk(2, 300)

    same(indicators.atr(bars, period), wilder_atr(bars, period))


@periods
def test_adx_is_wilders(period: int) -> None:
    bars = walk(3, 300)

    same(indicators.adx(bars, period), wilder_adx(bars, period))


def test_adx_reads_a_trend_high_and_a_random_walk_in_the_twenties() -> None:
    trend = indicators.adx(priced(np.linspace(100.0, 200.0, 200)), 14)
    random = [indicators.adx(walk(seed, 400), 14)[100:].mean() for seed in range(30)]

    assert trend[-1] == 100.0
    assert 18.0 < np.mean(random) < 30.0


def test_rsi_of_a_price_that_never_moved_is_50() -> None:
    still = np.full(60, 67_000.1)

    same(indicators.rsi(still, 14), [NAN] * 14 + [50.0] * 46)


def test_rsi_runs_from_0_to_100() -> None:
    assert indicators.rsi(np.arange(1.0, 61.0), 14)[-1] == 100.0
    assert indicators.rsi(np.arange(60.0, 0.0, -1.0), 14)[-1] == 0.0


def test_a_first_move_after_a_still_stretch_counts() -> None:
    close = np.r_[np.full(40, 100.0), 99.0]

    assert indicators.rsi(close, 14)[-2:].tolist() == [50.0, 0.0]


@pytest.mark.parametrize("scale", [1.0, 1e-7, 67_000.0])
def test_bollinger_bands_are_population_deviations_around_the_mean(scale: float) -> None:
    close = scale * prices(4, 2000)
    windows = np.lib.stride_tricks.sliding_window_view(close, 20)

    low, high = indicators.bollinger(close, 20, 2.5)

    missing = [NAN] * 19
    same(low, np.r_[missing, windows.mean(axis=1) - 2.5 * windows.std(axis=1)])
    same(high, np.r_[missing, windows.mean(axis=1) + 2.5 * windows.std(axis=1)])


def test_moving_averages_are_plain_means() -> None:
    assert indicators.sma(np.array([1.0, 2.0, 6.0, 4.0]), 3)[2:].tolist() == [3.0, 4.0]
    assert np.isnan(indicators.sma(np.array([1.0, 2.0, 6.0, 4.0]), 3)[:2]).all()


def test_macd_histogram_is_macd_less_its_signal() -> None:
    close = prices(5, 200)
    fast, slow, signal = 5, 12, 4
    slow_mean = exponential_mean(close.tolist(), slow)
    # TA-Lib begins the fast mean so that both have their first value on the same bar.
    fast_mean = [NAN] * (slow - fast) + exponential_mean(close[slow - fast :].tolist(), fast)
    macd = [one - other for one, other in zip(fast_mean, slow_mean, strict=True)][slow - 1 :]
    line = exponential_mean(macd, signal)
    expected = [NAN] * (slow - 1) + [one - other for one, other in zip(macd, line, strict=True)]

    same(indicators.macd_histogram(close, fast, slow, signal), expected, atol=1e-12)


def test_volume_ratio_compares_with_the_mean_of_its_bars() -> None:
    ratio = indicators.volume_ratio(np.array([1.0, 2.0, 3.0, 0.0, 6.0]), 3)

    same(ratio, [NAN, NAN, 1.5, 0.0, 2.0])


def test_volume_ratio_is_0_where_nothing_was_traded() -> None:
    volume = np.r_[np.full(10, 0.1), 5e9, 0.3, np.zeros(30), 7.0]

    ratio = indicators.volume_ratio(volume, 5)

    assert ratio[16:42].tolist() == [0.0] * 26
    assert ratio[42] == pytest.approx(5.0)


def test_volatility_ratio_compares_deviations_of_returns() -> None:
    close = prices(6, 600)
    returns = np.diff(np.log(close))

    ratio = indicators.volatility_ratio(close, 20, 100)

    expected = [returns[k - 20 : k].std() / returns[k - 100 : k].std() for k in range(100, 600)]
    same(ratio, [NAN] * 100 + expected)


def test_volatility_of_a_still_price_is_usual() -> None:
    same(indicators.volatility_ratio(np.full(150, 100.0), 20, 100), [NAN] * 100 + [1.0] * 50)


@pytest.mark.parametrize("deviation", [0.001, 0.01, 0.1])
def test_a_price_that_came_to_rest_has_usual_volatility_and_no_hurst(deviation: float) -> None:
    for seed in range(50):
        moving = prices(seed, 600, deviation=deviation)
        close = np.r_[moving, np.full(WINDOW + 100, moving[-1])]

        ratio, exponent = indicators.volatility_ratio(close, 20, 100), indicators.hurst(close, WINDOW)

        last = 599  # the last bar that moved
        assert ratio[last + 20 : last + 100].tolist() == [0.0] * 80
        assert ratio[last + 100 :].tolist() == [1.0] * (WINDOW + 1)
        assert np.isfinite(exponent[WINDOW : last + WINDOW]).all()
        assert np.isnan(exponent[last + WINDOW :]).all()


@pytest.mark.parametrize(
    ("walks", "window", "tolerance"),
    # At the shortest window it would read 0.482 without the correction for its bias, and 1,000 walks tell.
    [(200, WINDOW, 0.02), (200, 100, 0.03), (200, 150, 0.03), (200, 300, 0.03), (1000, 100, 0.01)],
)
def test_hurst_of_random_walks_is_a_half(walks: int, window: int, tolerance: float) -> None:
    exponents = [indicators.hurst(prices(seed, window + 1), window)[-1] for seed in range(walks)]

    assert np.mean(exponents) == pytest.approx(0.5, abs=tolerance)


@pytest.mark.parametrize(
    ("_case", "coefficient", "low", "high"),
    [
        ("moves carry on", 0.4, 0.55, 0.75),
        ("moves carry on strongly", 0.6, 0.65, 0.85),
        ("moves turn back", -0.4, 0.25, 0.4),
        ("moves turn back strongly", -0.7, 0.1, 0.35),
    ],
)
def test_hurst_tells_trending_from_reverting(_case: str, coefficient: float, low: float, high: float) -> None:
    exponents = [indicators.hurst(autocorrelated(seed, WINDOW + 1, coefficient), WINDOW)[-1] for seed in range(100)]

    assert low < np.mean(exponents) < high


def test_hurst_of_a_drift_beyond_its_noise_is_high() -> None:
    exponents = [indicators.hurst(prices(seed, WINDOW + 1, drift=0.004), WINDOW)[-1] for seed in range(100)]

    assert min(exponents) > 0.55


def test_hurst_of_a_price_that_reverts_to_its_mean_is_low() -> None:
    levels = [100.0 + np.random.default_rng(seed).normal(0.0, 0.2, WINDOW + 1) for seed in range(100)]

    assert max(indicators.hurst(level, WINDOW)[-1] for level in levels) < 0.4


def test_hurst_of_a_still_price_is_missing() -> None:
    assert np.isnan(indicators.hurst(np.full(400, 100.0), WINDOW)).all()


def test_hurst_begins_with_a_full_window() -> None:
    exponent = indicators.hurst(prices(7, WINDOW + 1), WINDOW)

    assert np.isnan(exponent[:-1]).all()
    assert np.isfinite(exponent[-1])


@pytest.mark.parametrize("factor", [0.01, 1.5, 100.0])
def test_a_spike_leaves_no_trace_once_it_has_left_the_window(factor: float) -> None:
    close = prices(8, 1200, deviation=0.001)
    spiked = close.copy()
    spiked[400] *= factor
    gone = 400 + WINDOW + 1

    seen, expected = indicators.hurst(spiked, WINDOW), indicators.hurst(close, WINDOW)

    same(seen[gone:], expected[gone:], rtol=1e-6)
    assert abs(seen[gone - 1] - expected[gone - 1]) > 0.01
    same(
        indicators.volatility_ratio(spiked, 20, 100)[502:], indicators.volatility_ratio(close, 20, 100)[502:], rtol=1e-6
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-9, 1e-6, 1e-3, 1e3, 1e6]))
def test_the_unit_of_the_price_does_not_matter(seed: int, scale: float) -> None:
    bars = walk(seed, 320)
    columns = {name: scale * getattr(bars, name) for name in ("open", "high", "low", "close")}
    scaled = Candles(symbol=bars.symbol, timeframe="15m", opened=bars.opened, volume=bars.volume, **columns)

    one, other = analyse(bars, Params()), analyse(scaled, Params())

    for name in ("rsi", "adx", "hurst", "volume_ratio", "volatility_ratio"):
        same(getattr(other, name), getattr(one, name), rtol=1e-7)
    for name in ("sma_fast", "sma_slow", "atr", "bollinger_low", "bollinger_high"):
        same(getattr(other, name), scale * getattr(one, name), rtol=1e-7)
    same(other.macd_histogram, scale * one.macd_histogram, rtol=0.0, atol=1e-7 * scale)


@pytest.mark.parametrize("bars", range(6))
def test_too_few_bars_have_no_values(bars: int) -> None:
    analysis = analyse(walk(9, 6).slice(0, bars), Params())

    assert len(analysis.score) == len(analysis.regime) == bars
    for name in (
        "sma_fast",
        "rsi",
        "atr",
        "adx",
        "macd_histogram",
        "hurst",
        "volume_ratio",
        "volatility_ratio",
        "score",
    ):
        assert np.isnan(getattr(analysis, name)).all()
