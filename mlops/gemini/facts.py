"""What Gemini gets to know about a market: numbers and known words, measured on closed bars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from mlops.gemini.prompts import Value, number, word
from trading.core import timeframes
from trading.core.advice import Question
from trading.core.advising import AI
from trading.core.analysis import Analysis
from trading.core.candles import Candles, Floats
from trading.core.params import Params
from trading.core.types import REGIMES

_RETURNS = (1, 4, 16, 96)
"""Bars back that a return is told over."""


def of_question(question: Question) -> dict[str, Value]:
    """Return what is asked about a setup: the setup, its market, the session, and how it went lately."""
    setup, params = question.setup, question.params
    per_price = setup.atr / setup.price if setup.price > 0 else float("nan")
    return {
        "setup": {
            "symbol": setup.symbol,
            "side": setup.side.value,
            "strategy": word(setup.strategy),
            "price": number(setup.price),
            "regime": setup.regime.value,
            "technical_score": number(setup.score),
            "stop_distance": number(per_price * params.stop_atr),
            "targets_r": [params.target_one_r, params.target_two_r, params.target_three_r],
        },
        "market": of_series(question.candles, question.analysis, params),
        "models": {
            advice.source: {"probability": number(advice.confidence, 4), "influence": number(advice.influence, 3)}
            for advice in question.known
            if advice.source != AI and advice.confidence is not None
        },
        "recent": {
            "losses_in_a_row": question.losses_in_a_row,
            "results_r": [number(r, 3) for r in question.recent_r],
        },
    }


def of_series(candles: Candles, analysis: Analysis, params: Params) -> dict[str, Value]:
    """Return the last bar of a series: indicators, their place and way, returns, and the session it closed in."""
    last, close = len(candles) - 1, candles.close
    price = float(close[last])
    measured = {name: float(value) for name, value in analysis.at(last).items()}
    return {
        "timeframe": candles.timeframe,
        "price": number(price),
        "regime": REGIMES[int(measured.pop("regime"))].value,
        "indicators": {name: number(value) for name, value in measured.items()},
        "atr_of_price": number(measured["atr"] / price),
        "from_slow_average": number(price / measured["sma_slow"] - 1.0),
        "rsi_slope": number(_slope(analysis.rsi)),
        "bollinger_place": number(_place(price, measured["bollinger_low"], measured["bollinger_high"])),
        "returns": {
            f"bars_{back}": number(price / float(close[last - back]) - 1.0) for back in _RETURNS if back <= last
        },
        "session": session(candles.closed_at(last), params),
    }


def session(at: datetime, params: Params) -> Mapping[str, Value]:
    """Return the hour and weekday (Monday is 0) in UTC and whether much is traded then."""
    spans = ((params.session_one_start, params.session_one_end), (params.session_two_start, params.session_two_end))
    is_busy = any(start <= at.hour < end for start, end in spans)
    return {"hour": at.hour, "weekday": at.weekday(), "volume": "busy" if is_busy else "quiet"}


def is_fresh(candles: Candles, *, now: datetime) -> bool:
    """Return whether the series ends where it should: its last bar closed less than two bars ago."""
    return now - candles.closed_at(len(candles) - 1) < 2 * timeframes.length(candles.timeframe)


def _slope(values: Floats) -> float:
    """Return the change a bar over the last five."""
    return float((values[-1] - values[-6]) / 5.0) if len(values) > 5 else float("nan")


def _place(price: float, low: float, high: float) -> float:
    """Return where a price lies between two bands: 0 at the lower, 1 at the upper one."""
    return (price - low) / (high - low) if np.isfinite(high - low) and high > low else float("nan")
