"""Answers and ticks at the same time: one decision per signal, at most one trade, and nothing that waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.advisers import Told, opinion, with_advisers
from tests.engine import (
    SYMBOL,
    Scripted,
    assert_books_balance,
    close_of,
    context_at,
    enter_at,
    ports_over,
    run_tick,
    series,
    set_params,
)
from tests.race.test_one_bar import FILE_OPTIONS, QUIET, THREADS, in_threads
from trading.core.types import Side
from trading.models import Advice, Bot, Event, Order, OrderRole, Proposal, Signal, Trade
from trading.services import advising, awaiting, proposals, proposed, scratch
from trading.services.context import Ports

SOON = timedelta(seconds=2)


@pytest.fixture(autouse=True)
def _own_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    # The tests here bring their own files, which pytest-django knows nothing of.
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "race.sqlite3"


def waiting(path: Path) -> Ports:
    """Return ports over a database in which one signal waits for advice."""
    ports = with_advisers(ports_over(series([QUIET] * 3), enter_at(-1)), Told(None, is_slow=True))
    with scratch.database(str(path)):
        set_params(price_age=600)
        run_tick(ports, close_of(-1), owner="everybody")
        assert Signal.objects.get().status == "awaiting"
    return ports


def attend_all(path: Path, ports: Ports, *, answers: bool) -> None:
    """Let every thread decide what waits, and where told answer as well, all as holders of one lease."""

    def act(number: int) -> None:
        if answers and number % 2:
            advising.keep(Signal.objects.get().pk, opinion(number % 4 == 1), now=close_of(-1) + SOON)
        else:
            context = context_at(ports, close_of(-1) + timedelta(seconds=21), owner="everybody")
            awaiting.attend(Bot.objects.get(pk=1), context)

    in_threads(path, act)


@pytest.fixture
def _all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every thread find the signal waiting before the first of them decides."""
    found, answered = threading.Barrier(THREADS, timeout=30), advising.answered

    def answered_together(signals: Sequence[Signal]) -> dict[int, set[str]]:
        found.wait()
        return answered(signals)

    monkeypatch.setattr(advising, "answered", answered_together)


@pytest.mark.usefixtures("_all_at_once")
def test_many_ticks_decide_a_signal_once(path: Path) -> None:
    ports = waiting(path)
    with scratch.attached(str(path), FILE_OPTIONS):
        advising.keep(Signal.objects.get().pk, opinion(), now=close_of(-1) + SOON)

        attend_all(path, ports, answers=False)

        assert Signal.objects.get().status == "taken"
        assert Trade.objects.count() == Order.objects.filter(role=OrderRole.ENTRY).count() == 1
        assert told() == ["awaiting", "taken"]
        assert_books_balance()


@pytest.mark.usefixtures("_all_at_once")
def test_without_the_claim_the_same_race_decides_it_more_than_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = waiting(path)
    monkeypatch.setattr(awaiting, "_claim", lambda signal, context: True)
    with scratch.attached(str(path), FILE_OPTIONS):
        attend_all(path, ports, answers=False)

        assert told() == ["awaiting", *["refused"] * THREADS]


def test_answers_that_come_while_it_is_decided_are_read_or_late(path: Path) -> None:
    ports = waiting(path)
    with scratch.attached(str(path), FILE_OPTIONS):
        attend_all(path, ports, answers=True)

        signal, row = Signal.objects.get(), Advice.objects.get()
        counted = signal.verdicts.get(name="ai").value is not None
        assert row.is_late != counted
        assert signal.status == ("taken" if counted and row.approve else "refused")
        assert Trade.objects.count() == (signal.status == "taken")
        assert told() == ["awaiting", signal.status]


def test_a_proposal_that_is_confirmed_rejected_and_entered_at_once_ends_once(path: Path) -> None:
    ports = ports_over(series([QUIET] * 3), Scripted({}))
    now = close_of(-1) + SOON
    with scratch.database(str(path)):
        set_params(price_age=600, ai_mode="hybrid")
        run_tick(ports, close_of(-1), owner="everybody")
        made = proposals.propose(symbol=SYMBOL, side=Side.LONG, advice=opinion(), price=100.0, now=now)
        assert made is not None

    def act(number: int) -> str:
        try:
            if number % 4 == 0:
                proposals.confirm(made.pk, who=f"person {number}", now=now)
            elif number % 4 == 1:
                proposals.reject(made.pk, who=f"person {number}", now=now)
            else:
                proposed.attend(Bot.objects.get(pk=1), context_at(ports, now + SOON, owner="everybody"))
        except proposals.NotOpen:
            return "too late"
        return "done"

    with scratch.attached(str(path), FILE_OPTIONS):
        results = in_threads(path, act)

        assert len(results) == THREADS
        proposal = Proposal.objects.get()
        assert proposal.status in ("rejected", "taken")
        assert Trade.objects.count() == Signal.objects.count() == (proposal.status == "taken")
        ends = [event.payload["status"] for event in Event.objects.filter(kind="proposal_decided")]
        assert ends.count("taken") + ends.count("rejected") == 1
        assert ends.count("confirmed") <= 1


def told() -> list[str]:
    return [event.payload["status"] for event in Event.objects.filter(kind="signal").order_by("pk")]
