"""Every threshold that an operator may set is the one that is looked at: what the usual one passes over, a closer one tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from mlops.reporter import Reporter
from notifications import kinds
from notifications.admin import AlertRuleForm
from notifications.models import Alert, Contact, Role, WatchMark
from notifications.services import outbox, watch
from tests import factories
from tests.notifications.conftest import NOW
from tests.telegram.launch import BotApi
from trading import market_wiring
from trading.core.feed import Snapshot
from trading.models import (
    BackupRun,
    Bot,
    DayOpening,
    LastPrice,
    ReconcileRun,
    Scan,
    ScanRow,
    TickRun,
    VenuePause,
    Watermark,
)
from trading.services import audit

pytestmark = pytest.mark.django_db
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Outside:
    """What a case may bend besides rows."""

    settings: LazySettings
    monkeypatch: pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _quiet(api: BotApi, people: dict[Role, Contact]) -> None:
    """Make an account of which nothing is to be told at NOW, with parameters that have been in force for long."""
    factories.revision(NOW - HOUR)
    factories.bot(NOW, equity=10_000, peak_equity=10_000, initial_balance=10_000, last_tick_at=NOW, data_at=NOW)
    WatchMark.objects.create(pk=1, looked_at=NOW, up_since=NOW - HOUR)
    TickRun.objects.create(job="tick", slot=NOW, owner="a", started_at=NOW)


def bot(**columns: Any) -> Callable[[Outside], None]:
    return lambda outside: _ignore(Bot.objects.update(**columns))


def opened(days_ago: int, equity: int) -> Callable[[Outside], None]:
    def made(outside: Outside) -> None:
        DayOpening.objects.create(date=NOW.date(), equity=Decimal(10_000 if days_ago else equity))
        if days_ago:
            DayOpening.objects.create(date=NOW.date() - timedelta(days=days_ago), equity=Decimal(equity))

    return made


def row(model: Any, **columns: Any) -> Callable[[Outside], None]:
    return lambda outside: _ignore(model.objects.create(**columns))


def bare(outside: Outside) -> None:
    factories.trade(NOW - MINUTE, unprotected_at=NOW - 5 * SECOND)


def moved(outside: Outside) -> None:
    factories.trade(NOW - MINUTE, symbol="SOL/USDT", entry="100", risk="5", quantity="1")
    LastPrice.objects.create(symbol="SOL/USDT", price=98.0, at=NOW)


def fallen(outside: Outside) -> None:
    for minutes_ago, price in ((50, 100.0), (5, 97.0)):
        made = Scan.objects.create(at=NOW - minutes_ago * MINUTE, timeframe="15m")
        ScanRow.objects.create(scan=made, rank=1, symbol="BTC/USDT", score=1.0, price=price, regime="trend", parts={})


def waiting(outside: Outside) -> None:
    outbox.put(key="x", channel="url:gone", kind="closed", text="x", now=NOW - MINUTE)


def unwatched(outside: Outside) -> None:
    WatchMark.objects.update(looked_at=NOW - 30 * SECOND)


def unbeaten(outside: Outside) -> None:
    TickRun.objects.update(slot=NOW - 25 * SECOND)


def unheard(outside: Outside) -> None:
    class Board:
        def read(self, symbols: object) -> Snapshot:
            return Snapshot(alive_at=NOW - 30 * SECOND)

    outside.settings.EXCHANGE = "binance"
    outside.monkeypatch.setattr(market_wiring, "board", Board)


def erring(outside: Outside) -> None:
    outside.monkeypatch.setattr(Reporter, "accuracy", lambda self: {"Predictor": 0.5})


def apart(outside: Outside) -> None:
    class Ahead:
        def __enter__(self) -> Ahead:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def time(self) -> tuple[int, int]:
            return divmod(int((timezone.now().timestamp() + 1.2) * 1_000_000), 1_000_000)

    outside.monkeypatch.setattr("notifications.services.surroundings.Redis.from_url", lambda *_, **__: Ahead())


def guessed(outside: Outside) -> None:
    for number in range(2):
        audit.record("login_failed", actor="", text="Refused a log-in", at=NOW - number * SECOND)


def _ignore(*_: object) -> None:
    return


FAILED = {"kind": "running", "epoch": 1, "at": NOW, "passed": False, "problem": "timeout"}
CASES: dict[str, tuple[Callable[[Outside], None], float]] = {
    "tick_age": (bot(last_tick_at=NOW - 20 * SECOND), 10),
    "data_old": (bot(data_at=NOW - 100 * SECOND), 60),
    "price_old": (row(LastPrice, symbol="SOL/USDT", price=1.0, at=NOW - 100 * SECOND), 60),
    "bars_old": (row(Watermark, symbol="SOL/USDT", timeframe="15m", bar_at=NOW - 30 * MINUTE - 100 * SECOND), 60),
    "unprotected": (bare, 4),
    "venue_errors": (row(ReconcileRun, **FAILED), 1),
    "balance": (bot(equity=9_500, peak_equity=9_500), 0.04),
    "drawdown": (bot(peak_equity=10_300), 0.02),
    "daily_loss": (opened(0, 10_300), 0.5),
    "weekly_loss": (opened(2, 10_600), 0.5),
    "move": (moved, 0.01),
    "crash": (fallen, 0.02),
    "disk": (lambda outside: None, 0.9999),
    "outbox": (waiting, 30),
    "worker": (unwatched, 20),
    "beat": (unbeaten, 20),
    "stream": (unheard, 20),
    "venue_pause": (row(VenuePause, venue="binance", until=NOW + 30 * SECOND), 10),
    "ml_accuracy": (erring, 0.6),
    "backup_old": (row(BackupRun, kind="backup", at=NOW - 2 * HOUR, passed=True, text="x"), 1),
    "clock": (apart, 0.5),
    "logins": (guessed, 2),
}
"""What happens, which is less than the usual threshold, and a threshold that it reaches."""


@pytest.mark.parametrize("kind", CASES)
def test_a_threshold_that_is_set_is_the_one_in_force(
    kind: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen, closer = CASES[kind]
    happen(Outside(settings, monkeypatch))

    watch.look(now=NOW, is_guard=True)
    assert list(Alert.objects.values_list("kind", flat=True)) == []

    form = AlertRuleForm({"kind": kind, "threshold": str(closer), "is_on": "on"})
    assert form.is_valid(), form.errors
    form.save()
    watch.look(now=NOW, is_guard=True)

    assert set(Alert.objects.values_list("kind", flat=True)) == {kind}


def test_every_threshold_is_tried() -> None:
    assert set(CASES) == {name for name, kind in kinds.CONDITIONS.items() if kind.threshold is not None}
