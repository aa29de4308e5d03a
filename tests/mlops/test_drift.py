"""Drift: a market that moved is seen, one that did not is not, and a classifier that errs loses its weight."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops import challenging, drift, features, files, formats, outcomes, psi, registry, training
from mlops.models import ChallengerAnswer, DriftReport, ModelKind, ModelStatus, ModelVersion, ShadowOutcome, ShadowState
from mlops.training import Settings
from tests import factories
from tests.mlops.learned import NOW, planted, version
from trading.core.candles import Floats
from trading.models import Advice, Event

DATA = planted(400, edge=1.0)
PROFILE = psi.profile(DATA.x, features.NAMES)


def test_the_index_is_what_a_hand_finds() -> None:
    before: psi.Profile = {"edges": [0.0], "shares": [0.5, 0.5, 0.0]}

    moved = psi.index(before, np.array([-1.0, 1.0, 1.0, 1.0]))

    assert moved == pytest.approx((0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5))
    assert psi.index(before, np.array([-1.0, 1.0])) == 0.0
    missing = psi.index(before, np.array([-1.0, 1.0, np.nan, np.nan]))
    assert missing is not None
    assert missing > psi.MOVED


@given(values=st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=80))
def test_no_distribution_is_far_from_itself_and_none_is_nearer(values: list[float]) -> None:
    column = np.array(values, dtype=np.float32)

    made = psi.profile(column[:, None], ("one",))["one"]

    assert sum(made["shares"]) == pytest.approx(1.0)
    assert psi.index(made, column.astype(np.float64)) == pytest.approx(0.0, abs=1e-12)
    assert (psi.index(made, np.array([7.5])) or 0.0) >= 0.0


@pytest.mark.parametrize(
    ("_case", "known_before", "known_now", "expected"),
    [
        ("begun to be told", 0.0, 1.0, None),
        ("told seldom", 0.4, 1.0, None),
        ("told mostly, and the same", 0.6, 1.0, 0.0),
        ("still told of none", 0.0, 0.0, 0.0),
    ],
)
def test_a_value_that_is_missing_no_more_is_no_other_market(
    _case: str, known_before: float, known_now: float, expected: float | None
) -> None:
    values = np.tile(np.arange(10.0), 100)
    before, now = (np.where(np.arange(1000) < 1000 * known, values, np.nan) for known in (known_before, known_now))
    [made] = psi.profile(before[:, None].astype(np.float32), ["a"]).values()

    assert psi.index(made, now) == (expected if expected is None else pytest.approx(expected, abs=1e-12))
    if known_now:
        moved = psi.index(made, now + 4.0)
        assert (moved is None) if expected is None else (moved is not None and moved > psi.MOVED)


def champion(kind: ModelKind = ModelKind.PREDICTOR, **columns: Any) -> ModelVersion:
    return version(
        1, kind=kind, status=ModelStatus.CHAMPION, profile=PROFILE, promoted_at=NOW, influence=1.0, **columns
    )


def asked(
    rows: Floats, *, source: str = "predictor", model: str = "", won: list[bool] | None = None, said: float = 0.6
) -> None:
    """Make a refused signal with advice for each row, and its outcome where it is given."""
    for number, row in enumerate(rows):
        at = NOW - timedelta(minutes=15 * (len(rows) - number))
        signal = factories.signal(at, refused_by="ai", reason="no")
        opinion = {"model": model, "approve": True, "confidence": said} if model else {}
        Advice.objects.create(signal=signal, source=source, features=features.as_json(row), at=at, **opinion)
        if won:
            ShadowOutcome.objects.create(
                signal=signal, refused_by="ai", state=ShadowState.CLOSED, due_at=at, next_bar_at=at,
                r=1.0 if won[number] else -1.0, won=won[number], ended_at=at + timedelta(minutes=5),
            )  # fmt: skip


@pytest.mark.django_db
def test_a_market_that_has_not_moved_raises_no_alarm() -> None:
    held = champion()
    asked(DATA.x[:200].astype(np.float64))

    drift.watch(now=NOW)

    made = DriftReport.objects.get(version=held)
    assert (made.asked, made.alerts, made.accuracy) == (200, [], None)
    assert made.worst is not None
    assert made.worst < psi.MOVED
    assert set(made.features) == set(features.NAMES)


@pytest.mark.django_db
def test_a_market_that_moved_is_told_once_and_by_name() -> None:
    champion()
    rows = DATA.x[:150].astype(np.float64)
    rows[:, features.NAMES.index("hurst")] += 3.0
    asked(rows)

    drift.watch(now=NOW)
    drift.watch(now=NOW + timedelta(hours=1))
    drift.watch(now=NOW + timedelta(hours=7))

    assert DriftReport.objects.count() == 2
    told = Event.objects.get(kind="model_alert")
    assert "moved away from its training in hurst" in told.text


@pytest.mark.django_db
def test_with_few_questions_nothing_is_concluded() -> None:
    held = champion()
    asked(DATA.x[:20].astype(np.float64) + 9.0)

    drift.watch(now=NOW)

    made = DriftReport.objects.get(version=held)
    assert (made.asked, made.worst, made.alerts) == (20, None, [])
    assert set(made.features.values()) == {None}


@pytest.mark.django_db
def test_promises_that_are_not_kept_are_told() -> None:
    held = champion()
    asked(DATA.x[:60].astype(np.float64), model=str(held), won=[number % 4 == 0 for number in range(60)], said=0.7)

    drift.watch(now=NOW)

    made = DriftReport.objects.get(version=held)
    assert made.judged == 60
    assert made.calibration == pytest.approx(0.7 - 0.25)
    assert made.accuracy == pytest.approx(5 / 20)
    assert made.alerts == ["it promises +45% more wins than there were", "only 25% of its last 20 answers were right"]


@pytest.mark.django_db
def test_a_classifier_that_is_wrong_in_its_last_20_answers_weighs_nothing() -> None:
    held = champion(ModelKind.REGIME)
    ModelVersion.objects.filter(pk=held.pk).update(influence=0.2, influence_reason="earned")
    rows = DATA.x[:21].astype(np.float64)
    asked(rows, source="regime_model", model=str(held), won=[True] + [number < 8 for number in range(20)])

    drift.watch(now=NOW)

    held.refresh_from_db()
    assert (held.influence, held.influence_reason) == (0.0, "only 8 of the last 20 answers were right, 45% are needed")
    assert Event.objects.filter(kind="model_alert", text__contains="moves nothing any more").count() == 1


@pytest.mark.django_db
def test_answers_count_in_the_order_in_which_their_outcome_was_known() -> None:
    held = champion()
    asked(DATA.x[:3].astype(np.float64), model=str(held), won=[True, False, True])
    last = ShadowOutcome.objects.order_by("ended_at").first()
    assert last is not None
    ShadowOutcome.objects.filter(pk=last.pk).update(ended_at=NOW)

    found = outcomes.judged(held, most=2)

    assert [each.ended_at for each in found] == sorted((each.ended_at for each in found), reverse=True)
    assert found[0].ended_at == NOW
    assert [each.is_right for each in found] == [True, True]


@pytest.mark.django_db
def test_a_challenger_answers_beside_the_champion_and_moves_nothing() -> None:
    trained = training.fit(DATA, Settings(rounds=20, patience=20))
    path, sha256 = files.write("predictor", files.UBJ, formats.predictor_bytes(trained))
    numbers = {"slope": trained.calibration.slope, "intercept": trained.calibration.intercept}
    columns: dict[str, Any] = {"path": path, "sha256": sha256, "calibration": numbers}
    challenger = version(2, created_at=NOW - timedelta(hours=10), **columns)
    rows = DATA.x[:60].astype(np.float64)
    asked(rows)

    counts = [challenging.answer(ModelKind.PREDICTOR, now=NOW) for _ in range(2)]

    since = Advice.objects.filter(at__gte=challenger.created_at).count()
    assert counts == [since, 0]
    assert 0 < since < 60
    said = list(ChallengerAnswer.objects.order_by("signal__decided_at").values_list("confidence", flat=True))
    np.testing.assert_allclose(said, trained.probability(DATA.x[60 - since : 60]))
    assert registry.champion(ModelKind.PREDICTOR) is None


@pytest.mark.django_db
def test_a_challenger_whose_file_is_damaged_is_retired() -> None:
    model = version(1, path="predictor-none.ubj", sha256="0" * 64, created_at=NOW - timedelta(days=1))
    asked(DATA.x[:2].astype(np.float64))

    assert challenging.answer(ModelKind.PREDICTOR, now=NOW) == 0
    model.refresh_from_db()
    assert model.status == ModelStatus.RETIRED
    assert "cannot be read" in model.reason


@pytest.mark.django_db
@pytest.mark.parametrize(("better", "becomes"), [(0.9, ModelStatus.CHAMPION), (0.5, ModelStatus.CANDIDATE)])
def test_a_challenger_takes_the_place_when_its_answers_were_surely_nearer(better: float, becomes: ModelStatus) -> None:
    path, sha256 = files.write("predictor", files.UBJ, b"{not asked}")
    held = champion()
    challenger = version(2, path=path, sha256=sha256)
    won = [number % 3 > 0 for number in range(120)]
    asked(np.zeros((120, len(features.NAMES))), model=str(held), won=won, said=0.5)
    signals = Advice.objects.order_by("at").values_list("signal_id", flat=True)
    ChallengerAnswer.objects.bulk_create(
        ChallengerAnswer(version=challenger, signal_id=signal, confidence=better if good else 1 - better, at=NOW)
        for signal, good in zip(signals, won, strict=True)
    )

    challenging.judge(ModelKind.PREDICTOR, now=NOW)

    challenger.refresh_from_db()
    held.refresh_from_db()
    assert challenger.status == becomes
    assert held.status == (ModelStatus.RETIRED if becomes == ModelStatus.CHAMPION else ModelStatus.CHAMPION)
