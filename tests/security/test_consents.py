"""Two people, where SECOND_PERSON asks for them: nobody loosens alone, by whatever way, and what was consented to is done once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from dashboard import sessions
from tests import factories
from tests.drafts import compare, draft_of, in_force
from tests.drafts import propose as proposed
from tests.integration.test_going_live import PHRASE, examined, store
from trading.models import (
    AuditEntry,
    Consent,
    ConsentAct,
    ConsentAnswer,
    DraftStatus,
    Gate,
    LiveApproval,
    StateChange,
    TradingState,
)
from trading.models import Bot as Account
from trading.services import consenting, consents, control, gate, going_live, parameters
from trading.services.consenting import ConsentRefused, NotYours

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _two(settings: Settings) -> None:
    settings.SECOND_PERSON = True
    settings.CREDENTIALS_KEYS, settings.TRADING_MODE = [Fernet.generate_key().decode()], "live"


def person(name: str, role: str) -> User:
    made = factories.user(name, is_staff=False)
    made.groups.add(Group.objects.get(name=role))
    User.objects.filter(pk=made.pk).update(date_joined=NOW - timedelta(days=1))
    return User.objects.get(pk=made.pk)


@pytest.fixture
def anna() -> User:
    return person("anna", "admin")


@pytest.fixture
def otto() -> User:
    return person("otto", "admin")


@pytest.fixture
def halted() -> Account:
    return factories.bot(NOW, trading_state=TradingState.HALTED, state_reason="odd")


def loosen(by: str = "anna", now: datetime = NOW) -> bool:
    return control.loosen(TradingState.ACTIVE, reason="looked at it", now=now, by=by)


def asked(act: Callable[[], object], refusal: type[Exception]) -> Consent:
    """Try something that needs two, and return the request that came of it."""
    with pytest.raises(refusal, match="another person has until 13:00 UTC to consent"):
        act()
    return Consent.objects.latest("pk")


def state() -> str:
    return Account.objects.get(pk=1).trading_state


def test_one_person_is_enough_where_nothing_else_is_said(anna: User, halted: Account, settings: Settings) -> None:
    settings.SECOND_PERSON = False

    assert loosen()
    assert state() == TradingState.ACTIVE
    assert not Consent.objects.exists()


def test_a_halt_is_lifted_by_two_and_tightening_by_one(anna: User, otto: User, halted: Account) -> None:
    row = asked(loosen, control.StateRefused)
    assert state() == TradingState.HALTED

    done = consenting.give(row.pk, by=otto, now=LATER)

    change = StateChange.objects.get()
    assert state() == TradingState.ACTIVE
    assert (change.by, change.reason, change.at) == ("anna", "looked at it", LATER)
    assert (done.answer, done.answered_by, done.outcome) == (ConsentAnswer.GIVEN, otto, "Trading is set to running.")
    told = list(AuditEntry.objects.order_by("number").values_list("act", "actor"))
    assert told == [("consent_asked", "anna"), ("trading_state", "anna"), ("consent_given", "otto")]
    assert control.tighten(TradingState.HALTED, reason="again", now=LATER, by="anna")


def test_nobody_consents_to_what_they_asked_for(anna: User, halted: Account) -> None:
    row = asked(loosen, control.StateRefused)

    with pytest.raises(NotYours, match="who asks cannot consent"):
        consenting.give(row.pk, by=anna, now=LATER)
    with pytest.raises(IntegrityError), transaction.atomic():
        Consent.objects.filter(pk=row.pk).update(answer=ConsentAnswer.GIVEN, answered_by=anna, answered_at=LATER)

    assert state() == TradingState.HALTED


def test_an_account_made_for_it_cannot_consent(anna: User, otto: User, halted: Account) -> None:
    row = asked(loosen, control.StateRefused)
    User.objects.filter(pk=otto.pk).update(date_joined=NOW + timedelta(minutes=1))
    otto.refresh_from_db()

    with pytest.raises(NotYours, match="made after the request"):
        consenting.give(row.pk, by=otto, now=LATER)


def test_only_who_might_do_it_as_well_consents(anna: User, halted: Account) -> None:
    row = asked(loosen, control.StateRefused)

    with pytest.raises(NotYours, match="change_trading_state"):
        consenting.give(row.pk, by=person("vera", "viewer"), now=LATER)
    assert consenting.give(row.pk, by=person("tom", "trader"), now=LATER).outcome


def test_consent_ends_with_its_time_and_is_given_once(anna: User, otto: User, halted: Account) -> None:
    row = asked(loosen, control.StateRefused)

    with pytest.raises(ConsentRefused, match="was open until 2026-03-01 13:00 UTC"):
        consenting.give(row.pk, by=otto, now=NOW + consents.LIFE)
    consenting.give(row.pk, by=otto, now=LATER)
    with pytest.raises(ConsentRefused, match="is given already"):
        consenting.give(row.pk, by=otto, now=LATER)

    assert StateChange.objects.count() == 1


def test_asking_twice_is_one_request_until_it_is_over(anna: User, halted: Account) -> None:
    row = asked(loosen, control.StateRefused)

    assert asked(lambda: loosen(now=NOW), control.StateRefused) == row
    with pytest.raises(control.StateRefused):
        loosen(now=NOW + consents.LIFE)
    assert Consent.objects.count() == 2


def test_a_consent_is_for_what_was_asked_and_nothing_else(anna: User, otto: User, halted: Account) -> None:
    row = asked(
        lambda: control.loosen(TradingState.CLOSE_ONLY, reason="exits", now=NOW, by="anna"), control.StateRefused
    )
    row.answer = ConsentAnswer.GIVEN

    with pytest.raises(control.StateRefused, match="another person"):
        control.loosen(TradingState.ACTIVE, reason="more", now=NOW, by="anna", consent=row)


def test_what_is_refused_or_taken_back_is_not_done(anna: User, otto: User, halted: Account) -> None:
    first = asked(loosen, control.StateRefused)
    assert consenting.refuse(first.pk, by=otto, now=LATER).answer == ConsentAnswer.REFUSED
    second = asked(loosen, control.StateRefused)
    assert consenting.refuse(second.pk, by=anna, now=LATER).answered_by == anna

    for row in (first, second):
        with pytest.raises(ConsentRefused, match="is refused already"):
            consenting.give(row.pk, by=otto, now=LATER)
    assert state() == TradingState.HALTED


def test_who_asked_must_still_be_allowed_to(anna: User, otto: User, halted: Account) -> None:
    row = asked(loosen, control.StateRefused)
    User.objects.filter(pk=anna.pk).update(is_active=False)

    with pytest.raises(ConsentRefused, match="anna may no longer do this"):
        consenting.give(row.pk, by=otto, now=LATER)


@pytest.mark.parametrize("by", ["root", "olga by Telegram"])
def test_who_has_no_account_is_led_to_the_pages(by: str, halted: Account) -> None:
    with pytest.raises(control.StateRefused, match="ask for it on the pages"):
        loosen(by=by)
    assert not Consent.objects.exists()


def test_the_shell_is_no_way_around_it(halted: Account) -> None:
    with pytest.raises(CommandError, match="another person"):
        call_command("resume", reason="quickly")
    assert state() == TradingState.HALTED


def test_the_gate_is_overruled_by_two(anna: User, otto: User) -> None:
    parameters.current(now=NOW)
    draft = draft_of({"risk_fraction": 0.025})
    row = asked(lambda: gate.overrule(draft.pk, reason="a new venue", author=anna, now=NOW), gate.GateRefused)
    assert in_force().number == 1

    consenting.give(row.pk, by=otto, now=LATER)

    revision = in_force()
    assert (revision.number, revision.gate, revision.author) == (2, Gate.OVERRULED, anna)


def test_what_can_no_longer_be_done_leaves_the_request_and_everything_as_it_was(anna: User, otto: User) -> None:
    parameters.current(now=NOW)
    draft = draft_of({"fast_sma": 10})
    row = asked(lambda: gate.overrule(draft.pk, reason="now", author=anna, now=NOW), gate.GateRefused)
    gate.discard(draft.pk, by="anna", now=NOW)

    with pytest.raises(ConsentRefused, match="only one that waits or is held back"):
        consenting.give(row.pk, by=otto, now=LATER)

    row.refresh_from_db()
    assert (row.answer, row.answered_by, in_force().number) == (ConsentAnswer.OPEN, None, 1)


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"risk_fraction": 0.025}, DraftStatus.HELD), ({"fast_sma": 10}, DraftStatus.ACTIVE)],
    ids=["more risk", "another entry"],
)
def test_a_comparison_alone_puts_no_greater_risk_in_force(changes: dict[str, Any], status: DraftStatus) -> None:
    parameters.current(now=NOW)
    draft = draft_of(changes)

    compare(profit_factor=1.6)

    draft.refresh_from_db()
    assert draft.status == status
    assert ("two people put it in force" in draft.finding) == (status == DraftStatus.HELD)


def test_what_only_lowers_the_risk_needs_nobody_and_its_undoing_two(anna: User, otto: User) -> None:
    parameters.current(now=NOW)
    proposed({"risk_fraction": 0.005})
    assert in_force().number == 2

    def back() -> None:
        parameters.roll_back(number=1, reason="calmer", author=anna, expected_number=2, now=NOW)

    row = asked(back, parameters.NothingToRollBack)
    assert in_force().number == 2

    consenting.give(row.pk, by=otto, now=LATER)

    assert (in_force().number, in_force().gate) == (3, Gate.ROLLED_BACK)


def test_real_money_is_approved_by_two_of_whom_one_is_an_administrator(anna: User, otto: User) -> None:
    examined(store())

    def approve() -> None:
        going_live.approve(exchange="binance", typed=PHRASE, by="anna", reason="ready", now=NOW)

    row = asked(approve, going_live.LiveRefused)
    assert not LiveApproval.objects.exists()
    with pytest.raises(NotYours):
        consenting.give(row.pk, by=person("rita", "risk"), now=LATER)

    consenting.give(row.pk, by=otto, now=LATER)

    approval = LiveApproval.objects.get()
    assert (approval.approved_by, approval.phrase, approval.at) == ("anna", PHRASE, LATER)
    going_live.gate(exchange="binance", mode_setting="live", now=LATER)


@pytest.fixture
def waiting(otto: User) -> Consent:
    """Return a request of Otto's, made a moment ago."""
    now = timezone.now()
    factories.bot(now, trading_state=TradingState.HALTED, state_reason="odd")
    with pytest.raises(control.StateRefused):
        loosen(by="otto", now=now)
    return Consent.objects.get()


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def answer(client: Client, row: Consent, act: str) -> Any:
    return client.post(f"/api/v1/consents/{row.pk}/{act}", content_type="application/json")


def grow_stale(client: Client) -> None:
    kept = client.session
    kept[sessions.PROVED] = (timezone.now() - timedelta(minutes=6)).isoformat()
    kept.save()


def test_the_page_shows_each_what_they_may_do(waiting: Consent, anna: User, otto: User) -> None:
    mine, theirs = (browser(user).get("/consents/").content.decode() for user in (otto, anna))

    assert "Take request" in mine
    assert "Consent to request" not in mine
    assert "Consent to request" in theirs
    assert "Trading is set to running." in theirs
    assert "looked at it" in theirs
    assert "Consent to request" not in browser(person("vera", "viewer")).get("/consents/").content.decode()


def test_the_page_asks_for_a_fresh_proof_and_then_does_it(waiting: Consent, anna: User) -> None:
    client, address = browser(anna), f"/consents/{waiting.pk}/give/"
    grow_stale(client)

    assert client.post(address).headers["Location"].startswith("/account/confirm/")
    assert state() == TradingState.HALTED
    told = browser(anna).post(address, follow=True)

    assert state() == TradingState.ACTIVE
    assert "Consent to request" in told.content.decode()


def test_who_asked_is_refused_by_page_and_api_and_it_is_in_the_audit(waiting: Consent, otto: User) -> None:
    assert browser(otto).post(f"/consents/{waiting.pk}/give/").status_code == 403
    assert answer(browser(otto), waiting, "give").status_code == 403
    assert state() == TradingState.HALTED
    assert AuditEntry.objects.filter(actor="otto", outcome="refused").count() == 2


def test_the_api_lists_gives_and_refuses(waiting: Consent, anna: User) -> None:
    client = browser(anna)
    listed = client.get("/api/v1/consents").json()["results"]
    assert [(row["id"], row["asked_by"], row["answer"]) for row in listed] == [(waiting.pk, "otto", "")]
    grow_stale(client)
    assert answer(client, waiting, "give").status_code == 403
    done = answer(browser(anna), waiting, "give")
    again = answer(browser(anna), waiting, "refuse")

    assert (done.status_code, done.json()["answered_by"]) == (200, "anna")
    assert again.status_code == 409
    assert state() == TradingState.ACTIVE


def test_the_button_of_the_frame_asks_and_says_so(otto: User, anna: User) -> None:
    factories.bot(timezone.now(), trading_state=TradingState.HALTED, state_reason="odd")
    asked_for = {"state": "active", "reason": "looked"}

    told = browser(otto).post("/trading-state/", asked_for, follow=True).content.decode()
    by_api = browser(otto).post("/api/v1/trading-state", asked_for, content_type="application/json")

    assert "another person has until" in told
    assert by_api.status_code == 422
    assert Consent.objects.get().act == ConsentAct.LOOSEN
    assert state() == TradingState.HALTED
