"""The registry: one champion a kind, files that are what was trained, and influence that is earned."""

from __future__ import annotations

import pickle
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from mlops import files, formats, influence, loading, regime_training, registry, training
from mlops.files import ModelUnusable
from mlops.loading import Holder
from mlops.models import ModelKind, ModelStatus, ModelVersion
from mlops.registry import ModelRefused
from mlops.training import Settings
from tests.mlops.learned import NOW, planted, version
from trading.models import Event

KIND = ModelKind.PREDICTOR


@cache
def trained() -> training.Trained:
    return training.fit(planted(400, edge=1.5), Settings(rounds=20, patience=20))


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, settings: object) -> None:
    settings.JULABA_DATA_DIR = tmp_path  # type: ignore[attr-defined]


def kept(number: int, *, seed: int = 0) -> ModelVersion:
    """Make a candidate with a file of its own."""
    booster = trained().booster.copy()
    booster.set_attr(number=str(number), seed=str(seed))
    path, sha256 = files.write(KIND, files.UBJ, bytes(booster.save_raw(raw_format="ubj")))
    return version(number, path=path, sha256=sha256)


def promoted(number: int, minutes: int = 0) -> ModelVersion:
    return registry.promote(kept(number), by="ann", reason="it is good", now=NOW + timedelta(minutes=minutes))


def path_of(model: ModelVersion) -> Path:
    return files.folder() / model.path


@pytest.mark.django_db
def test_a_promotion_has_a_person_and_a_reason_and_retires_the_one_before() -> None:
    first = promoted(1)

    second = registry.promote(kept(2), by="bob", reason="better in March", now=NOW)

    first.refresh_from_db()
    assert registry.champion(KIND) == second
    assert (second.decided_by_name, second.reason, second.influence) == ("bob", "better in March", 1.0)
    assert (first.status, first.influence) == (ModelStatus.RETIRED, 0.0)
    assert "better in March" in first.reason
    assert Event.objects.filter(kind=registry.EVENT, text__contains="by bob").count() == 1
    with pytest.raises(ModelRefused, match="needs a reason"):
        registry.promote(kept(3), by="bob", reason=" ", now=NOW)


@pytest.mark.django_db
def test_the_database_itself_refuses_a_second_champion() -> None:
    promoted(1)

    with pytest.raises(IntegrityError), transaction.atomic():
        version(2, status=ModelStatus.CHAMPION)
    assert version(1, kind=ModelKind.REGIME, status=ModelStatus.CHAMPION).pk


@pytest.mark.django_db
def test_what_was_refused_is_never_promoted_and_a_stale_row_neither() -> None:
    refused = version(1, status=ModelStatus.REFUSED)
    stale = kept(2)
    ModelVersion.objects.filter(pk=stale.pk).update(status=ModelStatus.RETIRED)

    with pytest.raises(ModelRefused, match="only a candidate or a retired one"):
        registry.promote(refused, by="ann", reason="I want it", now=NOW)
    with pytest.raises(ModelRefused, match="has changed meanwhile"):
        registry.promote(stale, by="ann", reason="I want it", now=NOW)
    assert registry.champion(KIND) is None


@pytest.mark.django_db
def test_a_roll_back_takes_the_champion_before_and_not_the_one_that_never_was() -> None:
    first, second = promoted(1), promoted(2, minutes=1)
    registry.retire(kept(3), by="ann", reason="never tried", now=NOW)

    back = registry.roll_back(KIND, by="ann", reason="losses", now=NOW)

    assert back == first
    second.refresh_from_db()
    assert second.status == ModelStatus.RETIRED
    with pytest.raises(ModelRefused, match="no regime model before"):
        registry.roll_back(ModelKind.REGIME, by="ann", reason="losses", now=NOW)


@pytest.mark.django_db
def test_only_a_candidate_newer_than_the_champion_challenges_it() -> None:
    kept(1)
    promoted(2)

    assert registry.challenger(KIND) is None
    newer = kept(3)
    assert registry.challenger(KIND) == newer


@pytest.mark.django_db
@pytest.mark.parametrize("damage", ["cut short", "another's", "gone", "one bit"])
def test_a_damaged_file_is_not_loaded_not_promoted_and_said_once(damage: str) -> None:
    model, other = promoted(1), kept(2)
    content = path_of(model).read_bytes()
    if damage == "gone":
        path_of(model).unlink()
    else:
        changed = {
            "cut short": content[:-7],
            "another's": path_of(other).read_bytes(),
            "one bit": content[:200] + bytes([content[200] ^ 1]) + content[201:],
        }
        path_of(model).write_bytes(changed[damage])
    holder = Holder()

    for _ in range(3):
        with pytest.raises(ModelUnusable, match="train again"):
            holder.get(model, now=NOW)
    assert Event.objects.filter(kind="model_alert", text__contains="has no opinion").count() == 1

    registry.promote(other, by="ann", reason="the other is damaged", now=NOW)
    with pytest.raises(ModelRefused, match="train again"):
        registry.roll_back(KIND, by="ann", reason="back", now=NOW)
    assert registry.champion(KIND) == other
    assert holder.get(other, now=NOW).version == other


@pytest.mark.django_db
def test_a_pickle_is_no_model_whatever_it_is_called() -> None:
    content = pickle.dumps({"anything": 1})
    for name in ("model.pkl", "model.joblib", "../model.ubj", ".hidden.ubj", "model"):
        with pytest.raises(ModelUnusable, match="no name of a model file"):
            files.read(name, sha256="0")
    for suffix in (files.UBJ, files.SKOPS):
        name, sha256 = files.write("predictor", suffix, content)
        with pytest.raises(ModelUnusable, match="of another kind than its name says"):
            files.read(name, sha256=sha256)


@pytest.mark.django_db
def test_a_skops_file_with_another_type_inside_is_not_loaded() -> None:
    import sklearn
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier

    class Foreign(HistGradientBoostingClassifier):  # type: ignore[misc]
        """Some class that nobody has allowed."""

    Foreign.__module__, Foreign.__qualname__ = "os", "Foreign"
    name, sha256 = files.write("regime", files.SKOPS, bytes(skops.io.dumps(Foreign())))

    with pytest.raises(ModelUnusable, match="may not be loaded"):
        formats.load_regime(name, sha256=sha256, made_with=sklearn.__version__)
    with pytest.raises(ModelUnusable, match=r"made with scikit-learn 1\.0"):
        formats.load_regime(name, sha256=sha256, made_with="1.0")


@pytest.mark.django_db
def test_a_regime_classifier_survives_its_file() -> None:
    data = planted(400, edge=1.5, column="hurst")
    trained = regime_training.fit(data, regime_training.Settings(rounds=10))
    name, sha256 = files.write("regime", files.SKOPS, formats.regime_bytes(trained))
    made_with = str(regime_training.Settings().as_json()["sklearn"])

    loaded = formats.load_regime(name, sha256=sha256, made_with=made_with)

    assert (loaded.probability(data.x) == trained.probability(data.x)).all()


@pytest.mark.django_db
def test_another_schema_is_no_opinion() -> None:
    model = kept(1)
    model.schema_hash = "old"

    with pytest.raises(ModelUnusable, match="other features than those of now"):
        loading.load(model)


@pytest.mark.django_db
def test_a_model_is_loaded_once_and_again_when_another_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[int] = []
    real = loading.load

    def counted(model: ModelVersion) -> object:
        loaded.append(model.number)
        return real(model)

    monkeypatch.setattr(loading, "load", counted)
    holder, first = Holder(), promoted(1)

    for _ in range(5):
        holder.get(ModelVersion.objects.get(pk=first.pk), now=NOW)
    path_of(first).write_bytes(b"damaged after it was loaded")
    assert holder.get(first, now=NOW).version == first
    second = promoted(2)
    holder.get(second, now=NOW)

    assert loaded == [1, 2]


@pytest.mark.parametrize(
    ("trained_on", "traded_on", "fits"),
    [
        ("simulated-7", "simulated-7", True),
        ("simulated-7", "simulated-8", False),
        ("simulated-7", "binance", False),
        ("import", "simulated-7", False),
        ("import", "binance", True),
    ],
)
def test_what_was_learned_on_the_simulated_market_never_speaks_of_a_real_one(
    trained_on: str, traded_on: str, fits: bool
) -> None:
    assert loading.fits(trained_on, traded_on) is fits


@given(
    samples=st.integers(0, 2_000),
    accuracy=st.floats(0, 1) | st.just(float("nan")),
    recent=st.lists(st.booleans(), max_size=40),
)
def test_influence_is_what_the_rule_says(samples: int, accuracy: float, recent: list[bool]) -> None:
    found = influence.earned(samples=samples, accuracy=accuracy, recent=recent)

    assert 0.0 <= found.weight <= 0.20
    if samples <= 100 or not accuracy > 0.55:
        assert (found.weight, found.is_lost) == (0.0, False)
    elif len(recent) >= 20 and sum(recent[:20]) < 9:
        assert (found.weight, found.is_lost) == (0.0, True)
    else:
        assert found.weight == pytest.approx(min(0.20, (samples - 100) / 500))
        more = influence.earned(samples=samples + 1, accuracy=accuracy, recent=recent)
        assert more.weight >= found.weight


@pytest.mark.django_db
def test_influence_that_is_lost_is_told_once_and_comes_back_when_it_is_earned_again() -> None:
    model = version(1, kind=ModelKind.REGIME, status=ModelStatus.CHAMPION, influence=0.2, influence_reason="earned")
    lost = influence.earned(samples=400, accuracy=0.6, recent=[False] * 20)

    for _ in range(2):
        registry.set_influence(ModelVersion.objects.get(pk=model.pk), lost, now=NOW)

    model.refresh_from_db()
    assert model.influence == 0.0
    assert Event.objects.filter(kind="model_alert", text__contains="0 of the last 20").count() == 1
    registry.set_influence(model, influence.earned(samples=400, accuracy=0.6, recent=[True] * 20), now=NOW)
    assert ModelVersion.objects.get(pk=model.pk).influence == 0.2


@pytest.mark.django_db
def test_there_is_one_candidate_at_a_time_and_old_files_go_but_not_those_of_champions() -> None:
    held, first = promoted(1), kept(2)
    origin = registry.Origin(
        venue="simulated-7", timeframe="15m", samples=400, trained_until=NOW, data_hash="d", schema_hash="s",
        code_version="test", settings={}, by="ann",
    )  # fmt: skip

    second = registry.record(KIND, origin, status=ModelStatus.CANDIDATE, reason="newer", now=NOW)

    first.refresh_from_db()
    assert (second.number, first.status) == (3, ModelStatus.RETIRED)
    registry.retire(held, by="ann", reason="enough", now=NOW)
    registry.prune(now=NOW + timedelta(days=29))
    assert path_of(first).exists()
    registry.prune(now=NOW + timedelta(days=31))
    assert not path_of(first).exists()
    assert path_of(held).exists()
    first.refresh_from_db()
    assert first.path == ""
