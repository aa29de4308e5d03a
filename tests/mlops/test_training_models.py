"""Training: an edge that was planted is found, and where there is none nothing is promoted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlops import (
    calibration,
    features,
    files,
    formats,
    loading,
    making,
    regime_training,
    registry,
    training,
    validation,
)
from mlops.boosting import xgboost
from mlops.dataset import Dataset
from mlops.models import ModelKind, ModelStatus, ModelVersion
from mlops.training import Settings
from tests.mlops.learned import NOW, VENUE, planted
from trading.models import Event

QUICK = Settings(rounds=120, patience=20, learning_rate=0.1)


def nothing(done: int, of: int) -> None:
    """Hear of progress."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    states = regime_training.Settings(rounds=20, bins=16)
    monkeypatch.setattr(training, "Settings", lambda **how: replace(QUICK, **how))
    monkeypatch.setattr(regime_training, "Settings", lambda: states)
    monkeypatch.setattr(validation, "DRAWS", 150)


def made(kind: ModelKind, data: Dataset) -> ModelVersion:
    return making.make(kind, data, venue=VENUE, timeframe="15m", by="test", threads=1, progress=nothing, now=NOW)


def test_a_planted_edge_is_found_out_of_sample_and_surely() -> None:
    data = planted(1_500, edge=1.2)

    said = training.out_of_sample(data, QUICK, nothing)
    found = validation.evaluate(data.won[said.places], said.probability, said.base)

    assert found.auc > 0.65
    assert validation.objections(found) == []
    assert np.abs(said.probability.mean() - data.won[said.places].mean()) < 0.06


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuffled_outcomes_are_refused(seed: int) -> None:
    data = planted(1_500, edge=1.2)
    shuffled = replace(data, won=np.random.default_rng(seed).permutation(data.won))

    said = training.out_of_sample(shuffled, QUICK, nothing)
    found = validation.evaluate(shuffled.won[said.places], said.probability, said.base)

    assert len(validation.objections(found)) >= 1


def test_the_same_seed_makes_the_same_model_and_another_seed_another() -> None:
    data = planted(500, edge=1.0)

    first, again = (formats.predictor_bytes(training.fit(data, QUICK)) for _ in range(2))

    assert first == again
    assert formats.predictor_bytes(training.fit(data, replace(QUICK, seed=8))) != first


def test_light_samples_still_grow_trees() -> None:
    """Weights of 0.3 once made every leaf too light to be split: a hundred trees of one leaf, all saying the same."""
    data = planted(400, edge=1.5)
    light = replace(data, weight=np.full(len(data), 0.3) / 0.3)

    trained = training.fit(light, QUICK)

    assert len(np.unique(trained.probability(data.x))) > 50


def test_contributions_add_up_to_the_margin() -> None:
    data = planted(600, edge=1.0)
    trained = training.fit(data, QUICK)
    row = data.x[17]

    parts = training.contributions(trained.booster, row)

    names = list(features.NAMES)
    whole = trained.booster.predict(xgboost.DMatrix(row[None, :], feature_names=names), pred_contribs=True)[0]
    assert parts.sum() + whole[-1] == pytest.approx(training.margin(trained.booster, row[None, :])[0], abs=1e-4)
    shares = training.importance(trained.booster)
    assert next(iter(shares)) == "macd"
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3)


def test_too_little_of_one_outcome_teaches_nothing() -> None:
    data = planted(300, edge=0.0)

    with pytest.raises(training.NothingLearned, match="all alike"):
        training.fit(replace(data, won=np.zeros(300, dtype=np.bool_)), QUICK)
    with pytest.raises(training.NothingLearned, match="no part of the samples"):
        training.out_of_sample(replace(data, won=np.zeros(300, dtype=np.bool_)), QUICK, nothing)


def test_missing_values_and_none_at_all_are_both_served() -> None:
    data = planted(500, edge=1.0)
    trained = training.fit(data, QUICK)

    said = trained.probability(np.full((2, data.x.shape[1]), np.nan, dtype=np.float32))

    assert np.isfinite(said).all()


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(ModelKind))
def test_columns_that_nobody_ever_told_are_learned_without_and_served_with(kind: ModelKind) -> None:
    data = planted(1_500, edge=1.2, column="adx")
    told = data.x.copy()
    data.x[:, features.columns_of(("order_book_imbalance", "funding_rate", "open_interest_change"))] = np.nan

    version = made(kind, data)

    trained = loading.load(version)
    assert version.status == ModelStatus.CHAMPION
    np.testing.assert_array_equal(trained.probability(data.x[:50]), trained.probability(told[:50]))


def test_the_file_of_a_predictor_says_the_same_to_the_last_bit() -> None:
    data = planted(500, edge=1.0)
    trained = training.fit(data, QUICK)
    name, sha256 = files.write("predictor", files.UBJ, formats.predictor_bytes(trained))

    loaded = formats.load_predictor(name, sha256=sha256, calibration=trained.calibration)

    np.testing.assert_array_equal(loaded.probability(data.x), trained.probability(data.x))


@pytest.mark.django_db
def test_a_planted_edge_becomes_the_champion_where_there_is_none() -> None:
    version = made(ModelKind.PREDICTOR, planted(1_500, edge=1.2))

    assert (version.status, version.number, version.influence) == (ModelStatus.CHAMPION, 1, 1.0)
    assert version.metrics["auc"] > 0.65
    assert version.metrics["samples"] == 1_250
    assert set(version.profile) == set(features.NAMES)
    assert set(version.calibration) == {"slope", "intercept"}
    assert version.path == f"predictor-{version.sha256[:16]}.ubj"
    assert Event.objects.filter(kind=registry.EVENT, text__contains="champion").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(ModelKind))
def test_no_edge_is_refused_with_its_reason_and_leaves_no_file(kind: ModelKind) -> None:
    version = made(kind, planted(900, edge=0.0, seed=5))

    assert (version.status, version.path, version.sha256) == (ModelStatus.REFUSED, "", "")
    assert "out of sample" in version.reason
    assert registry.champion(kind) is None


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(ModelKind))
def test_a_constant_outcome_is_refused(kind: ModelKind) -> None:
    data = planted(600, edge=0.0)

    version = made(kind, replace(data, won=np.ones(600, dtype=np.bool_)))

    assert version.status == ModelStatus.REFUSED
    assert "0 losses are too one-sided" in version.reason


@pytest.mark.django_db
def test_a_candidate_that_is_no_better_on_what_both_have_not_seen_stays_one() -> None:
    longer = planted(1_600, edge=1.0)
    old = made(ModelKind.PREDICTOR, training.part(longer, np.arange(1_400)))

    same = made(ModelKind.PREDICTOR, longer)

    assert same.status == ModelStatus.CANDIDATE
    assert registry.champion(ModelKind.PREDICTOR) == old


@pytest.mark.django_db
def test_a_candidate_that_is_surely_better_takes_the_place() -> None:
    before, since = planted(1_200, edge=1.5), planted(1_800, edge=2.5, seed=2, column="rsi")
    old = made(ModelKind.PREDICTOR, before)
    later = int(before.began[-1] - before.began[0]) + 900_000
    both = Dataset(
        **{
            name: np.concatenate(
                [getattr(before, name), getattr(since, name) + (later if name in ("began", "ended") else 0)]
            )
            for name in ("r", "weight", "began", "ended")
        },
        x=np.concatenate([before.x, since.x]),
        won=np.concatenate([before.won, since.won]),
        passed=np.concatenate([before.passed, since.passed]),
        sources={},
    )

    new = made(ModelKind.PREDICTOR, both)

    old.refresh_from_db()
    assert (new.status, old.status) == (ModelStatus.CHAMPION, ModelStatus.RETIRED), new.reason
    assert "samples that neither had seen" in new.reason
    assert old.influence == 0.0


@pytest.mark.django_db
def test_what_is_known_of_the_market_alone_makes_a_regime_classifier() -> None:
    version = made(ModelKind.REGIME, planted(900, edge=1.5, column="hurst"))

    assert version.status == ModelStatus.CHAMPION
    assert version.metrics["balanced_accuracy"] > 0.6
    assert version.influence == 0.20
    assert version.path.endswith(".skops")


def test_a_side_tells_the_regime_classifier_nothing() -> None:
    data = planted(900, edge=2.0, column="macd")

    said = regime_training.out_of_sample(data, regime_training.Settings(), nothing)
    found = validation.evaluate(data.won[said.places], said.probability, said.base)

    assert regime_training.objections(found)


def test_calibration_is_fitted_where_the_trees_were_not() -> None:
    data = planted(800, edge=1.0)

    trained = training.fit(data, QUICK)

    first = len(data) - round(len(data) * training.VALIDATION_FRACTION)
    held = slice(first, None)
    margin = training.margin(trained.booster, data.x[held])
    assert trained.calibration == calibration.fit(margin, data.won[held], data.weight[held])
