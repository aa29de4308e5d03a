"""Signals that wait for advice: when they are decided, by what, and that nothing keeps them waiting for ever."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from tests.advisers import Told, opinion, with_advisers
from tests.engine import (
    SYMBOL,
    assert_books_balance,
    close_of,
    context_at,
    enter_at,
    flaky,
    ports_over,
    run_tick,
    series,
    set_params,
)
from tests.integration.test_advising import LATER, QUIET, SOON, market, slow, verdict, waiting
from trading.core.advising import AI, PREDICTOR
from trading.core.ports import OutcomeUnknown
from trading.models import Advice, Bot, Event, Order, OrderRole, Signal, Trade, TradingState
from trading.services import advising, awaiting, control, invariants

pytestmark = pytest.mark.django_db


def test_a_signal_waits_for_who_answers_outside_the_tick() -> None:
    ports = market(Told(opinion(True, 0.6), name=PREDICTOR), slow())
    run_tick(ports, close_of(-1))

    signal = Signal.objects.get()
    assert (signal.status, signal.refused_by, signal.reason) == ("awaiting", "", "waits for advice")
    assert signal.advice_due_at == close_of(-1) + timedelta(seconds=20)
    assert {row.name for row in signal.verdicts.all()} == {
        "data_quality", "score", "adx", "adx_danger", "volume_ratio", "confluence", "target_over_cost",
    }  # fmt: skip
    assert [row.source for row in Advice.objects.all()] == [PREDICTOR]
    assert [each.pk for each in advising.wanting(source=AI, now=close_of(-1))] == [signal.pk]
    assert not Trade.objects.exists()

    run_tick(ports, close_of(-1) + SOON)
    assert Signal.objects.get().status == "awaiting"
    assert Signal.objects.get().decided_at == close_of(-1)


def test_when_the_answer_is_in_the_next_tick_decides_with_the_price_of_now() -> None:
    ports, signal = waiting()
    now = close_of(-1) + SOON

    assert advising.keep(signal.pk, opinion(True, 0.8), now=now)
    assert advising.wanting(source=AI, now=now) == []
    run_tick(ports, now)

    signal.refresh_from_db()
    assert (signal.status, signal.decided_at) == ("taken", now)
    rows = list(signal.verdicts.order_by("position"))
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    assert len({row.name for row in rows}) == len(rows)
    assert {"setup_age", "price_age", "trading_state", "size", AI} <= {row.name for row in rows}
    assert rows[-1].name == AI
    assert Trade.objects.get().signal == signal
    told = [event.payload["status"] for event in Event.objects.filter(kind="signal").order_by("pk")]
    assert told == ["awaiting", "taken"]
    assert_books_balance()


def test_a_setup_that_a_fast_adviser_refuses_waits_for_nobody() -> None:
    run_tick(market(Told(opinion(False, 0.2), name=PREDICTOR), slow()), close_of(-1))

    signal = Signal.objects.get()
    assert (signal.status, signal.refused_by, signal.advice_due_at) == ("refused", PREDICTOR, None)


@pytest.mark.parametrize(("ai_down", "status"), [("refuse", "refused"), ("technical", "taken")])
def test_after_the_deadline_it_is_decided_without_the_answer(ai_down: str, status: str) -> None:
    ports, signal = waiting(ai_down=ai_down)

    run_tick(ports, close_of(-1) + LATER)

    signal.refresh_from_db()
    assert signal.status == status
    assert "no answer in time" in verdict(signal, AI).reason
    assert Trade.objects.count() == (status == "taken")


@pytest.mark.parametrize("ai_down", ["refuse", "technical"])
def test_late_advice_is_kept_as_late_and_changes_nothing(ai_down: str) -> None:
    ports, signal = waiting(ai_down=ai_down)
    run_tick(ports, close_of(-1) + LATER)
    before = Signal.objects.values().get()

    assert advising.keep(signal.pk, opinion(ai_down == "refuse", 0.99), now=close_of(-1) + LATER)
    run_tick(ports, close_of(-1) + LATER + SOON)

    assert Advice.objects.get().is_late
    assert Signal.objects.values().get() == before
    assert Trade.objects.count() == (ai_down == "technical")


def test_the_first_answer_of_a_source_counts_and_no_row_is_ever_changed() -> None:
    _, signal = waiting()

    assert advising.keep(signal.pk, opinion(False, 0.9), now=close_of(-1))
    assert not advising.keep(signal.pk, opinion(True, 0.9), now=close_of(-1))

    assert Advice.objects.get().approve is False
    acts: list[Callable[[], object]] = [
        lambda: Advice.objects.update(approve=True),
        lambda: Advice.objects.all()._raw_delete("default"),
    ]
    for act in acts:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()


def test_an_answer_that_makes_no_sense_is_kept_as_no_opinion() -> None:
    ports, signal = waiting()

    advising.keep(signal.pk, opinion(True, math.nan), now=close_of(-1))
    run_tick(ports, close_of(-1) + SOON)

    signal.refresh_from_db()
    assert (signal.status, signal.refused_by) == ("refused", AI)


def test_a_signal_waits_no_longer_than_its_setup_may_be_entered() -> None:
    _, signal = waiting(entry_deadline=0.05, ai_patience_s=300)

    assert signal.advice_due_at == close_of(-1) + timedelta(seconds=45)


def test_a_signal_that_nobody_looked_at_in_time_expires() -> None:
    ports, signal = waiting()
    advising.keep(signal.pk, opinion(), now=close_of(-1))

    run_tick(ports, close_of(-1) + timedelta(minutes=9))

    signal.refresh_from_db()
    assert (signal.status, signal.refused_by) == ("expired", "setup_age")
    assert not Trade.objects.exists()


def test_guards_are_asked_anew_when_the_answer_is_in() -> None:
    ports, signal = waiting()
    control.tighten(TradingState.CLOSE_ONLY, reason="a storm", now=close_of(-1))
    advising.keep(signal.pk, opinion(), now=close_of(-1))

    run_tick(ports, close_of(-1) + SOON)

    signal.refresh_from_db()
    assert (signal.status, signal.refused_by) == ("refused", "trading_state")


def test_two_slow_advisers_are_both_waited_for() -> None:
    ports, signal = waiting(slow(), slow(name="mine"))
    advising.keep(signal.pk, opinion(), now=close_of(-1))
    run_tick(ports, close_of(-1) + SOON)
    assert Signal.objects.get().status == "awaiting"

    advising.keep(signal.pk, opinion(source="mine"), now=close_of(-1) + SOON)
    run_tick(ports, close_of(-1) + 2 * SOON)

    assert Signal.objects.get().status == "taken"


def test_advice_that_is_only_shown_is_not_waited_for() -> None:
    ports = market(slow(), ai_mode="advisory")
    run_tick(ports, close_of(-1))

    signal = Signal.objects.get()
    assert signal.status == "taken"
    assert [each.pk for each in advising.wanting(source=AI, now=close_of(-1))] == [signal.pk]
    advising.keep(signal.pk, opinion(False), now=close_of(-1) + SOON)
    assert Advice.objects.get().is_late


def test_an_adviser_that_was_switched_off_meanwhile_is_not_waited_for() -> None:
    ports, signal = waiting()
    set_params(price_age=600, ai_mode="off")

    run_tick(ports, close_of(-1) + SOON)

    signal.refresh_from_db()
    assert signal.status == "taken"


def test_a_symbol_that_the_venue_has_no_more_lets_its_signal_expire() -> None:
    ports, signal = waiting()
    context = context_at(ports, close_of(-1) + LATER)
    context.markets.pop(SYMBOL)  # type: ignore[attr-defined]

    awaiting.attend(Bot.objects.get(), context)

    signal.refresh_from_db()
    assert (signal.status, signal.reason) == ("expired", f"the venue has no market {SYMBOL} any more")


def test_a_signal_does_not_wait_for_ever_while_an_order_is_in_doubt() -> None:
    ports, signal = waiting()
    context = context_at(ports, close_of(-1) + LATER)
    awaiting.give_up(context)
    assert Signal.objects.get().status == "awaiting"

    awaiting.give_up(context_at(ports, close_of(-1) + LATER + awaiting.GRACE))

    signal.refresh_from_db()
    assert (signal.status, signal.reason) == ("expired", "an order or a position was in doubt until its time was over")


def test_an_exit_happens_while_a_signal_waits() -> None:
    crash = (100.0, 100.2, 90.0, 91.0)
    set_params(price_age=600, pairs=[SYMBOL, "ETH/USDT"])
    candles = {SYMBOL: series([QUIET, crash, QUIET]), "ETH/USDT": series([QUIET, QUIET, QUIET], symbol="ETH/USDT")}
    open_ports = ports_over(candles, enter_at(-1))
    set_params(price_age=600, pairs=[SYMBOL, "ETH/USDT"], ai_mode="off")
    run_tick(open_ports, close_of(-1))
    assert Trade.objects.filter(status="open").count() == 2
    set_params(price_age=600, pairs=[SYMBOL, "ETH/USDT"])
    hanging = slow(name="mine")
    later = with_advisers(ports_over(candles, enter_at(0)), hanging)
    Trade.objects.filter(symbol="ETH/USDT").update(remaining_fraction=0.0, exit_reason="manual")
    run_tick(later, close_of(-1) + SOON)
    run_tick(later, close_of(0))
    assert Signal.objects.filter(status="awaiting", symbol="ETH/USDT").exists()

    run_tick(later, close_of(1))

    assert Trade.objects.get(symbol=SYMBOL).status == "closed"
    assert hanging.asked == []
    assert_books_balance()


def test_the_deciding_transaction_is_whole_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ports, signal = waiting()
    advising.keep(signal.pk, opinion(), now=close_of(-1))

    def crash() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("trading.services.execution.record", lambda *a, **k: crash())
        with pytest.raises(KeyboardInterrupt):
            run_tick(ports, close_of(-1) + SOON)
    assert Signal.objects.get().status == "awaiting"
    assert not Trade.objects.exists()

    run_tick(ports, close_of(-1) + 2 * SOON)
    assert Signal.objects.get().status == "taken"
    assert Order.objects.filter(role=OrderRole.ENTRY).count() == 1


def test_a_lost_answer_of_the_venue_after_waiting_makes_one_trade() -> None:
    ports, signal = waiting()
    broken, venue = flaky(ports, ("after", OutcomeUnknown("lost")))
    advising.keep(signal.pk, opinion(), now=close_of(-1))

    run_tick(broken, close_of(-1) + SOON)
    run_tick(broken, close_of(-1) + 2 * SOON)

    assert [each.reduce_only for each in venue.sent].count(False) == 1
    assert Trade.objects.get().status == "open"
    assert_books_balance()


def test_a_signal_that_waits_too_long_breaks_a_promise() -> None:
    ports, signal = waiting()
    due = signal.advice_due_at
    assert due is not None
    run_tick(ports, close_of(-1) + SOON)

    assert broken_at(due + timedelta(seconds=59)) == []
    Bot.objects.update(last_tick_at=due + timedelta(seconds=61))
    assert broken_at(due + timedelta(seconds=61)) == [
        f"signal {signal.pk} has waited for advice since {signal.decided_at}"
    ]


def broken_at(now: datetime) -> list[str]:
    found = invariants.check(now=now, since=now - timedelta(hours=1))
    return [each.found for each in found if each.id == "I-49"]


def test_one_source_answers_a_signal_once() -> None:
    _, signal = waiting()
    advising.keep(signal.pk, opinion(), now=close_of(-1))

    with pytest.raises(IntegrityError), transaction.atomic():
        Advice.objects.create(signal=signal, source=AI, at=close_of(-1))
