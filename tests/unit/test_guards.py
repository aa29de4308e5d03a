from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core_values import ACCOUNT, MARKET, RECORD
from trading.core import guards
from trading.core.params import Params
from trading.core.types import Verdict

NOW = ACCOUNT.now
BAR = timedelta(minutes=15)
PARAMS = Params()
NAMES = (
    "trading_state",
    "open_on_symbol",
    "open_trades",
    "daily_loss",
    "weekly_loss",
    "cool_down",
    "open_risk",
    "cluster_risk",
    "leverage",
    "local_trades",
    "local_notional",
)


def verdicts(params: Params = PARAMS, **changes: Any) -> dict[str, Verdict]:
    found = guards.evaluate(replace(ACCOUNT, **changes), params, "BTC/USDT")
    return {verdict.name: verdict for verdict in found}


def refused(**changes: Any) -> list[str]:
    return [name for name, verdict in verdicts(**changes).items() if not verdict.passed]


def after_losses(count: int, *, since: timedelta) -> dict[str, Any]:
    return {"record": replace(RECORD, losses_in_row=count), "last_loss_at": NOW - since}


def freshness(*, age: timedelta, price_age: timedelta = timedelta(0), params: Params = PARAMS) -> dict[str, Verdict]:
    found = guards.freshness(now=NOW, closed_at=NOW - age, price_at=NOW - price_age, bar=BAR, params=params)
    return {verdict.name: verdict for verdict in found}


def test_a_healthy_account_passes_every_guard_in_order() -> None:
    found = verdicts()

    assert tuple(found) == NAMES
    assert len(guards.GUARDS) == len(NAMES)
    assert all(verdict.passed for verdict in found.values())


@pytest.mark.parametrize(
    ("_case", "changes", "expected"),
    [
        ("paused", {"accepts_entries": False}, ["trading_state"]),
        ("open on this symbol", {"open_symbols": frozenset({"BTC/USDT"})}, ["open_on_symbol"]),
        ("open on another symbol", {"open_symbols": frozenset({"ETH/USDT"})}, []),
        ("two open", {"open_symbols": frozenset({"ETH/USDT", "SOL/USDT"})}, []),
        ("three open", {"open_symbols": frozenset({"ETH/USDT", "SOL/USDT", "OP/USDT"})}, ["open_trades"]),
        ("nearly the day's loss", {"day_opening": Decimal("10526.31")}, []),
        ("the day's loss", {"equity": Decimal(9500)}, ["daily_loss"]),
        ("just before the day's loss", {"equity": Decimal("9500.01")}, []),
        ("a good day", {"equity": Decimal(20_000)}, []),
        ("the week's loss", {"equity": Decimal(9000), "day_opening": Decimal(9000)}, ["weekly_loss"]),
        ("just before the week's loss", {"equity": Decimal("9000.01"), "day_opening": Decimal(9000)}, []),
        ("no opening of the day", {"day_opening": Decimal(0)}, ["daily_loss"]),
        ("no opening of the week", {"week_opening": Decimal(0)}, ["weekly_loss"]),
        ("nearly all the risk", {"open_risk": Decimal("599.99")}, []),
        ("all the risk", {"open_risk": Decimal(600)}, ["open_risk"]),
        ("more than all the risk", {"open_risk": Decimal(5000)}, ["open_risk"]),
        ("nearly all the leverage", {"open_notional": Decimal("29999.99")}, []),
        ("all the leverage", {"open_notional": Decimal(30_000)}, ["leverage"]),
        (
            "nothing left",
            {"equity": Decimal(0)},
            ["daily_loss", "weekly_loss", "open_risk", "cluster_risk", "leverage"],
        ),
        ("debt", {"equity": Decimal(-1)}, ["daily_loss", "weekly_loss", "open_risk", "cluster_risk", "leverage"]),
    ],
)
def test_a_guard_refuses_at_its_limit(_case: str, changes: dict[str, Any], expected: list[str]) -> None:
    assert refused(**changes) == expected


@pytest.mark.parametrize(
    ("_case", "changes", "expected"),
    [
        ("no loss", {}, []),
        ("one loss just now", after_losses(1, since=timedelta(0)), []),
        ("two losses just now", after_losses(2, since=timedelta(0)), ["cool_down"]),
        ("a second before the end", after_losses(2, since=timedelta(minutes=29, seconds=59)), ["cool_down"]),
        ("at the end", after_losses(2, since=timedelta(minutes=30)), []),
        ("three losses, at the end", after_losses(3, since=timedelta(minutes=30)), []),
        ("a long streak never locks for good", after_losses(100, since=timedelta(minutes=30)), []),
        ("a clock that went back", after_losses(2, since=timedelta(minutes=-5)), ["cool_down"]),
    ],
)
def test_a_cool_down_begins_and_ends(_case: str, changes: dict[str, Any], expected: list[str]) -> None:
    assert refused(**changes) == expected


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 10_080), st.integers(1, 20))
def test_every_cool_down_ends(losses: int, minutes: int, start: int) -> None:
    params = Params.of({"cooldown_minutes": minutes, "cooldown_losses": start})

    over = verdicts(params, **after_losses(losses, since=timedelta(minutes=minutes)))["cool_down"]
    just_before = verdicts(params, **after_losses(losses, since=timedelta(minutes=minutes, seconds=-1)))["cool_down"]

    assert over.passed
    assert just_before.passed is (losses < start)


@pytest.mark.parametrize(
    ("_case", "changes", "expected"),
    [
        ("none open", {}, []),
        ("one open whose stop the venue holds", {"open_symbols": frozenset({"ETH/USDT"})}, []),
        (
            "one open without",
            {"open_symbols": frozenset({"OP/USDT"}), "local_notional": Decimal("999.99")},
            ["local_trades"],
        ),
        ("all that may be without", {"local_notional": Decimal(1000)}, ["local_notional"]),
        ("nothing left", {"equity": Decimal(0)}, ["local_notional"]),
    ],
)
def test_positions_that_only_this_process_protects_are_few_and_small(
    _case: str, changes: dict[str, Any], expected: list[str]
) -> None:
    without, with_one = frozenset({"BTC/USDT", "OP/USDT"}), frozenset({"OP/USDT"})

    found = [name for name in refused(local_symbols=without, **changes) if name.startswith("local_")]
    elsewhere = [name for name in refused(local_symbols=with_one, **changes) if name.startswith("local_")]

    assert (found, elsewhere) == (expected, [])


def test_the_caps_say_what_was_compared_and_follow_the_parameters() -> None:
    held: dict[str, Any] = {
        "local_symbols": frozenset({"BTC/USDT", "OP/USDT"}),
        "open_symbols": frozenset({"OP/USDT"}),
        "local_notional": Decimal(1500),
    }
    loose = Params.of({"local_max_trades": 2, "local_max_notional_fraction": 0.2})

    strict, lax = verdicts(**held), verdicts(loose, **held)

    trades, notional = strict["local_trades"], strict["local_notional"]
    assert (trades.value, trades.limit, trades.reason) == (
        1.0,
        1.0,
        "1 open trades without a stop at the venue, needs fewer than 1",
    )
    assert (notional.value, notional.limit) == (0.15, 0.1)
    assert notional.reason == "positions without a stop at the venue are worth 15.00% of equity, needs less than 10.00%"
    assert lax["local_trades"].passed
    assert lax["local_notional"].passed
    assert guards.notional_left(replace(ACCOUNT, **held), loose, MARKET) == Decimal(500)
    assert guards.notional_left(replace(ACCOUNT, **held), loose, replace(MARKET, symbol="ETH/USDT")) == Decimal(30_000)


@pytest.mark.parametrize(
    ("_case", "lends", "left"),
    [
        ("a venue that lends enough", None, 26_000),  # 3 x 10,000 less 4,000
        ("coins are paid in full", "0.99", 5_900),
        ("a venue that lends more than is asked", "10", 26_000),
    ],
)
def test_positions_are_worth_no_more_than_the_venue_lends(_case: str, lends: str | None, left: int) -> None:
    market = replace(MARKET, max_leverage=Decimal(lends) if lends else None)
    account = replace(ACCOUNT, equity=Decimal(10_000), open_notional=Decimal(4_000))

    assert guards.notional_left(account, Params.of({"max_leverage": 3.0}), market) == Decimal(left)


def test_limits_follow_the_parameters() -> None:
    params = Params.of({"max_open_trades": 1, "daily_loss": 0.01, "max_open_risk": 0.02, "weekly_loss": 0.02})
    worse = {
        "open_symbols": frozenset({"ETH/USDT"}),
        "equity": Decimal(9800),
        "open_risk": Decimal(196),
    }

    found = verdicts(params, **worse)

    assert [name for name, verdict in found.items() if not verdict.passed] == [
        "open_trades",
        "daily_loss",
        "weekly_loss",
        "open_risk",
    ]


@pytest.mark.parametrize(
    ("name", "changes", "value", "limit", "reason"),
    [
        ("trading_state", {"accepts_entries": False}, 0.0, 1.0, "entries are paused"),
        ("open_on_symbol", {"open_symbols": frozenset({"BTC/USDT"})}, 1.0, 0.0, "1 open on BTC/USDT, allows none"),
        ("open_trades", {"open_symbols": frozenset("ABC")}, 3.0, 3.0, "3 open trades, needs fewer than 3"),
        ("daily_loss", {"equity": Decimal(9400)}, 0.06, 0.05, "daily loss 6.00%, needs less than 5.00%"),
        ("weekly_loss", {"equity": Decimal(8750)}, 0.125, 0.1, "weekly loss 12.50%, needs less than 10.00%"),
        (
            "cool_down",
            after_losses(4, since=timedelta(minutes=12)),
            12.0,
            30.0,
            "12 min since the last of 4 losses, needs 30 min",
        ),
        ("open_risk", {"open_risk": Decimal(612)}, 0.0612, 0.06, "open risk 6.12%, needs less than 6.00%"),
        (
            "cluster_risk",
            {"cluster_risk": Decimal(10_100)},
            1.01,
            1.0,
            "open risk in pairs that move with BTC/USDT 101.00%, needs less than 100.00%",
        ),
    ],
)
def test_a_refusal_says_what_was_compared(
    name: str, changes: dict[str, Any], value: float, limit: float, reason: str
) -> None:
    verdict = verdicts(**changes)[name]

    assert not verdict.passed
    assert verdict.value == pytest.approx(value)
    assert (verdict.limit, verdict.reason) == (limit, reason)


@pytest.mark.parametrize(
    ("_case", "age", "passed"),
    [
        ("the bar closed this moment", timedelta(0), True),
        ("at the deadline of half a bar", timedelta(minutes=7, seconds=30), True),
        ("past the deadline", timedelta(minutes=7, seconds=30, milliseconds=1), False),
        ("a bar that has not closed", timedelta(milliseconds=-1), False),
        ("yesterday's bar", timedelta(days=1), False),
    ],
)
def test_a_setup_expires(_case: str, age: timedelta, passed: bool) -> None:
    found = freshness(age=age)

    assert found["setup_age"].passed is passed
    assert found["price_age"].passed


@pytest.mark.parametrize(
    ("_case", "age", "passed"),
    [
        ("this moment", timedelta(0), True),
        ("at the limit", timedelta(seconds=15), True),
        ("too old", timedelta(seconds=15, milliseconds=1), False),
        ("a clock that is a little ahead", timedelta(milliseconds=-900), True),
        ("from the future", timedelta(seconds=-2), False),
    ],
)
def test_a_price_grows_stale(_case: str, age: timedelta, passed: bool) -> None:
    found = freshness(age=timedelta(minutes=1), price_age=age)

    assert found["price_age"].passed is passed
    assert found["setup_age"].passed


def test_freshness_says_what_was_compared() -> None:
    found = freshness(age=timedelta(minutes=15), price_age=timedelta(seconds=42))

    assert found["setup_age"].reason == "bar closed 1.00 bars ago, needs at most 0.50"
    assert found["price_age"].reason == "price is 42 s old, needs at most 15 s"
    assert (found["setup_age"].value, found["price_age"].value) == (1.0, 42.0)


def test_freshness_follows_the_parameters() -> None:
    patient = Params.of({"entry_deadline": 1.0, "price_age": 600})

    found = freshness(age=timedelta(minutes=15), price_age=timedelta(minutes=10), params=patient)

    assert all(verdict.passed for verdict in found.values())


@pytest.mark.parametrize(
    ("_case", "equity", "peak", "drawdown"),
    [
        ("at the peak", "10000", "10000", 0.0),
        ("a tenth down", "9000", "10000", 0.1),
        ("exactly at a tier", "9500", "10000", 0.05),
        ("never any equity", "0", "0", 0.0),
    ],
)
def test_drawdown_is_the_fall_from_the_peak(_case: str, equity: str, peak: str, drawdown: float) -> None:
    account = replace(ACCOUNT, equity=Decimal(equity), peak_equity=Decimal(peak))

    assert account.drawdown == drawdown
