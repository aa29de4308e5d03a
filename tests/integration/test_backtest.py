"""The backtest command: replay's arguments, replay's result, and one clear line for every mistake."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import DjangoDbBlocker

from trading.adapters.candle_store import CandleStore
from trading.research import simulate

START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 7, tzinfo=UTC)
OPEN = '{"score_min_ranging": 0, "score_min_choppy": 0, "adx_min_choppy": 0, "volume_min": 0}'


@pytest.fixture(autouse=True)
def _stored(django_db_blocker: DjangoDbBlocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(settings, "JULABA_DATA_DIR", tmp_path)
    candles = simulate.candles(seed=5, symbol="SOL/USDT", timeframe="15m", start=START, stop=END)
    CandleStore(tmp_path / "candles", "import").write(candles)
    with django_db_blocker.unblock():
        yield


def test_it_writes_the_bytes_that_replay_writes(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(OPEN)
    args = ["--symbols", "SOL/USDT", "--timeframe", "15m", "--from", "2026-03-05", "--params", str(tmp_path / "p.json")]

    for name in ("replay", "backtest"):
        call_command(name, *args, "--json", str(tmp_path / f"{name}.json"), verbosity=0)

    assert json.loads((tmp_path / "backtest.json").read_text())["trades"]
    assert (tmp_path / "backtest.json").read_bytes() == (tmp_path / "replay.json").read_bytes()


def test_it_prints_the_figures_and_writes_page_and_trades_on_request(tmp_path: Path) -> None:
    args = ["--symbols", "SOL/USDT", "--timeframe", "15m", "--json", str(tmp_path / "b.json")]
    files = [word for kind in ("html", "png", "csv") for word in (f"--{kind}", str(tmp_path / f"b.{kind}"))]
    out = StringIO()

    call_command("backtest", *args, *files, stdout=out)

    report = json.loads((tmp_path / "b.json").read_text())
    sharpe = report["metrics"]["sharpe"]
    line = next(line for line in out.getvalue().splitlines() if line.startswith("Sharpe"))
    assert line.split()[1] == ("-" if sharpe is None else f"{sharpe:.2f}")
    assert (tmp_path / "b.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "b.csv").read_text().count("\n") == 1 + len(report["trades"])


@pytest.mark.parametrize(
    ("_case", "args", "words"),
    [
        ("no candles", {"symbols": "DOGE/USDT"}, "no DOGE/USDT 15m bars"),
        ("too few bars", {"to": "2026-03-03"}, "96 bars are too few: the indicators need 201 before"),
        ("future dates", {"from": "2027-01-01"}, "no stored bar closes between"),
        ("absurd parameter", {"params": '{"stop_atr": -1}'}, "stop_atr: -1 is outside 0.2 to 10"),
        ("limit entries", {"params": '{"entry_order": "limit"}'}, "a backtest models market entries only"),
        ("no folder", {"json": "nowhere/out.json"}, "is not a folder"),
        ("no folder for the page", {"html": "nowhere/out.html"}, "nowhere is not a folder"),
    ],
)
def test_a_mistake_is_one_clear_line_and_leaves_nothing(
    tmp_path: Path, _case: str, args: dict[str, str], words: str
) -> None:
    given = {"symbols": "SOL/USDT", "timeframe": "15m", "json": "out.json", **args}
    if "params" in given:
        (tmp_path / "p.json").write_text(given["params"])
        given["params"] = str(tmp_path / "p.json")
    given["json"] = str(tmp_path / given["json"])

    with pytest.raises(CommandError, match=words) as caught:
        call_command("backtest", *[word for name, value in given.items() for word in (f"--{name}", value)])

    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.json").exists()


def test_a_result_that_cannot_be_written_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken.json").mkdir()
    args = ["--symbols", "SOL/USDT", "--timeframe", "15m", "--json", str(tmp_path / "taken.json")]

    with pytest.raises(CommandError, match=r"cannot be written .*: make room or choose another file") as caught:
        call_command("backtest", *args)

    assert caught.value.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["candles", "taken.json"]


def test_a_gap_in_the_candles_is_refused(tmp_path: Path) -> None:
    later = simulate.candles(
        seed=5,
        symbol="SOL/USDT",
        timeframe="15m",
        start=datetime(2026, 3, 8, tzinfo=UTC),
        stop=datetime(2026, 3, 9, tzinfo=UTC),
    )
    CandleStore(tmp_path / "candles", "import").write(later)

    with pytest.raises(CommandError, match="are missing: import them or ask for less"):
        call_command("backtest", "--symbols", "SOL/USDT", "--timeframe", "15m", "--json", str(tmp_path / "out.json"))

    assert not (tmp_path / "out.json").exists()
