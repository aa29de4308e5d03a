"""The trading state: software tightens, people loosen, and exits never ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from tests.engine import assert_books_balance, close_of, enter_at, ports_over, run_rows, run_tick, series, set_params
from trading.models import Bot, Event, Order, OrderStatus, Signal, StateChange, Trade, TradeStatus, TradingState
from trading.services import control, execution

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
CRASH = (100.0, 100.2, 90.0, 91.0)
NOW = close_of(0)


@pytest.fixture
def _account() -> None:
    set_params()
    run_rows(ports_over(series([QUIET]), enter_at()), -1)


@pytest.mark.usefixtures("_account")
def test_software_tightens_and_never_loosens() -> None:
    assert control.tighten(TradingState.HALTED, reason="no access", now=NOW)
    assert not control.tighten(TradingState.CLOSE_ONLY, reason="milder", now=NOW)

    assert Bot.objects.get().trading_state == TradingState.HALTED
    assert [(row.from_state, row.to_state, row.by) for row in StateChange.objects.all()] == [("active", "halted", "")]
    assert Event.objects.get(kind="trading_state").text == "Julaba set trading to halted: no access"


@pytest.mark.usefixtures("_account")
@pytest.mark.parametrize(("by", "reason"), [("", "all is well"), ("anna", " ")])
def test_only_a_person_with_a_reason_loosens(by: str, reason: str) -> None:
    control.tighten(TradingState.CLOSE_ONLY, reason="x", now=NOW)

    with pytest.raises(control.StateRefused):
        control.loosen(TradingState.ACTIVE, reason=reason, now=NOW, by=by)

    assert Bot.objects.get().trading_state == TradingState.CLOSE_ONLY
    assert control.loosen(TradingState.ACTIVE, reason="checked", now=NOW, by="operator")
    assert Bot.objects.get().trading_state == TradingState.ACTIVE


@pytest.mark.usefixtures("_account")
def test_the_history_of_the_state_cannot_be_changed() -> None:
    control.tighten(TradingState.CLOSE_ONLY, reason="x", now=NOW)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        StateChange.objects.update(reason="y")


@pytest.mark.usefixtures("_account")
def test_the_command_halts_and_another_resumes() -> None:
    call_command("halt", reason="looks odd")
    assert Bot.objects.get().trading_state == TradingState.HALTED

    with pytest.raises(CommandError):
        call_command("resume", reason=" ")
    call_command("resume", reason="looked")

    assert Bot.objects.get().trading_state == TradingState.ACTIVE
    assert StateChange.objects.filter(by="").count() == 0


@pytest.mark.parametrize("state", [TradingState.CLOSE_ONLY, TradingState.HALTED])
def test_a_restricted_account_enters_nothing_and_still_leaves(state: TradingState) -> None:
    set_params()
    ports = ports_over(series([CRASH, QUIET, QUIET]), enter_at(-1, 1))
    run_rows(ports, -1)
    control.tighten(state, reason="test", now=NOW)

    run_rows(ports, 0, 1, 2)

    trade = Trade.objects.get()
    assert (trade.status, trade.exit_reason) == (TradeStatus.CLOSED, "stop")
    assert Signal.objects.get(refused_by="trading_state").status == "refused"
    assert_books_balance()


def test_a_halt_between_the_decision_and_the_permit_denies_the_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    set_params()
    ports = ports_over(series([QUIET, QUIET]), enter_at(-1))
    drive = execution.drive

    def halt_first(order, context):  # type: ignore[no-untyped-def]
        control.tighten(TradingState.HALTED, reason="kill switch", now=NOW)
        drive(order, context)

    monkeypatch.setattr(execution, "drive", halt_first)
    run_rows(ports, -1)

    order = Order.objects.get()
    assert (order.status, order.permit_at) == (OrderStatus.DENIED, None)
    assert Trade.objects.get().status == TradeStatus.CANCELED
    assert "kill switch" in Signal.objects.get().reason


def test_a_file_halts_trading_too(tmp_path: Path) -> None:
    set_params()
    halt = tmp_path / "HALT"
    ports = replace(ports_over(series([QUIET, QUIET, QUIET]), enter_at(-1, 0)), halt_file=halt)
    halt.touch()
    run_rows(ports, -1)
    halt.unlink()
    run_tick(ports, close_of(0) + timedelta(seconds=0))

    denied, taken = Trade.objects.order_by("pk")
    assert (denied.status, taken.status) == (TradeStatus.CANCELED, TradeStatus.OPEN)
    assert "HALT" in denied.orders.get().events.latest("seq").note
