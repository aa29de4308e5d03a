"""Many processes and one day's budget: what is booked at once never exceeds it, and what is settled comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from pytest_django import DjangoDbBlocker

from mlops.gemini import breaker, budget
from mlops.models import GeminiState, GeminiUsage
from tests.race.test_one_bar import FILE_OPTIONS, THREADS, in_threads
from trading.services import scratch

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
EACH = 6
"""Questions of every thread, of 1,000 tokens each."""


@pytest.fixture(autouse=True)
def _prices(settings: LazySettings) -> None:
    settings.GEMINI_TOKENS_PER_DAY, settings.GEMINI_USD_PER_DAY = 25_000, Decimal("0.02")
    settings.GEMINI_USD_PER_MILLION_IN, settings.GEMINI_USD_PER_MILLION_OUT = Decimal("0.40"), Decimal("1.40")


def book() -> budget.Booking | None:
    return budget.book(tokens_in=600, tokens_out=400, now=NOW)


@pytest.fixture
def path(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    with django_db_blocker.unblock():
        made = tmp_path / "race.sqlite3"
        with scratch.attached(str(made), FILE_OPTIONS), connection.schema_editor() as editor:
            editor.create_model(GeminiUsage)
        yield made


@pytest.mark.parametrize(("_case", "usd", "granted"), [("tokens", "1", 25), ("money", "0.01", 12)])
def test_what_is_under_way_at_once_stays_within_the_day(
    path: Path, settings: LazySettings, _case: str, usd: str, granted: int
) -> None:
    settings.GEMINI_USD_PER_DAY = Decimal(usd)

    booked = in_threads(path, lambda number: [book() is not None for _ in range(EACH)])

    assert sum(sum(each) for each in booked if isinstance(each, list)) == granted < THREADS * EACH
    with scratch.attached(str(path), FILE_OPTIONS):
        row = GeminiUsage.objects.get()
        assert (row.tokens, row.cost_micro_usd, row.calls) == (1_000 * granted, 800 * granted, granted)


def test_questions_that_come_and_go_leave_exactly_what_they_cost(path: Path) -> None:
    def ask(number: int) -> int:
        asked = 0
        for _ in range(EACH):
            booking = book()
            if booking is not None:
                budget.settle(booking, tokens=100, cost=50, failed=number % 2 == 0)
                asked += 1
        return asked

    asked = in_threads(path, ask)

    calls = sum(each for each in asked if isinstance(each, int))
    with scratch.attached(str(path), FILE_OPTIONS):
        row = GeminiUsage.objects.get()
    assert (row.tokens, row.cost_micro_usd, row.calls) == (100 * calls, 50 * calls, calls)
    assert calls >= 25
    assert row.failures == sum(each for number, each in enumerate(asked) if isinstance(each, int) and number % 2 == 0)


@pytest.mark.django_db
def test_the_database_in_use_counts_questions_and_failures() -> None:
    first, second = book(), book()
    assert first is not None
    assert second is not None
    budget.settle(first, tokens=460, cost=270, failed=False)
    budget.settle(second, tokens=0, cost=0, failed=True)
    breaker.state()
    for _ in range(breaker.FAILURES):
        breaker.failed("no answer", now=NOW, is_quota=False)

    row, state = GeminiUsage.objects.get(), GeminiState.objects.get()
    assert (row.tokens, row.cost_micro_usd, row.calls, row.failures) == (460, 270, 2, 1)
    assert (state.failures_in_row, state.open_until) == (3, NOW + breaker.PAUSE)
