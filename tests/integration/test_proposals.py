"""What the AI proposes: who may let it in, and that it passes the same gate as every other entry."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tests.advisers import Told, opinion, with_advisers
from tests.engine import (
    SYMBOL,
    Scripted,
    assert_books_balance,
    close_of,
    enter_at,
    ports_over,
    run_tick,
    series,
    set_params,
)
from trading.core.advising import AI, PREDICTOR
from trading.core.decision import PROPOSED
from trading.core.types import Side
from trading.models import Advice, AuditEntry, Bot, Event, Proposal, ProposalStatus, Signal, Trade, TradingState
from trading.services import control, proposals
from trading.services.context import Ports

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
SOON = timedelta(seconds=2)
NOBODY = Scripted({})


def begun(*advisers: Any, mode: str = "hybrid", strategy: Any = NOBODY, rows: int = 6, **params: Any) -> Ports:
    """Return ports over a market that an account has ticked in once, two bars before the written rows begin."""
    set_params(**{"price_age": 600, "entry_deadline": 1.0, "ai_mode": mode, **params})
    ports = with_advisers(ports_over(series([QUIET] * rows), strategy), *advisers)
    run_tick(ports, close_of(-2))
    return ports


def proposed(now: datetime | None = None, **columns: Any) -> Proposal | None:
    values = {"symbol": SYMBOL, "side": Side.LONG, "advice": opinion(True, 0.85), "price": 100.0, **columns}
    return proposals.propose(**values, now=now or close_of(-2) + SOON)


def made(now: datetime | None = None, **columns: Any) -> Proposal:
    proposal = proposed(now, **columns)
    assert proposal is not None
    return proposal


def now_is(proposal: Proposal) -> tuple[str, str]:
    proposal.refresh_from_db()
    return proposal.status, proposal.outcome


def test_a_proposal_waits_for_a_person_and_enters_through_the_gate_once_confirmed() -> None:
    ports = begun(Told(opinion(True, 0.6, source=PREDICTOR), name=PREDICTOR), Told(opinion(False)))
    proposal = made(advice=opinion(True, 0.85, risk="medium", against=("thin",), model="m-1", prompt="v2", tokens=99))
    run_tick(ports, close_of(-1))
    assert now_is(proposal) == ("pending", "")
    assert not Signal.objects.exists()

    proposals.confirm(proposal.pk, who="operator", now=close_of(-1) + SOON)
    run_tick(ports, close_of(-1) + 2 * SOON)

    signal = Signal.objects.get()
    assert now_is(proposal) == ("taken", "taken")
    assert (proposal.decided_by, proposal.signal) == ("operator", signal)
    assert (signal.strategy, signal.side, signal.status, signal.bar_at) == (
        PROPOSED, "long", "taken", close_of(-2),
    )  # fmt: skip
    assert {"score", "adx", "volume_ratio", "trading_state", "open_trades", "size", PREDICTOR, AI} <= {
        row.name for row in signal.verdicts.all()
    }
    kept = Advice.objects.get(source=AI)
    assert (kept.confidence, kept.risk, kept.model, kept.prompt, kept.tokens) == (0.85, "medium", "m-1", "v2", 99)
    assert Trade.objects.get().signal == signal
    assert_books_balance()


def test_a_person_is_needed_in_advisory_mode_too() -> None:
    ports = begun(mode="advisory")
    proposal = made()

    run_tick(ports, close_of(-1))

    assert now_is(proposal)[0] == ProposalStatus.PENDING


def test_in_autonomous_mode_a_proposal_enters_by_itself() -> None:
    ports = begun(mode="autonomous")
    proposal = made(side=Side.SHORT)

    run_tick(ports, close_of(-1))

    assert now_is(proposal) == ("taken", "taken")
    assert (proposal.decided_by, Trade.objects.get().side) == ("", "short")
    assert_books_balance()


@pytest.mark.parametrize(
    ("refusing", "by", "params"),
    [
        ("a filter", "score", {f"score_min_{name}": 100 for name in
         ("strong_trend", "trend", "weak_trend", "ranging", "choppy", "unknown")}),
        ("a guard", "trading_state", {}),
        ("a model", PREDICTOR, {}),
        ("the streak", AI, {"cooldown_losses": 20}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["hybrid", "autonomous"])
def test_what_refuses_other_entries_refuses_a_confirmed_proposal(
    refusing: str, by: str, params: dict[str, Any], mode: str
) -> None:
    says = opinion(True, 0.1 if refusing == "a model" else 0.9, source=PREDICTOR)
    ports = begun(Told(says, name=PREDICTOR), mode=mode, **params)
    proposal = made()
    if refusing == "a guard":
        control.tighten(TradingState.CLOSE_ONLY, reason="test", now=close_of(-2))
    if refusing == "the streak":
        Bot.objects.update(losses_in_row=2)
    if mode == "hybrid":
        proposals.confirm(proposal.pk, who="operator", now=close_of(-2) + SOON)

    run_tick(ports, close_of(-1))

    signal = Signal.objects.get()
    assert (signal.status, signal.refused_by) == ("refused", by)
    assert now_is(proposal) == ("refused", signal.reason)
    assert proposal.signal == signal
    assert not Trade.objects.exists()


@pytest.mark.parametrize("mode", ["off", "filter"])
def test_in_other_modes_nothing_is_proposed(mode: str) -> None:
    begun(mode=mode)

    assert proposed() is None
    assert not Proposal.objects.exists()


@pytest.mark.parametrize(
    ("_case", "columns"),
    [
        ("no pair of ours", {"symbol": "DOGE/USDT"}),
        ("not approved", {"advice": opinion(False, 0.99)}),
        ("no opinion", {"advice": opinion(None, None)}),
        ("not sure enough", {"advice": opinion(True, 0.69)}),
        ("nonsense", {"advice": opinion(True, 7.0)}),
        ("not a number", {"advice": opinion(True, math.nan)}),
        ("without influence", {"advice": opinion(True, 0.9, influence=0.0)}),
        ("no price", {"price": math.nan}),
        ("a price of nothing", {"price": 0.0}),
    ],
)
def test_what_may_not_be_proposed_is_not(_case: str, columns: dict[str, Any]) -> None:
    begun()

    assert proposed(**columns) is None
    assert not Event.objects.filter(kind="proposal").exists()


def test_one_proposal_is_open_for_a_symbol() -> None:
    begun()
    first = made()

    assert proposed(side=Side.SHORT) is None
    proposals.reject(first.pk, who="operator", now=close_of(-1))
    assert proposed(side=Side.SHORT) is not None

    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.filter(pk=first.pk).update(status="pending")


def test_nothing_is_proposed_where_a_trade_is_open() -> None:
    ports = begun(strategy=enter_at(-1))
    run_tick(ports, close_of(-1))
    assert Trade.objects.filter(status="open").exists()

    assert proposed(close_of(-1) + SOON) is None


def test_confirming_twice_is_once_and_each_step_is_told_and_audited() -> None:
    ports = begun()
    proposal = made()

    for _ in range(2):
        proposals.confirm(proposal.pk, who="operator", now=close_of(-1))
    for seconds in (0, 2, 4):
        run_tick(ports, close_of(-1) + timedelta(seconds=seconds))
    proposals.confirm(proposal.pk, who="operator", now=close_of(-1) + timedelta(seconds=6))

    assert Trade.objects.count() == Signal.objects.count() == 1
    assert [(event.kind, event.payload["status"]) for event in Event.objects.filter(kind__startswith="proposal")] == [
        ("proposal", "pending"), ("proposal_decided", "confirmed"), ("proposal_decided", "taken"),
    ]  # fmt: skip
    assert AuditEntry.objects.get(act="proposal_confirmed").actor == "operator"


def test_a_rejected_proposal_enters_nothing_and_cannot_be_confirmed() -> None:
    ports = begun()
    proposal = made()

    for _ in range(2):
        proposals.reject(proposal.pk, who="operator", now=close_of(-1), reason="news at noon")
    with pytest.raises(proposals.NotOpen, match="rejected: operator rejected it: news at noon"):
        proposals.confirm(proposal.pk, who="somebody", now=close_of(-1))
    run_tick(ports, close_of(-1))

    assert not Signal.objects.exists()
    assert Event.objects.filter(kind="proposal_decided").count() == 1


def test_a_confirmed_proposal_may_still_be_rejected_until_it_is_entered() -> None:
    ports = begun()
    proposal = made()
    proposals.confirm(proposal.pk, who="operator", now=close_of(-2) + SOON)
    proposals.reject(proposal.pk, who="operator", now=close_of(-2) + SOON)
    run_tick(ports, close_of(-1))
    assert not Trade.objects.exists()

    other = made(close_of(-1))
    proposals.confirm(other.pk, who="operator", now=close_of(-1))
    run_tick(ports, close_of(-1) + SOON)
    with pytest.raises(proposals.NotOpen, match="taken"):
        proposals.reject(other.pk, who="operator", now=close_of(-1) + 2 * SOON)


def test_what_nobody_decides_in_time_expires() -> None:
    ports = begun(proposal_minutes=9)
    proposal = made()

    with pytest.raises(proposals.NotOpen, match="nobody decided in time"):
        proposals.confirm(proposal.pk, who="operator", now=proposal.expires_at)
    run_tick(ports, close_of(-1))

    assert now_is(proposal) == ("expired", "nobody decided in time")
    assert not Signal.objects.exists()


def test_the_tick_lets_proposals_expire() -> None:
    ports = begun(proposal_minutes=9)
    proposal = made()

    run_tick(ports, proposal.expires_at)

    assert now_is(proposal)[0] == "expired"
    assert Event.objects.get(kind="proposal_decided").payload["status"] == "expired"


def test_nobody_without_a_name_decides() -> None:
    begun()
    proposal = made()

    for act in (proposals.confirm, proposals.reject):
        with pytest.raises(proposals.NotOpen, match="a person has to decide"):
            act(proposal.pk, who="  ", now=close_of(-1))
    with pytest.raises(proposals.NotOpen, match="there is no proposal 999"):
        proposals.confirm(999, who="operator", now=close_of(-1))
    assert now_is(proposal)[0] == "pending"


def test_a_bar_that_was_decided_already_makes_the_proposal_wait_for_the_next_one() -> None:
    ports = begun(strategy=enter_at(-1), score_min_unknown=100, score_min_choppy=100, score_min_ranging=100,
                  score_min_trend=100, score_min_weak_trend=100, score_min_strong_trend=100)  # fmt: skip
    run_tick(ports, close_of(-1))
    assert Signal.objects.get().refused_by == "score"
    set_params(price_age=600, ai_mode="hybrid", entry_deadline=1.0)
    proposal = made(close_of(-1) + SOON)
    proposals.confirm(proposal.pk, who="operator", now=close_of(-1) + SOON)

    run_tick(ports, close_of(-1) + 2 * SOON)
    assert now_is(proposal)[0] == "confirmed"
    run_tick(ports, close_of(0))

    assert now_is(proposal)[0] == "taken"
    assert Signal.objects.filter(strategy=PROPOSED, bar_at=close_of(-1)).exists()


def test_a_bar_that_is_too_old_to_enter_on_makes_the_proposal_wait_for_the_next_one() -> None:
    ports = begun(entry_deadline=0.5)
    proposal = made()
    proposals.confirm(proposal.pk, who="operator", now=close_of(-2) + SOON)

    run_tick(ports, close_of(-2) + timedelta(minutes=8))
    assert now_is(proposal)[0] == "confirmed"
    run_tick(ports, close_of(-1))

    assert now_is(proposal)[0] == "taken"


@pytest.mark.parametrize(
    ("was", "becomes", "outcome"),
    [
        ("hybrid", "filter", "the mode of the AI is filter now, in which it proposes nothing"),
        ("autonomous", "hybrid", "the mode of the AI is hybrid now, and no person confirmed it"),
        ("autonomous", "off", "the mode of the AI is off now, in which it proposes nothing"),
    ],
)
def test_a_mode_that_changes_before_the_entry_refuses_it(was: str, becomes: str, outcome: str) -> None:
    ports = begun(mode=was)
    proposal = made()
    if was == "hybrid":
        proposals.confirm(proposal.pk, who="operator", now=close_of(-2) + SOON)
    set_params(price_age=600, entry_deadline=1.0, ai_mode=becomes)

    run_tick(ports, close_of(-1))

    assert now_is(proposal) == ("refused", outcome)
    assert not Signal.objects.exists()


def test_a_pair_that_is_not_traded_any_more_is_not_entered() -> None:
    ports = begun()
    proposal = made()
    proposals.confirm(proposal.pk, who="operator", now=close_of(-2) + SOON)
    set_params(price_age=600, ai_mode="hybrid", pairs=["ETH/USDT"])

    run_tick(ports, close_of(-1))

    assert now_is(proposal) == ("refused", f"{SYMBOL} is not traded any more")


def test_a_bypassed_ai_enters_nothing_that_it_proposed() -> None:
    ports = begun(mode="autonomous")
    made()

    run_tick(with_advisers(ports, bypassed=(AI,)), close_of(-1))

    assert Signal.objects.get().refused_by == AI
