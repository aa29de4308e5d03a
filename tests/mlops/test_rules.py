"""The adviser without a model: its votes by hand, continuous, and silent where something is missing."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops import adviser, rules
from mlops.rules import Rules
from trading.core.advice import Question
from trading.core.analysis import analyse
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.types import Regime, Setup, Side

CANDLES = Candles(
    symbol="BTC/USDT",
    timeframe="15m",
    opened=900_000 * np.arange(3, dtype=np.int64),
    open=np.full(3, 100.0),
    high=np.full(3, 101.0),
    low=np.full(3, 99.0),
    close=np.full(3, 100.0),
    volume=np.full(3, 10.0),
)
ANALYSIS = analyse(CANDLES, Params())
GOOD = {"sma_fast": 101.0, "sma_slow": 100.0, "rsi": 58.0, "volume_ratio": 1.4}


def question(*, recent_r: tuple[float, ...] = (), losses: int = 0, **columns: Any) -> Question:
    indicators = {**GOOD, **columns.pop("indicators", {})}
    values: dict[str, Any] = {
        "symbol": "BTC/USDT", "timeframe": "15m", "bar_at": datetime(2026, 3, 2, tzinfo=UTC), "strategy": "trend",
        "side": Side.LONG, "price": 100.0, "atr": 0.5, "regime": Regime.TREND, "score": 60.0, **columns,
    }  # fmt: skip
    return Question(
        setup=Setup(**values, indicators=indicators),
        candles=CANDLES,
        analysis=ANALYSIS,
        params=Params(),
        losses_in_a_row=losses,
        recent_r=recent_r,
    )


def test_the_votes_add_up_as_computed_by_hand() -> None:
    # Regime .85 x 2; averages 2 ATR apart: 1; RSI 17 of 20 points: .85; volume (1.4 - .6) / 1: .8;
    # score 20 above 40: 25/30 x 1.5; stop 1 % against .3 %: (3.333 - .5) / 3.5; no results: .5 x .5.
    votes = 2 * 0.85 + 1.0 + 0.85 + 0.8 + 1.5 * 25 / 30 + (10 / 3 - 0.5) / 3.5 + 0.25

    advice = Rules().advise(question())

    assert advice.approve is True
    assert votes / 8.0 == pytest.approx(0.83244, abs=1e-5)
    assert advice.confidence == 1.0
    assert (advice.source, advice.model, advice.tokens, advice.cost_usd) == ("ai", "rules-1", 0, 0.0)
    assert len(advice.against) == 3
    assert advice.against[0] == "there are no results yet"
    assert advice.reason.startswith("For it: the averages lie +2.00 ATR apart in its direction; ")


def test_even_votes_are_half_a_confidence_and_each_percent_beyond_counts_twice() -> None:
    # As above, in a weak trend (.6 x 2) with thin volume (.1) and a score 5 below its minimum of 30 (0): 3.81 of 8.
    advice = Rules().advise(
        question(regime=Regime.WEAK_TREND, score=25.0, indicators={"volume_ratio": 0.7, "rsi": 66.0})
    )

    votes = 2 * 0.6 + 1.0 + 0.45 + 0.1 + 0.0 + (10 / 3 - 0.5) / 3.5 + 0.25
    assert advice.approve is False
    assert advice.confidence == pytest.approx(0.5 + 2 * (0.5 - votes / 8.0))


def test_a_trend_entry_in_a_choppy_market_against_its_averages_is_rejected() -> None:
    bad = {"sma_fast": 99.0, "rsi": 74.0, "volume_ratio": 0.6}

    advice = Rules().advise(question(regime=Regime.CHOPPY, score=80.0, indicators=bad, recent_r=(-1.0,) * 4, losses=4))

    assert advice.approve is False
    assert advice.confidence is not None
    assert advice.confidence > 0.7
    assert advice.risk == "high"
    assert advice.reason.startswith("Against it: ")


def test_a_short_mirrors_a_long() -> None:
    mirrored = {"sma_fast": 99.0, "sma_slow": 100.0, "rsi": 42.0}

    long, short = Rules().advise(question()), Rules().advise(question(side=Side.SHORT, indicators=mirrored))

    assert short.confidence == pytest.approx(long.confidence)


def test_a_reversion_wants_a_ranging_market_and_a_stretched_price() -> None:
    stretched = {"rsi": 24.0, "sma_fast": 100.2}
    ranging = question(strategy="reversion", regime=Regime.RANGING, score=70.0, indicators=stretched)
    trending = question(strategy="reversion", regime=Regime.STRONG_TREND, score=70.0, indicators=stretched)

    one, other = Rules().advise(ranging), Rules().advise(trending)

    assert one.approve
    assert share(one) > share(other)


def test_worse_results_and_longer_streaks_never_raise_its_confidence() -> None:
    shares = [
        share(Rules().advise(question(regime=Regime.WEAK_TREND, score=32.0, recent_r=results, losses=losses)))
        for results, losses in [((0.5,) * 5, 0), ((0.0,) * 5, 1), ((-0.5,) * 5, 2), ((-1.0,) * 5, 5)]
    ]

    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == 4


@pytest.mark.parametrize("name", ["sma_fast", "sma_slow", "rsi", "volume_ratio"])
def test_without_a_value_it_has_no_opinion(name: str) -> None:
    advice = Rules().advise(question(indicators={name: math.nan}))

    assert (advice.approve, advice.confidence) == (None, None)
    assert advice.reason == "an indicator has no value"


@given(
    rsi=st.floats(0, 100),
    volume=st.floats(0, 5),
    score=st.floats(0, 100),
    gap=st.floats(-5, 5),
    regime=st.sampled_from(list(Regime)),
    side=st.sampled_from(list(Side)),
    strategy=st.sampled_from(["trend", "reversion", "ai_proposal"]),
    recent=st.lists(st.floats(-3, 5), max_size=10),
)
@settings(max_examples=100, deadline=None)
def test_its_answer_is_sound_and_moves_little_where_the_setup_does(
    rsi: float, volume: float, score: float, gap: float, regime: Regime, side: Side, strategy: str, recent: list[float]
) -> None:
    indicators = {"rsi": rsi, "volume_ratio": volume, "sma_fast": 100.0 + gap}
    asked = question(
        regime=regime, side=side, strategy=strategy, score=score, indicators=indicators, recent_r=tuple(recent)
    )
    nearly = replace(
        asked, setup=replace(asked.setup, score=score + 0.01, indicators={**asked.setup.indicators, "rsi": rsi + 0.01})
    )

    one, other = Rules().advise(asked), Rules().advise(nearly)

    assert one == Rules().advise(asked)
    assert one.confidence is not None
    assert 0.5 <= one.confidence <= 1.0
    assert abs(share(one) - share(other)) < 0.002


def test_every_regime_has_its_votes() -> None:
    assert set(rules.REGIMES) == set(Regime)


def test_without_a_key_the_rules_speak_for_the_ai(settings: Any) -> None:
    settings.GEMINI_API_KEY = ""
    assert isinstance(adviser.choose(), Rules)

    settings.GEMINI_API_KEY = "a key"
    chosen = adviser.choose()
    assert (chosen.name, chosen.is_slow) == ("ai", True)


def share(advice: Any) -> float:
    """Return the confidence on one scale, whichever way the answer went."""
    return float(advice.confidence if advice.approve else 1.0 - advice.confidence)
