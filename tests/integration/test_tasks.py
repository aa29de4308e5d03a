"""The periodic tasks over the simulated market, the demo, and what each kind of process has to carry."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone
from django.utils.module_loading import import_string

from tests.engine import assert_books_balance
from trading import tasks, wiring
from trading.core import pair_score
from trading.core.params import Params
from trading.models import Bot, EquityPoint, LastPrice, ParameterRevision, Scan, Signal, TickRun, Trade, Watermark
from trading.services import entries, retention, scanning

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_wiring():  # type: ignore[no-untyped-def]
    wiring.market_data.cache_clear()
    yield
    wiring.market_data.cache_clear()


def test_the_tick_task_marks_the_account_and_judges_every_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "PATIENCE", timedelta(minutes=5))  # a slow machine leaves the rest to the next tick
    assert tasks.tick.delay().get() == "ran"

    bot = Bot.objects.get()
    assert bot.initial_balance == settings.PAPER_BALANCE
    assert_books_balance()  # whether or not a setup was found at this very moment
    assert timezone.now() - bot.last_tick_at < timedelta(seconds=30)  # type: ignore[operator]
    pairs = set(Params().pairs)
    assert set(LastPrice.objects.values_list("symbol", flat=True)) == pairs
    assert set(Watermark.objects.values_list("symbol", flat=True)) == pairs
    assert TickRun.objects.count() == 1


def test_the_scan_task_ranks_every_pair_by_its_score() -> None:
    tasks.scan.delay()

    rows = list(Scan.objects.get().rows.order_by("rank"))
    assert [row.rank for row in rows] == list(range(1, len(Params().pairs) + 1))
    assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
    for row in rows:
        assert set(row.parts) == set(pair_score.POINTS)
        assert row.score == pytest.approx(sum(row.parts.values()), abs=0.001)
        assert all(0 <= points <= pair_score.POINTS[name] for name, points in row.parts.items())


def test_two_scans_of_one_minute_are_one() -> None:
    now = datetime(2026, 3, 1, 12, 0, 3, tzinfo=UTC)
    arguments: dict[str, Any] = {
        "market_data": wiring.market_data(),
        "strategies": wiring.strategy_list(),
        "params": Params(),
    }

    first = scanning.scan(now=now, **arguments)
    second = scanning.scan(now=now + timedelta(seconds=20), **arguments)

    assert first is not None
    assert first == second
    assert Scan.objects.count() == 1


def test_pruning_forgets_old_ticks_and_scans_alone() -> None:
    now = timezone.now()
    for days in (0, 2):
        TickRun.objects.create(job="tick", slot=now - timedelta(days=days), owner="x", started_at=now)
    for days in (1, 100):
        Scan.objects.create(at=now - timedelta(days=days), timeframe="15m")

    retention.prune(now=now)

    assert (TickRun.objects.count(), Scan.objects.count()) == (1, 1)


def test_the_task_of_a_crossed_level_follows_what_is_named_and_judges_nothing() -> None:
    tasks.tick.delay()
    signals = Signal.objects.count()

    assert tasks.supervise.delay(symbols=["BTC/USDT"]).get() == "ran"

    assert Signal.objects.count() == signals


def test_every_periodic_task_expires_before_its_successor_and_has_a_queue() -> None:
    schedule: dict[str, dict[str, Any]] = settings.CELERY_BEAT_SCHEDULE
    for entry in schedule.values():
        assert entry["options"]["expires"] < entry["schedule"]
        assert callable(import_string(entry["task"]))
    for name in ("tick", "supervise"):  # one worker, so that nobody else moves a position meanwhile
        assert settings.CELERY_TASK_ROUTES[f"trading.tasks.{name}"] == {"queue": "trading"}
    assert settings.CELERY_TASK_ROUTES["notifications.tasks.*"] == {"queue": "notify"}
    assert {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()} <= set(settings.CELERY_TASK_QUEUES)
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]


def test_the_demo_gives_a_new_account_a_past() -> None:
    call_command("demo", "--hours", "3", stdout=StringIO())

    bot = Bot.objects.get()
    assert not bot.is_replaying
    assert EquityPoint.objects.count() == 180
    assert Signal.objects.count() > 20
    assert Trade.objects.exists()
    assert ParameterRevision.objects.count() == 2
    assert_books_balance()


def test_the_demo_leaves_an_account_with_a_past_alone() -> None:
    tasks.tick.delay()
    out = StringIO()

    call_command("demo", stdout=out)

    assert "nothing was replayed" in out.getvalue()
    assert ParameterRevision.objects.count() == 1


def test_the_demo_refuses_an_absurd_past() -> None:
    with pytest.raises(CommandError, match="outside 1 to 720"):
        call_command("demo", "--hours", "0")

    assert not Bot.objects.exists()


def test_the_web_process_carries_none_of_the_heavy_packages() -> None:
    code = (
        "import sys, django; django.setup(); import julaba_site.asgi, julaba_site.urls, trading.tasks, dashboard.hub;"
        "print([m for m in ('numpy','numba','pandas','talib','ccxt','xgboost','sklearn','pyarrow') if m in sys.modules])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert printed.stdout.strip() == "[]"
