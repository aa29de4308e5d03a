"""Any history of prices, faults, deaths and take-overs leaves one entry per signal and books that agree with the venue's."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.properties.venue import WINDOW
from tests.properties.world import SYMBOLS, World
from trading.core.ports import OrderKind, StopSupport
from trading.models import TradingState
from trading.services import control, crash_points, tick

FATES = (
    "ok",
    "lost_reply",
    "truncated",
    "lost_request",
    "late 3",
    "late 9",
    "not_sent",
    "refused",
    "partial_rests",
    "partial_ends",
    "nothing_ends",
)
QUOTES = {"entry_order": "limit", "entry_limit_offset": 0.004, "entry_timeout_s": 4, "entry_requotes": 1}
ENTRIES: tuple[dict[str, Any], ...] = (
    {},
    {**QUOTES, "entry_fallback": "market"},
    {**QUOTES, "entry_fallback": "abandon"},
)
ACTS = (
    "cancel our stops",
    "cancel our quotes",
    "fill what rests",
    "fill a part",
    "fill a part",
    "halt",
    "resume",
    "resume",
)
STOPS = (StopSupport.MARKET, StopSupport.MARKET, StopSupport.LIMIT)
PROFILE = settings(
    max_examples=14,
    stateful_step_count=24,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
symbols = st.sampled_from(SYMBOLS)
pauses = st.sampled_from([1, 2, 4, 9])
fates = st.lists(st.sampled_from(FATES), max_size=3)
deaths = st.one_of(st.just(""), st.just(""), st.sampled_from(crash_points.NAMES))


class OrderPath(RuleBasedStateMachine):
    """Everything runs in one transaction, which is rolled back: the database is new in each history."""

    def __init__(self) -> None:
        super().__init__()
        self.history = transaction.atomic()
        self.history.__enter__()
        self.patch = pytest.MonkeyPatch()
        self.world: World | None = None

    def teardown(self) -> None:
        try:
            if self.world is not None:
                self.world.settle_down()
        finally:
            self.patch.undo()
            transaction.set_rollback(True)
            self.history.__exit__(None, None, None)

    @initialize(
        window=st.sampled_from([WINDOW, WINDOW, None]),
        stop=st.sampled_from(STOPS),
        params=st.sampled_from(ENTRIES),
        fates=fates,
    )
    def begin(self, window: timedelta | None, stop: StopSupport, params: dict[str, Any], fates: list[str]) -> None:
        self.world = World(window=window, stop=stop, params=params)
        self.world.venue.depth = len(connection.savepoint_ids)
        self.patch.setattr(crash_points, "reach", self.world.reach)
        self.world.tick()
        self.a_bar_closes_with_setups(set(SYMBOLS), fates, "")

    @rule(wanted=st.sets(symbols, min_size=1), fates=fates, dies_at=deaths)
    def a_bar_closes_with_setups(self, wanted: set[str], fates: list[str], dies_at: str) -> None:
        assert self.world is not None
        self.world.close_bar()
        self.world.want(*wanted)
        self.world.venue.script += fates
        self.world.crash_at = dies_at
        self.world.tick()

    @rule(moved=st.dictionaries(symbols, st.floats(95, 107), min_size=1), seconds=pauses, fates=fates, dies_at=deaths)
    def prices_move(self, moved: dict[str, float], seconds: int, fates: list[str], dies_at: str) -> None:
        assert self.world is not None
        for symbol, price in moved.items():
            self.world.move(symbol, round(price, 2))
        self.world.venue.script += fates
        self.world.crash_at = dies_at
        self.world.wait(seconds)
        self.world.tick()

    @rule(seconds=pauses, questions=st.integers(0, 4))
    def time_passes(self, seconds: int, questions: int) -> None:
        """The venue leaves some questions without an answer meanwhile."""
        assert self.world is not None
        self.world.venue.deaf = questions
        self.world.wait(seconds)
        self.world.tick()

    @rule(how=st.sampled_from(["between ticks", "paused", "slow"]), seconds=pauses)
    def another_process_takes_over(self, how: str, seconds: int) -> None:
        """Or even while a request is under way: the old process then goes on with what it had in hand."""
        world = self.world
        assert world is not None

        def heirs() -> None:
            world.replace_process()
            for _ in range(2):
                world.wait(seconds)
                world.tick()

        if how == "between ticks":
            heirs()
        else:
            world.venue.script.insert(0, how)
            world.venue.meanwhile = heirs

    @rule()
    def two_processes_tick_at_once(self) -> None:
        assert self.world is not None
        self.world.wait(2)
        if self.world.tick() is tick.Outcome.RAN:
            assert self.world.tick_as("somebody else") is tick.Outcome.LEASE_HELD
            assert self.world.tick() is tick.Outcome.SLOT_TAKEN

    @rule(act=st.sampled_from(ACTS))
    def somebody_acts(self, act: str) -> None:
        assert self.world is not None
        if act == "cancel our stops":
            for order in self.world.venue.placed:
                if order.request.kind == OrderKind.STOP:
                    self.world.venue.cancel_by_hand(order.request.client_id)
        elif act == "cancel our quotes":
            for order in self.world.venue.placed:
                if order.request.kind == OrderKind.LIMIT:
                    self.world.venue.cancel_by_hand(order.request.client_id)
        elif act == "fill what rests":
            self.world.venue.fill_rest()
        elif act == "fill a part":
            self.world.venue.fill_part(Decimal("0.3"))
        elif act == "halt":
            control.tighten(TradingState.HALTED, reason="looking", now=self.world.now, by="operator")
        else:
            control.loosen(TradingState.ACTIVE, reason="looked", now=self.world.now, by="operator")

    @precondition(lambda self: self.world is not None)
    @invariant()
    def nothing_is_broken(self) -> None:
        assert self.world is not None
        self.world.assert_sound()


@pytest.mark.django_db
def test_no_history_breaks_a_promise_about_money() -> None:
    run_state_machine_as_test(OrderPath, settings=PROFILE)
