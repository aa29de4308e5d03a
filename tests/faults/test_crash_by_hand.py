"""A process dies at every step of closing a part by hand; the next one closes it once, or says that it was not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.engine import START, assert_books_balance
from tests.faults import crashing
from tests.race.test_one_bar import FILE_OPTIONS
from trading.models import (
    LIVE,
    RESTING,
    Event,
    Instruction,
    InstructionStatus,
    Order,
    OrderRole,
    PaperOrder,
    PaperPosition,
    Trade,
)
from trading.services import invariants, scratch

POINTS = (
    *(f"cancel.{step}:1" for step in ("permitted", "answered", "settled")),
    *(f"exit.{step}:1" for step in ("recorded", "permitted", "answered", "settled")),
    # The second stop: the one of the rest.
    *(f"stop.{step}:2" for step in ("recorded", "permitted", "answered", "settled")),
)
NEVER_SENT = "exit.permitted:1"
"""A permit that was not used is not used by anybody else: this part stays open, and people are told."""


@pytest.fixture(autouse=True)
def _own_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    directory = tmp_path_factory.mktemp("by_hand")
    with django_db_blocker.unblock():
        crashing.prepare(directory)
    return directory


@pytest.fixture(scope="module")
def deaths(place: Path) -> dict[str, int]:
    return crashing.deaths(place, POINTS, by_hand=True)


@pytest.mark.parametrize("point", POINTS)
def test_the_process_after_closes_the_part_once(point: str, place: Path, deaths: dict[str, int]) -> None:
    path = str(place / f"{point}.sqlite3")
    assert deaths[point] == -9

    for moment, outcome in crashing.trade(path, by_hand=True):
        if outcome == "ran":
            assert_books_balance()
            assert invariants.check(now=moment, since=START) == []

    with scratch.attached(path, FILE_OPTIONS):
        trade, asked = Trade.objects.get(), Instruction.objects.get()
        sold = PaperOrder.objects.filter(kind="market", side="sell", status="filled").count()
        expected = (0, InstructionStatus.REFUSED) if point == NEVER_SENT else (1, InstructionStatus.DONE)
        assert (sold, asked.status) == expected, asked.text
        assert Event.objects.filter(kind__in=("manual_done", "manual_refused")).count() == 1
        assert not Order.objects.filter(status__in=LIVE).exclude(role=OrderRole.STOP).exists()
        stop = trade.orders.get(role=OrderRole.STOP, status__in=RESTING)
        assert PaperOrder.objects.get(status="open").client_id == stop.client_id
        assert stop.quantity == trade.remaining == sum(PaperPosition.objects.values_list("quantity", flat=True))
        half = trade.quantity if sold == 0 else trade.quantity / 2
        assert abs(trade.remaining - half) <= trade.quantity / 1000
        assert trade.remaining_fraction == pytest.approx(0.5 if sold else 1.0, abs=1e-3)
