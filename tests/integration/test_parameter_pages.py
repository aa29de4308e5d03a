"""Parameters on their pages: edited, checked, compared, put in force, discarded, rolled back; and who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from dashboard import parameter_sheet, sessions
from tests import drafts, factories
from trading.core.params import Params
from trading.models import ParameterDraft, ParameterRevision
from trading.services import parameters

pytestmark = pytest.mark.django_db


@pytest.fixture
def risk(client: Client) -> Client:
    """Log somebody of the role that may change parameters in."""
    user = factories.user("ruth", is_staff=False)
    user.groups.add(Group.objects.get(name="risk"))
    client.force_login(user)
    session = client.session
    sessions.prove(session, now=timezone.now())
    session.save()
    return client


def form(**changed: Any) -> dict[str, Any]:
    """Return what the form would send: every value in force, and what was changed."""
    revision = parameters.current(now=timezone.now())
    values = {**parameters.params_of(revision).as_json(), "reason": "quieter", "expected_number": revision.number}
    sent = {
        name: ", ".join(value) if isinstance(value, list) else value for name, value in {**values, **changed}.items()
    }
    return {name: "on" if value is True else value for name, value in sent.items() if value is not False}


def page(act: str = "") -> str:
    """Return the address of the one draft that there is, or of an act on it."""
    return f"/parameters/drafts/{ParameterDraft.objects.get().pk}/{act}"


def post(client: Client, **changed: Any) -> str:
    return client.post("/parameters/change/", form(**changed), follow=True).content.decode()


def test_validating_says_what_would_become_of_it_and_proposes_nothing(risk: Client) -> None:
    html = post(risk, volume_min=0.8, do="validate")

    assert "This is compared with what is in force" in html
    assert "0.9" in html
    assert ParameterDraft.objects.count() == 0
    assert "only lowers the risk" in post(risk, risk_fraction=0.01, do="validate")
    assert "Nothing would change" in post(risk, do="validate")
    assert ParameterRevision.objects.count() == 1


def test_what_only_lowers_the_risk_is_in_force_at_once(risk: Client) -> None:
    html = post(risk, risk_fraction=0.01, do="propose")

    assert "Revision 2 is in force from the next tick on" in html
    assert parameters.params_of(parameters.current(now=timezone.now())).risk_fraction == 0.01


def test_another_change_becomes_a_draft_whose_page_shows_what_was_found(risk: Client) -> None:
    html = post(risk, volume_min=0.8, do="propose")
    assert "both sets are tested on the newest candles" in html

    drafts.compare(sharpe=0.1)
    held = risk.get(page()).content.decode()
    assert "Held back: a person has to decide" in held
    assert "Put it in force all the same" in held
    assert "✕ " in held

    risk.post(page("overrule/"), {"reason": "the week was odd"})
    assert "in force since" in risk.get(page()).content.decode().lower()
    assert ParameterRevision.objects.latest("number").gate == "overruled"


def test_a_draft_is_discarded_and_no_reason_overrules_nothing(risk: Client) -> None:
    post(risk, volume_min=0.8, do="propose")

    refused = risk.post(page("overrule/"), follow=True).content.decode()
    assert "Nothing was changed: say why the gate is overruled" in refused
    risk.post(page("discard/"))

    assert ParameterDraft.objects.get().status == "discarded"
    assert ParameterRevision.objects.count() == 1


def test_an_impossible_value_is_marked_and_nothing_is_proposed(risk: Client) -> None:
    html = post(risk, risk_fraction=7, do="propose")

    assert "Nothing was proposed: correct what is marked below." in html
    assert 'class="edit wrong"' in html
    assert ParameterRevision.objects.count() == 1


def test_an_edit_against_an_older_revision_is_refused(risk: Client) -> None:
    stale = form(volume_min=0.8)
    post(risk, risk_fraction=0.01, do="propose")

    html = risk.post("/parameters/change/", stale).content.decode()

    assert "revision 2" in html
    assert ParameterDraft.objects.count() == 0


def test_an_earlier_revision_is_rolled_back_to_from_its_page(risk: Client) -> None:
    post(risk, risk_fraction=0.01, do="propose")

    html = risk.get("/parameters/history/1/").content.decode()
    assert "Roll back to revision 1" in html
    risk.post("/parameters/history/1/roll-back/", {"reason": "too timid"})

    newest = ParameterRevision.objects.latest("number")
    assert (newest.number, newest.gate) == (3, "rolled_back")
    assert parameters.params_of(newest) == Params()
    assert "Nothing: its values are those in force." in risk.get("/parameters/history/1/").content.decode()


@pytest.mark.parametrize(
    "path",
    ["/parameters/change/", "/parameters/drafts/1/overrule/", "/parameters/drafts/1/discard/", "/parameters/history/1/roll-back/"],
)  # fmt: skip
def test_a_trader_may_look_and_change_nothing(client: Client, path: str) -> None:
    drafts.draft_of({"volume_min": 0.8})
    user = factories.user("tom", is_staff=False)
    user.groups.add(Group.objects.get(name="trader"))
    client.force_login(user)

    assert client.post(path, form(risk_fraction=0.01)).status_code == 403
    assert ParameterRevision.objects.count() == 1
    assert ParameterDraft.objects.get().status == "waiting"
    for seen in ("/parameters/drafts/", "/parameters/drafts/1/", "/parameters/history/1/"):
        html = client.get(seen).content.decode()
        assert "Put it in force" not in html
        assert "Roll back to" not in html


def test_numbers_are_written_as_people_write_them() -> None:
    rows = {row.name: row for row in parameter_sheet.rows(Params())}

    assert rows["pair_min_volume"].value == "1,000,000"
    assert rows["pair_min_volume"].range == "0 to 1,000,000,000"
    assert rows["pair_max_spread"].value == "0.002"
