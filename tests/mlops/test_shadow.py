"""Refused setups followed: the same trade as in a backtest, once, in batches, and after a gap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from pytest_django import Settings

from mlops import shadow, upkeep
from mlops.models import Scorecard, ShadowOutcome, ShadowState
from tests import engine, factories
from tests.engine import BALANCE, OPEN_DOORS, SYMBOL, close_of, enter_at, series
from trading.adapters.stored_market import StoredMarket
from trading.core import decision, timeframes
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.ports import MarketDataUnavailable
from trading.core.slippage import Slippage
from trading.models import Bot, EquityPoint, ParameterRevision, Signal, SignalStatus
from trading.research import backtest, simulate
from trading.research.breakdown import multiples
from trading.research.results import TradeResult
from trading.services import parameters

pytestmark = pytest.mark.django_db

RULES: tuple[dict[str, Any], ...] = (
    {},
    {"trailing": True, "trail_start_r": 0.5, "trail_distance_r": 0.3, "slippage": 0.0004},
    {"time_stop": 9, "slippage": 0.001, "break_even": False},
    {"target_one_r": 0.4, "target_two_r": 0.8, "target_three_r": 1.1, "stop_atr": 1.3, "slippage": 0.0002},
)
"""Each way out is taken by some of them."""


def walk(seed: int, bars: int = 160, *, tick: float = 0.01) -> list[tuple[float, float, float, float]]:
    """Return bars of a random walk, some of which open beyond the close before them."""
    rng, price, rows = np.random.default_rng(seed), 100.0, []
    for _ in range(bars):
        opened = price + (rng.normal(0.0, 1.1) if rng.random() < 0.2 else 0.0)
        closed = opened + rng.normal(0.0, 0.5)
        high, low = max(opened, closed) + abs(rng.normal(0, 0.3)), min(opened, closed) - abs(rng.normal(0, 0.3))
        rows.append(tuple(round(round(value / tick) * tick, 4) for value in (opened, high, low, closed)))
        price = closed
    return rows  # type: ignore[return-value]


def values_of(**changes: Any) -> dict[str, Any]:
    return {"timeframe": "15m", "pairs": [SYMBOL], "slippage": 0, **OPEN_DOORS, **changes}


def refused(candles: Candles, *, side: int = 1, row: int = -1, status: str = "refused", **changes: Any) -> Signal:
    """Write the refused signal of the setup at the close of a written row, and the account it is sized for."""
    engine.set_params(**Params.of(values_of(**changes)).as_json())
    Bot.objects.get_or_create(
        pk=1, defaults=dict.fromkeys(("initial_balance", "balance", "equity", "peak_equity"), BALANCE)
    )
    revision = ParameterRevision.objects.order_by("-number")[0]
    params = parameters.params_of(revision)
    market = StoredMarket({SYMBOL: candles}, fee_rate=Decimal("0.001")).markets()[SYMBOL]
    past = candles.until(close_of(row), limit=len(candles))
    found = decision.find_setup(past, strategies=_strategies(row, side), params=params, market=market)
    assert found is not None
    setup = found[0]
    return Signal.objects.create(
        symbol=SYMBOL,
        timeframe="15m",
        bar_at=setup.bar_at,
        strategy=setup.strategy,
        side=setup.side,
        status=status,
        refused_by="adx",
        price=setup.price,
        atr=setup.atr,
        regime=setup.regime,
        score=setup.score,
        indicators={},
        decided_at=close_of(row),
        revision=revision,
        code_version="test",
    )


def alone(candles: Candles, *, side: int, **changes: Any) -> TradeResult:
    """Return the only trade of a backtest whose strategy has this one setup."""
    made = backtest.run(
        {SYMBOL: candles},
        StoredMarket({SYMBOL: candles}, fee_rate=Decimal("0.001")).markets(),
        params=Params.of(values_of(**changes)),
        strategies=_strategies(-1, side),
        slippage=Slippage(fraction=changes.get("slippage", 0.0)),
        balance=BALANCE,
        start=close_of(-1),
        end=candles.closed_at(len(candles) - 1),
    )
    assert len(made.trades) == 1
    return made.trades[0]


def _strategies(row: int, side: int) -> Any:
    return (enter_at(row, side=side),)


def market_of(candles: Candles) -> StoredMarket:
    return StoredMarket({SYMBOL: candles}, fee_rate=Decimal("0.001"))


def follow(candles: Candles, *, until: datetime | None = None) -> int:
    return shadow.run(market_data=market_of(candles), now=until or candles.closed_at(len(candles) - 1))


def facts(row: ShadowOutcome) -> dict[str, Any]:
    return {
        "opened_at": row.opened_at,
        "entry": row.entry,
        "ended_at": row.ended_at,
        "reason": row.end_reason,
        "pnl": row.pnl,
        "r": row.r,
        "exits": [
            (each["at"], Decimal(each["price"]), Decimal(each["quantity"]), each["reason"], Decimal(each["fee"]))
            for each in row.exits
        ],
    }


def expected(trade: TradeResult) -> dict[str, Any]:
    return {
        "opened_at": trade.opened_at,
        "entry": trade.entry_price,
        "ended_at": trade.closed_at,
        "reason": trade.exit_reason,
        "pnl": trade.pnl,
        "r": float(multiples([trade])[0]),
        "exits": [(str(fill.at), fill.price, fill.quantity, fill.reason, fill.fee) for fill in trade.exits],
    }


def test_a_shadow_is_the_backtests_trade_of_the_same_setup() -> None:
    reasons: set[str] = set()
    for seed in range(24):
        side, changes = 1 if seed % 2 else -1, RULES[seed // 2 % len(RULES)]
        candles = series(walk(seed))
        trade = alone(candles, side=side, **changes)
        if trade.closed_at is None or trade.closed_at == candles.closed_at(len(candles) - 1):
            continue  # a backtest sells at the last close, which is no price that comes later
        ShadowOutcome.objects.all().delete()
        Signal.objects.all().delete()
        refused(candles, side=side, **changes)

        assert follow(candles) == 1

        row = ShadowOutcome.objects.get()
        assert facts(row) == expected(trade), (seed, changes)
        assert row.won == (trade.pnl > 0)
        assert row.bars == (trade.closed_at - close_of(-1)) // timedelta(minutes=15)
        reasons |= {fill.reason for fill in trade.exits}

    assert reasons == {"stop", "break_even", "trailing", "target_1", "target_2", "target_3", "time"}


def test_the_comparison_would_see_one_tick_of_slippage() -> None:
    candles = series(walk(3))
    refused(candles, slippage=0.0004)
    follow(candles)

    assert facts(ShadowOutcome.objects.get()) != expected(alone(candles, side=1, slippage=0.0005))


def test_bar_by_bar_after_a_gap_and_twice_say_the_same() -> None:
    candles, changes = series(walk(8)), RULES[1]
    refused(candles, side=-1, **changes)
    for number in range(1, 160):
        follow(candles, until=close_of(number))
        follow(candles, until=close_of(number))
        if not ShadowOutcome.objects.filter(state=ShadowState.OPEN).exists():
            break
    step_by_step = facts(ShadowOutcome.objects.get())
    assert step_by_step["ended_at"] is not None
    ShadowOutcome.objects.all().delete()

    follow(candles)

    assert facts(ShadowOutcome.objects.get()) == step_by_step


def test_nothing_is_known_before_its_bar_has_closed() -> None:
    candles = series(walk(8))
    refused(candles)

    follow(candles, until=close_of(0) - timedelta(seconds=1))
    waiting = ShadowOutcome.objects.get()
    follow(candles, until=close_of(0))

    assert (waiting.state, waiting.entry, waiting.due_at) == (ShadowState.OPEN, None, close_of(0))
    assert ShadowOutcome.objects.get().entry is not None


def test_a_long_gap_is_caught_up_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    candles = series(walk(21))
    refused(candles, stop_atr=6, time_stop=140)
    follow(candles)
    whole = facts(ShadowOutcome.objects.get())
    ShadowOutcome.objects.all().delete()
    monkeypatch.setattr(shadow, "BARS", 7)
    asked: list[int] = []
    market = market_of(candles)

    class Counting:
        def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
            asked.append(limit)
            return market.candles(symbol, timeframe, now=now, limit=limit)

        def __getattr__(self, name: str) -> Any:
            return getattr(market, name)

    shadow.run(market_data=Counting(), now=candles.closed_at(len(candles) - 1))

    assert facts(ShadowOutcome.objects.get()) == whole
    assert max(asked) == 7
    assert len(asked) > 5


def test_only_what_was_refused_is_followed() -> None:
    candles = series(walk(5))
    for row, status in ((-1, SignalStatus.REFUSED), (3, SignalStatus.EXPIRED), (9, SignalStatus.TAKEN)):
        refused(candles, row=row, status=status)

    follow(candles)

    assert [row.signal.status for row in ShadowOutcome.objects.all()] == [SignalStatus.REFUSED]
    assert not upkeep.is_due(now=candles.closed_at(len(candles) - 1))


def test_the_size_is_that_of_the_account_at_the_entry() -> None:
    candles = series(walk(5))
    refused(candles)
    EquityPoint.objects.create(at=close_of(-1) - timedelta(hours=1), equity=Decimal(50_000), balance=1)
    EquityPoint.objects.create(at=close_of(2), equity=Decimal(1), balance=1)

    follow(candles)

    row = ShadowOutcome.objects.get()
    one = Decimal(row.plan["quantity"]) * abs(row.entry - Decimal(str(row.plan["stop"])))  # type: ignore[operator]
    assert 800 < one < 1000  # 2 % of 50,000, of which fees take a part


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"entry_order": "limit", "entry_limit_offset": 0.05}, "was not reached"),
        ({"risk_fraction": 0.001, "risk_floor": 0.0001, "stop_atr": 10}, "too small"),
    ],
    ids=["limit", "size"],
)
def test_what_could_not_have_been_traded_is_void_and_says_why(changes: dict[str, Any], why: str) -> None:
    candles = series(walk(5))
    if why == "too small":
        Bot.objects.create(pk=1, **dict.fromkeys(("initial_balance", "balance", "equity", "peak_equity"), Decimal(50)))
    refused(candles, **changes)

    assert follow(candles) == 0

    row = ShadowOutcome.objects.get()
    assert (row.state, row.won, row.r, row.entry) == (ShadowState.VOID, None, None, None)
    assert why in row.reason


def test_a_limit_fills_at_its_price_and_its_bar_is_believed_the_loss_alone() -> None:
    rows = [(100.0, 140.0, 99.0, 100.0), (100.0, 100.4, 99.9, 100.2), (100.2, 130.0, 100.0, 129.0)]
    candles = series([*rows, *[(129.0, 129.5, 128.5, 129.0)] * 4])
    refused(candles, entry_order="limit", entry_limit_offset=0.005)

    follow(candles)

    row = ShadowOutcome.objects.get()
    assert row.entry == Decimal("99.5")
    assert [(each["reason"], datetime.fromisoformat(each["at"])) for each in row.exits] == [
        ("target_1", close_of(2)), ("target_2", close_of(2)), ("target_3", close_of(2)),
    ]  # fmt: skip


class Unavailable:
    """A venue that answers nothing; asked counts how often it was asked for bars."""

    asked = 0

    def candles(self, symbol: str, timeframe: str, *, now: datetime, limit: int) -> Candles:
        self.asked += 1
        raise MarketDataUnavailable("away")

    def markets(self) -> dict[str, Any]:
        return {}

    def tickers(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Any]:
        return {}


def test_without_bars_it_waits_and_is_not_asked_at_once_again() -> None:
    candles, away = series(walk(5)), Unavailable()
    refused(candles)
    now = close_of(10)

    shadow.run(market_data=away, now=now)
    shadow.run(market_data=away, now=now + timedelta(minutes=1))

    assert away.asked == 1
    assert ShadowOutcome.objects.get().state == ShadowState.OPEN
    follow(candles)
    assert ShadowOutcome.objects.get().state == ShadowState.CLOSED


def test_a_bar_that_never_comes_makes_it_void_after_days() -> None:
    candles = series(walk(5))
    refused(candles)
    late = candles.slice(engine.WARM + 4, len(candles))
    states: list[Sequence[str]] = []
    for moment in (close_of(20), close_of(20) + shadow.PATIENCE, close_of(21) + shadow.PATIENCE):
        shadow.run(market_data=market_of(late), now=moment)
        row = ShadowOutcome.objects.get()
        states.append((row.state, row.reason))

    assert [state for state, _ in states] == ["open", "void", "void"]
    assert "is missing" in states[-1][1]


def test_a_slower_process_does_not_turn_back_what_another_has_ended() -> None:
    candles = series(walk(8))
    refused(candles)
    follow(candles, until=close_of(0))
    stale = ShadowOutcome.objects.select_related("signal__revision").get()
    follow(candles)
    ended = facts(ShadowOutcome.objects.get())
    before = stale.next_bar_at
    stale.due_at = close_of(3)

    shadow._write([stale], [before])

    assert facts(ShadowOutcome.objects.get()) == ended
    assert ShadowOutcome.objects.get().state == ShadowState.CLOSED


def test_the_task_follows_the_simulated_market_and_counts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setup of two hours ago, at the default market's own prices; the command does what beat asks for."""
    now, told = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC), StringIO()
    monkeypatch.setattr("mlops.tasks.timezone", SimpleNamespace(now=lambda: now))
    factories.bot(now)
    bar_at = timeframes.last_closed(now - timedelta(hours=2), "1m")
    price = simulate.ticker(seed=settings.SIMULATION_SEED, symbol="BTC/USDT", at=bar_at).price
    signal = factories.signal(
        bar_at, refused_by="adx", reason="no", timeframe="1m", bar_at=bar_at, price=price, atr=price * 0.0001
    )

    call_command("follow_refused", stdout=told)
    call_command("follow_refused", stdout=StringIO())

    row = ShadowOutcome.objects.get(signal=signal)
    assert row.opened_at == bar_at + timedelta(minutes=1)
    assert row.state == ShadowState.CLOSED
    assert told.getvalue() == "Refused setups: 0 being followed, 1 ended, 0 could not have been traded.\n"
    assert Scorecard.objects.get(days=0).figures["outcomes"] == 1
