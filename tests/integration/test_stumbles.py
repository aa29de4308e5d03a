"""What restricts trading to exits beyond single orders: ticks that fail one after the other, and a clock that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from tests.engine import close_of, context_at, enter_at, ports_over, run_tick, series
from trading.core.ports import MarketDataUnavailable, OutcomeUnknown
from trading.models import Bot, TradingState
from trading.services import accounts, stumbles, tick

pytestmark = pytest.mark.django_db
QUIET = (100.0, 100.5, 99.5, 100.0)


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    stumbles.forget()
    yield
    stumbles.forget()


def tick_at(second: int, monkeypatch: pytest.MonkeyPatch, failure: BaseException | None) -> str:
    """Run a tick that ends with this failure, or well, and return the trading state after it."""

    def mark(*_: Any) -> None:
        if failure is not None:
            raise failure

    with monkeypatch.context() as patched:
        patched.setattr(accounts, "mark", mark)
        ports = ports_over(series([QUIET]), enter_at())
        moment = close_of(-1) + timedelta(seconds=second)
        if failure is None:
            assert run_tick(ports, moment) is tick.Outcome.RAN
        else:
            with pytest.raises(type(failure)):
                run_tick(ports, moment)
    return Bot.objects.get().trading_state


def test_three_ticks_in_a_row_that_fail_unexpectedly_leave_exits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = (MemoryError(), KeyError("x"), RecursionError())

    states = [tick_at(2 * number, monkeypatch, failure) for number, failure in enumerate(failures)]

    assert states == [TradingState.ACTIVE, TradingState.ACTIVE, TradingState.CLOSE_ONLY]
    assert "3 ticks in a row failed (RecursionError)" in Bot.objects.get().state_reason


def test_a_tick_that_ends_well_begins_the_count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    story = (MemoryError(), MemoryError(), None, MemoryError(), MemoryError())

    states = {tick_at(2 * number, monkeypatch, failure) for number, failure in enumerate(story)}

    assert states == {TradingState.ACTIVE}


@pytest.mark.parametrize(
    "failure", [OutcomeUnknown("cut"), MarketDataUnavailable("down"), OperationalError("locked"), SystemExit()]
)
def test_what_the_next_tick_heals_is_not_counted(failure: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {tick_at(2 * number, monkeypatch, failure) for number in range(5)}

    assert states == {TradingState.ACTIVE}


@dataclass
class Clocked:
    """A broker whose clock is as far ahead as told, or does not answer."""

    inner: Any
    offset: timedelta | None

    def clock_offset(self, *, now: datetime) -> timedelta:
        if self.offset is None:
            raise OutcomeUnknown("cut")
        return self.offset

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def look(*offsets: timedelta | None) -> str:
    ports = ports_over(series([QUIET]), enter_at())
    run_tick(ports, close_of(-1))
    for offset in offsets:
        clocked = replace(ports, broker=Clocked(ports.broker, offset))
        stumbles.watch_clock(context_at(clocked, close_of(-1)))
    return Bot.objects.get().trading_state


FAR, NEAR = timedelta(seconds=-0.7), timedelta(seconds=0.4)


@pytest.mark.parametrize(
    ("_case", "offsets", "state"),
    [
        ("one look may be a slow answer", [FAR], TradingState.ACTIVE),
        ("two looks in a row are a wrong clock", [FAR, FAR], TradingState.CLOSE_ONLY),
        ("a look at which they agreed comes between", [FAR, NEAR, FAR], TradingState.ACTIVE),
        ("a venue that does not answer says nothing", [FAR, None, None], TradingState.ACTIVE),
        ("a little is normal", [NEAR, -NEAR, NEAR], TradingState.ACTIVE),
    ],
)
def test_a_clock_that_is_wrong_leaves_exits_alone(
    _case: str, offsets: list[timedelta | None], state: TradingState
) -> None:
    assert look(*offsets) == state


def test_every_comparison_looks_at_the_clock() -> None:
    ports = ports_over(series([QUIET]), enter_at())
    clocked = replace(ports, broker=Clocked(ports.broker, FAR))

    for epoch in ("one", "two"):  # who takes over compares before anything else
        Bot.objects.update(reconciled_epoch=0)
        run_tick(clocked, close_of(-1) + timedelta(minutes=len(epoch) + ord(epoch[0])), owner="test")

    assert Bot.objects.get().trading_state == TradingState.CLOSE_ONLY
    assert "0.7 s apart" in Bot.objects.get().state_reason
