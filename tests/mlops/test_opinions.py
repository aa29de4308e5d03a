"""From rows to decisions: who refused alone, what became of it, and what is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlops import opinions, scorecards, upkeep
from mlops.models import Scorecard, ShadowOutcome, ShadowState
from mlops.opinions import Source
from tests import factories
from tests.mlops import decided
from trading.core.params import Params

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sources() -> dict[str, Source]:
    return opinions.sources(opinions.outcomes(), params=Params())


def test_a_filter_decided_alone_where_nobody_else_refused() -> None:
    decided.refused(NOW - 3 * HOUR, r=-1.0, by=("adx",))
    decided.refused(NOW - 2 * HOUR, r=2.0, by=("adx", "volume_ratio"))
    decided.taken(NOW - HOUR, r=1.0)

    adx, volume, score = (sources()[name].decisions for name in ("adx", "volume_ratio", "score"))

    assert adx.approved.tolist() == [False, False, True]
    assert adx.alone.tolist() == [True, False, True]
    assert adx.won.tolist() == [False, True, True]
    assert adx.r[:2].tolist() == [-1.0, 2.0]
    assert (volume.approved.tolist(), volume.alone.tolist()) == ([False], [False])
    assert (score.approved.tolist(), score.alone.tolist()) == ([True] * 3, [False, False, True])


def test_a_trades_result_is_its_own_after_fees() -> None:
    decided.taken(NOW, r=1.0)

    adx = sources()["adx"].decisions

    fees = 0.001 * (67_000 + 68_000) * 0.1
    assert adx.pnl.tolist() == pytest.approx([100 - fees])
    assert adx.r.tolist() == pytest.approx([(100 - fees) / 100])


def test_what_has_no_outcome_is_not_counted() -> None:
    factories.signal(NOW, refused_by="adx", reason="no")
    open_one = decided.refused(NOW - HOUR, r=1.0)
    ShadowOutcome.objects.filter(signal=open_one).update(state=ShadowState.OPEN, r=None, won=None, pnl=None)
    void = decided.refused(NOW - 2 * HOUR, r=1.0)
    ShadowOutcome.objects.filter(signal=void).update(state=ShadowState.VOID, r=None, won=None, pnl=None)
    factories.trade(NOW)

    assert opinions.outcomes() == []
    assert sources() == {}


def test_the_ai_is_sure_of_its_answer_and_a_model_of_the_win() -> None:
    rejected = decided.refused(NOW - 2 * HOUR, r=-1.0, by=("ai",))
    decided.advice(rejected, "ai", approve=False, confidence=0.9, cost_usd=0.002)
    decided.advice(rejected, "predictor", approve=True, confidence=0.6)
    approved = decided.taken(NOW - HOUR, r=1.0)
    decided.advice(approved, "ai", approve=True, confidence=0.7, cost_usd=0.001)
    decided.advice(approved, "predictor", approve=None, confidence=None)

    ai, predictor = (sources()[name] for name in ("ai", "predictor"))

    assert (ai.kind, predictor.kind, sources()["adx"].kind) == ("adviser", "adviser", "filter")
    assert ai.decisions.probability.tolist() == pytest.approx([0.1, 0.7])
    assert ai.decisions.approved.tolist() == [False, True]
    assert ai.decisions.alone.tolist() == [True, True]
    assert ai.decisions.cost.tolist() == [0.002, 0.001]
    assert ai.decisions.labels["confidence"].names == ("0.7 to 0.8", "0.9 to 1.0")
    assert ai.decisions.labels["prompt"].names == ("filter-1 0a1b2c",)
    assert (predictor.decisions.approved.tolist(), predictor.decisions.alone.tolist()) == ([True], [False])
    assert predictor.decisions.probability.tolist() == [0.6]


def test_an_approval_that_was_not_sure_enough_is_a_refusal_and_a_late_one_is_none() -> None:
    unsure = decided.refused(NOW - 2 * HOUR, r=2.0, by=("ai",))
    decided.advice(unsure, "ai", approve=True, confidence=0.6)
    late = decided.taken(NOW - HOUR, r=1.0)
    decided.advice(late, "ai", approve=False, is_late=True)

    assert sources()["ai"].decisions.approved.tolist() == [False]


def test_hours_are_those_of_the_bars_close_and_guards_are_told_apart() -> None:
    bars = {"timeframe": "1h"}
    decided.refused(NOW, r=1.0, by=("open_trades",), bar_at=NOW.replace(hour=7), **bars)
    decided.refused(NOW + HOUR, r=1.0, by=("open_trades",), bar_at=NOW.replace(hour=9), **bars)
    decided.refused(NOW + 2 * HOUR, r=1.0, by=("open_trades",), bar_at=NOW.replace(hour=12), **bars)

    source = sources()["open_trades"]

    assert source.kind == "guard"
    labels = source.decisions.labels["session"]
    assert [labels.names[code] for code in labels.codes] == ["quiet", "quiet", "busy, second"]


def test_only_the_newest_are_counted_and_a_span_cuts_by_the_decision() -> None:
    for hours in range(6):
        decided.refused(NOW - hours * HOUR, r=float(hours + 1))

    newest = opinions.sources(opinions.outcomes(most=4), params=Params())["adx"]

    assert newest.decisions.r.tolist() == [4.0, 3.0, 2.0, 1.0]
    assert newest.since(NOW - HOUR).decisions.r.tolist() == [2.0, 1.0]


def test_figures_are_kept_by_span_and_written_anew_only_when_something_ended() -> None:
    assert not upkeep.is_stale(now=NOW)
    decided.refused(NOW - timedelta(days=40), r=-1.0)
    decided.refused(NOW - timedelta(days=2), r=2.0)
    assert upkeep.is_stale(now=NOW)

    scorecards.refresh(now=NOW)

    kept = {row.days: row.figures for row in Scorecard.objects.all()}
    assert {days: (each["outcomes"], each["won"]) for days, each in kept.items()} == {
        0: (2, 1), 90: (2, 1), 30: (1, 1), 7: (1, 1),
    }  # fmt: skip
    adx = kept[0]["sources"]["adx"]
    assert (adx["tn"], adx["fn"], adx["kind"], adx["value"]["r"]["actual"]) == (1, 1, "filter", -1.0)
    assert kept[7]["sources"]["adx"]["value"]["r"]["actual"] == -2.0
    assert not upkeep.is_stale(now=NOW + upkeep.REFRESH)
    decided.refused(NOW, r=1.0)
    assert not upkeep.is_stale(now=NOW + timedelta(minutes=1))
    assert upkeep.is_stale(now=NOW + upkeep.REFRESH)
