"""A process dies by SIGKILL before and after every step of the order path; the next one mends what it left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.engine import START, assert_books_balance
from tests.faults import crashing
from tests.race.test_one_bar import FILE_OPTIONS
from trading.models import (
    IN_DOUBT,
    LIVE,
    RESTING,
    Lease,
    Order,
    OrderRole,
    OrderStatus,
    PaperOrder,
    PaperPosition,
    Signal,
    Trade,
    TradeStatus,
)
from trading.services import crash_points, invariants, scratch

POINTS = [f"{name}:1" for name in crash_points.NAMES]
NEVER_SENT = "entry.permitted:1"
"""A permit that was not used is not used by anybody else: this entry alone never happens."""


@pytest.fixture(autouse=True)
def _own_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    # The tests here bring their own files, which pytest-django knows nothing of.
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """Return a directory with an account, ready to trade."""
    directory = tmp_path_factory.mktemp("crashes")
    with django_db_blocker.unblock():
        crashing.prepare(directory)
    return directory


@pytest.fixture(scope="module")
def deaths(place: Path) -> dict[str, int]:
    return crashing.deaths(place, POINTS)


def assert_sound() -> None:
    """One entry at most, no order in doubt, and what is held has exactly one stop of its size."""
    assert Signal.objects.count() == 1
    assert Order.objects.filter(role=OrderRole.ENTRY, status=OrderStatus.FILLED).count() <= 1
    assert not Order.objects.filter(status__in=IN_DOUBT).exists()
    for trade in Trade.objects.filter(status=TradeStatus.OPEN):
        stop = trade.orders.get(role=OrderRole.STOP, status__in=RESTING)
        assert (stop.quantity - stop.filled, trade.unprotected_at) == (trade.remaining, None)
        assert PaperOrder.objects.get(status="open").client_id == stop.client_id
    assert_books_balance()


def test_undisturbed_the_path_passes_every_kind_of_order(place: Path) -> None:
    shutil.copy(place / "new.sqlite3", place / "undisturbed.sqlite3")
    assert {outcome for _, outcome in crashing.trade(str(place / "undisturbed.sqlite3"))} == {"ran"}

    with scratch.attached(str(place / "undisturbed.sqlite3"), FILE_OPTIONS):
        steps = Order.objects.order_by("number").values_list("role", "reason", "status")
        assert list(steps) == [
            ("entry", "scripted", "filled"),
            ("stop", "stop", "canceled"),
            ("exit", "target_1", "filled"),
            ("stop", "stop", "filled"),
        ]


@pytest.mark.parametrize("point", POINTS)
def test_the_process_after_mends_what_a_death_left(point: str, place: Path, deaths: dict[str, int]) -> None:
    path = str(place / f"{point}.sqlite3")
    assert deaths[point] == -9
    with scratch.attached(path, FILE_OPTIONS):
        dead = Lease.objects.get()

    outcomes = []
    for moment, outcome in crashing.trade(path):
        outcomes.append(outcome)
        if outcome == "ran":
            assert_books_balance()
            assert invariants.check(now=moment, since=START) == []
            # The heir's first tick may send what was recorded; the one after it has seen everything.
            if moment.second == crashing.SECONDS[-1]:
                assert_sound()

    with scratch.attached(path, FILE_OPTIONS):
        heir, trade, end = Lease.objects.get(), Trade.objects.get(), crashing.moments()[-1] + timedelta(minutes=5)
        assert set(outcomes) == {"slot taken", "ran"}
        assert (heir.epoch, heir.owner != dead.owner) == (dead.epoch + 1, True)
        bought = PaperOrder.objects.filter(kind="market", side="buy", status="filled").count()
        expected = (0, TradeStatus.CANCELED) if point == NEVER_SENT else (1, TradeStatus.CLOSED)
        assert (bought, trade.status) == expected
        assert (trade.remaining, sum(PaperPosition.objects.values_list("quantity", flat=True))) == (Decimal(0), 0)
        assert not Order.objects.filter(status__in=LIVE).exists()
        assert not PaperOrder.objects.filter(status="open").exists()
        assert_books_balance()
        assert invariants.check(now=end, since=START) == []
