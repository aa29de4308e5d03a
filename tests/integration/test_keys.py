"""Each unique key of the order path, by a row that nothing but this key refuses: who removes one fails here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction

from tests.engine import close_of, enter_at, ports_over, run_rows, series, set_params
from trading.models import (
    ExternalOrder,
    Fill,
    LedgerEntry,
    Order,
    OrderEvent,
    OrderRole,
    OrderStatus,
    Signal,
    TickRun,
    Trade,
)

pytestmark = pytest.mark.django_db

QUIET = (100.0, 100.5, 99.5, 100.0)


def twin(row: models.Model, **changes: Any) -> None:
    """Write the row once more, with these columns changed."""
    row.pk = None
    row._state.adding = True
    for name, value in changes.items():
        setattr(row, name, value)
    with transaction.atomic():
        row.save(force_insert=True)


@pytest.fixture(autouse=True)
def _position() -> None:
    """An entry that filled, and the stop that rests for it."""
    set_params()
    run_rows(ports_over(series([QUIET, QUIET]), enter_at(-1)), -1)


def entry() -> Order:
    return Order.objects.get(role=OrderRole.ENTRY)


def another_signal() -> Signal:
    signal = Signal.objects.get()
    twin(signal, bar_at=signal.bar_at + timedelta(hours=1))
    return signal


def test_a_bar_is_decided_once() -> None:
    with pytest.raises(IntegrityError):
        twin(Signal.objects.get())


def test_a_symbol_has_one_open_trade() -> None:
    with pytest.raises(IntegrityError):
        twin(Trade.objects.get(), signal=another_signal())


def test_a_trade_has_one_living_entry() -> None:
    with pytest.raises(IntegrityError):
        twin(entry(), number=99, client_id="twin")


def test_a_trade_has_one_living_stop() -> None:
    with pytest.raises(IntegrityError):
        twin(Order.objects.get(role=OrderRole.STOP, status=OrderStatus.OPEN), number=99, client_id="twin")


def test_a_trade_leaves_for_each_reason_once() -> None:
    twin(entry(), number=98, client_id="first", role=OrderRole.EXIT, reason="target_1")
    with pytest.raises(IntegrityError):
        twin(entry(), number=99, client_id="twin", role=OrderRole.EXIT, reason="target_1")


def test_a_number_and_an_id_are_given_once() -> None:
    exit = {"role": OrderRole.EXIT, "reason": "target_1"}
    with pytest.raises(IntegrityError):
        twin(entry(), client_id="twin", **exit)
    with pytest.raises(IntegrityError):
        twin(entry(), number=99, **exit)


def test_an_execution_is_booked_once() -> None:
    with pytest.raises(IntegrityError):
        twin(Fill.objects.get())
    with pytest.raises(IntegrityError):
        twin(LedgerEntry.objects.get(fill=Fill.objects.get()))


def test_the_steps_of_an_order_are_numbered_once() -> None:
    with pytest.raises(IntegrityError):
        twin(OrderEvent.objects.get(order=entry(), seq=1))


def test_a_slot_runs_once() -> None:
    with pytest.raises(IntegrityError):
        twin(TickRun.objects.get())


def test_an_order_of_somebody_else_is_shown_once() -> None:
    at = close_of(-1)
    seen = ExternalOrder(
        symbol="BTC/USDT", venue_order_id="7", side="buy", quantity=1, first_seen_at=at, last_seen_at=at
    )
    seen.save()
    with pytest.raises(IntegrityError):
        twin(seen)
