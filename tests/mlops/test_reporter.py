"""The reports as messages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from mlops import scorecards
from mlops.reporter import Reporter
from notifications.commands import load
from notifications.services.registry import COMMANDS
from tests import factories
from tests.mlops import decided, report_rows

pytestmark = pytest.mark.django_db
load()


def words(parts: object) -> str:
    return str(parts)


def test_without_anything_each_report_says_so() -> None:
    assert "No setup has ended yet over the last 30 days" in words(Reporter().ai_report(days=30))
    assert "('Predictor', 'no model', 'no opinion')" in words(Reporter().ml())
    assert "There are no samples yet" in words(Reporter().ml_report())
    assert Reporter().opinions() == {}


@pytest.mark.parametrize(
    ("days", "over"), [(7, "7 days"), (8, "30 days"), (90, "90 days"), (91, "everything on record")]
)
def test_days_are_answered_from_the_shortest_span_that_holds_them(days: int, over: str) -> None:
    report_rows.fill(timezone.now())

    assert over in Reporter().ai_report(days=days)[0][0]


def test_the_ai_report_tells_figures_values_and_bypasses() -> None:
    now = timezone.now()
    factories.bot(now)
    for hours, (approve, r) in enumerate([(True, 2.0), (True, -1.0), (False, -1.0), (False, 1.5)]):
        at = now - timedelta(hours=hours + 1)
        signal = decided.taken(at, r=r) if approve else decided.refused(at, r=r, by=("ai",))
        decided.advice(signal, "ai", approve=approve, confidence=0.8, cost_usd=0.001)
    report_rows.bypasses(now)
    scorecards.refresh(now=now)

    parts = dict(Reporter().ai_report(days=7))

    rows = {row[0]: row[1] for row in parts["The AI:"]}
    assert rows["Decisions"] == "4"
    assert rows["Approved, won / lost"] == "1 / 1"
    assert rows["Refused, would have won / lost"] == "1 / 1"
    assert rows["Value"] == "\N{MINUS SIGN}0.50 R"
    assert rows["Cost"] == "0.0040 $"
    assert [row[:2] for row in parts["Who earns, who costs, in R with 95 % interval:"]] == [
        ("AI", "\N{MINUS SIGN}0.50")
    ]
    assert any(words.startswith("regime_model counts for nothing: ") for words in parts)


def test_the_ml_report_tells_models_drift_samples_and_trainings() -> None:
    report_rows.fill(timezone.now())

    said = words(Reporter().ml_report())

    for part in (
        "'#2', 'champion', 'AUC 0.612'",
        "has moved far: 0.300",
        "('shadow', '5')",
        "running 62 %",
        "influence 13%",
    ):
        assert part in said


def test_the_commands_are_in_the_menu() -> None:
    assert {"ai_report", "ml", "ml_report", "regime"} <= COMMANDS.keys()
