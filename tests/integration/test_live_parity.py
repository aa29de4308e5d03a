"""Parity with what was really done: every decision computed again from its stored inputs, every difference explained."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from dashboard import replays
from tests import factories
from trading import exit_parity, live_parity, past, runs, wiring
from trading.core import decision
from trading.management.commands.demo import DEMO
from trading.models import BacktestRun, EquityPoint, Instruction, Order, Signal, SignalStatus, Trade
from trading.research import exit_audit
from trading.research.audit import EXPECTED, Cause, Row
from trading.services import ledger, parameters, replaying

DAY = timedelta(days=1)
START = datetime(2026, 3, 10, 8, tzinfo=UTC)
NOW = START + timedelta(minutes=90)
"""The last tick; another minute brings one more bar, which may still be decided."""


@pytest.fixture(scope="module")
def _past(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Trade an hour and a half of the simulated market once; each test rolls its own changes back."""
    with django_db_blocker.unblock():
        around = transaction.atomic()
        around.__enter__()
        revision = parameters.current(now=START)
        values = {**DEMO, "pairs": ["BTC/USDT", "ETH/USDT", "SOL/USDT", "AVAX/USDT"]}
        parameters.revise(values=values, reason="x", author=None, expected_number=revision.number, now=START)
        _, params = parameters.in_force(now=START)
        ports = replace(wiring.ports(params), clock=None)
        ledger.open_account(
            initial_balance=lambda: ports.initial_balance, mode=ports.broker.mode, venue=ports.venue, now=START
        )
        replaying.run(ports=ports, timeframe="1m", start=START, end=NOW)
        yield
        transaction.set_rollback(True)
        around.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture
def signals(_past: Any, db: None) -> Any:
    return Signal.objects.order_by("pk")


def rows() -> list[Row]:
    return live_parity.decisions(since=NOW - DAY, now=NOW)


def row_of(signal: Signal, timeframe: str = "") -> Row:
    return next(
        row for row in rows()
        if (row.symbol, row.bar_at, row.timeframe) == (signal.symbol, signal.bar_at, timeframe or signal.timeframe)
    )  # fmt: skip


def change(signal: Signal, **columns: Any) -> Row:
    Signal.objects.filter(pk=signal.pk).update(**columns)
    return row_of(signal)


def test_what_was_decided_is_what_its_inputs_give(signals: Any) -> None:
    found = rows()

    assert len(found) == signals.count() > 5
    assert [row for row in found if row.cause not in EXPECTED] == []


def test_a_veto_of_the_ai_is_a_veto(signals: Any) -> None:
    row = row_of(signals.filter(refused_by="ai").first())

    assert row.cause is Cause.VETO
    assert row.text.startswith("refused by ai: ")


def test_an_entry_that_the_ai_proposed_is_computed_again(signals: Any) -> None:
    assert change(signals.filter(refused_by="").first(), strategy=decision.PROPOSED).cause is Cause.SAME


def test_a_decision_that_its_inputs_do_not_give_is_unexplained(signals: Any) -> None:
    row = change(signals[0], score=1.25)

    assert row.cause is Cause.UNEXPLAINED
    assert row.text.startswith("score was 1.25, is ")


def test_another_close_is_late_data(signals: Any) -> None:
    signal = signals[0]

    row = change(signal, price=signal.price * 1.01, atr=signal.atr * 1.01)

    assert row.cause is Cause.LATE_DATA
    assert row.text.startswith(f"decided at a close of {signal.price * 1.01:g}, the bar is stored with")


def test_another_version_is_named(signals: Any) -> None:
    row = change(signals[0], regime="nowhere", code_version="0.0.9")

    assert row.cause is Cause.OTHER_VERSION
    assert "decided by version 0.0.9" in row.text


def test_a_bar_that_nobody_decided_is_missed(signals: Any) -> None:
    signal = signals[1]
    Signal.objects.filter(pk=signal.pk).update(timeframe="3m")
    assert row_of(signal, "1m").text == "the bar came too late to be decided"
    closed = signal.bar_at + timedelta(minutes=1)
    EquityPoint.objects.filter(at=closed).delete()

    row = row_of(signal, "1m")

    assert (row.cause, row.status) == (Cause.MISSED_BAR, "missed")
    assert row.text == "no tick ran while the bar could be decided"


def test_a_symbol_without_candles_is_said_to_be(signals: Any) -> None:
    signal = signals[0]
    Signal.objects.filter(pk=signal.pk).update(symbol="NOPE/USDT")

    causes = Counter(row.cause for row in rows())

    assert causes[Cause.NOT_STORED] == 1


def test_each_entry_is_compared_with_its_plan(signals: Any) -> None:
    found = live_parity.fills(since=NOW - DAY)

    assert len(found) == Trade.objects.filter(quantity__gt=0).count() > 0
    assert {fill.slippage_fraction for fill in found} == {0.0}
    trade = Trade.objects.get(pk=found[0].trade)
    Trade.objects.filter(pk=trade.pk).update(entry_price=trade.planned_entry * (101 if trade.sign > 0 else 99) / 100)
    assert live_parity.fills(since=NOW - DAY)[0].slippage_fraction == pytest.approx(0.01)


def exits_of(trade: Trade) -> list[exit_parity.ExitRow]:
    return [row for row in exit_parity.left(since=NOW - DAY, now=NOW) if row.trade == trade.pk]


def left_by(prefix: str) -> Order:
    """Return a filled order that left by a level of this kind, the first of its trade."""
    orders = Order.objects.exclude(role="entry").filter(filled__gt=0, reason__startswith=prefix)
    return next(
        o for o in orders.order_by("pk") if not o.trade.orders.exclude(role="entry").filter(filled__gt=0, pk__lt=o.pk)
    )


def test_every_exit_is_what_the_stored_bars_give_or_says_why_not(signals: Any) -> None:
    found = exit_parity.left(since=NOW - DAY, now=NOW)

    filled = Order.objects.exclude(role="entry").filter(filled__gt=0)
    assert len([row for row in found if row.filled != "not filled"]) == filled.count() > 0
    # One engine on one feed: levels are filled at their prices, and gaps at worse ones.
    assert {row.cause for row in found} <= {Cause.SAME, Cause.SLIPPAGE, Cause.INSIDE_BAR}
    assert sum(row.cause is Cause.SAME for row in found) > len(found) / 2
    assert all(row.text for row in found)


def test_an_exit_that_filled_beside_its_level_is_slippage(signals: Any) -> None:
    order = left_by("")
    worse = float(order.fills.get().price) * (1 + 0.001 * order.trade.sign)
    Order.objects.filter(pk=order.pk).update(level=Decimal(str(worse)), trigger=Decimal(str(worse)))

    row = exits_of(order.trade)[0]

    assert row.cause is Cause.SLIPPAGE
    assert row.slippage_fraction == pytest.approx(0.001, rel=0.01)
    assert "+10.0 basis points worse than its level" in row.text


def test_an_exit_by_hand_is_by_hand(signals: Any) -> None:
    order = left_by("")
    Order.objects.filter(pk=order.pk).update(reason="manual", role="exit")

    assert exits_of(order.trade)[0].cause is Cause.BY_HAND


def test_an_exit_that_came_late_says_whether_a_tick_ran(signals: Any) -> None:
    order = left_by("")
    fell_due = order.fills.get().at
    late = fell_due + timedelta(minutes=30)
    rows = exit_parity._done(order.trade)
    candles = past.reader()(order.trade.symbol, "1m", fell_due - timedelta(minutes=5), NOW)
    assert candles is not None
    left = replace(rows[0], at=late, price=1.0, level=1.0)
    due = exit_audit.Due(reason=left.reason, price=left.price, bar_at=fell_due)
    for ticked, cause in ((True, Cause.LATE_DATA), (False, Cause.MISSED_BAR)):
        found = exit_audit.explain(left, due, candles=candles, ticked=ticked, is_first=True)
        assert found[0] is cause


def test_exits_without_candles_say_so(signals: Any) -> None:
    trade = left_by("").trade
    Trade.objects.filter(pk=trade.pk).update(symbol="NOPE/USDT")

    assert {row.cause for row in exits_of(trade)} == {Cause.NOT_STORED}


def test_the_command_prints_differences_and_fails_where_one_has_no_reason(signals: Any) -> None:
    out = StringIO()
    call_command("parity", "--live", "--since", "1d", stdout=out)
    assert f"compared={signals.count()} differences=0 unexplained=0" in out.getvalue()
    Signal.objects.filter(pk=signals[0].pk).update(score=1.25)

    with pytest.raises(CommandError, match="decisions differ without a reason") as caught:
        call_command("parity", "--live", "--since", "24h", stdout=out)

    assert caught.value.returncode == 1
    assert "unexplained: score was 1.25, is " in out.getvalue()


def test_the_command_prints_json(signals: Any) -> None:
    out = StringIO()

    call_command("parity", "--live", "--since", "1w", "--json", stdout=out)

    found = json.loads(out.getvalue())
    assert len(found["decisions"]) == signals.count()
    assert {row["status"] for row in found["decisions"]} <= set(SignalStatus.values)
    assert len(found["fills"]) == Trade.objects.filter(quantity__gt=0).count()


@pytest.mark.parametrize("words", [["--live", "--since", "soon"], ["--symbols", "BTC/USDT"], []])
def test_wrong_arguments_are_one_line(words: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("parity", *words)


def test_one_decision_is_computed_again_by_itself(signals: Any) -> None:
    whole = {(row.symbol, row.bar_at): row for row in rows()}
    signal = signals.first()

    assert live_parity.one(signal.pk, now=NOW) == whole[signal.symbol, signal.bar_at]
    assert live_parity.one(0, now=NOW) is None


def test_the_replay_of_a_decision_by_the_worker_matches(signals: Any) -> None:
    user = factories.user()
    run = replays.ask(signals.first(), user=user, now=NOW)

    assert runs.work()

    told = replays.as_json(BacktestRun.objects.get(pk=run.pk))
    assert (told["status"], told["match"], told["cause"]) == ("done", True, "same")


def test_an_exit_after_an_act_by_hand_names_it(signals: Any) -> None:
    order = left_by("")
    fill = order.fills.get()
    asked = fill.at - timedelta(minutes=10)
    Instruction.objects.create(
        trade=order.trade, act="stop", by="anna", key="k", asked_at=asked, ended_at=asked, status="done", stop=1.0,
        text="the stop went from 2 to 1",
    )  # fmt: skip
    Order.objects.filter(pk=order.pk).update(reason="stop" if order.reason != "stop" else "time")

    row = exits_of(order.trade)[0]

    assert (row.cause, row.text) == (Cause.BY_HAND, "anna had asked to move the stop: the stop went from 2 to 1")
    # What left before anybody asked is explained as ever.
    Instruction.objects.update(asked_at=fill.at + timedelta(minutes=1))
    assert exits_of(order.trade)[0].cause is not Cause.BY_HAND
