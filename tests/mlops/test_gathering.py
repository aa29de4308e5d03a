"""Closed trades and followed refusals as samples: once each, with the features that were served, or would have been."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlops import features, gathering
from mlops.models import Sample, ShadowOutcome, ShadowState
from tests import factories
from tests.mlops.learned import BAR, NOW, VENUE, planted, walk
from trading.core import decision
from trading.core.analysis import analyse
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.types import Side
from trading.models import Advice, Signal, SignalVerdict
from trading.past import Read

pytestmark = pytest.mark.django_db
NEEDED = decision.history_bars(Params(), ())
PAIR, LEADER = (walk(seed, NEEDED + 700, symbol=symbol) for seed, symbol in ((12, "ETH/USDT"), (13, "BTC/USDT")))


def nothing(symbol: str, timeframe: str, start: datetime, end: datetime) -> Candles | None:
    return None


def gather(read: Read = nothing, *, now: datetime = NOW) -> int:
    return gathering.gather(venue=VENUE, mode="paper", now=now, read=read)


def reading(*series: Candles) -> Read:
    """Return what reads these series."""

    def read(symbol: str, timeframe: str, start: datetime, end: datetime) -> Candles | None:
        for each in series:
            if each.symbol == symbol:
                assert timeframe == each.timeframe
                inside = np.flatnonzero(
                    (each.opened >= start.timestamp() * 1e3) & (each.opened < end.timestamp() * 1e3)
                )
                return each.slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else None
        return None

    return read


def advised(signal: Signal, row: Any, **columns: Any) -> Advice:
    values = {"source": "predictor", "features": features.as_json(row), "at": NOW, "reason": "no model"}
    return Advice.objects.create(signal=signal, **{**values, **columns})


def followed(signal: Signal, *, r: float = -1.05, **columns: Any) -> ShadowOutcome:
    values = {
        "refused_by": signal.refused_by,
        "state": ShadowState.CLOSED,
        "due_at": NOW,
        "next_bar_at": NOW,
        "r": r,
        "won": r > 0,
        "ended_at": NOW - timedelta(hours=4),
    }
    return ShadowOutcome.objects.create(signal=signal, **{**values, **columns})


def refused_at(bar: int, *, by: str = "adx", side: Side = Side.SHORT) -> Signal:
    """Make a refused setup at a bar of PAIR, which nobody was asked about, and follow it to its end."""
    at = PAIR.opened_at(bar)
    signal = factories.signal(at + BAR, refused_by=by, reason="no", symbol=PAIR.symbol, bar_at=at, side=side.value)
    followed(signal)
    return signal


def kept(signal: Signal) -> Floats:
    return np.frombuffer(bytes(Sample.objects.get(bar_at=signal.bar_at).features))


def served(bar: int, side: Side = Side.SHORT) -> Floats:
    """Return the row that a model would have been asked about in a tick at the close of a bar of PAIR."""
    seen, leader = (each.slice(bar + 1 - NEEDED, bar + 1) for each in (PAIR, LEADER))
    return features.last(seen, analyse(seen, Params()), side=side, params=Params(), leader=leader)


def test_closed_trades_and_followed_refusals_become_samples_once() -> None:
    rows = planted(3, edge=0.0).x.astype(np.float64)
    trade = factories.closed_trade(NOW - timedelta(hours=3), exit="68500")
    advised(trade.signal, rows[0])
    factories.closed_trade(NOW - timedelta(hours=2), exit="66000", symbol="ETH/USDT")  # nobody was asked
    open_one = factories.trade(NOW - timedelta(hours=1), symbol="SOL/USDT")
    advised(open_one.signal, rows[1])
    refused = factories.signal(NOW - timedelta(hours=5), refused_by="predictor", reason="unlikely")
    advised(refused, rows[2])
    followed(refused)

    assert gather() == 2
    assert gather(now=NOW + BAR) == 0

    live, shadow = Sample.objects.get(source="live"), Sample.objects.get(source="shadow")
    assert (live.bar_at, live.weight, live.won, live.mode) == (trade.signal.bar_at, 1.0, True, "paper")
    assert live.r == pytest.approx(float(trade.pnl) / 100.0)
    np.testing.assert_array_equal(np.frombuffer(bytes(live.features)), rows[0])
    assert (shadow.weight, shadow.won, shadow.r, shadow.bar_at) == (0.3, False, -1.05, refused.bar_at)
    assert shadow.passed


def test_a_setup_that_a_filter_refused_teaches_with_the_features_that_would_have_been_served() -> None:
    bars = (NEEDED + 3, NEEDED + 90, NEEDED + 640)
    signals = [refused_at(bar) for bar in bars]

    assert gather(reading(PAIR, LEADER)) == 3

    for bar, signal in zip(bars, signals, strict=True):
        np.testing.assert_allclose(kept(signal), served(bar), rtol=1e-7, atol=1e-9)
        made = Sample.objects.get(bar_at=signal.bar_at)
        assert (made.source, made.weight, made.side, made.passed) == ("shadow", 0.3, "short", False)
        missing = {features.NAMES[place] for place in np.flatnonzero(np.isnan(kept(signal)))}
        assert missing == {"order_book_imbalance", "funding_rate", "open_interest_change"}
    assert gather(reading(PAIR, LEADER)) == 0


def test_what_a_guard_refused_had_passed_every_filter() -> None:
    by_guard, by_both = refused_at(NEEDED + 9, by="cool_down"), refused_at(NEEDED + 19, by="volume_ratio")
    SignalVerdict.objects.create(signal=by_both, position=9, name="daily_loss", passed=False, reason="no")

    gather(reading(PAIR, LEADER))

    assert Sample.objects.get(bar_at=by_guard.bar_at).passed
    assert not Sample.objects.get(bar_at=by_both.bar_at).passed


def test_without_the_bar_or_the_warm_up_there_is_no_sample_until_there_is() -> None:
    signal, early = refused_at(NEEDED + 9), refused_at(50)

    assert gather() == 0
    assert gather(reading(PAIR.slice(0, NEEDED + 9))) == 0
    assert gather(reading(PAIR)) == 1

    assert Sample.objects.get().bar_at == signal.bar_at != early.bar_at
    assert np.isnan(kept(signal)[features.NAMES.index("bitcoin_correlation")])


def test_what_ends_late_is_not_forgotten_for_what_ended_after_it() -> None:
    refused_at(NEEDED + 50)
    gather(reading(PAIR))
    late = refused_at(NEEDED + 9)
    ShadowOutcome.objects.filter(signal=late).update(ended_at=NOW - timedelta(days=3))

    assert gather(reading(PAIR)) == 1


def test_other_features_of_old_are_computed_anew_and_take_the_samples_place() -> None:
    bar = NEEDED + 30
    signal = factories.signal(PAIR.closed_at(bar), symbol=PAIR.symbol, bar_at=PAIR.opened_at(bar))
    factories.closed_trade(PAIR.closed_at(bar + 9), exit="68500", signal=signal, symbol=PAIR.symbol)
    advised(signal, planted(1, edge=0.0).x[0].astype(np.float64), features={"version": 1.0, "rsi": 50.0})
    stale = {"source": "live", "venue": VENUE, "symbol": PAIR.symbol, "timeframe": "15m", "bar_at": signal.bar_at}
    Sample.objects.create(
        **stale, mode="paper", weight=1.0, side="long", features=b"", schema_hash="old", passed=True, won=False, r=-1.0,
        ended_at=NOW, at=NOW,
    )  # fmt: skip

    assert gather(reading(PAIR, LEADER)) == 1

    made = Sample.objects.get()
    assert (made.schema_hash, made.won) == (features.schema_hash(), True)
    np.testing.assert_allclose(kept(signal), served(bar, Side.LONG), rtol=1e-7, atol=1e-9)
    assert gather(reading(PAIR, LEADER)) == 0


def test_trades_of_the_other_money_are_no_samples() -> None:
    real = factories.closed_trade(NOW - timedelta(hours=3), exit="68500", mode="live")
    advised(real.signal, planted(1, edge=0.0).x[0].astype(np.float64))

    assert gather() == 0
