"""Samples of what really came: closed trades, and refused setups that were followed. Again changes nothing.

The features of a setup are those that a model was asked about. Where none was asked (a filter had refused it), or where the
features have changed since, they are computed anew from the candles up to the setup's bar, by the same function.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TypeVar

import numpy as np
from django.db.models import Exists, Model, OuterRef, QuerySet

from mlops import features
from mlops.models import Sample, SampleSource
from mlops.models.shadow import ShadowOutcome, ShadowState
from mlops.samples import BATCH, KEY, REST, WEIGHTS, packed
from trading.core import bitcoin, decision, indicators, timeframes
from trading.core.advising import PREDICTOR
from trading.core.analysis import analyse
from trading.core.candles import Floats
from trading.core.params import Params
from trading.core.types import Side
from trading.models import Advice, ParameterRevision, SignalVerdict, Trade, TradeStatus
from trading.past import Read
from trading.research.inputs import VERDICTS
from trading.selectors.books import books_between
from trading.services import parameters

MOST = 20_000
"""So many of the newest outcomes of a source are looked at; the others have their samples, or no candles."""
LONGEST = 500
"""Bars between the first and the last setup whose features are computed from one reading of candles."""
_FILTERS = VERDICTS[: VERDICTS.index("trading_state")]
_SIGNAL = ("signal_id", "signal__symbol", "signal__timeframe", "signal__bar_at", "signal__side", "signal__revision_id")


Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A setup of which it is known what it made."""

    signal: int
    symbol: str
    timeframe: str
    bar_at: datetime
    side: Side
    revision: int
    ended_at: datetime
    won: bool
    r: float


def gather(*, venue: str, mode: str, now: datetime, read: Read) -> int:
    """Write samples of trades and of followed refusals that have ended and have none yet; return how many there are.

    `read` returns the candles that are traded on.
    """
    count = 0
    for source, found in ((SampleSource.LIVE, _trades(venue, mode)), (SampleSource.SHADOW, _shadows(venue))):
        ordered = sorted(found, key=lambda each: (each.symbol, each.timeframe, each.revision, each.bar_at))
        for first in range(0, len(ordered), BATCH):
            made = _samples(ordered[first : first + BATCH], source, venue=venue, mode=mode, now=now, read=read)
            Sample.objects.bulk_create(made, update_conflicts=True, unique_fields=KEY, update_fields=REST)
            count += len(made)
    return count


def _trades(venue: str, mode: str) -> Iterable[Ended]:
    """Yield closed trades that a model was asked about: what was replayed is a backtest, and no live trade."""
    asked = Advice.objects.filter(signal=OuterRef("signal"), source=PREDICTOR, features__isnull=False)
    closed = Trade.objects.filter(Exists(asked), status=TradeStatus.CLOSED, mode=mode, closed_at__isnull=False)
    columns = ("closed_at", "gross_pnl", "fees", "entry_price", "first_stop", "quantity")
    rows = _without_sample(closed, SampleSource.LIVE, venue).order_by("-closed_at").values_list(*_SIGNAL, *columns)
    for *signal, ended_at, gross, fees, entry, stop, quantity in rows[:MOST]:
        risked, pnl = abs(float(entry) - stop) * float(quantity), gross - fees
        if risked > 0:
            yield _ended(signal, ended_at, won=pnl > 0, r=float(pnl) / risked)


def _shadows(venue: str) -> Iterable[Ended]:
    closed = ShadowOutcome.objects.filter(state=ShadowState.CLOSED, ended_at__isnull=False, r__isnull=False)
    rows = _without_sample(closed, SampleSource.SHADOW, venue).order_by("-ended_at")
    for *signal, ended_at, won, r in rows.values_list(*_SIGNAL, "ended_at", "won", "r")[:MOST]:
        yield _ended(signal, ended_at, won=bool(won), r=r)


def _without_sample(found: QuerySet[Row], source: SampleSource, venue: str) -> QuerySet[Row]:
    known = Sample.objects.filter(
        source=source,
        venue=venue,
        symbol=OuterRef("signal__symbol"),
        timeframe=OuterRef("signal__timeframe"),
        bar_at=OuterRef("signal__bar_at"),
        schema_hash=features.schema_hash(),
    )
    return found.filter(~Exists(known))


def _ended(signal: Sequence[object], ended_at: datetime, *, won: bool, r: float) -> Ended:
    pk, symbol, timeframe, bar_at, side, revision = signal
    assert isinstance(pk, int)
    assert isinstance(bar_at, datetime)
    assert isinstance(revision, int)
    return Ended(
        signal=pk,
        symbol=str(symbol),
        timeframe=str(timeframe),
        bar_at=bar_at,
        side=Side(str(side)),
        revision=revision,
        ended_at=ended_at,
        won=won,
        r=r,
    )


def _samples(
    found: Sequence[Ended], source: SampleSource, *, venue: str, mode: str, now: datetime, read: Read
) -> list[Sample]:
    signals = [each.signal for each in found]
    rows = _asked_about(signals)
    rows |= computed([each for each in found if each.signal not in rows], read)
    failed = SignalVerdict.objects.filter(signal_id__in=signals, passed=False, name__in=_FILTERS)
    refused = set(failed.values_list("signal_id", flat=True))
    return [
        Sample(
            source=source,
            venue=venue,
            mode=mode,
            weight=WEIGHTS[source],
            symbol=each.symbol,
            timeframe=each.timeframe,
            bar_at=each.bar_at,
            ended_at=each.ended_at,
            side=each.side.value,
            features=packed(rows[each.signal]),
            schema_hash=features.schema_hash(),
            passed=each.signal not in refused,
            won=each.won,
            r=each.r,
            at=now,
        )
        for each in found
        if each.signal in rows
    ]


def _asked_about(signals: Collection[int]) -> dict[int, Floats]:
    """Return by signal the features that the predictor was asked about."""
    advices = Advice.objects.filter(source=PREDICTOR, features__isnull=False, signal_id__in=signals)
    rows = {pk: features.from_json(values or {}) for pk, values in advices.values_list("signal_id", "features")}
    return {pk: row for pk, row in rows.items() if row is not None}


def computed(found: Sequence[Ended], read: Read) -> dict[int, Floats]:
    """Return by signal the features at the bar of each; one whose bar is not stored, or is too early, is left out."""
    revisions = ParameterRevision.objects.in_bulk({each.revision for each in found})
    made: dict[int, Floats] = {}
    for (_, _, revision), members in groupby(found, key=lambda each: (each.symbol, each.timeframe, each.revision)):
        params = parameters.params_of(revisions[revision])
        for part in _near(list(members)):
            made |= _at(part, params, read)
    return made


def _near(found: Sequence[Ended]) -> Iterable[list[Ended]]:
    """Yield neighbours in time, so that no reading is long and a gap in the candles costs few."""
    part: list[Ended] = []
    for each in found:
        if part and each.bar_at - part[0].bar_at > LONGEST * timeframes.length(each.timeframe):
            yield part
            part = []
        part.append(each)
    yield part


def _at(found: Sequence[Ended], params: Params, read: Read) -> Mapping[int, Floats]:
    symbol, timeframe = found[0].symbol, found[0].timeframe
    span = timeframes.length(timeframe)
    start, end = found[0].bar_at - decision.history_bars(params, ()) * span, found[-1].bar_at + span
    candles = read(symbol, timeframe, start, end)
    if candles is None or not len(candles):
        return {}
    opened = np.array([timeframes.to_ms(each.bar_at) for each in found], dtype=np.int64)
    place = np.minimum(np.searchsorted(candles.opened, opened), len(candles) - 1)
    is_known = (candles.opened[place] == opened) & (place >= indicators.warmup_bars(params))
    known = [each for each, is_there in zip(found, is_known, strict=True) if is_there]
    x = features.at(
        candles,
        analyse(candles, params),
        bars=place[is_known],
        sides=np.array([each.side.sign for each in known], dtype=np.int8),
        params=params,
        leader=read(bitcoin.leader_of(symbol), timeframe, start, end),
        book=books_between(symbol, found[0].bar_at, end),
    )
    return {each.signal: row for each, row in zip(known, x, strict=True)}
