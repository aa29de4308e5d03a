"""Samples of backtests as rows: each setup with its features and what became of it. Again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from mlops import features, following
from mlops.models import Sample, SampleSource
from trading.core import bitcoin, timeframes
from trading.core.analysis import analyse
from trading.core.book_history import BookHistory
from trading.core.candles import Candles, Floats, Ints
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.core.strategies import Strategy
from trading.core.types import Market, Side
from trading.research import backtest, inputs
from trading.research.inputs import Series
from trading.research.performance import Stretch
from trading.research.records import TRADES

WEIGHTS = {SampleSource.BACKTEST: 0.3, SampleSource.SHADOW: 0.3, SampleSource.LIVE: 1.0}
BATCH = 500
KEY = ("source", "venue", "symbol", "timeframe", "bar_at")
REST = ("mode", "weight", "ended_at", "side", "features", "schema_hash", "passed", "won", "r", "at")


ReadBook = Callable[[str, datetime, datetime], BookHistory | None]
"""Returns what was recorded of a pair's book that says something about any moment between the two."""


def no_book(symbol: str, start: datetime, end: datetime) -> None:
    """Read nothing: of these candles' market no books were recorded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """One symbol's setups with their outcomes: bars (indices), sides, what they made in R, and the bars they ended on."""

    candles: Candles
    bar: Ints
    side: NDArray[np.int8]
    r: Floats
    won: NDArray[np.bool_]
    ended: Ints
    passed: NDArray[np.bool_]
    x: Floats
    """Features of each, as features.at gives them."""


def every_setup(
    series: Mapping[str, Candles],
    markets: Mapping[str, Market],
    params: Params,
    strategies: Sequence[Strategy],
    leaders: Mapping[str, Candles],
    books: ReadBook = no_book,
) -> Iterator[Found]:
    """Yield by symbol each setup that ended within the candles, as if it alone had been followed.

    `leaders` are BTC's bars by its symbol in each quote.
    """
    listed = [Series(candles=candles, market=markets[symbol]) for symbol, candles in series.items()]
    start = min(timeframes.to_ms(candles.closed_at(0)) for candles in series.values())
    setups = inputs.setups_of(listed, start, strategies=strategies, params=params, order=range(len(listed)))
    for number, each in enumerate(listed):
        own = setups.symbol == number
        bar, side, passed = setups.bar[own], _sides(setups.side[own]), setups.mask[own] == 0
        made = following.follow(each.candles, each.market, params, bars=bar, sides=side, atr=setups.atr[own])
        kept = made.bar >= 0
        r = made.r[kept]
        # What earns exactly nothing is no win.
        x = _features(each.candles, params, bar[kept], side[kept], leaders, books)
        yield Found(
            candles=each.candles,
            bar=bar[kept],
            side=side[kept],
            r=r,
            won=r > 0.0,
            ended=made.bar[kept],
            passed=passed[kept],
            x=x,
        )


def traded_setups(
    stretch: Stretch,
    markets: Mapping[str, Market],
    strategies: Sequence[Strategy],
    balance: Decimal,
    leaders: Mapping[str, Candles],
    books: ReadBook = no_book,
) -> list[Found]:
    """Return by symbol those setups that a backtest with one account took and that ended."""
    prepared = backtest.prepare(
        stretch.series,
        markets,
        params=stretch.params,
        strategies=strategies,
        slippage=Slippage(fraction=stretch.params.slippage),
        start=stretch.first,
        end=stretch.last,
    )
    written, _ = backtest.trade(prepared, balance)
    trades = np.arange(int(written.account[TRADES]))
    trades = trades[written.closed_tick[trades] >= 0]
    pnl = (written.gross - written.fees)[trades]
    gap = np.abs(written.entry_steps[trades] - written.stop_steps[trades])
    owner, grids = written.symbol[trades], prepared.grids
    # A step of one lot is worth value_mul / value_div units of money.
    risked = gap * written.lots[trades] * (grids.value_mul[owner] / grids.value_div[owner])
    found = []
    for symbol, candles in enumerate(stretch.series.values()):
        own = (owner == symbol) & (risked > 0)
        setup = written.setup[trades[own]]
        # At tick t the bar that closed then is known, and the next one opens.
        ended = np.minimum(written.closed_tick[trades[own]] - prepared.bars.first[symbol], len(candles) - 1)
        bar, side = prepared.setups.bar[setup], _sides(prepared.setups.side[setup])
        r = pnl[own] / risked[own]
        x = _features(candles, stretch.params, bar, side, leaders, books)
        passed = np.ones(len(bar), dtype=np.bool_)
        found.append(Found(candles=candles, bar=bar, side=side, r=r, won=pnl[own] > 0, ended=ended, passed=passed, x=x))
    return found


def store(found: Found, *, venue: str, now: datetime) -> int:
    """Write a symbol's samples of a backtest and forget older ones of the same bars; return how many there are.

    In small transactions, so that nobody waits long; a run that dies in between is simply made again.
    """
    candles = found.candles
    rows = [_row(found, place, venue, now) for place in range(len(found.bar))]
    for first in range(0, len(rows), BATCH):
        Sample.objects.bulk_create(
            rows[first : first + BATCH], update_conflicts=True, unique_fields=KEY, update_fields=REST
        )
    Sample.objects.filter(
        source=SampleSource.BACKTEST,
        venue=venue,
        symbol=candles.symbol,
        timeframe=candles.timeframe,
        bar_at__gte=candles.opened_at(0),
        bar_at__lte=candles.opened_at(len(candles) - 1),
        at__lt=now,
    ).delete()
    return len(rows)


def _row(found: Found, place: int, venue: str, now: datetime) -> Sample:
    candles = found.candles
    return Sample(
        source=SampleSource.BACKTEST,
        venue=venue,
        weight=WEIGHTS[SampleSource.BACKTEST],
        symbol=candles.symbol,
        timeframe=candles.timeframe,
        bar_at=candles.opened_at(int(found.bar[place])),
        ended_at=candles.closed_at(int(found.ended[place])),
        side=Side.of(int(found.side[place])).value,
        features=packed(found.x[place]),
        schema_hash=features.schema_hash(),
        passed=bool(found.passed[place]),
        won=bool(found.won[place]),
        r=float(found.r[place]),
        at=now,
    )


def _features(
    candles: Candles,
    params: Params,
    bar: Ints,
    side: NDArray[np.int8],
    leaders: Mapping[str, Candles],
    books: ReadBook,
) -> Floats:
    return features.at(
        candles,
        analyse(candles, params),
        bars=bar,
        sides=side,
        params=params,
        leader=leaders.get(bitcoin.leader_of(candles.symbol)),
        book=books(candles.symbol, candles.opened_at(0), candles.closed_at(len(candles) - 1)),
    )


def packed(row: Floats) -> bytes:
    return row.astype("<f8").tobytes()


def _sides(signs: Ints) -> NDArray[np.int8]:
    return signs.astype(np.int8)
