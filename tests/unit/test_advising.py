"""From opinions to verdicts: what each adviser may refuse, what no opinion means, and that nobody adds permission."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.core import advising, decision
from trading.core.advice import Advice
from trading.core.advising import AI, PREDICTOR, REGIME, Case
from trading.core.guards import Account
from trading.core.params import Params
from trading.core.sizing import Record
from trading.core.types import Market, Regime, Setup, Side, Verdict

NOW = datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)
MARKET = Market(
    symbol="BTC/USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("0.0001"),
    min_notional=Decimal(5),
    fee_rate=Decimal("0.001"),
)
SETUP = Setup(
    symbol="BTC/USDT",
    timeframe="15m",
    bar_at=NOW - timedelta(minutes=15, seconds=5),
    strategy="trend",
    side=Side.LONG,
    price=100.0,
    atr=1.0,
    regime=Regime.TREND,
    score=61.0,
    indicators={},
)
PASSED = Verdict(name="score", passed=True, value=61.0, limit=40.0, reason="score 61.00, needs 40.00")


def case(*, losses: int = 0, bypassed: tuple[str, ...] = (), is_proposed: bool = False, **params: Any) -> Case:
    return Case(
        params=Params.of(params),
        score=61.0,
        score_min=40.0,
        losses_in_a_row=losses,
        bypassed=bypassed,
        is_proposed=is_proposed,
    )


def said(source: str, approve: bool | None = True, confidence: float | None = 0.9, **columns: Any) -> Advice:
    return Advice(source=source, approve=approve, confidence=confidence, reason="because", **columns)


def only(advice: Advice, view: Case) -> Verdict:
    (verdict,) = advising.verdicts((advice.source,), (advice,), view)
    assert verdict.name == advice.source
    return verdict


@pytest.mark.parametrize(
    ("losses", "confidence", "passes"),
    [(0, 0.70, True), (0, 0.69, False), (1, 0.80, True), (1, 0.79, False), (2, 0.90, True), (2, 0.89, False),
     (7, 0.90, True), (7, 0.89, False)],
)  # fmt: skip
def test_losses_in_a_row_raise_the_confidence_that_an_approval_needs(
    losses: int, confidence: float, passes: bool
) -> None:
    verdict = only(said(AI, confidence=confidence), case(losses=losses))

    assert (verdict.passed, verdict.value) == (passes, confidence)
    assert verdict.limit == {0: 0.7, 1: 0.8, 2: 0.9, 7: 0.9}[losses]


def test_a_rejection_refuses_whatever_its_confidence() -> None:
    assert [only(said(AI, False, share), case()).passed for share in (0.0, 0.4, 0.99)] == [False] * 3
    assert only(said(AI, False, 0.4), case()).reason == "rejects with a confidence of 0.40: needs an approval with 0.70"


@pytest.mark.parametrize(("ai_down", "passes"), [("refuse", False), ("technical", True)])
def test_the_operator_says_what_no_opinion_of_the_ai_means(ai_down: str, passes: bool) -> None:
    silent = only(said(AI, None, None), case(ai_down=ai_down))
    (absent,) = advising.verdicts((AI,), (), case(ai_down=ai_down))

    assert silent.passed is absent.passed is passes
    assert "no opinion (because)" in silent.reason
    assert "no opinion (no answer in time)" in absent.reason
    assert math.isnan(absent.value)


def test_an_advisory_ai_is_shown_and_refuses_nothing() -> None:
    opinions = [said(AI, False, 0.95), said(AI, True, 0.1), said(AI, None, None)]

    assert all(only(each, case(ai_mode="advisory")).passed for each in opinions)
    assert only(opinions[0], case(ai_mode="advisory")).reason.endswith("shown only in advisory mode")


@pytest.mark.parametrize("mode", ["advisory", "hybrid", "autonomous"])
def test_what_the_ai_proposed_itself_needs_its_approval_in_every_mode(mode: str) -> None:
    view = case(ai_mode=mode, ai_down="technical", is_proposed=True)

    assert only(said(AI, True, 0.7), view).passed
    assert not only(said(AI, True, 0.69), view).passed
    assert not only(said(AI, None, None), view).passed
    assert not only(said(AI, influence=0.0), view).passed
    assert not only(said(AI), replace(view, bypassed=(AI,))).passed


def test_a_model_refuses_below_the_least_probability() -> None:
    assert only(said(PREDICTOR, True, 0.5), case()).passed
    below = only(said(PREDICTOR, True, 0.49), case())

    assert not below.passed
    assert below.reason == "probability of a win 0.49, needs 0.50"


@pytest.mark.parametrize(
    ("_case", "advice", "params"),
    [
        ("without influence", said(PREDICTOR, False, 0.1, influence=0.0), {}),
        ("filter off", said(PREDICTOR, False, 0.1), {"ml_filter": False}),
        ("no model", said(PREDICTOR, None, None), {}),
        ("no weight", said(REGIME, False, 0.0, influence=0.0), {}),
        ("no opinion", said(REGIME, None, None, influence=0.2), {}),
    ],
)
def test_what_a_model_has_not_earned_is_shown_and_ignored(_case: str, advice: Advice, params: dict[str, Any]) -> None:
    assert only(advice, case(**params)).passed


def test_the_regime_model_enters_the_score_by_its_weight() -> None:
    # 45 x (1 - 0.12) + 100 x 0.30 x 0.12 = 43.2; at a probability of 0 it is 39.6.
    view = replace(case(), score=45.0)

    kept, lost = (only(said(REGIME, True, share, influence=0.12), view) for share in (0.3, 0.0))

    assert (round(kept.value, 9), kept.limit, kept.passed) == (43.2, 40.0, True)
    assert (round(lost.value, 9), lost.passed) == (39.6, False)
    assert lost.reason == ("score 45.00 becomes 39.60 with a probability of 0.00 at a weight of 0.12, needs 40.00")


def test_no_regime_model_has_more_than_a_fifth_of_the_score() -> None:
    verdict = only(said(REGIME, True, 1.0, influence=1.0), case())

    assert verdict.value == pytest.approx(61.0 * 0.8 + 100.0 * 0.2)


def test_a_bypassed_adviser_is_shown_and_ignored() -> None:
    for source in (AI, PREDICTOR, REGIME, "mine"):
        verdict = only(said(source, False, 0.99, influence=0.2), case(bypassed=(source,)))
        assert verdict.passed
        assert "bypassed" in verdict.reason


def test_an_adviser_of_the_operators_own_may_veto() -> None:
    assert not only(said("mine", False, 0.1), case()).passed
    assert only(said("mine", None, None), case()).passed


NONSENSE: list[tuple[str, Any]] = [
    ("nothing", None),
    ("a word", "yes"),
    ("approval in words", said(AI, "yes")),  # type: ignore[arg-type]
    ("approval as a number", said(AI, 1)),  # type: ignore[arg-type]
    ("not a number", said(AI, True, math.nan)),
    ("infinite", said(AI, True, math.inf)),
    ("seven", said(AI, True, 7.0)),
    ("below nothing", said(AI, True, -0.1)),
    ("confidence in words", said(AI, True, "0.99")),  # type: ignore[arg-type]
    ("confident without a number", said(AI, True, None)),
    ("true as confidence", said(AI, True, True)),
    ("beyond every float", said(AI, True, 10**400)),
]


@pytest.mark.parametrize(("_case", "answer"), NONSENSE, ids=[name for name, _ in NONSENSE])
def test_an_answer_that_makes_no_sense_is_no_opinion(_case: str, answer: Any) -> None:
    found = advising.checked(answer, source=AI)

    assert (found.source, found.approve, found.confidence) == (AI, None, None)
    assert found.reason


def test_what_comes_with_an_answer_is_cut_to_what_a_row_takes() -> None:
    made = advising.checked(
        said(
            "somebody else",
            np.float64(0.5) > 0.4,  # type: ignore[arg-type]
            risk="x" * 99,
            against=["a\x00b", "\ud800"] * 9,
            influence=math.nan,
            tokens=-5,
            cost_usd=math.inf,
            latency_ms=-1.0,
            features={"atr": np.float32(0.5), "gap": math.nan, "text": "no"},
        ),
        source=AI,
    )

    assert (made.source, made.influence, made.tokens, made.cost_usd, made.latency_ms) == (AI, 0.0, 0, 0.0, 0.0)
    assert made.risk == "x" * 10
    assert made.against == ("ab", "?") * 5
    assert made.features == {"atr": 0.5, "gap": None, "text": None}
    assert made.approve is None  # NumPy's own true is none


anything = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(-3, 3), st.text(max_size=4), st.just("\ud800\x00")
)
opinions = st.builds(
    Advice,
    source=st.sampled_from([AI, PREDICTOR, REGIME, "mine"]),
    approve=st.one_of(st.booleans(), anything),
    confidence=st.one_of(st.floats(0, 1), anything),
    reason=st.just("because"),
    influence=st.one_of(st.floats(0, 1), anything),
    against=anything,
    features=st.one_of(st.none(), st.dictionaries(st.text(max_size=3), anything, max_size=2)),
)
parameters = st.fixed_dictionaries(
    {
        "ai_mode": st.sampled_from(["off", "filter", "advisory", "hybrid", "autonomous"]),
        "ai_down": st.sampled_from(["refuse", "technical"]),
        "ml_filter": st.booleans(),
        "ml_min_probability": st.floats(0, 1),
    }
)


@given(
    advices=st.lists(opinions, max_size=6),
    params=parameters,
    losses=st.integers(-1, 9),
    bypassed=st.sets(st.sampled_from([AI, PREDICTOR, REGIME, "mine"])),
    is_proposed=st.booleans(),
    filter_passes=st.booleans(),
    is_active=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_no_advice_makes_a_decision_more_permissive(
    advices: list[Advice],
    params: dict[str, Any],
    losses: int,
    bypassed: set[str],
    is_proposed: bool,
    filter_passes: bool,
    is_active: bool,
) -> None:
    view = case(losses=losses, bypassed=tuple(bypassed), is_proposed=is_proposed, **params)
    alone = decided(view.params, filter_passes=filter_passes, is_active=is_active)

    verdicts = advising.verdicts((PREDICTOR, REGIME, AI, "mine"), advices, view)
    made = decision.advised(alone, verdicts)

    assert made.plan is None or made.plan == alone.plan
    assert (made.plan is not None) == (alone.plan is not None and all(each.passed for each in verdicts))
    assert made.verdicts[: len(alone.verdicts)] == alone.verdicts
    assert (alone.refused_by or made.refused_by) == made.refused_by
    assert all(each.reason for each in verdicts)


@given(advices=st.lists(opinions, max_size=5), more=opinions, params=parameters)
@settings(max_examples=100, deadline=None)
def test_a_further_adviser_never_turns_a_refusal_into_an_entry(
    advices: list[Advice], more: Advice, params: dict[str, Any]
) -> None:
    view, alone = case(**params), decided(Params.of(params))
    few = [each for each in advices if each.source != more.source]
    sources = [each.source for each in few]

    before = decision.advised(alone, advising.verdicts(sources, few, view))
    after = decision.advised(alone, advising.verdicts([*sources, more.source], [*few, more], view))

    assert before.plan is not None or after.plan is None


def decided(params: Params, *, filter_passes: bool = True, is_active: bool = True) -> decision.Decision:
    account = Account(
        now=NOW,
        accepts_entries=is_active,
        equity=Decimal(10_000),
        peak_equity=Decimal(10_000),
        day_opening=Decimal(10_000),
        week_opening=Decimal(10_000),
        open_symbols=frozenset(),
        open_risk=Decimal(0),
        open_notional=Decimal(0),
        last_loss_at=None,
        record=Record(losses_in_row=0, wins_in_row=0, returns=[]),
    )
    by_bars = (replace(PASSED, passed=filter_passes),)
    return decision.decide(SETUP, by_bars, price=100.0, price_at=NOW, account=account, params=params, market=MARKET)
