"""Samples as rows: from backtests, from refused setups that were followed, and from closed trades. Again changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from mlops import features, following
from mlops.models import Sample, SampleSource
from mlops.models.shadow import ShadowOutcome, ShadowState
from trading.core import timeframes
from trading.core.analysis import analyse
from trading.core.candles import Candles, Floats, Ints
from trading.core.params import Params
from trading.core.slippage import Slippage
from trading.core.strategies import Strategy
from trading.core.types import Market, Side
from trading.models import Advice, Trade, TradeStatus
from trading.research import backtest, inputs
from trading.research.inputs import Series
from trading.research.performance import Stretch
from trading.research.records import TRADES

WEIGHTS = {SampleSource.BACKTEST: 0.3, SampleSource.SHADOW: 0.3, SampleSource.LIVE: 1.0}
PREDICTOR = "predictor"
"""Whose advice carries the features of a live setup."""
_BATCH = 500
_KEY = ("source", "venue", "symbol", "timeframe", "bar_at")
_REST = ("mode", "weight", "ended_at", "side", "features", "schema_hash", "passed", "won", "r", "at")


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
    series: Mapping[str, Candles], markets: Mapping[str, Market], params: Params, strategies: Sequence[Strategy]
) -> Iterator[Found]:
    """Yield by symbol each setup that ended within the candles, as if it alone had been followed."""
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
        yield _found(each.candles, params, bar[kept], side[kept], r, r > 0.0, made.bar[kept], passed[kept])


def traded_setups(
    stretch: Stretch, markets: Mapping[str, Market], strategies: Sequence[Strategy], balance: Decimal
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
        passed = np.ones(len(bar), dtype=np.bool_)
        found.append(_found(candles, stretch.params, bar, side, r, pnl[own] > 0, ended, passed))
    return found


def store(found: Found, *, venue: str, now: datetime) -> int:
    """Write a symbol's samples of a backtest and forget older ones of the same bars; return how many there are.

    In small transactions, so that nobody waits long; a run that dies in between is simply made again.
    """
    candles = found.candles
    rows = [_row(found, place, venue, now) for place in range(len(found.bar))]
    for first in range(0, len(rows), _BATCH):
        Sample.objects.bulk_create(
            rows[first : first + _BATCH], update_conflicts=True, unique_fields=_KEY, update_fields=_REST
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


def gather(*, venue: str, mode: str, now: datetime) -> int:
    """Write samples of trades and of followed refusals that have ended, and return how many are new."""
    known = Sample.objects.filter(source__in=(SampleSource.LIVE, SampleSource.SHADOW), venue=venue)
    before = known.count()
    rows = [*_live(venue, mode, now), *_shadow(venue, mode, now)]
    for first in range(0, len(rows), _BATCH):
        Sample.objects.bulk_create(rows[first : first + _BATCH], ignore_conflicts=True)
    return known.count() - before


def _live(venue: str, mode: str, now: datetime) -> Iterable[Sample]:
    since = _newest(SampleSource.LIVE, venue)
    trades = Trade.objects.filter(status=TradeStatus.CLOSED, mode=mode, closed_at__isnull=False)
    if since:
        trades = trades.filter(closed_at__gte=since)
    rows = {trade.signal_id: trade for trade in trades.select_related("signal")}
    for advice in _advices(rows):
        trade = rows[advice.signal_id]
        risked = abs(float(trade.entry_price) - trade.first_stop) * float(trade.quantity)
        row = features.from_json(advice.features or {})
        if row is not None and risked > 0 and trade.closed_at is not None:
            yield Sample(
                source=SampleSource.LIVE,
                ended_at=trade.closed_at,
                won=trade.pnl > 0,
                r=float(trade.pnl) / risked,
                **_common(advice, row, venue, mode, SampleSource.LIVE, now),
            )


def _shadow(venue: str, mode: str, now: datetime) -> Iterable[Sample]:
    since = _newest(SampleSource.SHADOW, venue)
    outcomes = ShadowOutcome.objects.filter(state=ShadowState.CLOSED, ended_at__isnull=False, r__isnull=False)
    if since:
        outcomes = outcomes.filter(ended_at__gte=since)
    rows = {outcome.signal_id: outcome for outcome in outcomes}
    for advice in _advices(rows):
        outcome, row = rows[advice.signal_id], features.from_json(advice.features or {})
        if row is not None and outcome.ended_at is not None and outcome.r is not None:
            yield Sample(
                source=SampleSource.SHADOW,
                ended_at=outcome.ended_at,
                won=bool(outcome.won),
                r=outcome.r,
                **_common(advice, row, venue, mode, SampleSource.SHADOW, now),
            )


def _advices(signals: Iterable[int]) -> Iterable[Advice]:
    return Advice.objects.filter(source=PREDICTOR, features__isnull=False, signal_id__in=list(signals)).select_related(
        "signal"
    )


def _newest(source: SampleSource, venue: str) -> datetime | None:
    found = Sample.objects.filter(source=source, venue=venue).order_by("-ended_at").values_list("ended_at", flat=True)
    return found.first()


def _common(
    advice: Advice, row: Floats, venue: str, mode: str, source: SampleSource, now: datetime
) -> dict[str, object]:
    signal = advice.signal
    return {
        "venue": venue,
        "mode": mode,
        "weight": WEIGHTS[source],
        "symbol": signal.symbol,
        "timeframe": signal.timeframe,
        "bar_at": signal.bar_at,
        "side": signal.side,
        "features": _packed(row),
        "schema_hash": features.schema_hash(),
        "passed": True,  # who was asked for advice had passed every filter
        "at": now,
    }


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
        features=_packed(found.x[place]),
        schema_hash=features.schema_hash(),
        passed=bool(found.passed[place]),
        won=bool(found.won[place]),
        r=float(found.r[place]),
        at=now,
    )


def _found(
    candles: Candles,
    params: Params,
    bar: Ints,
    side: NDArray[np.int8],
    r: Floats,
    won: NDArray[np.bool_],
    ended: Ints,
    passed: NDArray[np.bool_],
) -> Found:
    x = features.at(candles, analyse(candles, params), bars=bar, sides=side, params=params)
    return Found(candles=candles, bar=bar, side=side, r=r, won=won, ended=ended, passed=passed, x=x)


def _packed(row: Floats) -> bytes:
    return row.astype("<f8").tobytes()


def _sides(signs: Ints) -> NDArray[np.int8]:
    return signs.astype(np.int8)
