"""What was added up once: the same as adding up all rows, whatever comes, changes or goes."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard import results, tallies
from dashboard.models import Tally
from tests import factories, page_factories
from tests.unit.test_sums import assert_same
from trading import selectors
from trading.models import Advice, Order, Signal, SignalStatus, Trade, TradeStatus

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "STRETCH", 4)


def closed(days: float, *, gross: str = "5", **columns: Any) -> Trade:
    """Make a trade that closed so many days ago, with its decision, its advice and its orders."""
    at = NOW - timedelta(days=days)
    trade = factories.closed_trade(at, exit="68000", **columns)
    page_factories.orders_of(trade)
    Trade.objects.filter(pk=trade.pk).update(gross_pnl=Decimal(gross), fees=Decimal(1))
    Signal.objects.filter(pk=trade.signal_id).update(decided_at=at, status=SignalStatus.TAKEN)
    Order.objects.filter(trade=trade).update(created_at=at)
    Advice.objects.create(signal=trade.signal, source="predictor", approve=True, latency_ms=300.0, at=at)
    return trade


def many() -> None:
    for number in range(12):
        closed(20 - number * 1.7, gross=("5", "1", "-3")[number % 3], side=("long", "short")[number % 2])


def anew(what: tallies.Counted) -> Counter[str]:
    return Counter(dict(what.of(what.rows())))


@pytest.mark.parametrize("what", tallies.EVERY, ids=lambda each: each.name)
def test_counts_are_those_of_all_rows_and_few_are_read_again(what: tallies.Counted) -> None:
    many()

    first = tallies.counted(what, now=NOW)
    kept = Tally.objects.filter(name=what.name)
    again = tallies.counted(what, now=NOW)

    # Seconds are floats, whose sum depends on how it is parted.
    assert first == again == pytest.approx(anew(what))
    assert first != Counter()
    assert kept.count() >= 2
    assert max(row.last for row in kept) < max(row.pk for row in what.rows())


def test_what_a_worker_writes_shows_at_the_next_look() -> None:
    many()
    before = tallies.counted(tallies.TRADES, now=NOW)

    closed(0, gross="-2", side="short")

    assert tallies.counted(tallies.TRADES, now=NOW) - before == Counter({"short lost": 1})


def test_what_may_still_change_is_not_kept() -> None:
    many()
    oldest = Trade.objects.earliest("pk")
    Trade.objects.filter(pk=oldest.pk).update(status=TradeStatus.OPEN, closed_at=None)

    assert tallies.counted(tallies.TRADES, now=NOW) == anew(tallies.TRADES)
    assert not Tally.objects.filter(name="trades", last__gte=oldest.pk).exists()

    Trade.objects.filter(pk=oldest.pk).update(status=TradeStatus.CLOSED, closed_at=NOW)
    assert tallies.counted(tallies.TRADES, now=NOW) == anew(tallies.TRADES)
    assert not Tally.objects.filter(name="trades", last__gte=oldest.pk).exists()
    later = NOW + timedelta(days=3)
    assert tallies.counted(tallies.TRADES, now=later) == anew(tallies.TRADES)
    assert Tally.objects.filter(name="trades", last__gte=oldest.pk).exists()


def test_two_who_count_at_once_keep_a_stretch_once() -> None:
    tallies.keep("trades", 1, 4, {"long won": 4}, now=NOW)
    tallies.keep("trades", 1, 4, {"long won": 5}, now=NOW)

    assert Tally.objects.get().counts == {"long won": 4}


def test_what_changed_all_the_same_is_found_and_put_right(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "CHECKED_AT_ONCE", 10_000)
    many()
    for what in tallies.EVERY:
        tallies.counted(what, now=NOW)
    results.sums(since=None, now=NOW)
    others = {results.NAME: results.anew}
    assert tallies.check(now=NOW, others=others) == 0

    Trade.objects.filter(pk=Trade.objects.earliest("pk").pk).update(gross_pnl="-100")
    with caplog.at_level(logging.WARNING):
        wrong = tallies.check(now=NOW + timedelta(hours=1), others=others)

    assert wrong == 2
    assert "put right" in caplog.text
    assert tallies.counted(tallies.TRADES, now=NOW) == anew(tallies.TRADES)
    assert_same(
        results.sums(since=None, now=NOW).summary(), selectors.summary(selectors.closed(since=None, until=None))
    )


def test_those_not_compared_for_longest_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    many()
    tallies.counted(tallies.TRADES, now=NOW)
    monkeypatch.setattr(tallies, "CHECKED_AT_ONCE", 1)
    count = Tally.objects.count()

    for hour in range(count):
        tallies.check(now=NOW + timedelta(hours=hour + 1), others={})

    assert count > 1
    assert Tally.objects.filter(checked_at__gt=NOW).count() == count


@pytest.mark.parametrize("days", [None, 1.0, 3.3, 7.0, 30.0])
def test_results_are_those_of_every_trade(days: float | None) -> None:
    many()
    since = NOW - timedelta(days=days) if days else None
    wanted = selectors.summary(selectors.closed(since=since, until=None))

    for _ in range(2):
        assert_same(results.sums(since=since, now=NOW).summary(), wanted)

    assert Tally.objects.filter(name=results.NAME).count() >= 9


def test_results_cost_the_same_once_their_days_are_kept() -> None:
    many()
    results.sums(since=None, now=NOW)

    with CaptureQueriesContext(connection) as queries:
        results.sums(since=None, now=NOW)

    assert len(queries) <= 4


def test_an_account_without_trades_has_no_results() -> None:
    assert results.sums(since=None, now=NOW).summary() is None
    assert results.sums(since=NOW - timedelta(days=7), now=NOW).summary() is None
