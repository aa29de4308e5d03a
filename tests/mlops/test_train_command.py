"""Training from the command line and by schedule: rows that are claimed once, begun again, and end with a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client

from mlops import dataset, files, formats, pipeline, registry, runs, samples, tasks, training, training_desk, validation
from mlops.models import ModelKind, ModelStatus, ModelVersion, Sample, TrainingRun
from mlops.runs import TrainingRefused, TrainingStopped
from tests import factories
from tests.mlops.learned import NOW, planted, stored, version, walk
from trading import wiring
from trading.adapters.candle_store import CandleStore
from trading.models import Event, RunStatus
from trading.services import attempts, lease

pytestmark = pytest.mark.django_db
KIND = ModelKind.PREDICTOR
SYMBOLS = ("BTC/USDT", "ETH/USDT")
ASKED = ("--candles", "stored", "--symbols", *SYMBOLS, "--timeframe", "15m", "--by", "ann", "--threads", "1")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.JULABA_DATA_DIR = tmp_path
    quick = training.Settings(rounds=80, patience=20, learning_rate=0.1)
    monkeypatch.setattr(training, "Settings", lambda **how: replace(quick, **how))
    monkeypatch.setattr(validation, "DRAWS", 150)
    wiring.forget()
    yield
    wiring.forget()


@pytest.fixture
def candles(tmp_path: Path) -> None:
    for seed, symbol in enumerate(SYMBOLS):
        CandleStore(tmp_path / "candles", "import").write(walk(seed, 3_000, symbol=symbol))


def clock() -> datetime:
    return NOW


def queued(**options: Any) -> TrainingRun:
    return runs.queue(KIND, options=options, by="ann", now=NOW)


def claimed(owner: str = "one", *, now: datetime = NOW) -> runs.Work | None:
    return runs.claim(owner=owner, clock=lambda: now)


@pytest.mark.usefixtures("candles")
def test_one_command_makes_samples_and_a_model_that_says_why_it_was_refused() -> None:
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("train", "predictor", *ASKED, "--json", stdout=out)

    report = json.loads(out.getvalue())
    model = ModelVersion.objects.get()
    assert ended.value.code == 1
    assert (report["status"], report["venue"], report["samples"]) == ("refused", "import", Sample.objects.count())
    assert report["reason"] == model.reason != ""
    assert set(Sample.objects.values_list("symbol", flat=True)) == set(SYMBOLS)
    assert Sample.objects.values("bar_at", "symbol").distinct().count() == Sample.objects.count() > 100
    run = TrainingRun.objects.get()
    assert (run.status, run.version, run.progress, run.requested_by_name) == (RunStatus.DONE, model, 100, "ann")
    assert any("setups in 3000 bars" in line["text"] for line in run.log)


@pytest.mark.usefixtures("candles")
def test_where_there_is_an_edge_the_command_ends_with_a_champion() -> None:
    stored(planted(1_500, edge=1.5), venue="import", symbol="SOL/USDT")
    out = StringIO()

    call_command("train", "predictor", *ASKED, "--setups", "taken", stdout=out)

    model = registry.champion(KIND)
    assert model is not None
    assert model.metrics["auc"] > 0.65
    assert model.created_by_name == "ann"
    assert f"{model}: champion, there was no champion" in out.getvalue()
    assert model.data_hash == dataset.load(venues={"import"}, timeframe="15m", mode="paper").hash()
    before = Sample.objects.count()
    call_command("train", "predictor", *ASKED, "--setups", "taken", stdout=out)
    assert Sample.objects.count() == before
    assert ModelVersion.objects.get(number=2).data_hash == model.data_hash


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("--candles", "stored", "--symbols", "BTC/USDT", "--timeframe", "15m"), "import them first"),
        (("--timeframe", "7m"), "timeframe"),
        (("--bars", "0"), "--bars 0: give 1 or more"),
        (("--candles", "simulated", "--symbols", "BTC/USDT", "--bars", "20"), "no symbol has more than"),
        (("--candles", "simulated", "--symbols", "NO/PAIR"), "unknown symbol 'NO/PAIR'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(asked: tuple[str, ...], why: str) -> None:
    with pytest.raises(CommandError, match=why) as refused:
        call_command("train", "regime", *asked)

    assert refused.value.returncode == 2
    assert ModelVersion.objects.count() == 0


def test_one_training_of_a_kind_at_a_time() -> None:
    run = queued()

    with pytest.raises(TrainingRefused, match="waits or runs already"):
        queued()
    assert runs.queue(ModelKind.REGIME, options={}, by="ann", now=NOW).pk
    held = claimed()
    assert held is not None
    assert held.run == run
    with pytest.raises(TrainingRefused):
        queued()


def test_a_training_is_claimed_once_and_begun_again_when_its_worker_is_lost() -> None:
    queued()

    first = claimed("one")
    assert first is not None
    assert claimed("two") is None
    later = NOW + runs.SILENCE + timedelta(seconds=1)
    second = claimed("two", now=later)
    assert second is not None
    assert (second.run.attempts, second.run.worker) == (2, "two")
    assert "begun again, attempt 2" in second.run.log[-1]["text"]
    with pytest.raises(TrainingStopped):
        first.step(50, "too late")
    model = version(1)
    with pytest.raises(TrainingStopped):
        first.finish(model)
    second.finish(model)
    assert TrainingRun.objects.get().status == RunStatus.DONE


def test_a_training_that_loses_every_worker_is_given_up() -> None:
    queued()
    now = NOW
    for _ in range(attempts.MOST_ATTEMPTS):
        assert claimed(now=now) is not None
        now += runs.SILENCE + timedelta(seconds=1)

    assert claimed(now=now) is None
    run = TrainingRun.objects.get()
    assert (run.status, run.error) == (RunStatus.FAILED, "its worker was lost 3 times: use fewer candles")


def test_a_canceled_training_stops_at_its_next_step() -> None:
    run = queued()
    held = claimed()
    assert held is not None

    runs.cancel(run.pk, by="bob", now=NOW)

    with held:
        held.step(10)
        pytest.fail("the step went on")
    run.refresh_from_db()
    assert (run.status, run.error) == (RunStatus.CANCELED, "canceled by bob")
    with pytest.raises(TrainingRefused, match="no training"):
        runs.cancel(run.pk, by="bob", now=NOW)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SoftTimeLimitExceeded(), "it took longer than a run may"),
        (pipeline.NothingToLearnFrom("fetch candles first"), "fetch candles first"),
    ],
)
def test_what_a_person_can_put_right_is_said_in_a_sentence(error: Exception, said: str) -> None:
    queued()
    held = claimed()
    assert held is not None

    with held.explained(pipeline.MISTAKES):
        raise error

    run = TrainingRun.objects.get()
    assert run.status == RunStatus.FAILED
    assert said in run.error
    assert Event.objects.filter(kind="training", text__contains=said).count() == 1


def test_a_mistake_of_our_own_is_on_the_row_and_goes_on() -> None:
    queued()
    held = claimed()
    assert held is not None

    with pytest.raises(ZeroDivisionError), held:
        raise ZeroDivisionError

    assert "Julaba itself failed (ZeroDivisionError)" in TrainingRun.objects.get().error


def test_trainings_are_due_daily_and_after_enough_new_outcomes(settings: Any) -> None:
    settings.TRAIN_SAMPLES, settings.TRAIN_HOURS = 2, 24
    assert {run.kind for run in training_desk.ask(now=NOW)} == {"predictor", "regime"}
    assert training_desk.ask(now=NOW + timedelta(hours=30)) == []  # they wait still
    TrainingRun.objects.update(status=RunStatus.DONE)

    assert training_desk.ask(now=NOW + timedelta(hours=1)) == []
    factories.closed_trade(NOW + timedelta(minutes=5), exit="68000")
    assert training_desk.ask(now=NOW + timedelta(hours=1)) == []
    factories.closed_trade(NOW + timedelta(minutes=9), exit="68000", symbol="ETH/USDT")
    assert len(training_desk.ask(now=NOW + timedelta(hours=1))) == 2
    TrainingRun.objects.update(status=RunStatus.DONE)
    assert len(training_desk.ask(now=NOW + timedelta(hours=25))) == 2


def test_the_task_makes_what_waits_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(pipeline, "perform", lambda held: done.append(held.run.kind))

    tasks.train.delay()
    tasks.train.delay()
    tasks.train.delay()

    assert done == ["predictor", "regime"]


def test_models_are_watched_only_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops import drift

    watched: list[datetime] = []
    monkeypatch.setattr(drift, "watch", lambda *, now: watched.append(now))

    tasks.watch_models.delay()
    version(1)
    tasks.watch_models.delay()

    assert len(watched) == 1


def test_the_models_command_promotes_retires_and_rolls_back_with_a_reason() -> None:
    trained = training.fit(planted(400, edge=1.5), training.Settings(rounds=10, patience=10))
    path, sha256 = files.write("predictor", files.UBJ, formats.predictor_bytes(trained))
    for number in (1, 2):
        version(number, path=path, sha256=sha256)
    out = StringIO()

    call_command("models", "promote", "predictor", "1", "--reason", "first", "--by", "ann", stdout=out)
    call_command("models", "promote", "predictor", "2", "--reason", "second", "--by", "ann", stdout=out)
    call_command("models", "roll-back", "predictor", "--reason", "worse", "--by", "bob", stdout=out)
    call_command("models", "list", stdout=out)

    held = registry.champion(KIND)
    assert held is not None
    assert (held.number, held.decided_by_name, held.reason) == (1, "bob", "worse")
    assert "predictor 1: champion" in out.getvalue()
    call_command("models", "retire", "predictor", "1", "--reason", "enough", "--by", "bob", stdout=out)
    assert registry.champion(KIND) is None
    with pytest.raises(CommandError, match="there is no predictor 9"):
        call_command("models", "promote", "predictor", "9", "--reason", "why", stdout=out)


def test_the_admin_promotes_only_for_those_who_may_and_with_a_reason(client: Client) -> None:
    trained = training.fit(planted(400, edge=1.5), training.Settings(rounds=10, patience=10))
    path, sha256 = files.write("predictor", files.UBJ, formats.predictor_bytes(trained))
    model = version(1, path=path, sha256=sha256)
    person = factories.user("viewer")
    person.is_superuser = False
    person.save()
    person.user_permissions.add(Permission.objects.get(codename="view_modelversion"))
    client.force_login(person)
    act = f"/admin/mlops/modelversion/{model.pk}/act/promote/"

    assert client.post(act, {"reason": "mine"}).status_code == 403
    assert registry.champion(KIND) is None
    person.user_permissions.add(Permission.objects.get(codename="promote_model"))
    client.post(act, {"reason": ""})
    assert registry.champion(KIND) is None
    client.post(act, {"reason": "good in March"})

    held = registry.champion(KIND)
    assert held is not None
    assert (held.decided_by_name, held.reason) == ("viewer", "good in March")


def test_setups_that_end_at_the_same_bar_are_stored_for_each_symbol() -> None:
    made = planted(4, edge=0.0)
    stored(made, symbol="BTC/USDT")
    stored(made, symbol="ETH/USDT")

    assert len(dataset.load(venues={"simulated-7"}, timeframe="15m", mode="paper")) == 8
    assert samples.WEIGHTS == {"backtest": 0.3, "shadow": 0.3, "live": 1.0}
    assert ModelStatus.CHAMPION.value == "champion"


def test_a_training_whose_process_was_killed_on_this_machine_is_begun_again_at_once() -> None:
    killed = subprocess.Popen([sys.executable, "-c", "pass"])
    killed.wait()
    queued()
    host, own, machine, begun = lease.process_name().split(":")
    assert own == str(os.getpid())
    assert claimed(f"{host}:{killed.pid}:{machine}:{begun}") is not None

    again = claimed("another")

    assert again is not None
    assert (again.run.attempts, again.run.worker) == (2, "another")
