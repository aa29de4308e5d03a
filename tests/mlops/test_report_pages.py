"""The reports on AI and ML as pages: filled, empty, and what people may decide there."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mlops.models import Bypass, ModelStatus, ModelVersion, ShadowOutcome, TrainingRun
from tests import factories
from tests.mlops import decided, report_rows
from trading.models import AuditEntry

pytestmark = pytest.mark.django_db

PAGES = ("/ai-report/", "/ai-report/?source=predictor&span=all", "/ml-report/")


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(factories.user("vera", is_staff=False))
    return client


def html(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def allowed(client: Client, *permissions: str) -> User:
    user = factories.user("mona", is_staff=False)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return user


def test_empty_reports_say_what_will_stand_there_and_what_to_do(viewer: Client) -> None:
    ai, ml = html(viewer, "/ai-report/"), html(viewer, "/ml-report/")

    assert "no decision with an outcome" in ai
    assert "refused setups are followed as if they had been traded" in ai
    assert "has done harm over so many decisions" in ai
    assert "manage.py train predictor" in ml
    assert ml.count("Every model of this kind will stand here") == 2


def test_filled_reports_carry_no_style_no_handler_and_cost_few_queries(viewer: Client) -> None:
    report_rows.fill(timezone.now())
    for path in PAGES:
        with CaptureQueriesContext(connection) as queries:
            page = html(viewer, path)

        for word in (" style=", "<style", " onclick", "None", "nan"):
            assert word not in page, (path, word)
        assert len(queries) <= 28, path


def test_more_decisions_cost_no_more_queries(viewer: Client) -> None:
    now = timezone.now()
    report_rows.fill(now)
    counts = []
    for _ in range(2):
        for path in PAGES:
            with CaptureQueriesContext(connection) as queries:
                html(viewer, path)
            counts.append(len(queries))
        report_rows.decisions(now + timedelta(days=30), count=12)

    assert counts[:3] == counts[3:]


def test_the_ai_report_says_who_earns_and_who_costs(viewer: Client) -> None:
    report_rows.fill(timezone.now())

    page = html(viewer, "/ai-report/?span=all")

    rows = re.findall(r'class="name">([\w ]+?) <span class="tag">(\w+)</span>.*?class="num (\w+)">', page, re.DOTALL)
    assert ("AI", "adviser", "gain") in rows
    assert ("adx", "filter", "loss") in rows
    assert "would have won" in page
    assert "gemini-3.5-flash-lite" in page
    assert "The opinion of regime_model counts for nothing" in page


def test_a_span_without_decisions_is_empty_though_others_are_not(viewer: Client) -> None:
    now = timezone.now()
    report_rows.decisions(now - timedelta(days=20), count=40)
    from mlops import scorecards

    factories.bot(now)
    scorecards.refresh(now=now)

    assert "no decision with an outcome" in html(viewer, "/ai-report/?span=7d")
    assert "Right and wrong" in html(viewer, "/ai-report/?span=30d")
    assert "Right and wrong" in html(viewer, "/ai-report/?span=nonsense")


def test_who_may_not_decide_sees_no_form_and_is_refused(viewer: Client) -> None:
    report_rows.fill(timezone.now())
    candidate = ModelVersion.objects.get(status=ModelStatus.CANDIDATE)
    for path, page in (("/ai-report/lift/", "/ai-report/"), ("/ml-report/train/", "/ml-report/"),
                       ("/ml-report/roll-back/", "/ml-report/"), (f"/ml-report/models/{candidate.pk}/", "/ml-report/")):  # fmt: skip
        assert f'action="{path}"' not in html(viewer, page)
        answer = viewer.post(path, {"source": "regime_model", "act": "promote", "kind": "predictor", "reason": "so"})
        assert answer.status_code == 403, path
        assert viewer.get(path).status_code == 405, path

    assert Bypass.objects.get(source="regime_model").ended_at is None
    candidate.refresh_from_db()
    assert candidate.status == ModelStatus.CANDIDATE
    assert TrainingRun.objects.count() == 3


def test_a_person_lets_a_bypassed_adviser_count_again(client: Client) -> None:
    report_rows.fill(timezone.now())
    allowed(client, "change_bypass")

    client.post("/ai-report/lift/", {"source": "regime_model", "reason": "a new model"})

    row = Bypass.objects.get(source="regime_model")
    assert (row.ended_by, row.ended_reason) == ("mona", "a new model")
    entry = AuditEntry.objects.get(act="bypass_lifted")
    assert (entry.actor, entry.about, entry.text) == ("mona", "regime_model", "a new model")


def test_a_model_is_retired_with_a_reason_and_not_without(client: Client) -> None:
    report_rows.fill(timezone.now())
    allowed(client, "promote_model")
    candidate = ModelVersion.objects.get(status=ModelStatus.CANDIDATE)

    without = client.post(f"/ml-report/models/{candidate.pk}/", {"act": "retire", "reason": " "}, follow=True)
    candidate.refresh_from_db()
    before = candidate.status
    client.post(f"/ml-report/models/{candidate.pk}/", {"act": "retire", "reason": "it looks at the hour alone"})

    candidate.refresh_from_db()
    assert "Nothing was changed: reason is missing" in without.content.decode()
    assert (before, candidate.status) == (ModelStatus.CANDIDATE, ModelStatus.RETIRED)
    assert (candidate.decided_by_name, candidate.reason) == ("mona", "it looks at the hour alone")
    assert AuditEntry.objects.get(act="model_retired").actor == "mona"


def test_a_model_without_its_file_is_not_promoted_and_the_champion_stays(client: Client) -> None:
    report_rows.fill(timezone.now())
    allowed(client, "promote_model")
    candidate = ModelVersion.objects.get(status=ModelStatus.CANDIDATE)

    page = client.post(f"/ml-report/models/{candidate.pk}/", {"act": "promote", "reason": "so"}, follow=True)

    assert "Nothing was changed: model" in page.content.decode()
    assert ModelVersion.objects.get(kind="predictor", status=ModelStatus.CHAMPION).number == 2
    assert not AuditEntry.objects.filter(act__startswith="model").exists()


def test_a_training_is_asked_for_once(client: Client) -> None:
    allowed(client, "add_trainingrun")

    for _ in range(2):
        page = client.post("/ml-report/train/", {"kind": "regime"}, follow=True)

    assert TrainingRun.objects.get().requested_by_name == "mona"
    assert "waits or runs already" in page.content.decode()


def test_hostile_text_stays_text(viewer: Client) -> None:
    text, now = '"><svg onload=alert(1)>', timezone.now()
    factories.bot(now)
    signal = decided.taken(now, r=1.0, symbol=text[:30], regime=text[:12])
    decided.advice(signal, "ai", approve=True, reason=text, model=text, prompt=text)
    Bypass.objects.create(source="ai", began_at=now, reason=text, figures={})
    report_rows.version(
        now, "predictor", 1, status="champion", reason=text, importance={text: 1.0}, influence_reason=text
    )
    TrainingRun.objects.create(kind="regime", status="failed", error=text, requested_by_name=text, requested_at=now)
    from mlops import scorecards

    scorecards.refresh(now=now)

    for path in PAGES:
        assert "<svg onload" not in html(viewer, path)


def test_a_decision_and_the_list_tell_what_a_refused_setup_would_have_made(viewer: Client) -> None:
    now = timezone.now()
    won, lost = decided.refused(now, r=1.8), decided.refused(now - timedelta(hours=1), r=-1.02)
    factories.bot(now)

    page, lists = html(viewer, f"/signals/{won.pk}/"), html(viewer, "/signals/")

    assert "Followed all the same" in page
    assert "▲ It would have won 1.80 R" in page
    assert "68,800.00, target 3" in page
    assert "▼ It would have lost 1.02 R" in html(viewer, f"/signals/{lost.pk}/")
    assert "▲ would have won 1.80 R" in lists
    assert "▼ would have lost 1.02 R" in lists


def test_a_setup_that_is_followed_still_or_could_not_be_traded_says_so(viewer: Client) -> None:
    now = timezone.now()
    waiting, void = (
        factories.signal(now, refused_by="adx", reason="no"),
        factories.signal(now, refused_by="side", reason="no"),
    )
    ShadowOutcome.objects.create(signal=waiting, refused_by="adx", due_at=now, next_bar_at=now)
    ShadowOutcome.objects.create(
        signal=void, refused_by="side", due_at=now, next_bar_at=now, state="void", ended_at=now, reason="no shorts here"
    )

    assert "Being followed" in html(viewer, f"/signals/{waiting.pk}/")
    assert "Not tradable: no shorts here" in html(viewer, f"/signals/{void.pk}/")
    assert "Followed all the same" not in html(viewer, f"/signals/{decided.taken(now, r=1.0).pk}/")
