"""One pause for every process of a venue: through rows, and without the database by each process alone."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from trading.adapters.ccxt_budget import Allowance, HeldBack
from trading.adapters.ccxt_pause import SharedPause
from trading.models import VenuePause
from trading.services import retention

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Watch:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_another_process_hears_of_a_pause_within_a_second() -> None:
    watch = Watch()
    one, other = (SharedPause("binance", monotonic=watch) for _ in range(2))
    assert other.get() is None

    one.set(NOW)

    assert (one.get(), other.get()) == (NOW, None)
    watch.seconds = 1.0
    assert other.get() == NOW
    assert SharedPause("mexc").get() is None


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    SharedPause("binance").set(NOW + timedelta(minutes=5))
    SharedPause("binance").set(NOW + timedelta(minutes=1))

    assert SharedPause("binance").get() == NOW + timedelta(minutes=5)


def test_rows_are_read_once_a_second_in_one_statement_and_written_in_one() -> None:
    pause = SharedPause("binance", monotonic=Watch())

    with CaptureQueriesContext(connection) as read:
        for _ in range(10):
            pause.get()
    with CaptureQueriesContext(connection) as written:
        pause.set(NOW)

    assert (len(read), len(written)) == (1, 1)


def test_without_the_database_the_own_pause_holds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise OperationalError("the database is away")

    pause = SharedPause("binance", monotonic=Watch())
    monkeypatch.setattr(VenuePause.objects, "create", lost)
    monkeypatch.setattr(VenuePause.objects, "filter", lost)

    assert pause.get() is None
    pause.set(NOW)

    assert pause.get() == NOW
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_pauses_that_are_over_are_forgotten() -> None:
    now = timezone.now()
    for hours in (-1, 1):
        VenuePause.objects.create(venue="binance", until=now + timedelta(hours=hours))

    retention.prune(now=now)

    assert VenuePause.objects.get().until == now + timedelta(hours=1)


def test_clients_with_one_allowance_share_a_budget_and_its_reserve() -> None:
    allowance = Allowance()
    public, keyed = allowance.budget(1.0), allowance.budget(7.0)

    public.take(3.5, urgent=False)

    with pytest.raises(HeldBack):
        keyed.take(0.5, urgent=False)
    keyed.take(1.4, urgent=True)
    with pytest.raises(HeldBack) as held:
        public.take(1.0, urgent=True)
    assert timedelta(seconds=1) < held.value.retry_after <= timedelta(seconds=2)
