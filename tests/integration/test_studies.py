"""The commands that study backtests: their results, that seeds repeat them, exit codes, and one clear line for mistakes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from trading import wiring
from trading.adapters.candle_csv import read_csv
from trading.adapters.candle_store import CandleStore
from trading.core.analysis import Analysis
from trading.core.candles import Candles
from trading.core.params import Params
from trading.core.strategies import Sides
from trading.research import simulate

START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 23, tzinfo=UTC)
REAL = Path(__file__).parents[3] / "shared/data/candles"
OPEN = '{"score_min_ranging": 0, "score_min_choppy": 0, "adx_min_choppy": 0, "volume_min": 0, "confluence_min": 0}'
SEARCH = {"vary": ["fast_sma=5,15", "stop_atr=1:3:1"], "min-trades": "3"}
COMMANDS: dict[str, dict[str, Any]] = {
    "sweep": SEARCH,
    "walkforward": {**SEARCH, "train": "7", "test": "4"},
    "montecarlo": {"draws": "200", "noise-draws": "3"},
    "significance": {"draws": "20"},
    "lookahead": {"cuts": "6"},
}


class Tomorrow:
    """Buys when the next bar closes higher."""

    name = "tomorrow"

    def warmup_bars(self, params: Params) -> int:
        return 0

    def sides(self, candles: Candles, analysis: Analysis, params: Params) -> Sides:
        return np.append(np.diff(candles.close) > 0, False).astype(np.int8)


@pytest.fixture(autouse=True)
def _stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    candles = simulate.candles(seed=5, symbol="SOL/USDT", timeframe="15m", start=START, stop=END)
    CandleStore(tmp_path / "candles", "import").write(candles)
    (tmp_path / "p.json").write_text(OPEN)


def study(name: str, tmp_path: Path, **others: Any) -> tuple[dict[str, Any], str]:
    """Call a command and return its result and what it printed."""
    given = {"symbols": "SOL/USDT", "timeframe": "15m", "params": str(tmp_path / "p.json"), **COMMANDS[name], **others}
    words = [name]
    for option, value in given.items():
        words += [f"--{option}", *(value if isinstance(value, list) else [value])]
    out = StringIO()
    call_command(*words, "--json", str(tmp_path / "out.json"), stdout=out, stderr=StringIO())
    found: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    return found, out.getvalue()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_seed_writes_the_same_bytes(name: str, tmp_path: Path) -> None:
    one, other = (study(name, tmp_path) for _ in range(2))

    assert one == other
    assert one[0]["symbols"] == ["SOL/USDT"]
    assert one[1].count("\n") >= 1


@pytest.mark.parametrize("name", ["montecarlo", "significance"])
def test_another_seed_draws_something_else(name: str, tmp_path: Path) -> None:
    assert study(name, tmp_path)[0] != study(name, tmp_path, seed="2")[0]


@pytest.mark.parametrize("name", ["sweep", "walkforward", "montecarlo"])
def test_a_picture_is_written_on_request(name: str, tmp_path: Path) -> None:
    study(name, tmp_path, png=str(tmp_path / "out.png"))

    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_ranks_its_points_and_says_how_much_is_luck(tmp_path: Path) -> None:
    found, printed = study("sweep", tmp_path)

    assert (found["tried"], found["contradictions"]) == (6, 0)
    scores = [row["sharpe"] for row in found["best"]]
    assert scores == sorted(scores, reverse=True)
    assert 0.0 <= found["deflated_sharpe"] <= 1.0
    assert found["overfitting"] is None  # 21 days are too few to cut into 12 blocks of two
    assert "6 points tried" in printed
    assert "probability of overfitting -" in printed


def test_a_walk_tells_each_window_and_what_the_parameters_as_they_are_would_have_made(tmp_path: Path) -> None:
    found, printed = study("walkforward", tmp_path, anchored=[])

    assert [row["split"][:10] for row in found["windows"]] == ["2026-03-10", "2026-03-14", "2026-03-18"]
    assert {row["begin"] for row in found["windows"]} == {"2026-03-02T00:15:00+00:00"}
    assert found["chosen"]["days"] == found["usual"]["days"] == 12
    assert "walk-forward efficiency" in printed


def test_a_spread_holds_its_figure_and_no_noise_changes_nothing(tmp_path: Path) -> None:
    found, _ = study("montecarlo", tmp_path, noise="0")

    calm = found["noisy_candles"]["return_fraction"]
    assert calm["low"] == calm["high"] == calm["actual"]
    drawn = found["blocks_of_days"]["return_fraction"]
    assert drawn["low"] < drawn["actual"] < drawn["high"]
    assert found["shuffled_trades"]["drawdown_fraction"]["draws"] == 200


def test_a_strategy_of_the_settings_that_peeks_is_found_and_the_exit_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "STRATEGIES", ["tests.integration.test_studies.Tomorrow"])
    wiring.forget()

    try:
        with pytest.raises(CommandError, match="would not see") as caught:
            study("lookahead", tmp_path)
    finally:
        wiring.forget()

    assert caught.value.returncode == 1
    found = json.loads((tmp_path / "out.json").read_text())
    rows = found["series"]["SOL/USDT"]["findings"]
    assert [(row["column"], row["fault"]) for row in rows] == [("strategy tomorrow", "peeks")]
    assert found["faults"] == 1


@pytest.mark.parametrize(
    ("_case", "name", "others", "words"),
    [
        ("no candles", "sweep", {"symbols": "DOGE/USDT"}, "no DOGE/USDT 15m bars"),
        ("too few bars", "lookahead", {"to": "2026-03-03"}, "96 bars are too few: the indicators need 201"),
        ("no such parameter", "sweep", {"vary": ["stop=1"]}, "'stop' is no parameter that can be searched"),
        ("outside", "sweep", {"vary": ["stop_atr=0,1"]}, "stop_atr: 0 is outside 0.2 to 10"),
        ("limit entries", "significance", {"params": '{"entry_order": "limit"}'}, "models market entries only"),
        ("no window", "walkforward", {"train": "90"}, "are too few for a window"),
        ("no points", "sweep", {"points": "0"}, "--points 0: give 1 to 1e"),
        ("no draws", "significance", {"draws": "0"}, "--draws 0: give 1 to 1e"),
        ("wild noise", "montecarlo", {"noise": "nan"}, "--noise nan: give 0 to 10"),
    ],
)
def test_a_mistake_is_one_clear_line_and_leaves_nothing(
    tmp_path: Path, _case: str, name: str, others: dict[str, Any], words: str
) -> None:
    if "params" in others:
        (tmp_path / "q.json").write_text(others["params"])
        others = {**others, "params": str(tmp_path / "q.json")}

    with pytest.raises(CommandError, match=words) as caught:
        study(name, tmp_path, **others)

    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.json").exists()


def test_a_person_sees_how_far_it_is_and_a_file_does_not(tmp_path: Path) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    words = ["--symbols", "SOL/USDT", "--timeframe", "15m", "--draws", "3"]
    seen, kept = Terminal(), StringIO()
    for stream in (seen, kept):
        call_command("significance", *words, stdout=StringIO(), stderr=stream)

    assert "3 of 3" in seen.getvalue()
    assert kept.getvalue() == ""


@pytest.mark.parametrize("base", ["BTC", "LINK"])
def test_what_ships_neither_peeks_nor_starts_late_on_real_candles(base: str, tmp_path: Path) -> None:
    path = REAL / f"{base}USDT-15m.csv"
    if not path.exists():
        pytest.skip(f"there are no real candles of {base} here")
    candles = read_csv(path, symbol=f"{base}/USDT", timeframe="15m", now=datetime(2026, 2, 1, tzinfo=UTC)).candles
    CandleStore(tmp_path / "candles", "import").write(candles)

    found, printed = study("lookahead", tmp_path, symbols=f"{base}/USDT")

    assert found["faults"] == 0
    assert printed.endswith("faults=0\n")
    call_command(
        "backtest",
        "--symbols",
        f"{base}/USDT",
        "--timeframe",
        "15m",
        "--json",
        str(tmp_path / "b.json"),
        stdout=StringIO(),
    )
    report = json.loads((tmp_path / "b.json").read_text())
    assert report["metrics"]["daily_equity"][-1][1] == pytest.approx(float(report["final_equity"]), abs=1e-6)
    assert report["metrics"]["return_fraction"] == pytest.approx(report["summary"]["return_fraction"], abs=1e-9)
    assert report["metrics"]["sharpe"] is not None
