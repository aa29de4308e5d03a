from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.core import timeframes
from trading.core.candles import Candles, Floats, resample
from trading.core.ports import UnknownSymbol
from trading.research import simulate

SEED = 7
DAY = timedelta(days=1)
MONDAY = datetime(2025, 3, 3, tzinfo=UTC)
SYMBOLS = tuple(simulate.MARKETS)
ALTS = SYMBOLS[1:]

symbols = st.sampled_from(SYMBOLS)
days = st.integers(0, 365 * 30).map(lambda day: simulate.EPOCH + day * DAY)
seconds = st.integers(0, 86_399).map(lambda second: timedelta(seconds=second))
few = settings(max_examples=40, deadline=None)


def bars(symbol: str, timeframe: str, start: datetime, stop: datetime, seed: int = SEED) -> Candles:
    return simulate.candles(seed=seed, symbol=symbol, timeframe=timeframe, start=start, stop=stop)


def price(symbol: str, at: datetime, seed: int = SEED) -> float:
    return simulate.ticker(seed=seed, symbol=symbol, at=at).price


def columns(candles: Candles) -> Floats:
    return np.stack((candles.opened, candles.open, candles.high, candles.low, candles.close, candles.volume))


def checked(candles: Candles) -> Candles:
    return Candles.checked(
        symbol=candles.symbol,
        timeframe=candles.timeframe,
        opened=candles.opened,
        open=candles.open,
        high=candles.high,
        low=candles.low,
        close=candles.close,
        volume=candles.volume,
    )


def returns(symbol: str, timeframe: str, start: datetime, stop: datetime) -> Floats:
    return np.diff(np.log(bars(symbol, timeframe, start, stop).close))


def daily_levels(symbol: str, years: int, seed: int = SEED) -> Floats:
    """Prices at midnight, over the start price; the ticker at midnight is the close of the day before."""
    return np.exp(simulate._levels(seed, symbol, 3)[: 365 * years])


# The same on every path


PRINT_DIGEST = """
import hashlib, sys
from datetime import timedelta
from trading.research import simulate
found = {}
for symbol in list(simulate.MARKETS)[:: int(sys.argv[1])]:
    for number in (0, 3_800, 3_801, 4_200)[:: int(sys.argv[1])]:
        start = simulate.EPOCH + timedelta(days=number)
        c = simulate.candles(seed=7, symbol=symbol, timeframe="5m", start=start, stop=start + timedelta(days=1))
        found[symbol, number] = b"".join(column.tobytes() for column in (c.open, c.high, c.low, c.close, c.volume))
print(hashlib.sha256(b"".join(found[key] for key in sorted(found))).hexdigest())
"""


def digest_of_a_fresh_process(step: int) -> str:
    return subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST, str(step)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": str(step + 2)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_every_process_and_every_order_of_calls_makes_the_same_market() -> None:
    forward, backward = digest_of_a_fresh_process(1), digest_of_a_fresh_process(-1)

    assert len(forward) == 64
    assert forward == backward


def test_the_market_of_a_seed_never_changes() -> None:
    # Simulated accounts remember these prices: what changes them rewrites the past of each.
    hours = [bars(symbol, "1h", MONDAY, MONDAY + timedelta(hours=3)) for symbol in ("BTC/USDT", "SEI/USDT")]

    assert [hour.close.tolist() for hour in hours] == [
        [71635.69, 72421.63, 73483.57],
        [0.5193, 0.5164, 0.5234],
    ]


@few
@given(symbol=symbols, day=days, first=st.integers(0, 2_000), count=st.integers(0, 2_000))
def test_any_window_equals_the_same_part_of_a_longer_one(symbol: str, day: datetime, first: int, count: int) -> None:
    start, minute = day + first * timedelta(minutes=1), timedelta(minutes=1)
    whole = bars(symbol, "1m", day, day + 3 * DAY)

    part = bars(symbol, "1m", start, start + count * minute)

    assert np.array_equal(columns(part), columns(whole.slice(first, first + count)))


def test_a_window_between_grid_lines_holds_only_whole_bars() -> None:
    part = bars("SOL/USDT", "15m", MONDAY + timedelta(seconds=1), MONDAY + timedelta(minutes=59, seconds=59))

    assert [part.opened_at(i) for i in range(len(part))] == [MONDAY + timedelta(minutes=m) for m in (15, 30)]


@pytest.mark.parametrize("window", [timedelta(0), timedelta(seconds=59), -DAY])
def test_a_window_without_a_whole_bar_is_empty(window: timedelta) -> None:
    empty = bars("SOL/USDT", "1m", MONDAY, MONDAY + window)

    assert len(checked(empty)) == 0


def test_levels_keep_their_past_when_more_of_them_are_drawn() -> None:
    short, long = simulate._levels(SEED, "ETH/USDT", 1), simulate._levels(SEED, "ETH/USDT", 2)

    assert np.array_equal(short, long[: len(short)])


def test_what_a_caller_does_to_its_arrays_stays_with_the_caller() -> None:
    first = bars("BTC/USDT", "1m", MONDAY, MONDAY + DAY)
    before = columns(first)

    first.close[:] = 1.0
    first.volume[:] = 1.0

    assert np.array_equal(columns(bars("BTC/USDT", "1m", MONDAY, MONDAY + DAY)), before)


def test_two_seeds_are_two_markets() -> None:
    one, other = (bars("BTC/USDT", "1m", MONDAY, MONDAY + DAY, seed=seed) for seed in (1, 2))

    assert abs(np.corrcoef(np.diff(np.log(one.close)), np.diff(np.log(other.close)))[0, 1]) < 0.15
    assert (one.close != other.close).mean() > 0.99


# Bars and tickers are one path


@few
@given(symbol=symbols, day=days, timeframe=st.sampled_from(sorted(timeframes.MILLISECONDS)))
def test_every_bar_passes_the_contract(symbol: str, day: datetime, timeframe: str) -> None:
    found = checked(bars(symbol, timeframe, day, day + 2 * DAY))

    assert len(found) == 2 * 86_400_000 // timeframes.milliseconds(timeframe)
    assert (found.volume > 0).all()


@pytest.mark.parametrize("timeframe", sorted(timeframes.MILLISECONDS))
def test_longer_bars_are_the_resampled_minutes(timeframe: str) -> None:
    start, stop = MONDAY - 2 * DAY, MONDAY + DAY

    for symbol in ("BTC/USDT", "SEI/USDT"):
        longer = bars(symbol, timeframe, start, stop)
        assert np.array_equal(columns(longer), columns(resample(bars(symbol, "1m", start, stop), timeframe)))


@few
@given(symbol=symbols, day=days)
def test_each_bar_opens_where_the_one_before_closed(symbol: str, day: datetime) -> None:
    found = bars(symbol, "1m", day, day + 3 * DAY)

    assert np.array_equal(found.open[1:], found.close[:-1])


@few
@given(symbol=symbols, day=days, second=seconds)
def test_the_ticker_stays_within_its_minute_and_ends_at_its_close(
    symbol: str, day: datetime, second: timedelta
) -> None:
    opened = timeframes.bar_open(day + second, "1m")
    closed = opened + timedelta(minutes=1)
    minute = bars(symbol, "1m", opened, closed)

    path = [price(symbol, opened + timedelta(seconds=s)) for s in range(0, 61, 5)]

    assert (path[0], path[-1]) == (minute.open[0], minute.close[0])
    assert (min(path), max(path)) == (minute.low[0], minute.high[0])
    assert price(symbol, day + second) in path[:-1]


def test_the_ticker_carries_the_time_of_its_five_second_step() -> None:
    moment = MONDAY + timedelta(hours=5, minutes=1, seconds=14, microseconds=999_999)

    ticker = simulate.ticker(seed=SEED, symbol="NEAR/USDT", at=moment)

    assert (ticker.symbol, ticker.at) == ("NEAR/USDT", MONDAY + timedelta(hours=5, minutes=1, seconds=10))
    assert ticker == simulate.ticker(seed=SEED, symbol="NEAR/USDT", at=ticker.at)


@few
@given(symbol=symbols, day=days)
def test_every_price_is_the_float_nearest_to_the_decimal_on_the_grid(symbol: str, day: datetime) -> None:
    market, found = simulate.MARKETS[symbol], bars(symbol, "1h", day, day + DAY)

    for value in np.concatenate((found.open, found.high, found.low, found.close)).tolist():
        assert float(market.price(value)) == value
    for value in bars(symbol, "1m", day, day + timedelta(hours=1)).volume.tolist():
        assert float(Decimal(str(value)).quantize(market.quantity_step)) == value


def test_a_past_of_any_age_can_be_asked_for() -> None:
    first = bars("WLD/USDT", "1m", simulate.EPOCH, simulate.EPOCH + timedelta(hours=1))
    far = bars("WLD/USDT", "1d", datetime(2060, 1, 1, tzinfo=UTC), datetime(2060, 1, 3, tzinfo=UTC))

    assert first.opened_at(0) == simulate.EPOCH
    assert first.open[0] == 2.2
    assert len(checked(far)) == 2


# What kind of market it is


def test_a_minute_moves_enough_to_trade_and_no_more() -> None:
    for symbol in SYMBOLS:
        found = bars(symbol, "1m", MONDAY, MONDAY + 14 * DAY)
        reach = np.maximum(found.high[1:], found.close[:-1]) - np.minimum(found.low[1:], found.close[:-1])
        atr_percent = 100 * np.convolve(reach / found.close[1:], np.full(14, 1 / 14), "valid")
        low, high = (0.06, 0.12) if symbol == "BTC/USDT" else (0.10, 0.25)
        assert low < atr_percent.mean() < high, symbol
        assert np.quantile(atr_percent, 0.05) > 0.6 * low, symbol
        assert np.quantile(atr_percent, 0.95) < 2 * high, symbol


@pytest.mark.parametrize("timeframe", ["1m", "15m"])
def test_every_symbol_moves_with_bitcoin_and_none_is_its_copy(timeframe: str) -> None:
    window = (MONDAY, MONDAY + 21 * DAY)
    bitcoin = returns("BTC/USDT", timeframe, *window)

    for symbol in ALTS:
        assert 0.42 < np.corrcoef(bitcoin, returns(symbol, timeframe, *window))[0, 1] < 0.82, symbol


def test_days_move_together_too_and_each_symbol_by_its_own_beta() -> None:
    bitcoin = np.diff(np.log(daily_levels("BTC/USDT", 10)))
    moves = {symbol: np.diff(np.log(daily_levels(symbol, 10))) for symbol in ALTS}
    betas = {symbol: np.cov(move, bitcoin)[0, 1] / bitcoin.var() for symbol, move in moves.items()}

    assert all(0.5 < np.corrcoef(bitcoin, move)[0, 1] < 0.85 for move in moves.values())
    assert min(betas.values()) < 1.1 < 1.3 < max(betas.values())


def kinds_of_stretches() -> dict[int, list[tuple[float, float, float]]]:
    """(efficiency ratio of the hours, deviation of a minute, move along the direction) by kind of stretch."""
    found: dict[int, list[tuple[float, float, float]]] = {kind: [] for kind in range(3)}
    for symbol in SYMBOLS:
        scale = np.std(returns(symbol, "1m", MONDAY, MONDAY + 7 * DAY))
        for day in (MONDAY + n * DAY for n in range(7)):
            path = np.log(bars(symbol, "1m", day, day + DAY).open)
            hour = 0
            for hours, kind, sign in simulate.stretches(seed=SEED, symbol=symbol, day=day):
                part = path[hour * 60 : (hour + hours) * 60]
                moves, hour = np.diff(part), hour + hours
                efficiency = abs(part[-1] - part[0]) / np.abs(moves).sum()
                found[kind].append((efficiency, moves.std() / scale, sign * (part[-1] - part[0]) / scale))
    return found


def test_stretches_trend_range_and_are_volatile() -> None:
    kinds = {kind: np.array(rows).T for kind, rows in kinds_of_stretches().items()}
    efficiency, deviation, along = (
        {kind: float(np.median(rows[row])) for kind, rows in kinds.items()} for row in range(3)
    )

    assert min(len(rows[0]) for rows in kinds.values()) > 100
    assert efficiency[simulate.TREND] > 0.15
    assert efficiency[simulate.RANGE] < 0.05
    assert along[simulate.TREND] > 10 > abs(along[simulate.VOLATILE])
    assert 2 < deviation[simulate.VOLATILE] / deviation[simulate.TREND] < 3
    assert deviation[simulate.RANGE] < deviation[simulate.TREND]


@few
@given(symbol=symbols, day=days, second=seconds)
def test_stretches_fill_the_day_with_a_few_hours_each(symbol: str, day: datetime, second: timedelta) -> None:
    found = simulate.stretches(seed=SEED, symbol=symbol, day=day + second)

    assert sum(hours for hours, _, _ in found) == 24
    assert len(found) == 7
    assert all(hours > 0 and sign in (-1, 1) for hours, _, sign in found)
    assert {kind for _, kind, _ in found} <= {simulate.TREND, simulate.RANGE, simulate.VOLATILE}


def test_symbols_share_the_kind_of_a_stretch_more_often_than_by_chance() -> None:
    same = [
        kind == theirs
        for day in (MONDAY + n * DAY for n in range(60))
        for (_, kind, _), (_, theirs, _) in zip(
            simulate.stretches(seed=SEED, symbol="BTC/USDT", day=day),
            simulate.stretches(seed=SEED, symbol="SUI/USDT", day=day),
            strict=True,
        )
    ]

    assert 0.45 < np.mean(same) < 0.75


def test_volume_follows_the_hours_of_the_world() -> None:
    found = bars("ETH/USDT", "1h", MONDAY, MONDAY + 60 * DAY)
    by_hour = (found.volume * found.close).reshape(-1, 24).mean(axis=0)

    quiet = np.r_[by_hour[9:13], by_hour[21:23]]
    assert by_hour[0:7].min() > 1.3 * quiet.max()
    assert by_hour[14:19].min() > 1.3 * quiet.max()


def test_volume_rises_with_the_size_of_the_move() -> None:
    for symbol in SYMBOLS:
        found = bars(symbol, "1m", MONDAY, MONDAY + 7 * DAY)
        size, traded = (found.high - found.low) / found.close, found.volume * found.close
        large = size > np.quantile(size, 0.9)
        assert traded[large].mean() > 2 * traded[~large].mean(), symbol


@pytest.mark.parametrize("seed", range(5))
def test_ten_years_keep_every_level_within_a_factor_of_four(seed: int) -> None:
    for symbol in SYMBOLS:
        levels = daily_levels(symbol, 10, seed)
        assert 0.25 < levels.min() < 0.8, symbol
        assert 1.2 < levels.max() < 4.0, symbol


def test_the_close_of_a_day_is_the_level_of_the_next_midnight() -> None:
    count = 40
    closes = bars("BTC/USDT", "1d", simulate.EPOCH, simulate.EPOCH + count * DAY).close

    assert closes == pytest.approx(64_000 * daily_levels("BTC/USDT", 1)[1 : count + 1], abs=0.01)


# What it refuses


@pytest.mark.parametrize("ask", ["1m", "1d"])
def test_nothing_comes_from_before_the_epoch(ask: str) -> None:
    early = simulate.EPOCH - timedelta(milliseconds=1)

    with pytest.raises(ValueError, match="begins at 2015-01-01"):
        bars("BTC/USDT", ask, early, MONDAY)
    with pytest.raises(ValueError, match="begins at 2015-01-01"):
        price("BTC/USDT", early)
    with pytest.raises(ValueError, match="begins at 2015-01-01"):
        simulate.stretches(seed=SEED, symbol="BTC/USDT", day=early)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownSymbol, match="'DOGE/USDT'"):
        bars("DOGE/USDT", "1m", MONDAY, MONDAY + DAY)
    with pytest.raises(UnknownSymbol, match="BTC/USDT, ETH/USDT"):
        price("btc/usdt", MONDAY)
    with pytest.raises(UnknownSymbol):
        simulate.stretches(seed=SEED, symbol="", day=MONDAY)
    with pytest.raises(timeframes.UnknownTimeframe, match="'2m'"):
        bars("BTC/USDT", "2m", MONDAY, MONDAY + DAY)


def test_a_moment_needs_its_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        price("BTC/USDT", MONDAY.replace(tzinfo=None))


def test_a_seed_is_not_negative() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        price("BTC/USDT", MONDAY, seed=-1)
