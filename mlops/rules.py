"""An adviser without a model: seven votes on what a setup looks like, added up in the open.

Its confidence says how far the mean vote lies from the middle, and is no probability: one half where the votes are even,
one where three quarters of them agree. It stands in where there is no key for Gemini, so that everything around advice
works and can be looked at; its answers carry the model's name "rules-1".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from trading.core import advising
from trading.core.advice import Advice, Question
from trading.core.types import Regime, Side

MODEL = "rules-1"
ROUND_TRIP = 0.002
"""Fees of entry and exit as most venues take them; the assumed slippage comes on top."""
REGIMES = {
    Regime.STRONG_TREND: (1.0, 0.0),
    Regime.TREND: (0.85, 0.2),
    Regime.WEAK_TREND: (0.6, 0.5),
    Regime.RANGING: (0.25, 0.9),
    Regime.CHOPPY: (0.1, 0.4),
    Regime.UNKNOWN: (0.0, 0.0),
}
"""How well a regime suits entries with the trend, and entries against an extreme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one look at the setup says: 0 is against it, 1 is for it; `weight` is how much it counts."""

    value: float
    weight: float
    text: str


class Rules:
    """Answers at once and always the same to the same question."""

    name: ClassVar[str] = advising.AI
    is_slow: ClassVar[bool] = False

    def advise(self, question: Question) -> Advice:
        votes = [look(question) for look in LOOKS]
        if any(not math.isfinite(vote.value) for vote in votes):
            return advising.no_opinion(self.name, "an indicator has no value")
        share = sum(vote.value * vote.weight for vote in votes) / sum(vote.weight for vote in votes)
        approves = share >= 0.5
        ranked = sorted(votes, key=lambda vote: vote.value)
        best = ranked[::-1][:2] if approves else ranked[:2]
        return Advice(
            source=self.name,
            approve=approves,
            confidence=min(1.0, 0.5 + 2.0 * abs(share - 0.5)),
            reason=f"{'For' if approves else 'Against'} it: {'; '.join(vote.text for vote in best)}.",
            risk="low" if share >= 0.75 else "medium" if share >= 0.55 else "high",
            against=tuple(vote.text for vote in ranked[:3]),
            model=MODEL,
        )


def regime_fits(question: Question) -> Vote:
    setup = question.setup
    with_trend, against_extreme = REGIMES[setup.regime]
    value = against_extreme if _is_reversion(question) else with_trend
    return Vote(value=value, weight=2.0, text=f"a {_kind(question)} entry in a market that is {_words(setup.regime)}")


def averages_agree(question: Question) -> Vote:
    """Measure how far the averages lie apart in the direction of the entry, in ATR; a reversion wants them close."""
    setup = question.setup
    gap = setup.side.sign * (_of(question, "sma_fast") - _of(question, "sma_slow")) / setup.atr
    value = 1.0 - _rising(abs(gap), 0.0, 4.0) if _is_reversion(question) else _rising(gap, -1.0, 1.5)
    return Vote(value=value, weight=1.0, text=f"the averages lie {gap:+.2f} ATR apart in its direction")


def rsi_has_room(question: Question) -> Vote:
    """Measure how far the price may still go before it is stretched; a reversion wants it stretched the other way."""
    rsi = _of(question, "rsi")
    room = 75.0 - rsi if question.setup.side is Side.LONG else rsi - 25.0
    value = _rising(room, 30.0, 55.0) if _is_reversion(question) else _rising(room, 0.0, 20.0)
    return Vote(value=value, weight=1.0, text=f"an RSI of {rsi:.0f} leaves room of {room:.0f} points")


def volume_is_there(question: Question) -> Vote:
    ratio = _of(question, "volume_ratio")
    return Vote(value=_rising(ratio, 0.6, 1.6), weight=1.0, text=f"volume is {ratio:.2f} times the usual")


def score_is_clear(question: Question) -> Vote:
    setup = question.setup
    spare = setup.score - question.params.score_min(setup.regime)
    return Vote(value=_rising(spare, -5.0, 25.0), weight=1.5, text=f"the score is {spare:+.0f} points from its minimum")


def stop_is_worth_it(question: Question) -> Vote:
    """Measure how many times over the distance to the stop pays for entry and exit."""
    params, setup = question.params, question.setup
    distance = params.stop_atr * setup.atr / setup.price
    times = distance / (ROUND_TRIP + 2.0 * params.slippage)
    return Vote(value=_rising(times, 0.5, 4.0), weight=1.0, text=f"the stop is {times:.1f} times the costs away")


def results_are_good(question: Question) -> Vote:
    """Measure the newest results; without any there is nothing to say, and after losses more is asked."""
    if not question.recent_r:
        return Vote(value=0.5, weight=0.5, text="there are no results yet")
    mean = sum(question.recent_r) / len(question.recent_r)
    value = _rising(mean, -1.0, 1.0) * 0.9 ** min(question.losses_in_a_row, 5)
    text = (
        f"the last {len(question.recent_r)} trades made {mean:+.2f} R each, {question.losses_in_a_row} losses in a row"
    )
    return Vote(value=value, weight=1.0, text=text)


LOOKS: tuple[Callable[[Question], Vote], ...] = (
    regime_fits,
    averages_agree,
    rsi_has_room,
    volume_is_there,
    score_is_clear,
    stop_is_worth_it,
    results_are_good,
)


def _rising(value: float, low: float, high: float) -> float:
    """Return 0 up to `low`, 1 from `high` on, and the straight line between; NaN stays NaN."""
    return min(1.0, max(0.0, (value - low) / (high - low))) if math.isfinite(value) else math.nan


def _of(question: Question, name: str) -> float:
    return question.setup.indicators.get(name, math.nan)


def _is_reversion(question: Question) -> bool:
    return question.setup.strategy == "reversion"


def _kind(question: Question) -> str:
    return "reversion" if _is_reversion(question) else "trend"


def _words(regime: Regime) -> str:
    return regime.value.replace("_", " ")
