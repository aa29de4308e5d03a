"""The last look: whatever changes between a decision and its permit is seen there, and the entry is not sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests import factories
from tests.engine import SYMBOL, close_of, enter_at, flaky, ports_over, run_rows, series, set_params
from trading.models import Bot, Order, OrderRole, OrderStatus, Trade, TradeStatus
from trading.services import execution, pair_locks
from trading.services.context import Context

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)
NOW = close_of(-1)


def another_position(symbol: str = "ETH/USDT", **columns: object) -> Trade:
    """Open a position beside the one that waits for its permit, small enough to break no other limit."""
    return factories.trade(NOW - timedelta(hours=2), entry="100", risk="1", quantity="1", symbol=symbol, **columns)


def halts(order: Order) -> None:
    Bot.objects.update(trading_state="halted", state_reason="something odd")


def is_taken_over(order: Order) -> None:
    Bot.objects.update(reconciled_epoch=0)


def leaves(order: Order) -> None:
    Trade.objects.filter(pk=order.trade_id).update(remaining_fraction=0.5)


def loses_an_entry(order: Order) -> None:
    gone = another_position(SYMBOL, status=TradeStatus.CANCELED)
    earlier = Order.objects.get(pk=order.pk)
    earlier.pk, earlier.trade, earlier.client_id, earlier.status = None, gone, "jlbearlier", OrderStatus.LOST
    earlier.save(force_insert=True)


def is_banned(order: Order) -> None:
    pair_locks.ban(SYMBOL, reason="hacked", by="ann", now=NOW)


def is_full(order: Order) -> None:
    another_position()


def is_at_risk(order: Order) -> None:
    another_position(first_stop=40.0, stop=40.0)


def fell(order: Order) -> None:
    Bot.objects.update(equity=Decimal(9_000))


@pytest.mark.parametrize(
    ("happens", "limits", "why"),
    [
        (halts, {}, "something odd"),
        (is_taken_over, {}, "not compared with the venue"),
        (leaves, {}, "the position is being left"),
        (loses_an_entry, {}, "may still appear at the venue"),
        (is_banned, {}, "hacked"),
        (is_full, {"max_open_trades": 1}, "1 open trades, needs fewer than 1"),
        (is_at_risk, {"max_open_risk": 0.005}, "open risk 0.6"),
        (fell, {"daily_loss": 0.05}, "10.00%"),
    ],
)
def test_what_changed_since_the_decision_denies_the_entry(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[Order], None], limits: dict[str, float], why: str
) -> None:
    set_params(**limits)
    ports, venue = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)))
    _between(monkeypatch, happens)

    run_rows(ports, -1)

    order = Order.objects.get(trade__signal__decided_at=NOW, role=OrderRole.ENTRY)
    assert (order.status, order.permit_at) == (OrderStatus.DENIED, None)
    assert [request for request in venue.sent if request.client_id == order.client_id] == []
    assert why in order.events.latest("seq").note


def test_an_entry_whose_permit_comes_too_late_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    set_params()
    ports, venue = flaky(ports_over(series([QUIET, QUIET]), enter_at(-1)))
    drive = execution.drive
    late = NOW + timedelta(minutes=4)
    monkeypatch.setattr(execution, "drive", lambda order, context: drive(order, replace(context, now=late)))

    run_rows(ports, -1)

    order = Order.objects.get()
    assert (order.status, venue.sent) == (OrderStatus.DENIED, [])
    assert "price is 240 s old" in order.events.latest("seq").note


def _between(monkeypatch: pytest.MonkeyPatch, happens: Callable[[Order], None]) -> None:
    """Let something happen once an entry was decided and before its permit is asked for."""
    drive = execution.drive

    def first(order: Order, context: Context) -> None:
        happens(order)
        drive(order, context)

    monkeypatch.setattr(execution, "drive", first)
