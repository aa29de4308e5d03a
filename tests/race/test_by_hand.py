"""Many threads press one button, and many ask at once: one instruction, one order; on SQLite in a file, and on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from pytest_django import DjangoDbBlocker

from tests.engine import assert_books_balance, close_of, enter_at, ports_over, run_rows, run_tick, series, set_params
from tests.race.test_one_bar import FILE_OPTIONS, QUIET, THREADS, in_threads
from trading.models import Event, Instruction, InstructionStatus, Order, OrderRole, PaperOrder, Trade
from trading.services import instructing, scratch
from trading.services.context import Ports

NOW = close_of(0) + timedelta(seconds=1)
Run = Callable[[Callable[[int], object]], list[object]]


def opened() -> Ports:
    set_params(price_age=600, trailing=False, break_even=False)
    ports = ports_over(series([QUIET] * 3), enter_at(-1))
    run_rows(ports, -1, 0)
    return ports


def press(key: str) -> object:
    try:
        return instructing.close_part(Trade.objects.get().pk, fraction=0.5, by="anna", key=key, now=NOW).pk
    except instructing.InstructionRefused as refusal:
        return str(refusal)


def play(run: Run, ports: Ports, *, same_key: bool) -> None:
    """Press in all threads, then tick in all threads, each at a moment of its own."""
    pressed = run(lambda number: press("one" if same_key else f"key {number}"))
    run(lambda number: run_tick(ports, NOW + timedelta(seconds=1 + number)))
    run(lambda number: press("one") if same_key else None)
    run_tick(ports, NOW + timedelta(seconds=20))

    asked = Instruction.objects.get()
    assert (asked.status, Event.objects.filter(kind="manual_act").count()) == (InstructionStatus.DONE, 1)
    if same_key:
        assert set(pressed) == {asked.pk}
    else:
        assert sum(each == asked.pk for each in pressed) == 1
        assert sum("busy" in str(each) for each in pressed) == THREADS - 1
    assert Order.objects.filter(role=OrderRole.EXIT, reason__startswith="manual_part").count() == 1
    assert PaperOrder.objects.filter(kind="market", side="sell", status="filled", reduce_only=True).count() == 1
    assert_books_balance()


@pytest.mark.parametrize("same_key", [True, False], ids=["one press", "presses of their own"])
def test_in_a_file_one_part_is_closed(tmp_path: Path, django_db_blocker: DjangoDbBlocker, same_key: bool) -> None:
    path = tmp_path / "race.sqlite3"
    with django_db_blocker.unblock():
        with scratch.database(str(path)):
            ports = opened()
        with scratch.attached(str(path), FILE_OPTIONS):
            play(lambda act: in_threads(path, act), ports, same_key=same_key)


@pytest.mark.usefixtures("roles_put_back")
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    not os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="needs a PostgreSQL in DATABASE_URL"
)
@pytest.mark.parametrize("same_key", [True, False], ids=["one press", "presses of their own"])
def test_on_postgresql_one_part_is_closed(same_key: bool) -> None:
    def run(act: Callable[[int], object]) -> list[object]:
        def work(number: int) -> object:
            try:
                return act(number)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(work, range(THREADS)))

    play(run, opened(), same_key=same_key)


def test_without_the_key_two_presses_are_two_instructions(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
    """The negative control: what holds is the unique key of open instructions, not a look before the write."""
    path = tmp_path / "race.sqlite3"
    with django_db_blocker.unblock():
        with scratch.database(str(path)):
            opened()
            with connection.schema_editor() as editor:
                rules: list[Any] = [
                    each for each in Instruction._meta.constraints if each.name == "one_open_instruction_per_trade"
                ]
                editor.remove_constraint(Instruction, rules[0])
        with scratch.attached(str(path), FILE_OPTIONS):
            pressed = in_threads(path, lambda number: press(f"key {number}"))
            assert len(set(pressed)) == Instruction.objects.count() == THREADS
