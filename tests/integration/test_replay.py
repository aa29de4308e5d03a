"""Replay: the live engine over stored candles equals a slow reference, repeats itself byte for byte, and fails clearly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import DjangoDbBlocker

from tests.reference import Reference
from trading import replay, wiring
from trading.adapters.candle_csv import read_csv
from trading.adapters.candle_store import CandleStore
from trading.adapters.stored_market import StoredMarket
from trading.core.candles import Candles
from trading.core.params import Params
from trading.research import simulate

REAL = Path(__file__).parents[3] / "shared" / "data" / "candles"
START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _scratch_only(django_db_blocker: DjangoDbBlocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    with django_db_blocker.unblock():
        yield


def stored(symbol: str, *, seed: int = 5) -> Candles:
    candles = simulate.candles(seed=seed, symbol=symbol, timeframe="15m", start=START, stop=END)
    CandleStore(settings.JULABA_DATA_DIR / "candles", "import").write(candles)
    return candles


def replayed(
    tmp_path: Path,
    *symbols: str,
    name: str = "out.json",
    params: dict[str, Any] | None = None,
    until: str = "2026-03-16",
) -> dict[str, Any]:
    out, args = tmp_path / name, ["--to", until]
    if params is not None:
        (tmp_path / "params.json").write_text(json.dumps(params))
        args += ["--params", str(tmp_path / "params.json")]
    call_command("replay", "--symbols", *symbols, "--timeframe", "15m", "--json", str(out), *args, verbosity=0)
    result: dict[str, Any] = json.loads(out.read_text())
    return result


def assert_equals_reference(report: dict[str, Any], candles: Candles, params: Params) -> None:
    market = StoredMarket({candles.symbol: candles}, fee_rate=replay.DEFAULT_FEE_RATE).markets()[candles.symbol]
    reference = Reference(candles, market, params, wiring.strategy_list())
    expected = reference.run()
    assert len(report["trades"]) == len(expected)
    for live, slow in zip(report["trades"], expected, strict=True):
        assert live["side"] == slow.plan.side
        assert _moment(live["entry_time"]) == slow.entered_at
        assert Decimal(live["entry_price"]) == slow.plan.entry
        assert Decimal(live["quantity"]) == slow.plan.quantity
        assert [
            (_moment(e["time"]), Decimal(e["price"]), Decimal(e["quantity"]), e["reason"]) for e in live["exits"]
        ] == [(leg.at, leg.price, leg.quantity, leg.reason) for leg in slow.exits]
        if slow.left == 0:
            assert Decimal(live["pnl"]) == slow.pnl
    assert Decimal(report["final_balance"]) == reference.balance


@pytest.mark.parametrize(
    ("_case", "values"),
    [
        ("defaults", {}),
        (
            "easy filters, many trades",
            {"score_min_choppy": 0, "score_min_ranging": 0, "volume_min": 0.2, "adx_min_choppy": 0},
        ),
        ("time stop, no trailing", {"time_stop": 6, "trailing": False, "score_min_ranging": 0, "volume_min": 0.3}),
        ("two targets take all", {"target_one_fraction": 0.5, "target_two_fraction": 0.5, "volume_min": 0.3}),
        ("far stop, no break-even", {"stop_atr": 4, "break_even": False, "volume_min": 0.3, "kelly": False}),
    ],
)
def test_replay_equals_the_slow_reference_trade_by_trade(tmp_path: Path, _case: str, values: dict[str, Any]) -> None:
    candles = stored("SOL/USDT")

    report = replayed(tmp_path, "SOL/USDT", params=values)

    params = Params.of({**values, "timeframe": "15m", "pairs": ["SOL/USDT"]})
    assert report["trades"], "the case proves nothing without trades"
    assert_equals_reference(report, candles, params)


@pytest.mark.parametrize("symbol", ["BTC", "LINK"])
def test_real_candles_find_trades_and_say_what_they_earned(tmp_path: Path, symbol: str) -> None:
    path = REAL / f"{symbol}USDT-15m.csv"
    if not path.exists():
        pytest.skip("real candles are not on this machine")
    name = f"{symbol}/USDT"
    candles = read_csv(path, symbol=name, timeframe="15m", now=datetime(2026, 2, 1, tzinfo=UTC)).candles.slice(0, 1400)
    CandleStore(tmp_path / "candles", "import").write(candles)

    report = replayed(tmp_path, name, until="2027-01-01")

    summary = report["summary"]
    assert report["setups"] > 30
    assert summary["closed_trades"] >= 5
    assert Decimal(summary["fees"]) > 0
    assert Decimal(summary["pnl"]) == Decimal(summary["gross_pnl"]) - Decimal(summary["fees"])
    assert report["setups"] == report["taken"] + sum(report["refusals"].values())
    assert_equals_reference(report, candles, Params.of({"timeframe": "15m", "pairs": [name]}))


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    stored("SOL/USDT")
    stored("ETH/USDT")

    first = replayed(tmp_path, "SOL/USDT", "ETH/USDT", name="one.json", until="2026-03-08")
    replayed(tmp_path, "SOL/USDT", "ETH/USDT", name="two.json", until="2026-03-08")

    assert first["trades"]
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_a_seed_draws_slippage_and_repeats_it(tmp_path: Path) -> None:
    stored("SOL/USDT")
    args = ["--symbols", "SOL/USDT", "--timeframe", "15m", "--from", "2026-03-05", "--to", "2026-03-09", "--json"]

    for name, extra in (("a", ["--seed", "3"]), ("b", ["--seed", "3"]), ("c", ["--seed", "4"]), ("d", [])):
        call_command("replay", *args, str(tmp_path / name), *extra, verbosity=0)

    texts = [(tmp_path / name).read_text() for name in "abcd"]
    assert json.loads(texts[0])["trades"]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3


def test_a_stretch_trades_only_inside_it_but_knows_the_bars_before(tmp_path: Path) -> None:
    stored("SOL/USDT")
    whole = replayed(tmp_path, "SOL/USDT")
    out = tmp_path / "part.json"

    call_command(
        "replay", "--symbols", "SOL/USDT", "--timeframe", "15m",
        "--from", "2026-03-08", "--to", "2026-03-13T12:00:00Z", "--json", str(out), verbosity=0,
    )  # fmt: skip

    part = json.loads(out.read_text())
    inside = [t["signal_bar"] for t in whole["trades"] if "2026-03-08" <= t["signal_bar"] < "2026-03-13T11:45"]
    assert part["trades"]
    assert part["trades"][0]["signal_bar"] == inside[0]
    assert all("2026-03-07T23:45" <= t["signal_bar"] < "2026-03-13T12:00" for t in part["trades"])


@pytest.mark.parametrize(
    ("_case", "args", "words"),
    [
        ("unknown symbol", {"symbols": "DOGE/USDT"}, "DOGE/USDT"),
        ("unknown timeframe", {"timeframe": "7m"}, "timeframe: '7m' is not one of"),
        ("unknown parameter", {"params": '{"colour": 1}'}, "colour: unknown parameter"),
        ("parameter out of range", {"params": '{"risk_fraction": 2}'}, "risk_fraction: 2 is outside 0.001 to 0.1"),
        ("not JSON", {"params": "{"}, "cannot be read as JSON"),
        ("a list of parameters", {"params": "[1]"}, "one JSON object"),
        ("nothing in the stretch", {"from": "2027-01-01"}, "no stored bar closes"),
        ("no folder for the result", {"json": "nowhere/out.json"}, "is not a folder"),
    ],
)
def test_a_mistake_is_one_clear_line_and_leaves_nothing(
    tmp_path: Path, _case: str, args: dict[str, str], words: str
) -> None:
    stored("SOL/USDT")
    given = {"symbols": "SOL/USDT", "timeframe": "15m", "json": "out.json", **args}
    if "params" in given:
        (tmp_path / "p.json").write_text(given["params"])
        given["params"] = str(tmp_path / "p.json")
    given["json"] = str(tmp_path / given["json"])

    with pytest.raises(CommandError, match=words.replace("(", r"\(")) as caught:
        call_command("replay", *[word for name, value in given.items() for word in (f"--{name}", value)])

    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.json").exists()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
