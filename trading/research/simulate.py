"""The simulated market: prices and volumes that are a function of seed, symbol and time only, since 2015.

From coarse to fine, each part drawn by a generator of its own (seed, purpose, day), so any day stands alone:

    level    log price at each midnight: a mean-reverting walk of daily draws
    stretch  a few hours that trend, range or are volatile; the hours are common, the kind is often so
    path     a price every 5 seconds, tied to the levels of both midnights as a bridge
    bar      what the path did inside it, so bars of every length and the tickers agree
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, partial
from itertools import accumulate
from types import MappingProxyType
from zlib import crc32

import numpy as np

from trading.core import timeframes
from trading.core.candles import Candles, Floats, Ints, resample
from trading.core.ports import UnknownSymbol
from trading.core.types import Market, Ticker

EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
"""The first moment that has a price."""

TREND, RANGE, VOLATILE = 0, 1, 2

_EPOCH_MS, _DAY_MS, _STEP_MS = timeframes.to_ms(EPOCH), 86_400_000, 5_000
_STEPS_AN_HOUR, _STEPS_A_MINUTE, _MINUTES = 720, 12, 1_440
_STEPS = 24 * _STEPS_AN_HOUR

_STRETCHES = 7
_KINDS = (0.35, 0.40, 0.25)  # how often a stretch trends, ranges, is volatile
_FOLLOWING = 0.6  # how often a symbol takes the common kind and direction of a stretch
_NOISE = (1.0, 0.85, 2.3)  # deviation of a step, by kind, in calm steps
_DRIFT = 0.06  # of a step in a trend, in calm steps; 0.2 calm minutes a minute
_PULL = math.log(2) / (15 * _STEPS_A_MINUTE)  # a ranging price is half-way back after 15 minutes
_BRIDGE = np.array([1.0, 0.1, 5.0])  # share of the way to the next level, by kind: about the variance it adds
_CALM_DAYS = 45.0  # deviation of a daily draw, in calm minutes
_DECAY = 0.98  # of the daily level: its half-life of 34 days keeps a decade within a factor of 4
_LEVELS = 4_096  # levels are drawn in multiples of so many days

_GROWTH = np.exp(_PULL * np.arange(_STEPS))
_CYCLE = np.interp(  # volume by minute of the day: Asia until 08:00 UTC, Europe and America from 13:00 to 20:00
    np.arange(_MINUTES) / 60,
    [0.0, 7.5, 8.5, 12.5, 13.5, 19.5, 20.5, 23.5, 24.0],
    [1.4, 1.4, 0.7, 0.7, 1.7, 1.7, 0.6, 0.6, 1.4],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """How one symbol moves: `calm` is the deviation of a calm minute's log return, `common` its correlation
    with the whole market, `turnover` what a calm minute trades (quote)."""

    market: Market
    start: float
    calm: float
    common: float
    turnover: float


def _listing(
    base: str, start: float, price_step: str, quantity_step: str, calm: float, common: float, turnover: float
) -> _Listing:
    market = Market(
        symbol=f"{base}/USDT",
        price_step=Decimal(price_step),
        quantity_step=Decimal(quantity_step),
        min_notional=Decimal("5"),
        fee_rate=Decimal("0.0004"),
    )
    return _Listing(market=market, start=start, calm=calm, common=common, turnover=turnover)


# Steps are powers of ten and fine enough that a calm minute of a price at a quarter of its start still moves.
_LISTINGS = {
    listing.market.symbol: listing
    for listing in (
        _listing("BTC", 64_000.0, "0.01", "0.00001", 0.00055, 0.92, 900_000.0),
        _listing("ETH", 3_100.0, "0.01", "0.0001", 0.00070, 0.88, 600_000.0),
        _listing("SOL", 150.0, "0.01", "0.001", 0.00090, 0.84, 350_000.0),
        _listing("LINK", 15.0, "0.001", "0.01", 0.00090, 0.80, 60_000.0),
        _listing("AVAX", 30.0, "0.001", "0.01", 0.00095, 0.82, 60_000.0),
        _listing("ARB", 0.85, "0.0001", "0.1", 0.00100, 0.80, 40_000.0),
        _listing("SUI", 2.4, "0.0001", "0.1", 0.00110, 0.74, 70_000.0),
        _listing("APT", 9.0, "0.001", "0.01", 0.00100, 0.78, 35_000.0),
        _listing("OP", 1.8, "0.0001", "0.01", 0.00100, 0.80, 35_000.0),
        _listing("NEAR", 5.0, "0.001", "0.1", 0.00095, 0.79, 40_000.0),
        _listing("INJ", 22.0, "0.001", "0.01", 0.00105, 0.74, 25_000.0),
        _listing("TIA", 6.5, "0.001", "0.01", 0.00115, 0.72, 25_000.0),
        _listing("SEI", 0.45, "0.0001", "0.1", 0.00115, 0.73, 20_000.0),
        _listing("WLD", 2.2, "0.0001", "0.1", 0.00120, 0.70, 30_000.0),
    )
}
MARKETS: Mapping[str, Market] = MappingProxyType({symbol: each.market for symbol, each in _LISTINGS.items()})


def candles(*, seed: int, symbol: str, timeframe: str, start: datetime, stop: datetime) -> Candles:
    """Return the bars that open at or after `start` and close by `stop`, in arrays of the caller's own.

    Raises UnknownSymbol, UnknownTimeframe, and ValueError for a moment before EPOCH.
    """
    _known(symbol)
    span = timeframes.milliseconds(timeframe)
    first, last = -(-_since_epoch(start) // span), _since_epoch(stop) // span
    count, a_day = max(0, last - first), _DAY_MS // span
    days = range(first // a_day, -(-(first + count) // a_day))
    # Concatenating copies, also a single day: what is remembered stays as it is.
    bars = np.concatenate([np.empty((5, 0)), *(_BARS[timeframe](seed, symbol, day) for day in days)], axis=1)
    skipped = first % a_day
    return _candles(symbol, timeframe, first * span, bars[:, skipped : skipped + count])


def ticker(*, seed: int, symbol: str, at: datetime) -> Ticker:
    """Return the price of the 5-second step that contains `at`, stamped with the step's beginning.

    At the close of a bar this is the bar's close. Raises UnknownSymbol, and ValueError before EPOCH.
    """
    _known(symbol)
    step = _since_epoch(at) // _STEP_MS
    price = _path(seed, symbol, step // _STEPS)[step % _STEPS]
    return Ticker(symbol=symbol, price=float(price), at=timeframes.from_ms(_EPOCH_MS + step * _STEP_MS))


def stretches(*, seed: int, symbol: str, day: datetime) -> tuple[tuple[int, int, int], ...]:
    """Return (hours, TREND | RANGE | VOLATILE, direction of a trend as +1 | -1) of each stretch of a UTC day."""
    _known(symbol)
    lengths, kinds, signs = _stretches(seed, symbol, _since_epoch(day) // _DAY_MS)
    return tuple(zip((lengths // _STEPS_AN_HOUR).tolist(), kinds.tolist(), signs.tolist(), strict=True))


def _known(symbol: str) -> None:
    if symbol not in _LISTINGS:
        raise UnknownSymbol(symbol, tuple(_LISTINGS))


def _since_epoch(moment: datetime) -> int:
    elapsed = timeframes.to_ms(moment) - _EPOCH_MS
    if elapsed < 0:
        raise ValueError(f"the simulated market begins at {EPOCH.isoformat()}, {moment.isoformat()} is before it")
    return elapsed


def _draws(seed: int, purpose: str, day: int) -> np.random.Generator:
    # crc32 is the same in every process, which hash() of a text is not.
    return np.random.Generator(np.random.SFC64([seed, crc32(purpose.encode()), day]))


@lru_cache(maxsize=64)
def _levels(seed: int, symbol: str, blocks: int) -> Floats:
    """Return the log level, relative to the start price, of the first midnights; more blocks only append."""
    listing, count = _LISTINGS[symbol], blocks * _LEVELS
    market = _draws(seed, "market level", 0).standard_normal(count)
    own = _draws(seed, f"{symbol} level", 0).standard_normal(count)
    moves = _CALM_DAYS * listing.calm * _mixed(market, own, listing.common)
    return np.fromiter(accumulate(moves.tolist(), lambda level, move: _DECAY * level + move, initial=0.0), np.float64)


def _mixed(market: Floats, own: Floats, common: float) -> Floats:
    return common * market + math.sqrt(1 - common**2) * own


@lru_cache(maxsize=16)
def _market_noise(seed: int, day: int) -> Floats:
    return _draws(seed, "market path", day).standard_normal(_STEPS)


def _stretches(seed: int, symbol: str, day: int) -> tuple[Ints, Ints, Ints]:
    """Return (steps, kind, direction) of each stretch of a day."""
    market, own = _draws(seed, "market stretches", day), _draws(seed, f"{symbol} stretches", day)
    hours = np.sort(market.choice(np.arange(1, 24), _STRETCHES - 1, replace=False))
    lengths = np.diff(hours, prepend=0, append=24) * _STEPS_AN_HOUR
    follows = own.random(_STRETCHES) < _FOLLOWING
    kinds, signs = (
        np.where(follows, theirs, ours)
        for theirs, ours in zip(_kinds_and_signs(market), _kinds_and_signs(own), strict=True)
    )
    return lengths, kinds, signs


def _kinds_and_signs(draws: np.random.Generator) -> tuple[Ints, Ints]:
    return draws.choice(len(_KINDS), _STRETCHES, p=_KINDS), draws.choice([-1, 1], _STRETCHES)


def _walk(kind: int, sign: int, noise: Floats) -> Floats:
    """Return the steps of one stretch, in calm steps."""
    if kind == RANGE:
        # Ornstein-Uhlenbeck around where the stretch began, without a loop: discount the grown noise.
        growth = _GROWTH[: len(noise)]
        away = np.cumsum(noise * growth) / growth
        return np.diff(_NOISE[RANGE] * away, prepend=0.0)
    return _NOISE[kind] * noise + (_DRIFT * sign if kind == TREND else 0.0)


@lru_cache(maxsize=16)
def _path(seed: int, symbol: str, day: int) -> Floats:
    """Return the price at every 5-second step of a day, both midnights included."""
    listing = _LISTINGS[symbol]
    own = _draws(seed, f"{symbol} path", day).standard_normal(_STEPS)
    noise = _mixed(_market_noise(seed, day), own, listing.common)
    lengths, kinds, signs = _stretches(seed, symbol, day)
    parts = np.split(noise, np.cumsum(lengths)[:-1])
    steps = [_walk(kind, sign, part) for kind, sign, part in zip(kinds, signs, parts, strict=True)]
    walked = np.cumsum(np.concatenate(steps)) * (listing.calm / math.sqrt(_STEPS_A_MINUTE))

    before, after = _levels(seed, symbol, day // _LEVELS + 1)[day : day + 2]
    tied = np.cumsum(np.repeat(_BRIDGE[kinds], lengths))
    logs = before + walked + (after - before - walked[-1]) * tied / tied[-1]
    # Midnight is computed the same way on both of its days, so that no rounding opens a gap between them.
    prices = listing.start * np.r_[math.exp(before), np.exp(logs[:-1]), math.exp(after)]
    return _on_grid(prices, listing.market.price_step)


def _on_grid(values: Floats, step: Decimal) -> Floats:
    # Dividing whole numbers gives the float nearest to the Decimal on the grid, as Market.price_grid does.
    steps = float(1 / step)
    return np.floor(values * steps + 0.5) / steps


def _minutes(seed: int, symbol: str, day: int) -> Floats:
    """Return open, high, low, close and volume (rows) of each minute of a day."""
    listing, path = _LISTINGS[symbol], _path(seed, symbol, day)
    inside, close = path[:-1].reshape(_MINUTES, _STEPS_A_MINUTE), path[_STEPS_A_MINUTE::_STEPS_A_MINUTE]
    high, low = np.maximum(inside.max(axis=1), close), np.minimum(inside.min(axis=1), close)
    moved = (high - low) / (close * listing.calm)
    chance = np.exp(0.4 * _draws(seed, f"{symbol} volume", day).standard_normal(_MINUTES))
    traded = listing.turnover / close * _CYCLE * (0.3 + 0.6 * moved) * chance
    step = listing.market.quantity_step
    volume = np.maximum(_on_grid(traded, step), float(step))
    return np.stack((inside[:, 0], high, low, close, volume))


def _day(timeframe: str, seed: int, symbol: str, day: int) -> Floats:
    minutes = _candles(symbol, "1m", day * _DAY_MS, _BARS["1m"](seed, symbol, day))
    bars = resample(minutes, timeframe)
    return np.stack((bars.open, bars.high, bars.low, bars.close, bars.volume))


def _candles(symbol: str, timeframe: str, start: int, bars: Floats) -> Candles:
    """Return the value; `start` is when the first bar opens, in milliseconds since EPOCH."""
    opened = _EPOCH_MS + start + timeframes.milliseconds(timeframe) * np.arange(bars.shape[1], dtype=np.int64)
    open_, high, low, close, volume = bars
    return Candles(
        symbol=symbol, timeframe=timeframe, opened=opened, open=open_, high=high, low=low, close=close, volume=volume
    )


def _remembered(timeframe: str) -> Callable[[int, str, int], Floats]:
    """Return what gives (seed, symbol, day) its bars, and keeps enough days for 1,200 bars of every symbol."""
    days = 56 * timeframes.milliseconds(timeframe) // timeframes.milliseconds("1m")
    make = _minutes if timeframe == "1m" else partial(_day, timeframe)
    return lru_cache(maxsize=min(days, 4_096))(make)


_BARS = {timeframe: _remembered(timeframe) for timeframe in timeframes.MILLISECONDS}
