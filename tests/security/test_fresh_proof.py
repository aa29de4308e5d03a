"""What loosens asks again who is there, by pages, API and administration alike; what tightens does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard import sessions, tokens
from tests import factories
from tests.integration.test_parameter_pages import form
from trading.models import ParameterDraft, ParameterRevision, Proposal
from trading.services import parameters

pytestmark = pytest.mark.django_db

LOOSER, SAFER = {"max_open_trades": 9}, {"max_open_trades": 1}


@pytest.fixture
def boss() -> User:
    return factories.user("boss")


@pytest.fixture
def stale(boss: User) -> Client:
    """Log in somebody who may do everything and proved it longer ago than counts."""
    browser = Client()
    browser.force_login(boss)
    session = browser.session
    sessions.prove(session, now=timezone.now() - timedelta(minutes=6))
    session.save()
    return browser


def revise(**values: Any) -> None:
    now = timezone.now()
    number = parameters.current(now=now).number
    parameters.revise(values=values, reason="before", author=None, expected_number=number, now=now)


def asks(answer: Any) -> bool:
    return bool(answer.status_code == 302 and answer.headers["Location"].startswith(reverse("confirm")))


def api(browser: Client, path: str, body: dict[str, Any], **headers: str) -> int:
    return browser.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers).status_code


def newest() -> ParameterRevision:
    return ParameterRevision.objects.latest("number")


def test_the_page_goes_back_to_what_may_lose_more_with_a_fresh_proof_alone(stale: Client) -> None:
    revise(**SAFER)

    assert asks(stale.post("/parameters/history/1/roll-back/", {"reason": "too timid"}))

    assert newest().number == 2


def test_the_page_goes_back_to_what_only_risks_less_at_once(stale: Client) -> None:
    revise(**LOOSER)

    stale.post("/parameters/history/1/roll-back/", {"reason": "too bold"})

    assert newest().gate == "rolled_back"


def test_values_that_may_lose_more_are_proposed_with_a_fresh_proof_and_not_typed_again(stale: Client) -> None:
    answer = stale.post("/parameters/change/", {**form(**LOOSER), "do": "propose"})

    assert asks(answer)
    assert not ParameterDraft.objects.exists()
    back = parse_qs(urlsplit(answer.headers["Location"]).query)["next"][0]
    page = stale.get(back).content.decode()
    assert '<input type="number" name="max_open_trades" value="9"' in page
    assert 'value="quieter"' in page
    stale.post(reverse("confirm"), {"proof": factories.PASSWORD, "next": back})
    stale.post("/parameters/change/", {**form(**LOOSER), "do": "propose"})
    assert ParameterDraft.objects.get().changes[0]["new"] == 9


def test_checking_values_and_lowering_the_risk_asks_nobody(stale: Client) -> None:
    assert stale.post("/parameters/change/", {**form(**LOOSER), "do": "validate"}).status_code == 200
    stale.post("/parameters/change/", {**form(**SAFER), "do": "propose"})

    assert newest().values["max_open_trades"] == 1


def test_the_api_says_so_of_parameters_and_changes_nothing(stale: Client) -> None:
    revise(**SAFER)

    assert api(stale, "parameters/drafts", {"values": LOOSER, "reason": "bolder"}) == 403
    assert api(stale, "parameters/roll-back", {"revision": 1, "reason": "bolder"}) == 403
    assert (newest().number, ParameterDraft.objects.count()) == (2, 0)
    assert api(stale, "parameters/drafts", {"values": {"risk_fraction": 0.01}, "reason": "calmer"}) == 201


@pytest.mark.parametrize(("scope", "status"), [("trade", 403), ("admin", 202)])
def test_a_token_needs_the_scope_admin_for_what_may_lose_more(boss: User, scope: str, status: int) -> None:
    _, value = tokens.issue(user=boss, name="bot", scope=scope, days=1, now=timezone.now())

    answer = api(Client(), "parameters/drafts", {"values": LOOSER, "reason": "x"}, Authorization=f"Bearer {value}")

    assert (answer, ParameterDraft.objects.count()) == (status, int(status == 202))


@pytest.mark.parametrize("path", ["add/", "1/act/roll-back/"])
def test_parameters_in_the_administration_need_it(stale: Client, path: str) -> None:
    revise(**LOOSER)

    assert asks(stale.post(f"/admin/trading/parameterrevision/{path}", form(**SAFER)))

    assert newest().number == 2


@pytest.fixture
def proposed() -> Proposal:
    now = timezone.now()
    factories.bot(now)
    values = {"symbol": "BTC/USDT", "side": "long", "mode": "hybrid", "confidence": 0.8, "price": 67_000.0}
    return Proposal.objects.create(created_at=now, expires_at=now + timedelta(minutes=5), against=[], **values)


def test_an_entry_that_the_ai_proposes_is_confirmed_with_a_fresh_proof_alone(stale: Client, proposed: Proposal) -> None:
    assert asks(stale.post(f"/proposals/{proposed.pk}/confirm/"))
    assert api(stale, f"proposals/{proposed.pk}/confirm", {}) == 403

    proposed.refresh_from_db()
    assert proposed.status == "pending"


def test_it_is_rejected_at_once(stale: Client, proposed: Proposal) -> None:
    stale.post(f"/proposals/{proposed.pk}/reject/")

    proposed.refresh_from_db()
    assert proposed.status == "rejected"
