"""Parity: replay and backtest make the same of the same candles, and a kernel that is wrong is found out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import DjangoDbBlocker

from tests.engine import OPEN_DOORS
from trading import backtest, parity, replay
from trading.adapters.candle_store import CandleStore
from trading.core.candles import Candles
from trading.core.params import Params
from trading.research import kernel, simulate
from trading.research.performance import Stretch

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _scratch_only(django_db_blocker: DjangoDbBlocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    with django_db_blocker.unblock():
        yield


def simulated(symbol: str, *, seed: int = 5, start: timedelta = timedelta(0), days: float = 7) -> Candles:
    return simulate.candles(
        seed=seed, symbol=symbol, timeframe="15m", start=START + start, stop=START + timedelta(days=days)
    )


def stretch(*series: Candles, values: dict[str, Any], skip: timedelta = timedelta(days=4, hours=12)) -> Stretch:
    """Trade from `skip` after the start on, when every indicator has its warm-up behind it."""
    return Stretch(
        params=Params.of({**values, "timeframe": "15m", "pairs": [candles.symbol for candles in series]}),
        series={candles.symbol: candles for candles in series},
        first=START + skip,
        last=max(candles.closed_at(len(candles) - 1) for candles in series),
    )


@pytest.mark.parametrize(
    ("_case", "symbols", "seed", "values"),
    [
        ("open doors", ["SOL/USDT"], None, OPEN_DOORS),
        ("a portfolio with drawn slippage", ["SOL/USDT", "BTC/USDT", "LINK/USDT"], 3, OPEN_DOORS),
        (
            "clock exits, tight limits, a hot streak",
            ["LINK/USDT", "SOL/USDT"],
            4,
            OPEN_DOORS
            | {"time_stop": 4, "max_open_trades": 1, "daily_loss": 0.01, "cooldown_minutes": 300, "losing_streak": 1},
        ),
        (
            "near targets in thirds, Kelly soon, much risk",
            ["SOL/USDT", "ETH/USDT"],
            None,
            OPEN_DOORS
            | {"stop_atr": 0.7, "target_one_r": 0.3, "target_two_r": 0.6, "target_three_r": 0.9, "kelly_min_trades": 5}
            | {"risk_fraction": 0.1, "risk_ceiling": 0.1, "max_open_risk": 0.12, "max_leverage": 2.0},
        ),
        ("the defaults", ["SOL/USDT", "AVAX/USDT"], None, {}),
    ],
)
def test_backtest_writes_what_replay_does_to_the_last_digit(
    _case: str, symbols: list[str], seed: int | None, values: dict[str, Any]
) -> None:
    asked = stretch(*(simulated(symbol) for symbol in symbols), values=values)

    replayed, tested = replay.over(asked, seed=seed), backtest.over(asked, seed=seed)

    assert tested == replayed
    assert replayed["trades"] or _case == "the defaults", "the case proves nothing without trades"


def test_on_a_spot_market_both_pay_coins_in_full_and_sell_only_what_they_hold() -> None:
    asked = stretch(simulated("SOL/USDT"), simulated("ETH/USDT"), values={**OPEN_DOORS, "stop_atr": 0.7})
    spot = replace(asked, is_spot=True)

    replayed, tested, lent = (
        replay.over(spot, seed=None),
        backtest.over(spot, seed=None),
        backtest.over(asked, seed=None),
    )

    assert tested == replayed
    assert {trade["side"] for trade in tested["trades"]} == {"long"}
    assert {trade["side"] for trade in lent["trades"]} == {"long", "short"}
    paid, owed = (
        max(Decimal(trade["quantity"]) * Decimal(trade["entry_price"]) for trade in each["trades"])
        for each in (tested, lent)
    )
    assert paid < Decimal(settings.PAPER_BALANCE) * Decimal("1.2") < owed  # equity has grown at most so far


@pytest.mark.parametrize(
    ("exchange", "kind", "venue", "is_spot"),
    [
        ("binance", "spot", "binance", True),
        ("binance", "spot", "import", False),  # whoever brings candles says nothing of the market
        ("binance", "swap", "binance-swap", False),
        ("simulated", "spot", "simulated-7", False),
    ],
)
def test_the_rules_are_those_of_the_market_that_is_traded_on(
    exchange: str, kind: str, venue: str, is_spot: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EXCHANGE", exchange)
    monkeypatch.setattr(settings, "EXCHANGE_KIND", kind)
    CandleStore(settings.JULABA_DATA_DIR / "candles", venue).write(simulated("SOL/USDT"))

    asked = replay.stretch(
        symbols=["SOL/USDT"], timeframe="15m", start=None, end=None, values=OPEN_DOORS, exchange=venue
    )

    assert asked.is_spot is is_spot
    assert replay.market_of(asked).markets()["SOL/USDT"].allows_short is not is_spot


def test_symbols_that_begin_and_end_at_other_times_are_the_same_too() -> None:
    late = simulated("BTC/USDT", start=timedelta(days=1))
    short = simulated("SOL/USDT", days=6)
    asked = stretch(short, late, simulated("ETH/USDT"), values={**OPEN_DOORS, "time_stop": 30})

    replayed, tested = replay.over(asked, seed=None), backtest.over(asked, seed=None)

    assert tested == replayed
    assert {trade["symbol"] for trade in replayed["trades"]} == {"BTC/USDT", "SOL/USDT", "ETH/USDT"}


def stored(*candles: Candles) -> list[str]:
    store = CandleStore(settings.JULABA_DATA_DIR / "candles", "import")
    for each in candles:
        store.write(each)
    return [each.symbol for each in candles]


def test_the_command_draws_parameters_compares_and_repeats() -> None:
    symbols, texts = stored(simulated("SOL/USDT"), simulated("LINK/USDT")), []
    for _ in range(2):
        out = StringIO()
        call_command(
            "parity", "--symbols", *symbols, "--timeframe", "15m", "--from", "2026-03-07", "--to", "2026-03-08",
            "--seed", "8", "--runs", "2", stdout=out,
        )  # fmt: skip
        texts.append(out.getvalue())

    assert texts[0] == texts[1]
    assert texts[0].splitlines()[-1].startswith("compared=")
    assert texts[0].splitlines()[-1].endswith(" mismatches=0")


def test_a_kernel_that_books_wrongly_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    symbols = stored(simulated("SOL/USDT"))
    (tmp_path / "p.json").write_text(json.dumps({**OPEN_DOORS, "target_one_r": 0.5}))
    right = kernel.run

    def targets_before_stop(bars: Any, *rest: Any) -> None:
        # As if no bar ever fell as far as its stop: the targets come first.
        right(bars._replace(low=(bars.low + bars.open) / 2), *rest)

    monkeypatch.setattr(kernel, "run", targets_before_stop)
    out = StringIO()

    with pytest.raises(CommandError, match="replay and backtest differ: compared=") as caught:
        call_command(
            "parity", "--symbols", *symbols, "--timeframe", "15m", "--from", "2026-03-05",
            "--params", str(tmp_path / "p.json"), stdout=out,
        )  # fmt: skip

    assert caught.value.returncode == 1
    assert "exits is" in out.getvalue()
    assert "likely the position machine" in out.getvalue()


def test_a_strategy_of_ones_own_runs_unchanged_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.core_values import EveryBar
    from trading import wiring

    monkeypatch.setattr(wiring, "strategy_list", lambda: (EveryBar(),))
    asked = stretch(simulated("SOL/USDT", days=6), values=OPEN_DOORS)

    found = parity.compare(asked, asked.params, seed=None)

    assert found.differences == []
    assert found.compared > 10
