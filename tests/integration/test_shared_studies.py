"""Studies that workers share: the same report however many help, parts taken again from the dead, nothing kept of the canceled."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import celery.canvas
import kombu.exceptions
import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.utils import timezone

from tests.integration.test_studies import OPEN
from trading import past, replay, runs, sharing, tasks, validation
from trading.adapters.candle_store import CandleStore
from trading.core.params import Params
from trading.models import BacktestRun, RunKind, RunPart, RunStatus
from trading.research import fingerprint, packing, search, simulate
from trading.research.trials import Trial
from trading.services import attempts, backtesting, lease, parts

pytestmark = pytest.mark.django_db

START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC)
SEARCH = {
    "method": "grid",
    "objective": "sharpe",
    "points": 4,
    "min_trades": 1,
    "vary": ["stop_atr=1,2", "fast_sma=5,39"],
}
WALK = {**SEARCH, "vary": ["stop_atr=1,2"], "train": 4, "test": 2, "is_anchored": False}
GRID_CONTRADICTS = {**SEARCH, "vary": ["stop_atr=1,2", "fast_sma=5,60"]}


@pytest.fixture(autouse=True)
def _stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    monkeypatch.setattr(sharing, "PAUSE_S", 0.0)
    candles = simulate.candles(seed=5, symbol="SOL/USDT", timeframe="15m", start=START, stop=END)
    CandleStore(tmp_path / "candles", "import").write(candles)


def ask(kind: str = RunKind.SWEEP, plan: dict[str, Any] = SEARCH) -> BacktestRun:
    return backtesting.queue(
        params=Params.of({**json.loads(OPEN), "timeframe": "15m", "pairs": ["SOL/USDT"]}), exchange="import",
        start=None, end=None, seed=3, note="", author=None, by="ann", now=END, kind=RunKind(kind), plan=plan,
    )  # fmt: skip


def begun(run: BacktestRun) -> backtesting.Work:
    """Claim a run and cut it into parts, as its owner does before it calls for help."""
    held = backtesting.claim(owner=lease.process_name(), clock=timezone.now, only=run.pk)
    assert held is not None
    asked = past.asked_for(held)
    study = sharing.cut(held.run, validation.field_of(asked))
    ground = fingerprint.of(asked.series)
    parts.plan(held.run, study.sizes, ground=ground, code_version=settings.CODE_VERSION)
    return held


def alone(run: BacktestRun) -> dict[str, Any]:
    """Return what one process without parts makes of the same study."""
    stretch = replay.stretch(
        symbols=run.symbols, timeframe=run.timeframe, start=None, end=None, values=run.parameters, exchange="import"
    )
    field, plan, asked = validation.field_of(stretch), sharing.plan_of(run), run.plan or {}
    if run.kind == RunKind.SWEEP:
        return validation.sweep(field, plan, lambda done, of: None)
    names = ("train", "test", "is_anchored")
    return validation.walk(field, plan, lambda done, of: None, **{name: asked[name] for name in names})


@pytest.mark.parametrize(
    ("kind", "plan"),
    [(RunKind.SWEEP, SEARCH), (RunKind.SWEEP, {**GRID_CONTRADICTS, "method": "random"}), (RunKind.WALK, WALK)],
)
def test_parts_together_make_the_report_of_one_process(kind: str, plan: dict[str, Any]) -> None:
    run = ask(kind, plan)
    called: list[tuple[int, int]] = []

    assert runs.work(tell=lambda pk, count: called.append((pk, count)))

    run.refresh_from_db()
    assert (run.status, run.progress, run.error) == (RunStatus.DONE, 100, "")
    expected = json.loads(json.dumps(alone(run)))
    assert {name: (run.result or {})[name] for name in expected} == expected
    assert called == [(run.pk, 4 if kind == RunKind.SWEEP else 3)]
    assert not RunPart.objects.exists()


def test_a_helper_does_parts_and_the_owner_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask()
    held = begun(run)
    taken = parts.claim(held.run, owner="other machine", clock=timezone.now)
    assert taken is not None

    assert runs.help_with(run.pk, number=2) == 3
    assert list(RunPart.objects.order_by("number").values_list("status", flat=True)) == ["running", *["done"] * 3]
    assert parts.runs_that_want_help(now=timezone.now()) == []
    # The other machine is slow: the owner waits for it, and does nothing twice.
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        field = validation.field_of(past.asked_for(taken))
        sharing.do(taken, sharing.cut(run, field), taken.progress, runs.MISTAKES)

    monkeypatch.setattr(time, "sleep", sleep)
    runs.perform(held)

    run.refresh_from_db()
    assert run.status == RunStatus.DONE
    assert waited == [0.0]
    assert (run.result or {})["best"] == json.loads(json.dumps(alone(run)))["best"]


def test_the_log_says_how_many_parts_each_machine_did() -> None:
    run = ask()
    held = begun(run)
    taken = parts.claim(held.run, owner="two:77:x:y", clock=timezone.now)
    assert taken is not None
    field = validation.field_of(past.asked_for(taken))
    sharing.do(taken, sharing.cut(run, field), taken.progress, runs.MISTAKES)

    runs.perform(held)

    run.refresh_from_db()
    by = {"two": 1, lease.process_name().partition(":")[0]: 3}
    said = ", ".join(f"{name} {by[name]}" for name in sorted(by))
    assert f"parts done: {said}" in [line["text"] for line in run.log]


def test_a_part_of_a_worker_that_died_is_done_by_another() -> None:
    run = ask()
    held = begun(run)
    dead = parts.claim(held.run, owner="other machine", clock=lambda: timezone.now() - parts.SILENCE * 2)
    assert dead is not None

    runs.perform(held)

    run.refresh_from_db()
    assert run.status == RunStatus.DONE
    with pytest.raises(attempts.Stopped):
        dead.finish(b"too late")


def test_a_run_whose_owner_died_goes_on_with_the_parts_that_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask()
    begun(run)
    assert runs.help_with(run.pk) == 4
    BacktestRun.objects.update(heartbeat_at=timezone.now() - backtesting.SILENCE * 2)
    monkeypatch.setattr(search, "tried", lambda *_: pytest.fail("every part was done"))

    assert runs.work()

    run.refresh_from_db()
    assert (run.status, run.attempts) == (RunStatus.DONE, 2)


def test_a_canceled_run_stops_its_helpers_and_keeps_nothing() -> None:
    run = ask()
    held = begun(run)
    part = parts.claim(held.run, owner="other machine", clock=timezone.now)
    assert part is not None

    backtesting.cancel(run.pk, by="ann", now=END)

    with pytest.raises(attempts.Stopped, match="its run has ended"):
        part.step()
    with pytest.raises(attempts.Stopped):
        sharing.share(
            held, validation.field_of(past.asked_for(part_less(held))), ground="x", tell=lambda pk, count: None
        )
    assert runs.help_with(run.pk) == 0
    assert not RunPart.objects.exists()


def part_less(held: backtesting.Work) -> Any:
    class Quiet:
        run = held.run

        def step(self, percent: int | None = None, text: str = "") -> None: ...

    return Quiet()


def test_a_part_that_cannot_be_done_fails_the_run_with_its_sentence() -> None:
    run = ask(RunKind.WALK, {**WALK, "vary": ["fast_sma=60,70"]})

    runs.work()

    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.error == "all 2 points contradict themselves: choose values that go together"
    assert not RunPart.objects.exists()


def test_who_has_other_candles_or_another_version_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask()
    begun(run)

    with monkeypatch.context() as patch:
        patch.setattr(settings, "CODE_VERSION", "0.0.1")
        assert runs.help_with(run.pk) == 0
    BacktestRun.objects.update(data_hash="other")
    assert runs.help_with(run.pk) == 0
    CandleStore(settings.JULABA_DATA_DIR / "candles", "import")
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", settings.JULABA_DATA_DIR / "empty")
    assert runs.help_with(run.pk) == 0

    assert set(RunPart.objects.values_list("status", "attempts")) == {(RunStatus.QUEUED, 0)}


def test_a_helper_whose_time_is_over_lets_go_of_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask()
    begun(run)

    def late(*_: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(search, "tried", late)

    assert runs.help_with(run.pk) == 0
    assert set(RunPart.objects.values_list("status", "error")) == {(RunStatus.QUEUED, "")}


def test_a_part_whose_workers_keep_dying_ends_the_run() -> None:
    run = ask()
    held = begun(run)
    for ago in (6, 4, 2):
        at = timezone.now() - parts.SILENCE * ago
        assert parts.claim(held.run, owner="x", clock=lambda at=at: at) is not None  # type: ignore[misc]

    runs.perform(held)

    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.error == "the worker of a part was lost 3 times: ask for fewer bars"


def test_progress_counts_the_points_of_all_workers() -> None:
    held = begun(ask())
    runs.help_with(held.run.pk)
    RunPart.objects.filter(number=3).update(status=RunStatus.RUNNING, done=0)

    sharing._show(held)

    assert parts.done(held.run) == (3, 4)
    assert BacktestRun.objects.get().progress == 20 + 75 * 3 // 4


def test_the_group_and_every_tick_of_beat_find_work_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask()
    begun(run)
    helped: list[dict[str, int]] = []

    def help_with(pk: int, *, number: int = 0) -> int:
        helped.append({"pk": pk, "number": number})
        return 1

    monkeypatch.setattr(runs, "help_with", help_with)

    tasks.research_part.delay(pk=run.pk, number=2)
    tasks.research.delay()
    RunPart.objects.update(status=RunStatus.DONE)
    tasks.research_part.delay(pk=run.pk, number=2)
    tasks.research.delay()

    assert helped == [{"pk": run.pk, "number": 2}, {"pk": run.pk, "number": 0}]


def test_the_task_sends_a_message_for_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask()
    sent: list[dict[str, int]] = []
    monkeypatch.setattr(tasks.research_part, "run", lambda pk, number: sent.append({"pk": pk, "number": number}))

    tasks.research.delay()

    run.refresh_from_db()
    assert run.status == RunStatus.DONE
    assert sent == [{"pk": run.pk, "number": number} for number in range(4)]


def test_without_redis_nobody_is_called_and_the_owner_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask()

    def gone(*_: object, **__: object) -> None:
        raise kombu.exceptions.OperationalError("Redis does not answer")

    monkeypatch.setattr(celery.canvas.group, "apply_async", gone)

    tasks.research.delay()

    run.refresh_from_db()
    assert (run.status, run.error) == (RunStatus.DONE, "")


def test_trials_are_unpacked_as_they_were_packed() -> None:
    trial = Trial(
        values={"stop_atr": 0.1 + 0.2}, trades=3, figures={"sharpe": None, "sqn": 1 / 3}, daily=np.array([0.1, np.pi])
    )

    found = packing.unpack(packing.pack([None, trial, None, trial]))

    assert [found[0], found[2]] == [None, None]
    for each in (found[1], found[3]):
        assert each is not None
        assert (each.values, each.trades, each.figures) == (trial.values, trial.trades, trial.figures)
        assert each.daily.tolist() == trial.daily.tolist()
    assert packing.unpack(packing.pack([])) == []
