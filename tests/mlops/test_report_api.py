"""The reports in the API: who reads, who decides, and what a refusal changes."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from mlops.models import Bypass, ModelStatus, ModelVersion, TrainingRun
from tests import factories
from tests.mlops import decided, report_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(factories.user("vera", is_staff=False))
    return client


def decider(client: Client) -> Client:
    user = factories.user("mona", is_staff=False)
    codes = ("promote_model", "change_bypass", "add_trainingrun")
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client.force_login(user)
    return client


def got(client: Client, path: str) -> Any:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, path
    return answer.json()


def test_everything_answers_when_there_is_nothing(viewer: Client) -> None:
    ai, ml = got(viewer, "ai-report"), got(viewer, "ml-report")

    assert (ai["scorecard"], ai["shadows"], ai["bypasses"]) == (None, {"open": 0, "closed": 0, "void": 0}, [])
    assert [each["champion"] for each in ml["models"]] == [None, None]
    assert got(viewer, "models") == {"results": []}
    assert {each["regime"] for each in got(viewer, "regime")["results"]} == {""}


def test_filled_reports_say_what_the_pages_say(viewer: Client) -> None:
    report_rows.fill(timezone.now())

    card = got(viewer, "ai-report?span=all")["scorecard"]
    ml = got(viewer, "ml-report")

    assert card["outcomes"] == 70
    assert card["sources"]["ai"]["total"] == sum(card["sources"]["ai"][name] for name in ("tp", "fp", "tn", "fn"))
    assert ml["models"][0]["champion"]["number"] == 2
    assert ml["models"][0]["drift"]["alerts"]
    assert len(got(viewer, "models")["results"]) == 5
    assert len(got(viewer, "trainings")["results"]) == 3
    assert {each["regime"] for each in got(viewer, "regime")["results"] if each["at"]} <= set(report_rows.REGIMES)


def test_an_unknown_span_is_named(viewer: Client) -> None:
    answer = viewer.get("/api/v1/ai-report?span=2y")

    assert (answer.status_code, answer.json()["field"]) == (422, "span")


def test_a_refused_signal_tells_what_became_of_it(viewer: Client) -> None:
    signal = decided.refused(timezone.now(), r=1.8)

    became = got(viewer, f"signals/{signal.pk}")["became"]

    assert became == {"is_real": False, "won": True, "r": 1.8, "pnl": "36", "text": "would have won 1.80 R"}


@pytest.mark.parametrize(
    "path", ["models/1/promote", "models/1/retire", "models/roll-back", "trainings", "ai-report/lift"]
)
def test_who_may_not_changes_nothing(viewer: Client, path: str) -> None:
    report_rows.fill(timezone.now())

    answer = viewer.post(
        f"/api/v1/{path}", {"reason": "so", "kind": "predictor", "source": "regime_model"}, "application/json"
    )

    assert answer.status_code == 403
    assert TrainingRun.objects.count() == 3
    assert Bypass.objects.filter(ended_at=None).count() == 1
    assert ModelVersion.objects.get(kind="predictor", status=ModelStatus.CHAMPION).number == 2


def test_decisions_need_a_reason_and_say_what_is_wrong(client: Client) -> None:
    report_rows.fill(timezone.now())
    decider(client)
    candidate = ModelVersion.objects.get(status=ModelStatus.CANDIDATE)

    def post(path: str, **body: Any) -> Any:
        return client.post(f"/api/v1/{path}", body, "application/json")

    without = post(f"models/{candidate.pk}/retire")
    broken = post(f"models/{candidate.pk}/promote", reason="so")
    done = post(f"models/{candidate.pk}/retire", reason="too simple")
    unknown = post("models/99/retire", reason="so")
    lifted = post("ai-report/lift", source="regime_model", reason="a new model")
    training = post("trainings", kind="nonsense")

    assert (without.status_code, without.json()["field"]) == (422, "reason")
    assert (broken.status_code, broken.json()["field"]) == (422, "model")
    assert (done.status_code, done.json()["status"]) == (200, "retired")
    assert (unknown.status_code, unknown.json()["detail"]) == (422, "there is no model 99")
    assert lifted.json()["bypasses"][0]["ended_by"] == "mona"
    assert (training.status_code, training.json()["field"]) == (422, "kind")
