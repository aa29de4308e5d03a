"""Advice in the tick: who is asked, what an answer does, and what becomes of signals that wait for one."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from tests.advisers import Told, opinion, with_advisers
from tests.engine import (
    OPEN_DOORS,
    SYMBOL,
    assert_books_balance,
    close_of,
    enter_at,
    ports_over,
    run_tick,
    series,
    set_params,
)
from trading.core import decision
from trading.core.advising import AI, PREDICTOR, REGIME
from trading.models import Advice, Bot, Signal, SignalStatus, Trade, TradingState
from trading.services import control, parameters, tick
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
SOON, LATER = timedelta(seconds=2), timedelta(seconds=21)


def market(*advisers: Any, **params: Any) -> Ports:
    """Return ports with a setup at the close of the last quiet bar, and put parameters in force."""
    set_params(price_age=600, **params)
    return with_advisers(ports_over(series([QUIET] * 2), enter_at(-1)), *advisers)


def waiting(*advisers: Any, **params: Any) -> tuple[Ports, Signal]:
    """Return ports and the signal that waits for the slow advisers."""
    ports = market(*(advisers or (slow(),)), **params)
    run_tick(ports, close_of(-1))
    signal = Signal.objects.get()
    assert signal.status == SignalStatus.AWAITING
    return ports, signal


def slow(says: Any = None, name: str = AI) -> Told:
    return Told(says, name=name, is_slow=True)


def score_of_the_setup() -> float:
    ports, (_, params) = market(), parameters.in_force(now=close_of(-1))
    candles = ports.market_data.candles(SYMBOL, "15m", now=close_of(-1), limit=400)
    found = decision.find_setup(
        candles, strategies=ports.strategies, params=params, market=ports.market_data.markets()[SYMBOL]
    )
    assert found is not None
    return found[0].score


def verdict(signal: Signal, name: str) -> Any:
    return signal.verdicts.get(name=name)


def test_an_approval_with_enough_confidence_lets_the_trade_in_and_stands_on_record() -> None:
    adviser = Told(
        opinion(True, 0.82, risk="low", against=("late",), model="m-1", prompt="v1", tokens=321, cost_usd=0.002)
    )
    run_tick(market(adviser), close_of(-1))

    signal, row = Signal.objects.get(), Advice.objects.get()
    assert (signal.status, signal.refused_by, signal.advice_due_at) == ("taken", "", None)
    assert (row.signal, row.source, row.approve, row.confidence, row.is_late) == (signal, AI, True, 0.82, False)
    assert (row.risk, row.against, row.model, row.prompt, row.tokens, row.cost_usd) == (
        "low", ["late"], "m-1", "v1", 321, 0.002,
    )  # fmt: skip
    assert row.latency_ms > 0
    assert (verdict(signal, AI).value, verdict(signal, AI).limit) == (0.82, 0.7)
    assert signal.verdicts.order_by("-position").first() == verdict(signal, AI)
    question = adviser.asked[0]
    assert (question.setup.symbol, question.setup.bar_at) == (SYMBOL, signal.bar_at)
    assert question.candles.opened_at(len(question.candles) - 1) == signal.bar_at
    assert Trade.objects.count() == 1
    assert_books_balance()


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (opinion(False, 0.9), "rejects with a confidence of 0.90: needs an approval with 0.70"),
        (opinion(True, 0.69), "approves with a confidence of 0.69: needs an approval with 0.70"),
        (opinion(None, None), "no opinion (it looks so): nothing is entered without one"),
    ],
    ids=["rejected", "not sure enough", "no opinion"],
)
def test_what_the_ai_does_not_approve_is_refused_and_says_why(says: Any, reason: str) -> None:
    run_tick(market(Told(says)), close_of(-1))

    signal = Signal.objects.get()
    assert (signal.status, signal.refused_by, signal.reason) == ("refused", AI, reason)
    assert not Trade.objects.exists()
    assert Advice.objects.filter(signal=signal, source=AI).exists()


def test_losses_in_a_row_raise_what_an_approval_needs() -> None:
    ports = market(Told(opinion(True, 0.85)), cooldown_losses=20)
    run_tick(ports, close_of(-2))
    Bot.objects.update(losses_in_row=2)

    run_tick(ports, close_of(-1))

    assert Signal.objects.get().reason == (
        "approves with a confidence of 0.85: needs an approval with 0.90 after 2 losses in a row"
    )


@pytest.mark.parametrize("refusing", ["filter", "guard"])
def test_nobody_is_asked_about_what_the_rules_refuse(refusing: str) -> None:
    adviser = Told(opinion())
    ports = market(adviser, slow(name="mine"), **({"score_min_unknown": 100, "score_min_choppy": 100, "score_min_ranging": 100,
                   "score_min_trend": 100, "score_min_strong_trend": 100, "score_min_weak_trend": 100}
                   if refusing == "filter" else {}))  # fmt: skip
    run_tick(ports, close_of(-2))
    if refusing == "guard":
        control.tighten(TradingState.CLOSE_ONLY, reason="test", now=close_of(-2))

    run_tick(ports, close_of(-1))

    assert Signal.objects.get().refused_by == {"filter": "score", "guard": "trading_state"}[refusing]
    assert adviser.asked == []
    assert not Advice.objects.exists()


def test_with_the_ai_off_only_the_others_are_asked() -> None:
    ai, model = Told(opinion(False)), Told(opinion(True, 0.6), name=PREDICTOR)

    run_tick(market(ai, model, ai_mode="off"), close_of(-1))

    assert (len(ai.asked), len(model.asked)) == (0, 1)
    assert Signal.objects.get().status == "taken"
    assert not Signal.objects.get().verdicts.filter(name=AI).exists()


def test_an_unlikely_win_is_refused_by_the_model() -> None:
    features = {"atr_fraction": 0.01, "gap": None}
    run_tick(market(Told(opinion(False, 0.31, features=features), name=PREDICTOR), Told(opinion())), close_of(-1))

    signal = Signal.objects.get()
    assert (signal.refused_by, signal.reason) == (PREDICTOR, "probability of a win 0.31, needs 0.50")
    assert Advice.objects.get(source=PREDICTOR).features == features


def test_the_score_with_the_regime_models_part_has_to_reach_the_minimum() -> None:
    score = score_of_the_setup()
    minimum = {name: 0.9 * score for name in OPEN_DOORS if name.startswith("score_min_")}

    run_tick(market(Told(opinion(False, 0.0, influence=0.2), name=REGIME), **minimum), close_of(-1))

    signal = Signal.objects.get()
    assert (signal.refused_by, verdict(signal, "score").passed) == (REGIME, True)
    assert verdict(signal, REGIME).value == pytest.approx(0.8 * score)
    assert verdict(signal, REGIME).limit == pytest.approx(0.9 * score)


def test_a_bypassed_adviser_is_asked_and_ignored() -> None:
    ports = market()
    run_tick(with_advisers(ports, Told(opinion(False)), bypassed=(AI,)), close_of(-1))

    signal = Signal.objects.get()
    assert signal.status == "taken"
    assert "bypassed" in verdict(signal, AI).reason
    assert Advice.objects.get().approve is False


@pytest.mark.parametrize(
    "says",
    [
        ValueError("bad"), KeyError("bad"), ZeroDivisionError(), RuntimeError(), OSError(), DatabaseError("locked"),
        MemoryError(), NotImplementedError(), UnicodeDecodeError("utf-8", b"", 0, 1, "bad"), None, "approve", 7, {},
        opinion(True, math.nan), opinion(True, 7.0), opinion("yes"), opinion(True, "0.99"),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", [AI, PREDICTOR])
def test_an_adviser_that_fails_or_answers_nonsense_has_no_opinion(says: Any, name: str) -> None:
    outcome = run_tick(market(Told(says, name=name), ai_down="refuse"), close_of(-1))

    signal, row = Signal.objects.get(), Advice.objects.get()
    assert outcome is tick.Outcome.RAN
    assert (row.approve, row.confidence) == (None, None)
    assert row.reason
    assert signal.status == ("refused" if name == AI else "taken")
