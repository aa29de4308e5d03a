"""The advisers that rest on a model: what they say with a champion, and that they are silent, and light, without one."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import OperationalError

from mlops import features, files, formats, loading, regime_training, registry, training
from mlops.models import ModelKind, ModelVersion
from mlops.predictor import Predictor
from mlops.regime_classifier import RegimeClassifier
from mlops.training import Settings
from tests.mlops.learned import NOW, planted, version, walk
from trading import wiring
from trading.core.advice import Advice, Question
from trading.core.analysis import analyse
from trading.core.params import Params
from trading.core.types import Regime, Setup, Side
from trading.models import Event

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
PARAMS = Params()


@cache
def trained() -> training.Trained:
    return training.fit(planted(500, edge=1.5), Settings(rounds=40, patience=40))


@cache
def classifier() -> regime_training.Trained:
    return regime_training.fit(planted(500, edge=1.5, column="hurst"), regime_training.Settings(rounds=10))


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, settings: object) -> None:
    settings.JULABA_DATA_DIR = tmp_path  # type: ignore[attr-defined]


def question(*, side: Side = Side.LONG, params: Params = PARAMS, timeframe: str = "15m") -> Question:
    candles = walk(9, 400)
    analysis = analyse(candles, params)
    setup = Setup(
        symbol="BTC/USDT", timeframe=timeframe, bar_at=candles.opened_at(399), strategy="trend", side=side,
        price=float(candles.close[-1]), atr=1.0, regime=Regime.TREND, score=60.0, indicators={},
    )  # fmt: skip
    return Question(setup=setup, candles=candles, analysis=analysis, params=params, losses_in_a_row=0, recent_r=())


def champion(**columns: Any) -> ModelVersion:
    path, sha256 = files.write("predictor", files.UBJ, formats.predictor_bytes(trained()))
    numbers = {"slope": trained().calibration.slope, "intercept": trained().calibration.intercept}
    made = version(1, path=path, sha256=sha256, calibration=numbers, **columns)
    return registry.promote(made, by="ann", reason="test", now=NOW)


def regime_champion() -> ModelVersion:
    path, sha256 = files.write("regime", files.SKOPS, formats.regime_bytes(classifier()))
    how = regime_training.Settings().as_json()
    made = version(1, kind=ModelKind.REGIME, path=path, sha256=sha256, settings=how, samples=250)
    return registry.promote(made, by="ann", reason="test", now=NOW)


def row(asked: Question) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    made = features.last(asked.candles, asked.analysis, side=asked.setup.side, params=asked.params, leader=None)
    return made.astype(np.float32)


def test_without_a_champion_there_is_no_opinion_but_the_features() -> None:
    asked = question()

    for adviser in (Predictor(), RegimeClassifier()):
        said = adviser.advise(asked)
        assert (said.source, said.approve, said.confidence, said.influence) == (adviser.name, None, None, 0.0)
        assert "yet: train one" in said.reason
        assert said.features is not None
        back = features.from_json(said.features)
        assert back is not None
        np.testing.assert_array_equal(back.astype(np.float32), row(asked))


def test_the_champion_says_what_it_said_when_it_was_trained() -> None:
    model, asked = champion(), question()

    said = Predictor().advise(asked)

    assert said.confidence == pytest.approx(float(trained().probability(row(asked)[None, :])[0]), abs=1e-12)
    assert said.approve is (said.confidence is not None and said.confidence >= PARAMS.ml_min_probability)
    assert (said.model, said.influence, said.source) == (str(model), 1.0, "predictor")
    assert said.latency_ms > 0


@pytest.mark.parametrize(("least", "approves"), [(0.0, True), (1.0, False)])
def test_it_approves_from_the_parameters_probability_on(least: float, approves: bool) -> None:
    champion()
    params = Params.of({"ml_min_probability": least})

    assert Predictor().advise(question(params=params)).approve is approves


def test_reasons_name_what_moved_the_odds_and_to_which_side() -> None:
    champion()
    asked = question()

    said = Predictor().advise(asked)

    parts = trained().calibration.slope * training.contributions(trained().booster, row(asked))
    worst = features.NAMES[int(np.argmin(parts))].replace("_", " ")
    assert said.against[0] == f"{worst} {parts.min():+.2f}"
    assert all("-" in each for each in said.against)
    best = features.NAMES[int(np.argmax(parts))].replace("_", " ")
    assert f"for it: {best} {parts.max():+.2f}" in said.reason


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"timeframe": "1h"}, "trained on 1h bars"),
        ({"venue": "binance"}, "which is another market"),
        ({"schema_hash": "old"}, "other features"),
    ],
)
def test_a_champion_for_something_else_has_no_opinion(columns: dict[str, str], why: str) -> None:
    champion(**columns)

    said = Predictor().advise(question())

    assert (said.approve, said.confidence) == (None, None)
    assert why in said.reason
    assert said.features is not None


def test_a_swapped_file_is_no_opinion_with_an_event() -> None:
    model = champion()
    (files.folder() / model.path).write_bytes(b"{something else}")
    adviser = Predictor()

    for _ in range(2):
        assert adviser.advise(question()).approve is None
    assert Event.objects.filter(kind="model_alert").count() == 1


def test_a_database_that_does_not_answer_is_no_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(kind: str) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(registry, "champion", broken)

    said = Predictor().advise(question())

    assert (said.approve, said.reason) == (None, "database is locked")


def test_another_champion_is_asked_from_the_next_question_on() -> None:
    champion()
    adviser = Predictor()
    adviser.prepare()
    before = adviser.advise(question())
    other = training.fit(planted(500, edge=-1.5), Settings(rounds=40, patience=40))
    path, sha256 = files.write("predictor", files.UBJ, formats.predictor_bytes(other))
    numbers = {"slope": other.calibration.slope, "intercept": other.calibration.intercept}
    newer = version(2, path=path, sha256=sha256, calibration=numbers)
    registry.promote(newer, by="ann", reason="test", now=NOW + timedelta(minutes=1))

    after = adviser.advise(question())

    assert (before.model, after.model) == ("predictor 1", "predictor 2")
    assert before.confidence != after.confidence


def test_a_trading_process_loads_the_champion_before_anybody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    champion()
    wiring.forget()
    loaded: list[str] = []
    real = loading.load

    def counted(model: ModelVersion) -> object:
        loaded.append(str(model))
        return real(model)

    monkeypatch.setattr(loading, "load", counted)
    for _ in range(2):
        ports = wiring.ports(Params())

    assert loaded == ["predictor 1"]
    assert [each.name for each in ports.advisers] == ["predictor", "regime_model", "ai"]
    wiring.forget()


def test_the_regime_classifier_weighs_what_it_has_earned() -> None:
    regime_champion()
    asked = question()

    said: Advice = RegimeClassifier().advise(asked)

    assert said.confidence == pytest.approx(float(classifier().probability(row(asked)[None, :])[0]))
    assert said.influence == 0.20
    assert "250 samples" in said.reason
    assert (said.source, said.model) == ("regime_model", "regime 1")


def test_the_side_makes_no_difference_to_the_regime_classifier() -> None:
    regime_champion()
    adviser = RegimeClassifier()

    long, short = (adviser.advise(question(side=side)).confidence for side in Side)

    assert long == short


def test_without_a_champion_no_library_of_models_is_loaded() -> None:
    code = (
        "import django; django.setup()\n"
        "import sys, mlops.predictor, mlops.regime_classifier, mlops.drift, mlops.registry, mlops.admin\n"
        "mlops.predictor.Predictor(); mlops.regime_classifier.RegimeClassifier()\n"
        "print([name for name in ('xgboost', 'sklearn', 'skops', 'pandas') if name in sys.modules])"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
    )

    assert done.stdout.strip() == "[]"
