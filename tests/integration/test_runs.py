"""Runs of research as rows: one worker each, followed, canceled, found again, and never half-written."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, transaction

from trading import backtest, events, runs, tasks
from trading.adapters.candle_store import CandleStore
from trading.core.params import Params
from trading.models import BacktestRun, Event, RunStatus
from trading.research import simulate
from trading.services import attempts, backtesting, lease

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, tzinfo=UTC)
START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 7, tzinfo=UTC)
OPEN = {"score_min_ranging": 0, "score_min_choppy": 0, "adx_min_choppy": 0, "volume_min": 0}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any) -> list[str]:
    """Return the kinds of events that are announced from now on."""
    kinds: list[str] = []
    monkeypatch.setattr(events, "announce", lambda kind, at: kinds.append(kind))
    return kinds


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    candles = simulate.candles(seed=5, symbol="SOL/USDT", timeframe="15m", start=START, stop=END)
    CandleStore(tmp_path / "candles", "import").write(candles)


def ask(by: str = "ann", **changes: Any) -> BacktestRun:
    asked: dict[str, Any] = {
        "params": Params.of({**OPEN, "timeframe": "15m", "pairs": ["SOL/USDT"]}),
        "exchange": "import",
        "start": None,
        "end": None,
        "seed": None,
        "note": "",
        "author": None,
        "now": NOW,
    }
    return backtesting.queue(**{**asked, **changes}, by=by)


def claim(clock: Clock, owner: str = "one", **how: Any) -> backtesting.Work:
    work = backtesting.claim(owner=owner, clock=clock, **how)
    assert work is not None
    return work


def test_a_run_ends_with_the_report_of_the_backtest_command(stored: None) -> None:
    run = ask(start=datetime(2026, 3, 5, tzinfo=UTC), seed=7, note="wider doors")

    assert runs.work()

    run.refresh_from_db()
    expected = backtest.run(
        symbols=["SOL/USDT"], timeframe="15m", start=run.start_at, end=None, values=OPEN, seed=7, exchange="import"
    )
    assert (run.status, run.progress, run.error, run.attempts) == (RunStatus.DONE, 100, "", 1)
    assert run.result == json.loads(json.dumps(expected))
    assert run.result["trades"]
    assert len(run.data_hash) == 64
    assert run.code_version == settings.CODE_VERSION
    assert [line["text"] for line in run.log][:3] == ["begun", "reading candles", "testing 480 bars of 1 symbols"]
    assert Event.objects.filter(kind="run", text=f"Run {run.pk} is done").exists()
    assert not runs.work()


@pytest.mark.parametrize(
    ("_case", "changes", "words"),
    [
        ("no candles", {"exchange": "nobody"}, "no SOL/USDT 15m bars"),
        ("too few bars", {"end": datetime(2026, 3, 3, tzinfo=UTC)}, "96 bars are too few"),
        ("after the last bar", {"start": datetime(2026, 3, 9, tzinfo=UTC)}, "no stored bar closes between"),
        ("what no backtest models", {"params": Params.of({"entry_order": "limit", "pairs": ["SOL/USDT"]})}, "market entries only"),
    ],
)  # fmt: skip
def test_a_mistake_fails_the_run_with_one_sentence(
    stored: None, _case: str, changes: dict[str, Any], words: str
) -> None:
    run = ask(**changes)

    runs.work()

    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert words in run.error
    assert "\n" not in run.error
    assert (run.result, run.data_hash) == (None, "")
    assert not runs.work()


def test_an_error_of_our_own_fails_the_run_and_is_not_hidden(clock: Clock) -> None:
    ask()

    with pytest.raises(ZeroDivisionError), claim(clock):
        _ = 1 / 0

    run = BacktestRun.objects.get()
    assert (run.status, run.error) == (
        RunStatus.FAILED,
        "Julaba itself failed (ZeroDivisionError): see the log of the worker",
    )


def test_a_worker_that_is_told_to_end_leaves_the_run_to_the_next(clock: Clock) -> None:
    ask()

    with pytest.raises(SystemExit), claim(clock):
        raise SystemExit(0)

    assert BacktestRun.objects.get().status == RunStatus.RUNNING


def test_a_full_disk_leaves_no_half_of_a_result(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    ask()
    work = claim(clock)

    def full(*args: object, **columns: object) -> None:
        raise OperationalError("database or disk is full")

    with work.explained(runs.MISTAKES):
        monkeypatch.setattr(events, "emit", full)
        try:
            work.finish({"trades": []}, data_hash="x", code_version="1")
        finally:
            monkeypatch.undo()

    run = BacktestRun.objects.get()
    assert (run.status, run.result, run.data_hash) == (RunStatus.FAILED, None, "")
    assert run.error == "the result could not be stored (database or disk is full): make room and ask again"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError("database or disk is full"), "the database did not take a step of it"),
        (OSError(errno.ENOSPC, "No space left on device"), "a file could not be read or written"),
    ],
)
def test_a_disk_that_is_full_in_the_middle_fails_the_run_with_one_sentence(
    clock: Clock, error: Exception, words: str
) -> None:
    ask()

    with claim(clock).explained(runs.MISTAKES):
        raise error

    run = BacktestRun.objects.get()
    assert run.status == RunStatus.FAILED
    assert words in run.error
    assert "ask again" in run.error


def test_every_step_is_told_and_kept(clock: Clock, heard: list[str]) -> None:
    ask()
    work = claim(clock)
    heard.clear()

    clock.now += timedelta(seconds=20)
    work.step(40, "half of it")
    work.step()

    run = BacktestRun.objects.get()
    assert (run.progress, run.heartbeat_at) == (40, clock.now)
    assert run.log[-1] == {"at": "2026-03-10T00:00:20+00:00", "text": "half of it"}
    assert heard == ["run", "run"]


def test_cancel_stops_the_worker_at_its_next_step(clock: Clock) -> None:
    run = ask()
    work = claim(clock)
    went_on = False

    with work:
        work.step(10)
        backtesting.cancel(run.pk, by="ann", now=NOW)
        work.step(20)
        went_on = True

    run.refresh_from_db()
    assert not went_on
    assert (run.status, run.progress, run.error) == (RunStatus.CANCELED, 10, "canceled by ann")


def test_what_was_canceled_cannot_be_finished(clock: Clock) -> None:
    run = ask()
    with claim(clock) as work:
        backtesting.cancel(run.pk, by="ann", now=NOW)
        work.finish({"trades": []}, data_hash="x", code_version="1")

    run.refresh_from_db()
    assert (run.status, run.result) == (RunStatus.CANCELED, None)
    assert not Event.objects.filter(text__endswith="is done").exists()


def test_only_what_waits_or_runs_can_be_canceled(clock: Clock) -> None:
    run = ask()
    backtesting.cancel(run.pk, by="ann", now=NOW)

    for pk in (run.pk, 999):
        with pytest.raises(backtesting.RunRefused, match=f"there is no run {pk} that waits or runs"):
            backtesting.cancel(pk, by="ann", now=NOW)
    assert backtesting.claim(owner="one", clock=clock) is None


def test_a_person_has_one_run_that_waits(clock: Clock) -> None:
    ask()

    with pytest.raises(backtesting.RunRefused, match="a run of ann waits already"):
        ask()
    assert ask(by="bob").pk
    claim(clock)
    assert ask().pk


def test_the_database_itself_keeps_to_one_run_that_waits() -> None:
    run = ask()

    with pytest.raises(IntegrityError), transaction.atomic():
        BacktestRun.objects.create(
            parameters={}, symbols=[], timeframe="1h", requested_by_name=run.requested_by_name, requested_at=NOW
        )


@pytest.mark.parametrize(
    ("_case", "changes", "words"),
    [
        ("backwards", {"start": END, "end": START}, "is not before the last"),
        ("future", {"start": NOW + timedelta(days=1)}, "has not come yet"),
    ],
)
def test_impossible_dates_are_refused_at_once(_case: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(backtesting.RunRefused, match=words):
        ask(**changes)

    assert not BacktestRun.objects.exists()


def test_one_worker_has_a_run(clock: Clock) -> None:
    ask()
    claim(clock, owner="one")

    assert backtesting.claim(owner="two", clock=clock) is None


def test_a_silent_worker_loses_its_run_and_cannot_write_it(clock: Clock) -> None:
    run = ask()
    lost = claim(clock, owner="one")
    clock.now += backtesting.SILENCE + timedelta(seconds=1)

    again = claim(clock, owner="two")

    assert (again.run.pk, again.run.attempts, again.run.worker) == (run.pk, 2, "two")
    assert again.run.log[-1]["text"] == "begun again, attempt 2: the worker before was lost"
    with pytest.raises(backtesting.RunStopped):
        lost.finish({"of": "one"}, data_hash="x", code_version="1")
    again.finish({"of": "two"}, data_hash="y", code_version="1")
    run.refresh_from_db()
    assert run.result == {"of": "two"}


def test_a_killed_worker_of_this_machine_is_seen_at_once(clock: Clock) -> None:
    ask()
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    owner = f"{socket.gethostname()}:{process.pid}:{lease._machine()}:abc"
    claim(clock, owner=owner)
    assert backtesting.claim(owner="two", clock=clock) is None

    process.kill()
    process.wait()

    assert claim(clock, owner="two").run.attempts == 2


def test_a_run_whose_workers_keep_dying_is_given_up(clock: Clock) -> None:
    run = ask()
    for _ in range(attempts.MOST_ATTEMPTS):
        claim(clock)
        clock.now += backtesting.SILENCE + timedelta(seconds=1)

    assert backtesting.claim(owner="one", clock=clock) is None

    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.error.startswith("its worker was lost 3 times")


def test_the_task_does_what_waits_and_loads_nothing_otherwise(stored: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(runs, "work", lambda: pytest.fail("there was nothing to do"))
        tasks.research.delay()
    run = ask()

    tasks.research.delay()

    run.refresh_from_db()
    assert run.status == RunStatus.DONE


def test_old_runs_are_forgotten_and_unfinished_ones_are_not(clock: Clock) -> None:
    old, waiting = ask(), ask(by="bob")
    with claim(clock, only=old.pk) as work:
        work.finish({"trades": []}, data_hash="x", code_version="1")

    backtesting.prune(now=NOW + backtesting.KEEP)
    assert BacktestRun.objects.count() == 2
    backtesting.prune(now=NOW + backtesting.KEEP + timedelta(days=1))

    assert list(BacktestRun.objects.values_list("pk", flat=True)) == [waiting.pk]


def test_the_command_asks_lists_shows_compares_and_cancels(
    stored: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.json").write_text(json.dumps(OPEN))
    start = ["runs", "start", "--symbols", "SOL/USDT", "--timeframe", "15m", "--by", "ann"]
    call_command(*start, "--params", str(tmp_path / "p.json"), "--note", "wider")
    runs.work()
    call_command(*start)
    runs.work()
    call_command(*start)
    first, second, third = BacktestRun.objects.order_by("pk").values_list("pk", flat=True)

    call_command("runs", "list")
    call_command("runs", "show", str(first))
    call_command("runs", "compare", str(first), str(second))
    call_command("runs", "cancel", str(third), "--by", "ann")
    call_command("runs", "show", str(third))

    said = capsys.readouterr().out
    assert f"{first}: backtest of 1 symbols 15m by ann, done 100 %, wider" in said
    assert "closed_trades" in said
    assert "score_min_ranging" in said
    assert "different candles" not in said
    assert f"{third}: backtest of 1 symbols 15m by ann, canceled 0 %, canceled by ann" in said
    with pytest.raises(CommandError, match="only backtests that are done can be compared"):
        call_command("runs", "compare", str(first), str(third))
    with pytest.raises(CommandError, match="there is no run 999"):
        call_command("runs", "show", "999")


START_SWEEP = ["runs", "start", "--symbols", "SOL/USDT", "--timeframe", "15m", "--by", "ann", "--kind", "sweep"]


def test_the_command_asks_for_a_study(stored: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command(*START_SWEEP, "--vary", "stop_atr=1,2", "--min-trades", "3")

    run = BacktestRun.objects.get()
    assert run.kind == "sweep"
    assert run.plan == {
        "method": "grid", "objective": "sharpe", "points": 50, "min_trades": 3, "vary": ["stop_atr=1,2"],
    }  # fmt: skip
