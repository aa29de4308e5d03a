"""An adviser that did harm counts for nothing, until it no longer does or a person says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from mlops import bypass, scorecard
from mlops.models import Bypass
from mlops.opinions import Source
from mlops.scorecard import Decisions
from trading.models import Event

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _few(settings: Settings) -> None:
    settings.BYPASS_DECISIONS = 40


def source(
    *stopped: tuple[int, float], name: str = "ai", kind: str = "adviser", end: datetime = NOW
) -> dict[str, Source]:
    """Return a source with runs of (count, R) that it alone refused, a minute apart, the last one at `end`."""
    r = np.concatenate([np.full(count, each) for count, each in stopped])
    # A little noise, so that no interval is a point.
    r = r + np.random.default_rng(1).normal(0, 0.05, len(r))
    at = [int((end - MINUTE * (len(r) - 1 - n)).timestamp() * 1000) for n in range(len(r))]
    decisions = Decisions(
        approved=np.zeros(len(r), dtype=np.bool_),
        won=r > 0,
        r=r,
        pnl=20 * r,
        alone=np.ones(len(r), dtype=np.bool_),
        probability=np.full(len(r), 0.3),
        cost=np.zeros(len(r)),
        labels={},
    )
    return {name: Source(name=name, kind=kind, decisions=decisions, at=np.array(at))}


def test_an_adviser_that_refuses_winners_counts_for_nothing_and_people_hear_of_it() -> None:
    bypass.judge(source((40, 1.0)), now=NOW)

    row = Bypass.objects.get()
    assert (row.source, row.began_at, row.ended_at, row.figures["decisions"]) == ("ai", NOW, None, 40)
    assert row.figures["high"] < 0
    assert "-40" in row.reason or "-39" in row.reason
    assert bypass.bypassed() == frozenset({"ai"})
    event = Event.objects.get(kind="bypass")
    assert "The opinion of ai counts for nothing from now on" in event.text
    assert event.payload["source"] == "ai"


@pytest.mark.parametrize(
    "runs",
    [((40, -1.0),), ((39, 1.0),), ((20, 1.0), (20, -1.0)), ((100, 1.0), (40, -1.0))],
    ids=["it saved money", "too few", "nobody can tell", "the newest count"],
)
def test_without_proof_of_harm_an_adviser_keeps_its_word(runs: tuple[tuple[int, float], ...]) -> None:
    bypass.judge(source(*runs), now=NOW)

    assert bypass.bypassed() == frozenset()
    assert not Event.objects.exists()


def test_filters_and_guards_are_never_bypassed() -> None:
    for kind in ("filter", "guard"):
        bypass.judge(source((80, 2.0), name="adx", kind=kind), now=NOW)

    assert bypass.bypassed() == frozenset()


def test_judging_again_says_nothing_new() -> None:
    for minutes in range(3):
        bypass.judge(source((40, 1.0)), now=NOW + minutes * MINUTE)

    assert Bypass.objects.count() == 1
    assert Event.objects.count() == 1


def test_its_word_comes_back_when_the_harm_is_over() -> None:
    bypass.judge(source((40, 1.0)), now=NOW)

    bypass.judge(source((40, 1.0), (35, -1.0)), now=NOW + 35 * MINUTE)

    row = Bypass.objects.get()
    assert (row.ended_at, row.ended_by) == (NOW + 35 * MINUTE, "")
    assert bypass.bypassed() == frozenset()
    assert Event.objects.get(kind="bypass_lifted").text.startswith("The opinion of ai counts again: ")


def test_a_person_gives_it_back_and_what_was_before_counts_no_more() -> None:
    bypass.judge(source((40, 1.0)), now=NOW)

    bypass.lift("ai", reason="the prompt was mended", by="risk", now=NOW + MINUTE)
    bypass.judge(source((40, 1.0)), now=NOW + 2 * MINUTE)
    before = bypass.bypassed()
    bypass.judge(source((40, 1.0), (40, 1.0), end=NOW + 41 * MINUTE), now=NOW + 41 * MINUTE)

    row = Bypass.objects.order_by("pk")[0]
    assert (row.ended_by, row.ended_reason) == ("risk", "the prompt was mended")
    assert before == frozenset()
    assert bypass.bypassed() == frozenset({"ai"})
    assert Event.objects.get(kind="bypass_lifted").payload == {"source": "ai", "by": "risk"}


@pytest.mark.parametrize(
    ("name", "reason", "why"),
    [("ai", "  ", "the reason is missing"), ("ai", "x" * 201, "more than 200"), ("predictor", "so", "is not bypassed")],
)
def test_a_person_needs_a_reason_and_something_to_lift(name: str, reason: str, why: str) -> None:
    bypass.judge(source((40, 1.0)), now=NOW)

    with pytest.raises(bypass.NotBypassed, match=why):
        bypass.lift(name, reason=reason, by="risk", now=NOW)

    assert bypass.bypassed() == frozenset({"ai"})


def test_a_source_is_bypassed_once_at_a_time() -> None:
    Bypass.objects.create(source="ai", began_at=NOW, reason="first", figures={})

    with pytest.raises(IntegrityError):
        Bypass.objects.create(source="ai", began_at=NOW, reason="second", figures={})


def test_asking_who_is_bypassed_is_one_query() -> None:
    with CaptureQueriesContext(connection) as queries:
        bypass.bypassed()

    assert len(queries) == 1


def test_the_judgement_is_that_of_the_scorecard() -> None:
    found = source((40, 1.0))["ai"]

    value = scorecard.value(found.decisions)

    bypass.judge({"ai": found}, now=NOW)
    assert Bypass.objects.get().figures["low"] == value.r.low
